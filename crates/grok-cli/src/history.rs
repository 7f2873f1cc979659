//! `history` and `evidence`: what the ledger holds, as a table or whole.

use mpp_core::printable;
use mpp_http::Payment;
use mpp_http::ledger::Ledger as _;
use serde_json::Value;

use crate::args::{self, LimitArgs};
use crate::books::Books;
use crate::failure::Failure;
use crate::output;

/// Lists payments, the newest last.
pub(crate) async fn history(args: &args::History) -> Result<(), Failure> {
    let books = Books::look(&args.ledger, &LimitArgs::default()).await?;
    let mut payments = books.ledger.payments(None, args.limit.saturating_add(1), args.open).await?;
    let all = payments.len();
    payments.truncate(usize::try_from(args.limit).unwrap_or(usize::MAX));
    let older = payments.len() < all;
    payments.reverse();
    let printed = if args.json {
        output::print_json(&payments.iter().map(Payment::evidence).collect::<Value>())
    } else if payments.is_empty() {
        let open = if args.open { "open " } else { "" };
        output::note(&format!("no {open}payments in the ledger {}", books.place))
    } else {
        let rows: Vec<_> = payments.iter().map(row).collect();
        output::print_table(HEADING, &rows)
    };
    if older {
        let _ = output::note("older ones are not shown; --limit N shows more");
    }
    output::printed(printed, None)
}

/// Prints all that is known of one payment.
pub(crate) async fn evidence(args: &args::Evidence) -> Result<(), Failure> {
    let books = Books::look(&args.ledger, &LimitArgs::default()).await?;
    let payment = books.ledger.payment(args.id).await?;
    let payment = payment
        .ok_or_else(|| Failure::usage(format!("the ledger {} holds no payment {}", books.place, args.id)))?;
    let printed = output::print_json(&payment.evidence());
    output::printed(printed, None)
}

/// A line of at most 80 columns, as long as there are fewer than 10,000 payments of less than 10 dollars.
fn row(payment: &Payment) -> String {
    let at_most = if payment.settled().is_some() { "" } else { "≤" };
    let hash = payment.hash().map(|hash| hash.to_string());
    format!(
        "{:>4} {:.16} {:<16} {:>10} {:<7} {:<13} {}",
        payment.id(),
        output::instant(payment.reserved_at()).replace('T', " "),
        payment.state().name(),
        format!("{at_most}${}", payment.counted()),
        output::chain_name(payment.quote().chain_id),
        realm(&payment.quote().realm),
        hash.as_deref().map_or("-", |hash| hash.get(..8).unwrap_or(hash)),
    )
}

/// A stranger's name in 13 columns: of other letters than ASCII's nobody knows how many a terminal gives them.
fn realm(realm: &str) -> String {
    let shown = printable(realm, 13).replace(|letter: char| !letter.is_ascii_graphic(), "?");
    match (realm.chars().count() > 13, shown.get(..12)) {
        (true, Some(start)) => format!("{start}…"),
        _ => shown,
    }
}

const HEADING: &str = "   # time (UTC)       state                  cost chain   realm         hash";
