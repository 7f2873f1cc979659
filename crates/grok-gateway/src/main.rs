//! `grok-gateway`: reads settings, looks whether everything is there that selling takes, and serves until it is told to
//! stop.

mod serve;

use std::process::ExitCode;

use clap::Parser as _;

use serve::args::Cli;

fn main() -> ExitCode {
    leave_no_core_dump();
    let Cli { command } = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return serve::Failure::Runtime(format!("cannot start: {error}")).report(),
    };
    let ended = runtime.block_on(serve::execute(&command));
    // Whatever still runs has had its time.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// A crash writes no memory to a file: keys may be in it. Where that cannot be had, it is as without.
fn leave_no_core_dump() {
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
}
