//! What is printed: for people, answer on standard output and the rest on standard error; for programs, one JSON object
//! on standard output.

use std::io::{self, Write};

use grok_mpp::{Answer, Execution};
use mpp_core::Quote;
use mpp_http::{Money, Payment, Quoted};
use serde_json::{Value, json};

use crate::failure::Failure;

/// An answer that was bought.
pub(crate) fn answer(answer: &Answer, as_json: bool) -> io::Result<()> {
    if as_json {
        return print(&json!({
            "text": answer.text(),
            "executions": answer.executions().iter().map(execution).collect::<Vec<_>>(),
            "citations": answer.citations(),
            "model": answer.model(),
            "finish": answer.finish(),
            "usage": answer.usage().map(|usage| json!({
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
                "reasoning_tokens": usage.reasoning_tokens,
            })),
            "payment": answer.payment().map(payment),
            "raw": answer.raw(),
        }));
    }
    let mut notes = io::stderr().lock();
    for run in answer.executions() {
        writeln!(notes, "ran")?;
        indent(&mut notes, &run.code)?;
        if !run.output.is_empty() {
            writeln!(notes, "printed")?;
            indent(&mut notes, &run.output)?;
        }
    }
    match answer.payment() {
        None => writeln!(notes, "price        free")?,
        Some(payment) => paid(&mut notes, payment)?,
    }
    if let Some(usage) = answer.usage() {
        let count = |tokens: Option<u64>| tokens.map_or("?".to_owned(), |tokens| tokens.to_string());
        writeln!(notes, "tokens       {} in, {} out", count(usage.input_tokens), count(usage.output_tokens))?;
    }
    drop(notes);
    let mut output = io::stdout().lock();
    match answer.text() {
        "" => writeln!(io::stderr(), "the answer holds no text; --json shows all of it"),
        text => writeln!(output, "{text}"),
    }
}

/// A price.
pub(crate) fn quote(quoted: Option<&Quoted>, as_json: bool) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match quoted {
        _ if as_json => print(&json!({
            "quote": quoted.map(|quoted| terms(&quoted.quote)),
            "refusal": quoted.and_then(|quoted| quoted.refusal.as_ref()).map(ToString::to_string),
        })),
        None => writeln!(output, "free: the service answered without asking for payment"),
        Some(quoted) => {
            writeln!(output, "{}", quoted.quote)?;
            match &quoted.refusal {
                Some(refusal) => writeln!(io::stderr(), "run would refuse it: {refusal}"),
                None => Ok(()),
            }
        }
    }
}

/// A run that bought nothing: the money first, then what went wrong.
pub(crate) fn failure(failure: &Failure, as_json: bool) -> io::Result<()> {
    let money = failure.payment.as_deref().map_or(Money::NotMoved, Payment::money);
    if as_json {
        print(&json!({
            "error": {
                "message": failure.message,
                "exit_code": failure.code,
                "money": word(money),
                "payment": failure.payment.as_deref().map(payment),
            }
        }))?;
    }
    let mut notes = io::stderr().lock();
    writeln!(notes, "grok-mpp: {}", failure.message)?;
    if let Some(payment) = &failure.payment {
        paid(&mut notes, payment)?;
        if money == Money::Unknown {
            writeln!(notes, "do not ask again before you know: look the transaction up on chain")?;
        }
    }
    Ok(())
}

fn paid(notes: &mut impl Write, payment: &Payment) -> io::Result<()> {
    let quote = payment.quote();
    writeln!(
        notes,
        "price        ${} ({} base units of {})",
        quote.amount,
        quote.amount.base_units(),
        quote.token
    )?;
    match quote.sponsored {
        true => writeln!(notes, "fee          paid by the payee")?,
        false => writeln!(notes, "fee          at most ${}", quote.fee_ceiling)?,
    }
    match payment.hash() {
        Some(hash) => writeln!(notes, "transaction  {hash} on chain {}", quote.chain_id)?,
        None => writeln!(notes, "transaction  none known on chain {}", quote.chain_id)?,
    }
    match payment.receipt() {
        Some(receipt) => {
            writeln!(notes, "receipt      for this transaction, settled {}", receipt.timestamp())
        }
        None => writeln!(notes, "receipt      none"),
    }
}

/// The stable shape of a payment; base units are strings, as they can exceed what JSON readers hold exactly.
fn payment(payment: &Payment) -> Value {
    json!({
        "money": word(payment.money()),
        "terms": terms(payment.quote()),
        "payer": payment.payer(),
        "transaction": payment.hash(),
        "memo": payment.memo(),
        "valid_before": payment.valid_before(),
        "receipt": payment.receipt().map(|receipt| json!({
            "reference": receipt.reference(),
            "timestamp": receipt.timestamp(),
            "external_id": receipt.external_id(),
        })),
    })
}

fn terms(quote: &Quote) -> Value {
    let base_units = |amount: mpp_core::Amount| amount.base_units().to_string();
    json!({
        "amount": base_units(quote.amount),
        "dollars": quote.amount.to_string(),
        "token": quote.token,
        "chain_id": quote.chain_id,
        "recipients": quote.transfers.iter().map(|transfer| json!({
            "address": transfer.to,
            "amount": base_units(transfer.amount),
        })).collect::<Vec<_>>(),
        "fee_ceiling": base_units(quote.fee_ceiling),
        "sponsored": quote.sponsored,
        "expires_at": quote.expires_at,
        "realm": quote.realm,
        "challenge_id": quote.challenge_id,
        "description": quote.description,
    })
}

fn execution(run: &Execution) -> Value {
    json!({ "code": run.code, "output": run.output, "images": run.images, "status": run.status })
}

fn word(money: Money) -> &'static str {
    match money {
        Money::NotMoved => "not_moved",
        Money::Unknown => "unknown",
        Money::Paid => "paid",
    }
}

fn indent(notes: &mut impl Write, text: &str) -> io::Result<()> {
    text.lines().try_for_each(|line| writeln!(notes, "    {line}"))
}

fn print(value: &Value) -> io::Result<()> {
    writeln!(io::stdout(), "{value:#}")
}
