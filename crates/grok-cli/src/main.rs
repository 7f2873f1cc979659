//! `grok-mpp`: reads arguments, does what one command says, and ends with a code that says what became of the money.

mod args;
mod books;
mod budget;
mod config;
mod failure;
mod history;
mod output;
mod pages;
mod payment;
mod place;
mod reconcile;
mod report;
mod run;
mod service;
mod settings;
mod terminal;
mod wallet;

use std::process::ExitCode;

use args::{Cli, Command, ConfigCommand};
use failure::{Failure, SUCCESS};

fn main() -> ExitCode {
    let Cli { command, color } = Cli::read();
    terminal::choose(color);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(execute(&command)),
        Err(error) => Err(Failure::unpaid(format!("cannot start: {error}"))),
    };
    let code = ended.unwrap_or_else(|failure| {
        let failure = if matches!(command, Command::Run(_)) { failure.of_a_run() } else { failure };
        // A terminal that is gone changes nothing about the money, which the exit code still tells.
        let _ = report::failure(&failure, as_json(&command));
        failure.code
    });
    ExitCode::from(code)
}

async fn execute(command: &Command) -> Result<u8, Failure> {
    match command {
        Command::Run(args) => run::run(args).await?,
        Command::Quote(args) => run::quote(args).await?,
        Command::History(args) => history::history(args).await?,
        Command::Budget(args) => budget::budget(args).await?,
        Command::Reconcile(args) => return reconcile::reconcile(args).await,
        Command::Evidence(args) => history::evidence(args).await?,
        Command::Wallet(command) => wallet::wallet(command).await?,
        Command::Config(command) => settings::config(command)?,
        Command::Completions { shell } => pages::completions(*shell)?,
        Command::Man { command } => pages::man(command)?,
    }
    Ok(SUCCESS)
}

fn as_json(command: &Command) -> bool {
    match command {
        Command::Run(args) => args.call.json,
        Command::Quote(args) => args.call.json,
        Command::History(args) => args.json,
        Command::Budget(args) => args.json,
        Command::Reconcile(args) => args.json,
        Command::Evidence(args) => args.json,
        Command::Wallet(command) => command.json(),
        Command::Config(ConfigCommand::Show { json, .. }) => *json,
        Command::Config(_) | Command::Completions { .. } | Command::Man { .. } => false,
    }
}
