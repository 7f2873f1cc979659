//! The tool `budget`: what may still be spent, and what is unknown of payments.

use mpp_http::ledger::{Ledger as _, LedgerError};
use mpp_http::{Money, Payment};
use rmcp::model::CallToolResult;
use serde_json::{Map, Value, json};

use super::{Desk, report};
use crate::books::{Books, currencies, now};
use crate::failure::chain;
use crate::output::instant;
use crate::payment;

/// Shows what is left, or looks a payment up.
pub(super) async fn budget(desk: &Desk, arguments: &Map<String, Value>) -> CallToolResult {
    if let Some(stranger) = arguments.keys().find(|key| *key != "payment_id") {
        return report::error(format!(
            "budget has no argument {:?}; it has payment_id",
            mpp_core::printable(stranger, 100)
        ));
    }
    let asked = match arguments.get("payment_id").filter(|id| !id.is_null()).map(Value::as_u64) {
        None => None,
        Some(Some(id)) => Some(id),
        Some(None) => return report::error("payment_id must be the number of a payment"),
    };
    let Some(books) = &desk.service.books else { return report::error("there is no ledger") };
    match standing(desk, books, asked).await {
        Ok(result) => result,
        Err(error) => report::error(format!("the ledger cannot be read: {}", chain(&error))),
    }
}

async fn standing(desk: &Desk, books: &Books, asked: Option<u64>) -> Result<CallToolResult, LedgerError> {
    let open = books.ledger.payments(None, PAGE, true).await?;
    let latest = books.ledger.payments(None, 1, false).await?;
    let unknown: Vec<_> = open.iter().filter(|payment| payment.money() == Money::Unknown).collect();
    let mut lines = vec![format!("No call may cost more than ${}.", desk.service.max_cost)];
    let mut tokens = Vec::new();
    for currency in currencies(None, &latest) {
        let standing = books.budget.standing(&*books.ledger, currency, now()).await?;
        if !standing.is_empty() {
            lines.push(format!("Token {} on chain {}:", currency.token, currency.chain_id));
            lines.extend(standing.iter().map(report::left));
        }
        tokens.push(json!({
            "currency": currency.token,
            "chain_id": currency.chain_id,
            "limits": standing.iter().map(payment::standing).collect::<Vec<_>>(),
        }));
    }
    if books.budget.limits().is_empty() {
        lines.push("No limit over time is configured.".to_owned());
    }
    lines.extend(unknown.iter().map(|payment| line(payment)));
    let payment = match asked {
        None => Value::Null,
        Some(id) => match books.ledger.payment(id).await? {
            None => return Ok(report::error(format!("the ledger holds no payment {id}"))),
            Some(payment) => {
                if !unknown.iter().any(|other| other.id() == id) {
                    lines.push(line(&payment));
                }
                known(&payment)
            }
        },
    };
    let told = json!({
        "cap_per_call_usd": desk.service.max_cost.to_string(),
        "tokens": tokens,
        "unknown": unknown.into_iter().map(known).collect::<Vec<_>>(),
        "payment": payment,
    });
    Ok(report::told(lines.join("\n"), told))
}

/// What is known of a payment, for a model.
fn line(payment: &Payment) -> String {
    let (id, amount) = (payment.id(), payment.quote().amount);
    match payment.money() {
        Money::NotMoved => format!("Payment #{id} did not happen; its call may be made again."),
        Money::Paid => format!("Payment #{id} of ${amount} was made; its call would be paid a second time."),
        Money::Unknown => {
            let end = payment.valid_before().map(|end| format!(", which it can until {}", instant(end)));
            format!(
                "It is unknown whether payment #{id} of ${amount} happened{}. Do not repeat its call; grok-mpp reconcile \
                 finds out.",
                end.unwrap_or_default()
            )
        }
    }
}

fn known(payment: &Payment) -> Value {
    let mut known = report::cost(payment);
    if let Some(known) = known.as_object_mut() {
        known.insert("money".to_owned(), payment.evidence().get("money").cloned().unwrap_or_default());
        known.insert("reserved_at".to_owned(), payment.reserved_at().into());
        known.insert("valid_before".to_owned(), payment.valid_before().into());
    }
    known
}

/// Most payments looked at.
const PAGE: u32 = 100;
