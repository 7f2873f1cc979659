//! `grok-mpp`: reads arguments, buys or prices one answer, and ends with a code that says what became of the money.

mod args;
mod failure;
mod report;
mod service;
mod wallet;

use std::io::{self, Read as _};
use std::process::ExitCode;

use args::{Call, Cli, Command, Question};
use failure::Failure;
use service::Service;

fn main() -> ExitCode {
    let Cli { command } = Cli::read();
    let (call, pays) = match &command {
        Command::Run(call) => (call, true),
        Command::Quote(call) => (call, false),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(buy(call, pays)),
        Err(error) => Err(Failure::unpaid(format!("cannot start: {error}"))),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // A terminal that is gone changes nothing about the money, which the exit code still tells.
            let _ = report::failure(&failure, call.json);
            ExitCode::from(failure.code)
        }
    }
}

/// Buys an answer, or, when not to pay, asks for its price.
async fn buy(call: &Call, pays: bool) -> Result<(), Failure> {
    let prompt = prompt(&call.question)?;
    let service = Service::start(&call.service, pays).await?;
    let Question { model, max_tokens, system, .. } = &call.question;
    let question = service.grok.code_execution(prompt).model(model).max_tokens(*max_tokens);
    let question = match system {
        Some(system) => question.system(system),
        None => question,
    };
    let (printed, payment) = if pays {
        let answer = question.send().await?;
        (report::answer(&answer, call.json), answer.payment().cloned())
    } else {
        (report::quote(question.quote().await?.as_ref(), call.json), None)
    };
    service.stop().await;
    match printed {
        // A reader that has seen enough, such as head, is no failure.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::unprinted(&error, payment.map(Box::new)))
        }
        _ => Ok(()),
    }
}

/// The text to ask: the argument or standard input, then the file.
fn prompt(question: &Question) -> Result<String, Failure> {
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
