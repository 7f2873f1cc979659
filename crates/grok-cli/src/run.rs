//! `run` and `quote`: a prompt in, an answer or a price out.

use std::io::{self, Read as _};

use grok_mpp::Call;
use grok_mpp::call::CodeExecution;
use mpp_http::Payment;
use mpp_http::ledger::Standing;

use crate::args;
use crate::failure::{Failure, chain};
use crate::output;
use crate::report;
use crate::service::Service;
use crate::terminal::{Waiting, interrupted};

/// Buys an answer.
pub(crate) async fn run(args: &args::Run) -> Result<(), Failure> {
    let prompt = prompt(&args.call.question)?;
    let service =
        Service::start(&args.call.service, &args.ledger.config, Some((&args.ledger, &args.limits))).await?;
    let waiting = Waiting::start("asking for the price");
    let asked = interrupted(question(&service, prompt, &args.call.question).send()).await;
    drop(waiting);
    let Some(asked) = asked else {
        let failure = Failure::interrupted(service.sent());
        interrupted(service.stop()).await;
        return Err(failure);
    };
    // The text comes first: nothing that happens to the rest takes it away.
    let text = match &asked {
        Ok(answer) if !args.call.json => output::print_answer(answer.text()),
        _ => Ok(()),
    };
    let payment = match &asked {
        Ok(answer) => answer.payment(),
        Err(error) => error.payment(),
    };
    let payment = match payment {
        Some(payment) => {
            let _waiting = Waiting::start("asking the chain what it took");
            Some(interrupted(service.settled(payment.clone())).await.unwrap_or_else(|| payment.clone()))
        }
        None => None,
    };
    let left = left(&service, payment.as_ref()).await;
    service.stop().await;
    let printed = match &asked {
        Err(error) => return Err(Failure { left, ..Failure::call(error, payment) }),
        Ok(answer) if args.call.json => report::answer_json(answer, payment.as_ref(), &left),
        Ok(answer) => {
            // Whoever closed standard error does not want the notes.
            let _ = report::notes(answer, payment.as_ref(), &left);
            text
        }
    };
    output::printed(printed, payment)
}

/// What a payment leaves of the limits it counts against, if the ledger says.
async fn left(service: &Service, payment: Option<&Payment>) -> Vec<Standing> {
    let (Some(books), Some(payment)) = (&service.books, payment) else { return Vec::new() };
    books.left(payment).await.unwrap_or_else(|error| {
        let _ = output::note(&format!("cannot tell what is left: {}", chain(&error)));
        Vec::new()
    })
}

/// Asks for the price.
pub(crate) async fn quote(args: &args::Quote) -> Result<(), Failure> {
    let args::Quote { call: args, config } = args;
    let prompt = prompt(&args.question)?;
    let service = Service::start(&args.service, config, None).await?;
    let waiting = Waiting::start("asking for the price");
    let asked = question(&service, prompt, &args.question).quote().await;
    drop(waiting);
    service.stop().await;
    let quoted = asked.map_err(|error| Failure::call(&error, None))?;
    let printed = report::quote(quoted.as_ref(), args.json);
    output::printed(printed, None)
}

fn question<'a>(service: &'a Service, prompt: String, args: &args::Question) -> Call<'a, CodeExecution> {
    let question = service.grok.code_execution(prompt).model(&args.model).max_tokens(args.max_tokens);
    match &args.system {
        Some(system) => question.system(system),
        None => question,
    }
}

/// The text to ask: the argument or standard input, then the file.
fn prompt(question: &args::Question) -> Result<String, Failure> {
    let mut prompt = match question.prompt.as_deref() {
        Some("-") => {
            let mut text = String::new();
            let read = io::stdin().lock().take(MAX_PROMPT).read_to_string(&mut text);
            read.map_err(|error| Failure::usage(format!("standard input: {error}")))?;
            text
        }
        text => text.unwrap_or_default().to_owned(),
    };
    if let Some(path) = &question.file {
        let unreadable = |error: io::Error| Failure::usage(format!("file {}: {error}", path.display()));
        let file = std::fs::File::open(path).map_err(unreadable)?;
        if !prompt.is_empty() {
            prompt.push_str("\n\n");
        }
        file.take(MAX_PROMPT).read_to_string(&mut prompt).map_err(unreadable)?;
    }
    Ok(prompt)
}

/// Most bytes read of a prompt: one more than any request may have, so that too much is refused, not cut.
const MAX_PROMPT: u64 = (1 << 20) + 1;
