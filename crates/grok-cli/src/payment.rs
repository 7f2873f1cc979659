//! A payment as a run shows it: before it is sent, while its outcome is waited for, and after.

use std::io::{self, Write};

use mpp_core::{Amount, printable};
use mpp_http::Payment;
use mpp_http::ledger::{Scope, Standing, State};
use serde_json::{Value, json};

use crate::config::WINDOWS;
use crate::output::{base_units, note};

/// A payment that is about to be sent: from here on, whatever happens to this program, it can be looked up.
pub(crate) fn sending(payment: &Payment) -> io::Result<()> {
    let (id, chain_id) = (payment.id(), payment.quote().chain_id);
    match (payment.hash(), payment.memo()) {
        (Some(hash), _) => note(&format!("paying       #{id}, transaction {hash} on chain {chain_id}")),
        (None, Some(memo)) => note(&format!("paying       #{id}, by memo {memo} on chain {chain_id}")),
        (None, None) => Ok(()),
    }
}

/// A payment whose outcome is unknown, and is waited for.
pub(crate) fn waiting(payment: &Payment) -> io::Result<()> {
    note(&format!(
        "waiting      up to two minutes for the chain to say what became of payment #{}; grok-mpp reconcile can ask \
         later, too",
        payment.id()
    ))
}

/// A payment that was made or tried, with what is left of the limits it counts against.
pub(crate) fn paid(notes: &mut impl Write, payment: &Payment, left: &[Standing]) -> io::Result<()> {
    let quote = payment.quote();
    writeln!(notes, "payment      #{}", payment.id())?;
    writeln!(
        notes,
        "price        ${} ({} base units of {})",
        quote.amount,
        quote.amount.base_units(),
        quote.token
    )?;
    match (payment.settled(), quote.sponsored) {
        (_, true) => writeln!(notes, "fee          paid by the payee")?,
        (Some(settled), _) => writeln!(notes, "fee          ${}", settled.fee)?,
        (None, _) => writeln!(notes, "fee          at most ${}", quote.fee_ceiling)?,
    }
    left.iter().try_for_each(|standing| writeln!(notes, "{}", left_line(standing)))?;
    match (payment.hash(), payment.memo()) {
        (Some(hash), _) => writeln!(notes, "transaction  {hash} on chain {}", quote.chain_id)?,
        (None, Some(memo)) => {
            writeln!(notes, "transaction  the one with memo {memo} on chain {}", quote.chain_id)?
        }
        (None, None) => writeln!(notes, "transaction  none, as nothing was to be paid")?,
    }
    match (payment.settled(), payment.state()) {
        (None, _) => {}
        _ if fee_of_failed(payment).is_some() => {
            writeln!(notes, "outcome      failed on chain: the price was not paid, the fee is gone")?;
        }
        (_, State::NotPaid) => writeln!(notes, "outcome      not paid, and it can no longer be")?,
        (_, State::Delivered) => {}
        _ => writeln!(notes, "outcome      paid, by the chain's word")?,
    }
    match (payment.receipt(), payment.failure(), payment.state()) {
        (Some(receipt), ..) => {
            writeln!(notes, "receipt      for this payment, settled {}", printable(receipt.timestamp(), 40))
        }
        (None, Some(failure), State::Delivered) => {
            writeln!(notes, "receipt      wrong: {}", printable(failure, 200))
        }
        (None, None, State::Delivered) => {
            writeln!(notes, "receipt      none; the service took the payment by its own word")
        }
        _ => writeln!(notes, "receipt      none"),
    }
}

/// The fee of a payment that failed on chain, where it moved nothing else.
pub(crate) fn fee_of_failed(payment: &Payment) -> Option<Amount> {
    let settled = payment.settled()?;
    (settled.amount.is_zero() && !settled.fee.is_zero()).then_some(settled.fee)
}

/// What is left of a limit, for people.
pub(crate) fn left_line(standing: &Standing) -> String {
    format!("left         ${} of ${} {}", standing.left(), standing.limit.amount, standing.limit)
}

/// What is left of a limit, for programs.
pub(crate) fn standing(standing: &Standing) -> Value {
    let (realm, recipient) = match &standing.limit.scope {
        Scope::All => (None, None),
        Scope::Realm(realm) => (Some(realm), None),
        Scope::Recipient(to) => (None, Some(to)),
    };
    let window = WINDOWS.iter().find(|(_, window)| *window == standing.limit.window);
    json!({
        "window": window.map(|(name, _)| name),
        "realm": realm,
        "recipient": recipient,
        "limit": base_units(standing.limit.amount),
        "spent": base_units(standing.spent),
        "left": base_units(standing.left()),
    })
}
