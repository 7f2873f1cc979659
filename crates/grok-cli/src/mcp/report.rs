//! What a call came to, as a tool's result: text for a model to read, and the same as data. An error says first what became
//! of the money.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grok_mpp::answer::{Answer, Execution, Image};
use mpp_core::Amount;
use mpp_http::ledger::Standing;
use mpp_http::{Money, Payment, Quoted};
use rmcp::model::{CallToolResult, ContentBlock, Resource};
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::output::{base_units, instant};
use crate::payment;
use crate::report::{ended_early, in_words};
use crate::terminal::Kind;

/// An answer; `pictures` says in which of the two shapes the tool promised it.
pub(super) fn answer(
    answer: &Answer,
    pictures: bool,
    payment: Option<&Payment>,
    left: &[Standing],
) -> CallToolResult {
    let mut content = Vec::new();
    if !pictures || answer.images().is_empty() {
        content.push(ContentBlock::text(text(answer)));
    }
    content.extend(answer.images().iter().enumerate().flat_map(|(place, image)| shown(place, image)));
    content.push(ContentBlock::text(paid(payment, left)));
    let cost = payment.map(cost);
    let budget: Vec<_> = left.iter().map(payment::standing).collect();
    let mut result = CallToolResult::success(content);
    let mut told = match pictures {
        true => {
            let images = answer.images().iter().map(image).collect();
            Map::from_iter([("images".to_owned(), images)])
        }
        false => in_words(answer),
    };
    told.insert("cost".to_owned(), cost.into());
    told.insert("budget".to_owned(), budget.into());
    result.structured_content = Some(told.into());
    result
}

/// A call that bought nothing.
pub(super) fn failure(failure: &Failure, advice: &str) -> CallToolResult {
    let mut text = match &failure.payment {
        None => format!("Nothing was paid: {}.", failure.message),
        Some(_) => format!("{}.", failure.message),
    };
    if let Some(payment) = failure.payment.as_deref() {
        text += &format!(" It is payment #{}. ", payment.id());
        text += &match payment.money() {
            Money::NotMoved => "The call may be made again.".to_owned(),
            Money::Unknown => {
                let end =
                    payment.valid_before().map(|end| format!(" It can still happen until {}.", instant(end)));
                format!(
                    "Do not make this call again now: it may be paid twice.{} Call budget with payment_id {} later: only \
                     when its money is not_moved was nothing paid. If it stays unknown, ask the user to run: grok-mpp \
                     reconcile",
                    end.unwrap_or_default(),
                    payment.id()
                )
            }
            Money::Paid => format!(
                "Do not make this call again: it would be paid a second time. Tell the user, who can claim the money back \
                 with what this prints: grok-mpp evidence {}",
                payment.id()
            ),
        };
    }
    if !advice.is_empty() {
        text = format!("{text} {advice}");
    }
    for standing in &failure.left {
        text += &format!("\n{}", left(standing));
    }
    // It was paid for, whatever it is.
    let bought = failure.payment.as_ref().is_some_and(|payment| payment.money() == Money::Paid);
    if let Some(body) = failure.body.as_ref().filter(|body| bought && !body.is_empty()) {
        text += &format!("\nThe service answered:\n{}", String::from_utf8_lossy(body));
    }
    error(text)
}

/// An error that the model can read.
pub(super) fn error(text: impl Into<String>) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(text.into())])
}

/// A text and the same as data.
pub(super) fn told(text: String, structured: Value) -> CallToolResult {
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    result.structured_content = Some(structured);
    result
}

/// A price.
pub(super) fn quote(quoted: Option<&Quoted>) -> CallToolResult {
    let Some(Quoted { quote, refusal }) = quoted else {
        let free = json!({ "free": true, "refusal": null });
        return told("Free: the service would answer without asking for payment.".to_owned(), free);
    };
    let refusal = refusal.as_ref().map(ToString::to_string);
    let mut text = format!(
        "${}, and a network fee of at most ${}, which is usually far less. Nothing was paid.",
        quote.amount, quote.fee_ceiling
    );
    if let Some(refusal) = &refusal {
        text += &format!(" The call would be refused: {refusal}.");
    }
    told(
        text,
        json!({
            "free": false,
            "price": base_units(quote.amount),
            "price_usd": quote.amount.to_string(),
            "fee_at_most": base_units(quote.fee_ceiling),
            "fee_at_most_usd": quote.fee_ceiling.to_string(),
            "currency": quote.token,
            "chain_id": quote.chain_id,
            "expires_at": quote.expires_at,
            "refusal": refusal,
        }),
    )
}

/// What a payment is, for programs.
pub(super) fn cost(payment: &Payment) -> Value {
    let quote = payment.quote();
    let fee = payment.settled().map(|settled| settled.fee);
    json!({
        "payment_id": payment.id(),
        "state": payment.state().name(),
        "price": base_units(quote.amount),
        "price_usd": quote.amount.to_string(),
        "fee": fee.map(base_units),
        "fee_usd": fee.map(|fee: Amount| fee.to_string()),
        "fee_at_most": base_units(quote.fee_ceiling),
        "fee_at_most_usd": quote.fee_ceiling.to_string(),
        "currency": quote.token,
        "chain_id": quote.chain_id,
        "transaction": payment.hash(),
    })
}

/// What is left of a limit, for a model.
pub(super) fn left(standing: &Standing) -> String {
    format!("Left: ${} of ${} {}.", standing.left(), standing.limit.amount, standing.limit)
}

/// The answer with all that belongs to it.
fn text(answer: &Answer) -> String {
    let mut text = match answer.text() {
        // It was paid for, whatever it is.
        "" if answer.executions().is_empty() => format!("The answer holds no text: {}", answer.raw()),
        text => text.to_owned(),
    };
    for Execution { code, output, .. } in answer.executions() {
        text += &format!("\n\nRan:\n{}", code.trim_end());
        if !output.is_empty() {
            text += &format!("\nPrinted:\n{}", output.trim_end());
        }
    }
    if !answer.citations().is_empty() {
        text += &format!("\n\nSources:\n{}", answer.citations().join("\n"));
    }
    if let Some(finish) = ended_early(answer) {
        text += &format!("\n\nThe answer ended early: {finish}; max_tokens allows more.");
    }
    text
}

fn paid(payment: Option<&Payment>, standing: &[Standing]) -> String {
    let Some(payment) = payment else { return "Free: nothing was paid.".to_owned() };
    let quote = payment.quote();
    let fee = match payment.settled() {
        Some(settled) => format!("${}", settled.fee),
        None => format!("at most ${}", quote.fee_ceiling),
    };
    let hash = payment.hash().map(|hash| format!(", transaction {hash} on chain {}", quote.chain_id));
    let paid = format!("Paid ${} and a fee of {fee} as payment #{}", quote.amount, payment.id());
    let lines = standing.iter().map(|standing| format!("\n{}", left(standing)));
    format!("{paid}{}.{}", hash.unwrap_or_default(), lines.collect::<String>())
}

fn image(image: &Image) -> Value {
    let bytes = image.bytes();
    json!({
        "mime_type": bytes.as_deref().map(mime_type),
        "bytes": bytes.as_ref().map(Vec::len),
        "url": image.url(),
        "revised_prompt": image.revised_prompt,
        "respects_moderation": image.respects_moderation,
    })
}

/// A picture itself, or where it is: as a link, and for hosts that know no links as text.
fn shown(place: usize, image: &Image) -> Vec<ContentBlock> {
    let name = format!("image {}", place.saturating_add(1));
    match (image.bytes(), image.url()) {
        (Some(bytes), _) => vec![ContentBlock::image(STANDARD.encode(&bytes), mime_type(&bytes))],
        (None, Some(url)) => vec![
            ContentBlock::text(format!("{name} is at {url}. Get it soon: it will not stay there.")),
            ContentBlock::ResourceLink(Resource::new(url, name)),
        ],
        (None, None) if image.respects_moderation == Some(false) => {
            vec![ContentBlock::text(format!("{name} was held back by the service's moderation."))]
        }
        (None, None) => vec![ContentBlock::text(format!("{name} came, and cannot be read."))],
    }
}

/// What a picture is; the service makes JPEG.
fn mime_type(bytes: &[u8]) -> &'static str {
    match Kind::of(bytes) {
        Kind::Png => "image/png",
        Kind::WebP => "image/webp",
        Kind::Gif => "image/gif",
        _ => "image/jpeg",
    }
}
