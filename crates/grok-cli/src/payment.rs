//! A payment as a run shows it: before it is sent, while its outcome is waited for, and after.

use std::fmt::Display;
use std::io::{self, Write};

use mpp_core::tempo::token_name;
use mpp_core::{Amount, printable};
use mpp_http::Payment;
use mpp_http::ledger::{Scope, Standing, State};
use serde_json::{Value, json};

use crate::config::WINDOWS;
use crate::output::{base_units, fact};
use crate::terminal::{aside, state};

/// A payment that is about to be sent: from here on, whatever happens to this program, it can be looked up.
pub(crate) fn sending(payment: &Payment) -> io::Result<()> {
    let (id, chain_id) = (payment.id(), payment.quote().chain_id);
    state(format!("paying ${} as #{id}, and waiting for the answer", payment.quote().amount));
    match (payment.hash(), payment.memo()) {
        (Some(hash), _) => tell("paying", format_args!("{hash} as #{id} on chain {chain_id}")),
        (None, Some(memo)) => tell("paying", format_args!("by memo {memo} as #{id} on chain {chain_id}")),
        (None, None) => Ok(()),
    }
}

/// A payment whose outcome is unknown, and is waited for.
pub(crate) fn waiting(payment: &Payment) -> io::Result<()> {
    state(format!("waiting for the chain's word on #{}", payment.id()));
    let id = payment.id();
    tell(
        "waiting",
        format_args!(
            "up to two minutes for the chain to say what became of payment #{id}; grok-mpp reconcile can ask \
         later, too"
        ),
    )
}

/// A fact while the call goes on.
fn tell(label: &str, text: impl Display) -> io::Result<()> {
    aside(|| fact(&mut io::stderr(), label, text))
}

/// A payment that was made or tried, with what is left of the limits it counts against.
pub(crate) fn paid(notes: &mut impl Write, payment: &Payment, left: &[Standing]) -> io::Result<()> {
    let quote = payment.quote();
    fact(notes, "payment", format_args!("#{}", payment.id()))?;
    let units = quote.amount.base_units();
    let token = token_name(quote.token, quote.chain_id).map_or(quote.token.to_string(), str::to_owned);
    fact(notes, "price", format_args!("${} ({units} base units of {token})", quote.amount))?;
    match (payment.settled(), quote.sponsored) {
        (_, true) => fact(notes, "fee", "paid by the payee")?,
        (Some(settled), _) => fact(notes, "fee", format_args!("${}", settled.fee))?,
        (None, _) => fact(notes, "fee", format_args!("at most ${}", quote.fee_ceiling))?,
    }
    left.iter().try_for_each(|standing| fact(notes, "left", left_of(standing)))?;
    match (payment.hash(), payment.memo()) {
        (Some(hash), _) => fact(notes, "transaction", format_args!("{hash} on chain {}", quote.chain_id))?,
        (None, Some(memo)) => {
            fact(notes, "transaction", format_args!("the one with memo {memo} on chain {}", quote.chain_id))?
        }
        (None, None) => fact(notes, "transaction", "none, as nothing was to be paid")?,
    }
    match (payment.settled(), payment.state()) {
        (None, _) => {}
        _ if fee_of_failed(payment).is_some() => {
            fact(notes, "outcome", "failed on chain: the price was not paid, the fee is gone")?;
        }
        (_, State::NotPaid) => fact(notes, "outcome", "not paid, and it can no longer be")?,
        (_, State::Delivered) => {}
        _ => fact(notes, "outcome", "paid, by the chain's word")?,
    }
    match (payment.receipt(), payment.failure(), payment.state()) {
        (Some(receipt), ..) => fact(
            notes,
            "receipt",
            format_args!("for this payment, settled {}", printable(receipt.timestamp(), 40)),
        ),
        (None, Some(failure), State::Delivered) => {
            fact(notes, "receipt", format_args!("wrong: {}", printable(failure, 200)))
        }
        (None, None, State::Delivered) => {
            fact(notes, "receipt", "none; the service took the payment by its own word")
        }
        _ => fact(notes, "receipt", "none"),
    }
}

/// The fee of a payment that failed on chain, where it moved nothing else.
pub(crate) fn fee_of_failed(payment: &Payment) -> Option<Amount> {
    let settled = payment.settled()?;
    (settled.amount.is_zero() && !settled.fee.is_zero()).then_some(settled.fee)
}

/// What is left of a limit, for people.
pub(crate) fn left_of(standing: &Standing) -> String {
    format!("${} of ${} {}", standing.left(), standing.limit.amount, standing.limit)
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
