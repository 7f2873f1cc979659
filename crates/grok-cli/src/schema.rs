//! `schema`: what the service says it sells, and how that differs from what is known here.

use std::io::{self, IsTerminal as _};

use grok_mpp::schema::Schema;
use mpp_core::printable;
use serde_json::json;

use crate::args;
use crate::failure::Failure;
use crate::output::{self, print_json, print_text};
use crate::service::Service;
use crate::terminal::{paragraph, wait, width};

pub(crate) async fn schema(args: &args::Schema) -> Result<(), Failure> {
    let service = Service::start(&args.service, &args.config, None).await?;
    let asked = wait("asking what is sold", service.grok.schema()).await;
    let asked = asked.ok_or_else(|| Failure::interrupted(None));
    let asked = asked.and_then(|asked| asked.map_err(|error| Failure::call(&error, None)));
    let printed = asked.and_then(|schema| {
        let printed = if args.json { as_json(&schema) } else { print_text(&as_text(&schema)) };
        output::printed(printed, None)
    });
    service.close(printed).await
}

fn as_json(schema: &Schema) -> io::Result<()> {
    let routes = schema.routes.iter().map(|(route, price)| json!({"route": route, "price": price}));
    print_json(&json!({
        "routes": routes.collect::<Vec<_>>(),
        "differences": schema.differences.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "raw": schema.raw,
    }))
}

fn as_text(schema: &Schema) -> String {
    let widest = schema.routes.iter().map(|(route, _)| route.chars().count()).max().unwrap_or_default();
    let routes = schema.routes.iter().map(|(route, price)| {
        let price = price.as_deref().unwrap_or("price not told");
        let route = printable(route, MAX_SHOWN).to_string();
        format!("{route:widest$}  {}", laid_out(price, widest.saturating_add(2)))
    });
    let known = Some("no difference from what is known here".to_owned());
    let known = known.filter(|_| schema.differences.is_empty());
    let differences = schema.differences.iter().map(|it| laid_out(&it.to_string(), 0));
    routes.chain([String::new()]).chain(known).chain(differences).collect::<Vec<_>>().join("\n")
}

/// What the service says, beside a margin on a terminal, and else on one line.
fn laid_out(text: &str, margin: usize) -> String {
    let text = printable(text, MAX_SHOWN).to_string();
    if io::stdout().is_terminal() { paragraph(&text, margin, width()) } else { text }
}

/// In characters.
const MAX_SHOWN: usize = 300;
