//! `grok-mpp`: reads arguments, does what one command says, and ends with a code that says what became of the money.

mod args;
mod ask;
mod books;
mod budget;
mod config;
mod failure;
mod history;
mod mcp;
mod output;
mod pages;
mod payment;
mod place;
mod reconcile;
mod repl;
mod report;
mod schema;
mod secret;
mod serve;
mod service;
mod settings;
mod terminal;
mod token;
mod wallet;

use std::process::ExitCode;

use args::{Cli, Command, ConfigCommand, Purchase};
use failure::{Failure, SUCCESS};

fn main() -> ExitCode {
    leave_no_core_dump();
    let Cli { command, color } = Cli::read();
    terminal::choose(color);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => {
            let ended = runtime.block_on(execute(&command));
            // Nobody waits for a read of standard input that may never end.
            runtime.shutdown_background();
            ended
        }
        Err(error) => Err(Failure::unpaid(format!("cannot start: {error}"))),
    };
    let code = ended.unwrap_or_else(|failure| {
        let failure = if purchase(&command).is_some() { failure.of_a_run() } else { failure };
        // A terminal that is gone changes nothing about the money, which the exit code still tells.
        let _ = report::failure(&failure, as_json(&command));
        failure.code
    });
    ExitCode::from(code)
}

/// A crash writes no memory to a file: a key may be in it. Where that cannot be had, it is as without.
fn leave_no_core_dump() {
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
}

async fn execute(command: &Command) -> Result<u8, Failure> {
    match command {
        Command::Run(args) => ask::run(args).await?,
        Command::Chat(args) => ask::chat(args).await?,
        Command::Web(args) => ask::web(args).await?,
        Command::X(args) => ask::x(args).await?,
        Command::Image(args) => ask::image(args).await?,
        Command::Edit(args) => ask::edit(args).await?,
        Command::Speak(args) => ask::speak(args).await?,
        Command::Repl(args) => repl::repl(args).await?,
        Command::Quote(args) => ask::quote(args).await?,
        Command::Schema(args) => schema::schema(args).await?,
        Command::History(args) => history::history(args).await?,
        Command::Budget(args) => budget::budget(args).await?,
        Command::Reconcile(args) => return reconcile::reconcile(args).await,
        Command::Evidence(args) => history::evidence(args).await?,
        Command::Wallet(command) => wallet::wallet(command).await?,
        Command::Config(command) => settings::config(command)?,
        Command::Completions { shell } => pages::completions(*shell)?,
        Command::Man { command } => pages::man(command)?,
        Command::Serve(args) => return serve::serve(args).await,
        Command::Mcp(args) => mcp::mcp(args).await?,
    }
    Ok(SUCCESS)
}

/// What a command is told that buys.
fn purchase(command: &Command) -> Option<&Purchase> {
    match command {
        Command::Run(args) => Some(&args.purchase),
        Command::Chat(args) => Some(&args.purchase),
        Command::Web(args) => Some(&args.purchase),
        Command::X(args) => Some(&args.purchase),
        Command::Image(args) => Some(&args.purchase),
        Command::Edit(args) => Some(&args.purchase),
        Command::Speak(args) => Some(&args.purchase),
        Command::Repl(args) => Some(&args.purchase),
        _ => None,
    }
}

fn as_json(command: &Command) -> bool {
    match command {
        Command::Quote(args) => args.json,
        Command::Schema(args) => args.json,
        Command::History(args) => args.json,
        Command::Budget(args) => args.json,
        Command::Reconcile(args) => args.json,
        Command::Evidence(args) => args.json,
        Command::Wallet(command) => command.json(),
        Command::Config(ConfigCommand::Show { json, .. }) => *json,
        other => purchase(other).is_some_and(|purchase| purchase.json),
    }
}
