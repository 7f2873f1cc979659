//! The tools as a model reads them: what each is for, what it costs, and whether it changes anything.

use std::sync::Arc;

use mpp_core::Amount;
use rmcp::model::{Tool, ToolAnnotations};
use serde_json::Value;

use super::schema;

pub(super) const RUN: &str = "run_python_with_grok";
pub(super) const ASK: &str = "ask_grok";
pub(super) const WEB: &str = "search_web";
pub(super) const X: &str = "search_x";
pub(super) const IMAGE: &str = "generate_image";
pub(super) const QUOTE: &str = "quote";
pub(super) const BUDGET: &str = "budget";

/// The names of a tool's arguments, if it is one that buys.
pub(super) fn settings(tool: &str) -> Option<Vec<&'static str>> {
    let own: &[&str] = match tool {
        RUN => &["files"],
        ASK => &["image_urls"],
        WEB => &["allowed_domains", "excluded_domains"],
        X => &[],
        IMAGE => return Some(vec!["prompt", "model", "n", "aspect_ratio", "max_cost_usd"]),
        _ => return None,
    };
    let common = ["prompt", "system", "model", "max_tokens", "temperature", "max_cost_usd"];
    Some(common.iter().chain(own).copied().collect())
}

/// All tools; `cap` is the most a call may cost.
pub(super) fn all(cap: Amount) -> Vec<Tool> {
    let bought = [
        (RUN, "Run Python with Grok", RUN_TEXT, schema::answer()),
        (ASK, "Ask Grok", ASK_TEXT, schema::answer()),
        (WEB, "Search the web with Grok", WEB_TEXT, schema::answer()),
        (X, "Search X with Grok", X_TEXT, schema::answer()),
        (IMAGE, "Generate images with Grok", IMAGE_TEXT, schema::pictures()),
    ];
    let bought = bought.into_iter().map(|(name, title, text, output)| {
        let input = schema::arguments(name, &settings(name).unwrap_or_default(), cap);
        let hints = ToolAnnotations::new().read_only(false).destructive(false).idempotent(false);
        let text = format!("{text} {PAYS} No call costs more than ${cap}.");
        tool(name, title, text, input, output).with_annotations(hints.open_world(true))
    });
    let reads = [
        (QUOTE, "Price of a call", QUOTE_TEXT, schema::quote_input(), schema::quote(), true),
        (BUDGET, "What may be spent", BUDGET_TEXT, schema::budget_input(), schema::budget(), false),
    ];
    let reads = reads.into_iter().map(|(name, title, text, input, output, open)| {
        let hints = ToolAnnotations::new().read_only(true).destructive(false).idempotent(true);
        tool(name, title, text.to_owned(), input, output).with_annotations(hints.open_world(open))
    });
    bought.chain(reads).collect()
}

fn tool(name: &'static str, title: &str, text: String, input: Value, output: Value) -> Tool {
    let object = |schema| match schema {
        Value::Object(object) => Arc::new(object),
        _ => Arc::default(),
    };
    Tool::new(name, text, object(input)).with_title(title).with_raw_output_schema(object(output))
}

const RUN_TEXT: &str = "Ask Grok, which writes Python and runs it on its own server to find the answer: arithmetic, \
    statistics, simulation, analysis of data that you pass along. The server keeps nothing between calls.";
const ASK_TEXT: &str = "Ask Grok, which has no tools for it: a second opinion, a text, a look at pictures.";
const WEB_TEXT: &str = "Ask Grok, which searches the web for the answer and names its sources.";
const X_TEXT: &str = "Ask Grok, which searches posts on X for the answer and names its sources.";
const IMAGE_TEXT: &str =
    "Have Grok's image model make pictures of what a prompt says, about $0.02 to $0.08 each.";
const PAYS: &str = "Each call spends real money from the user's wallet, at once and for good; quote tells the price and \
    pays nothing. If a call fails after it was paid, the error says so first: do not repeat it then.";
const QUOTE_TEXT: &str = "Ask the service what a call of one of the tools that pay would cost, and whether it would be \
    refused. Pays nothing.";
const BUDGET_TEXT: &str = "Show what may still be spent, by limit, and which payments are of unknown outcome; with \
    payment_id, what became of that payment. Pays nothing.";
