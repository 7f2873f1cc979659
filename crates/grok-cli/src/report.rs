//! What is printed: for people, answer on standard output and the rest on standard error; for programs, one JSON object
//! on standard output. What comes from a service is made fit for a terminal before it gets there.

use std::io::{self, IsTerminal as _, Write};

use grok_mpp::{Answer, Execution};
use mpp_core::exchange::Outcome;
use mpp_core::{Quote, printable};
use mpp_http::{Money, Payment, Quoted};
use serde_json::{Value, json};

use crate::failure::Failure;

/// An answer that was bought. The answer comes first: nothing that happens to the rest takes it away.
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
    let printed = print_text(answer.text());
    // Whoever closed standard error does not want the notes.
    let _ = notes(answer);
    printed
}

fn notes(answer: &Answer) -> io::Result<()> {
    let mut notes = io::stderr().lock();
    if answer.text().is_empty() {
        writeln!(notes, "the answer holds no text; --json shows all of it")?;
    }
    for run in answer.executions() {
        writeln!(notes, "ran")?;
        indent(&mut notes, &run.code)?;
        if !run.output.is_empty() {
            writeln!(notes, "printed")?;
            indent(&mut notes, &run.output)?;
        }
    }
    for citation in answer.citations() {
        writeln!(notes, "source       {}", printable(citation, 300))?;
    }
    if let Some(finish) = answer.finish().filter(|finish| !["completed", "stop", "end_turn"].contains(finish))
    {
        writeln!(notes, "ended early  {}; --max-tokens allows more", printable(finish, 100))?;
    }
    match answer.payment() {
        None => writeln!(notes, "price        free")?,
        Some(payment) => paid(&mut notes, payment)?,
    }
    if let Some(usage) = answer.usage() {
        let count = |tokens: Option<u64>| tokens.map_or("?".to_owned(), |tokens| tokens.to_string());
        writeln!(notes, "tokens       {} in, {} out", count(usage.input_tokens), count(usage.output_tokens))?;
    }
    Ok(())
}

/// A price.
pub(crate) fn quote(quoted: Option<&Quoted>, as_json: bool) -> io::Result<()> {
    let refusal = quoted.and_then(|quoted| quoted.refusal.as_ref()).map(ToString::to_string);
    if as_json {
        return print(&json!({ "quote": quoted.map(|quoted| terms(&quoted.quote)), "refusal": refusal }));
    }
    match quoted {
        None => print_text("free: the service answered without asking for payment")?,
        Some(quoted) => print_text(&quoted.quote.to_string())?,
    }
    if let Some(refusal) = refusal {
        let _ = writeln!(io::stderr(), "run would refuse it: {refusal}");
    }
    Ok(())
}

/// A payment that is about to be sent: from here on, whatever happens to this program, it can be looked up.
pub(crate) fn sending(payment: &Payment) -> io::Result<()> {
    let mut notes = io::stderr().lock();
    let chain_id = payment.quote().chain_id;
    match (payment.hash(), payment.memo()) {
        (Some(hash), _) => writeln!(notes, "paying       transaction {hash} on chain {chain_id}"),
        (None, Some(memo)) => writeln!(notes, "paying       by memo {memo} on chain {chain_id}"),
        (None, None) => Ok(()),
    }
}

/// A run that bought nothing: what became of the money, then what went wrong.
pub(crate) fn failure(failure: &Failure, as_json: bool) -> io::Result<()> {
    let money = failure.payment.as_deref().map_or(Money::NotMoved, Payment::money);
    let body = failure.body.as_ref().map(|body| String::from_utf8_lossy(body));
    if as_json {
        print(&json!({
            "error": {
                "message": failure.message,
                "exit_code": failure.code,
                "money": word(money),
                "payment": failure.payment.as_deref().map(payment),
                "body": body,
            }
        }))?;
    } else if let Some(body) = body.filter(|_| money == Money::Paid) {
        // It was paid for, whatever it is.
        print_text(&body)?;
    }
    let mut notes = io::stderr().lock();
    writeln!(notes, "grok-mpp: {}", failure.message)?;
    let Some(payment) = &failure.payment else { return Ok(()) };
    paid(&mut notes, payment)?;
    if money == Money::Unknown {
        let when = payment.valid_before().map(|end| format!("; it can happen until Unix second {end}"));
        writeln!(
            notes,
            "do not ask again before you have looked it up on chain{}",
            when.unwrap_or_default()
        )?;
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
    match (payment.hash(), payment.memo()) {
        (Some(hash), _) => writeln!(notes, "transaction  {hash} on chain {}", quote.chain_id)?,
        (None, Some(memo)) => {
            writeln!(notes, "transaction  the one with memo {memo} on chain {}", quote.chain_id)?
        }
        (None, None) => writeln!(notes, "transaction  none, as nothing was to be paid")?,
    }
    match payment.outcome() {
        Outcome::Paid(receipt) => {
            writeln!(notes, "receipt      for this payment, settled {}", printable(receipt.timestamp(), 40))
        }
        Outcome::Accepted => {
            writeln!(notes, "receipt      none; the service took the payment by its own word")
        }
        Outcome::WrongReceipt(error) => {
            writeln!(notes, "receipt      wrong: {error}; look the transaction up")
        }
        Outcome::Unknown => writeln!(notes, "receipt      none"),
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
            "memo": transfer.memo,
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
    text.lines().try_for_each(|line| writeln!(notes, "    {}", printable(line, usize::MAX)))
}

/// As it is into a file or a pipe, made fit for a terminal otherwise.
fn print_text(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match text.strip_suffix('\n').unwrap_or(text) {
        "" => Ok(()),
        text if !output.is_terminal() => writeln!(output, "{text}"),
        text => text.lines().try_for_each(|line| writeln!(output, "{}", printable(line, usize::MAX))),
    }
}

fn print(value: &Value) -> io::Result<()> {
    writeln!(io::stdout(), "{value:#}")
}
