//! One purchase: a price that a person may have to agree to, the call, its payment as far as the chain tells by then, and
//! what was bought where it belongs.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;
use std::time::Duration;

use grok_mpp::Error;
use grok_mpp::answer::Answer;
use grok_mpp::call::{Call, Capability, Conversing};
use mpp_http::Payment;
use mpp_http::ledger::Standing;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::time::sleep;

use crate::args::Purchase;
use crate::failure::Failure;
use crate::output;
use crate::report;
use crate::service::Service;
use crate::terminal::{come, slug, unless_told_to_end, wait};

/// How to keep what cannot be printed.
#[derive(Clone, Debug)]
pub(crate) struct Keep<'a> {
    pub(crate) stem: String,
    pub(crate) output: Option<&'a Path>,
}

impl<'a> Keep<'a> {
    pub(crate) fn new(prompt: &str, output: Option<&'a Path>) -> Self {
        Keep { stem: slug(prompt), output }
    }
}

/// Buys what a call asks for, or asks for its price alone.
pub(crate) async fn buy<C: Capability>(
    service: &Service,
    call: Call<'_, C>,
    args: &Purchase,
    keep: Keep<'_>,
) -> Result<(), Failure> {
    if args.dry_run {
        return price(call, args.json).await;
    }
    agree(service, &call, args).await?;
    let asked = wait(ASKING, call.send()).await;
    let Some(asked) = asked else { return Err(Failure::interrupted(service.sent().await)) };
    // What was bought comes first: nothing that happens to the rest takes it away.
    let shown = match &asked {
        Ok(answer) if !args.json => report::answer(answer, &keep),
        _ => Ok(()),
    };
    finish(service, asked, shown, args, &keep).await
}

/// Buys an answer within a conversation, and prints it.
pub(crate) async fn turn<C: Capability>(
    service: &Service,
    call: Call<'_, C>,
    args: &Purchase,
    keep: Keep<'_>,
) -> Result<Turn, Failure> {
    agree(service, &call, args).await?;
    let asked = wait(ASKING, call.send()).await;
    let Some(asked) = asked else { return Err(Failure::interrupted(service.sent().await)) };
    let shown = asked.as_ref().map_or(Ok(()), |answer| report::answer(answer, &keep));
    let (payment, left) = settled(service, &asked).await;
    match asked {
        Err(error) => Err(Failure { left, ..Failure::call(&error, payment) }),
        Ok(answer) => {
            handed_out(&answer, shown, payment.clone(), &keep).map(|()| Turn { answer, payment, left })
        }
    }
}

/// An answer that was bought and printed.
pub(crate) struct Turn {
    pub(crate) answer: Answer,
    pub(crate) payment: Option<Payment>,
    pub(crate) left: Vec<Standing>,
}

/// Buys an answer and prints it as it comes.
pub(crate) async fn stream<C: Conversing>(
    service: &Service,
    call: Call<'_, C>,
    args: &Purchase,
    keep: Keep<'_>,
) -> Result<(), Failure> {
    agree(service, &call, args).await?;
    let mut shown = Ok(());
    let asked = wait(ASKING, printed(call, &mut shown)).await;
    let shown = shown.and(output::print_piece("\n"));
    let Some(asked) = asked else { return Err(Failure::interrupted(service.sent().await)) };
    finish(service, asked, shown, args, &keep).await
}

/// Reads an answer to its end and prints what comes; what cannot be printed is read all the same.
async fn printed<C: Conversing>(call: Call<'_, C>, shown: &mut io::Result<()>) -> Result<Answer, Error> {
    let mut stream = call.stream().await?;
    while let Some(event) = stream.next().await? {
        if !event.text().is_empty() {
            come();
            if shown.is_ok() {
                *shown = output::print_piece(event.text());
            }
        }
    }
    Ok(stream.so_far())
}

/// Asks for a price.
pub(crate) async fn price<C: Capability>(call: Call<'_, C>, as_json: bool) -> Result<(), Failure> {
    let asked = wait(ASKING, call.quote()).await;
    let asked = asked.ok_or_else(|| Failure::interrupted(None))?;
    let quoted = asked.map_err(|error| Failure::call(&error, None))?;
    output::printed(report::quote(quoted.as_ref(), as_json), None)
}

/// Has a person at the terminal agree to a price above what is paid unasked. From here on nothing above it is paid.
async fn agree<C: Capability>(service: &Service, call: &Call<'_, C>, args: &Purchase) -> Result<(), Failure> {
    service.next_call();
    if args.yes || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(());
    }
    // Also if there is no price now, and one when it is to be paid.
    service.at_most(args.ask_above);
    let quoted = wait(ASKING, call.quote()).await;
    let quoted = quoted.ok_or_else(|| Failure::interrupted(None))?;
    let quoted = quoted.map_err(|error| Failure::call(&error, None))?;
    let Some(quote) = quoted.filter(|quoted| quoted.refusal.is_none()).map(|quoted| quoted.quote) else {
        return Ok(());
    };
    if quote.amount > args.ask_above {
        let _ = output::note(&quote.to_string());
        let agreed = unless_told_to_end(yes(&format!("pay ${}? [y/N] ", quote.amount))).await;
        if !agreed.ok_or_else(|| Failure::interrupted(None))? {
            return Err(Failure::declined());
        }
    }
    service.at_most(quote.amount.max(args.ask_above));
    Ok(())
}

/// Whether a person says yes. Nothing is read before there is a line, so that none is taken from who reads next.
async fn yes(question: &str) -> bool {
    let _ = write!(io::stderr(), "{question}");
    while !matches!(
        poll(&mut [PollFd::new(&io::stdin(), PollFlags::IN)], Some(&Timespec::default())),
        Ok(1..)
    ) {
        sleep(BLINK).await;
    }
    let mut line = String::new();
    let _ = io::stdin().lock().read_line(&mut line);
    ["y", "yes"].contains(&line.trim().to_lowercase().as_str())
}

/// Looks at what became of the payment, and tells it.
async fn finish(
    service: &Service,
    asked: Result<Answer, Error>,
    shown: io::Result<()>,
    args: &Purchase,
    keep: &Keep<'_>,
) -> Result<(), Failure> {
    let (payment, left) = settled(service, &asked).await;
    let answer = match asked {
        Err(error) => return Err(Failure { left, ..Failure::call(&error, payment) }),
        Ok(answer) => answer,
    };
    let printed = if args.json {
        report::answer_json(&answer, payment.as_ref(), &left, keep)
    } else {
        // Whoever closed standard error does not want the notes.
        let _ = report::notes(&answer, payment.as_ref(), &left, keep);
        shown
    };
    handed_out(&answer, printed, payment, keep)
}

/// What printing an answer came to. One that cannot be printed is kept in a file.
fn handed_out(
    answer: &Answer,
    printed: io::Result<()>,
    payment: Option<Payment>,
    keep: &Keep<'_>,
) -> Result<(), Failure> {
    output::printed(printed, payment).inspect_err(|_| {
        let _ = report::keep_text(answer, keep);
    })
}

/// The payment of a call as far as the chain tells by now, and what it leaves of the limits.
async fn settled(service: &Service, asked: &Result<Answer, Error>) -> (Option<Payment>, Vec<Standing>) {
    let payment = match asked {
        Ok(answer) => answer.payment(),
        Err(error) => error.payment(),
    };
    let payment = match payment {
        Some(payment) => {
            let settled = wait("asking the chain what it took", service.settled(payment.clone())).await;
            Some(settled.unwrap_or_else(|| payment.clone()))
        }
        None => None,
    };
    let left = service.left(payment.as_ref()).await;
    (payment, left)
}

/// What comes before a payment.
const ASKING: &str = "asking for the price";
/// Between two looks at the keyboard.
const BLINK: Duration = Duration::from_millis(50);
