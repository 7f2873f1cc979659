//! `history` and `evidence`: what the ledger holds, as a table or whole.

use mpp_core::printable;
use mpp_http::Payment;
use mpp_http::ledger::Ledger as _;
use serde_json::Value;

use crate::args;
use crate::books::Books;
use crate::failure::Failure;
use crate::output;

/// Lists payments, the newest last.
pub(crate) async fn history(args: &args::History) -> Result<(), Failure> {
    let books = Books::open(&args.books, &args::Limits::default()).await?;
    let mut payments = books.ledger.payments(None, args.limit, args.open).await?;
    payments.reverse();
    let printed = if args.json {
        output::print_json(&payments.iter().map(Payment::evidence).collect::<Value>())
    } else if payments.is_empty() {
        let open = if args.open { "open " } else { "" };
        output::note(&format!("no {open}payments in the ledger {}", books.place))
    } else {
        let rows: Vec<_> = payments.iter().map(row).collect();
        output::print_text(&format!("{HEADING}\n{}", rows.join("\n")))
    };
    output::printed(printed, None)
}

/// Prints all that is known of one payment.
pub(crate) async fn evidence(args: &args::Evidence) -> Result<(), Failure> {
    let books = Books::open(&args.books, &args::Limits::default()).await?;
    let payment = books.ledger.payment(args.id).await?;
    let payment = payment
        .ok_or_else(|| Failure::usage(format!("the ledger {} holds no payment {}", books.place, args.id)))?;
    let printed = output::print_json(&payment.evidence());
    output::printed(printed, None)
}

/// A line of at most 100 columns, as long as there are fewer than 100,000 payments of less than 10,000 dollars.
fn row(payment: &Payment) -> String {
    let at_most = if payment.settled().is_some() { "" } else { "≤" };
    format!(
        "{:>5}  {:<20}  {:<16}  {:>12}  {:<22}  {}",
        payment.id(),
        output::instant(payment.reserved_at()),
        payment.state().name(),
        format!("{at_most}${}", payment.counted()),
        realm(&payment.quote().realm),
        payment.hash().map_or("-".to_owned(), |hash| shortened(&hash.to_string())),
    )
}

/// A stranger's name in 22 columns: of other letters than ASCII's nobody knows how many a terminal gives them.
fn realm(realm: &str) -> String {
    let shown = printable(realm, 22).replace(|letter: char| !letter.is_ascii_graphic(), "?");
    match (realm.chars().count() > 22, shown.get(..21)) {
        (true, Some(start)) => format!("{start}…"),
        _ => shown,
    }
}

/// `0x1234abcd…ef56`, enough to find it by.
pub(crate) fn shortened(hash: &str) -> String {
    match (hash.get(..8), hash.get(hash.len().saturating_sub(4)..)) {
        (Some(start), Some(end)) => format!("{start}…{end}"),
        _ => hash.to_owned(),
    }
}

const HEADING: &str =
    "    #  time (UTC)            state                    dollars  realm                   transaction";
