//! The gateway as a program, from settings to the end of its last connection.

pub(crate) mod args;

mod config;
mod secrets;
mod settings;
mod tariff;

mod checks;
mod files;
mod reach;

mod start;

mod listener;
mod tls;

mod body;
mod client;
mod front;
mod limits;
mod record;

mod log;
mod metrics;

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use args::Command;
use config::Config;
use front::Front;
use listener::Server;
use metrics::Metrics;

/// How a run ends when it does not end well.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The settings are wrong.
    Usage(String),
    /// Something is missing that selling takes.
    Check(String),
    /// Serving went wrong.
    Runtime(String),
}

impl Failure {
    /// Tells it, and the exit code for it.
    pub(crate) fn report(&self) -> ExitCode {
        let (code, why) = match self {
            Failure::Runtime(why) => (1, why),
            Failure::Usage(why) => (2, why),
            Failure::Check(why) => (3, why),
        };
        // A terminal that is gone changes nothing about the exit code.
        let _ = writeln!(std::io::stderr(), "grok-gateway: {why}");
        ExitCode::from(code)
    }
}

/// Does what a command says.
pub(crate) async fn execute(command: &Command) -> Result<(), Failure> {
    let (Command::Serve(place) | Command::Check(place)) = command;
    let config = Config::read(place.config.as_deref()).map_err(Failure::Usage)?;
    match command {
        Command::Check(_) => {
            let findings = checks::run(&config).await;
            let text: String = findings.list().iter().map(|finding| format!("{finding}\n")).collect();
            let written = std::io::stdout().write_all(text.as_bytes());
            written.map_err(|error| Failure::Runtime(format!("cannot print: {error}")))?;
            findings.judge()
        }
        Command::Serve(_) => {
            log::start(&config.settings.log);
            files::raise_limit();
            serve(config).await
        }
    }
}

async fn serve(config: Config) -> Result<(), Failure> {
    let findings = checks::run(&config).await;
    findings.log();
    findings.judge()?;
    // Up to here, nothing was begun that a signal should not end.
    let signals = Signals::listen().map_err(|error| Failure::Runtime(format!("signals: {error}")))?;

    let settings = config.settings.clone();
    let tls = settings.tls.as_ref().map(tls::acceptor).transpose().map_err(Failure::Check)?;
    let listener = bind("listen", settings.listen).await?;
    let (stop, stopped) = watch::channel(());
    let (done, drained) = watch::channel(());
    let running = start::gateway(config, drained).await.map_err(Failure::Check)?;
    let metrics = Arc::new(Metrics::new(running.sums));
    if settings.metrics.enabled {
        let listener = bind("metrics.listen", settings.metrics.listen).await?;
        tracing::info!(address = %local(&listener)?, "metrics are at /metrics");
        tokio::spawn(metrics::serve(listener, Arc::clone(&metrics)));
    }
    let front = Front::new(&settings.limits, Arc::clone(&metrics));
    let router = front.before(running.gateway.into_service());
    tracing::info!(address = %local(&listener)?, tls = tls.is_some(), "serving");

    let server = Server { router, tls, limits: settings.limits, metrics };
    let connections = async {
        server.serve(listener, stopped).await;
        done.send_replace(());
    };
    let work = async {
        tokio::join!(connections, running.background);
    };
    until_told(signals, stop, work, Duration::from_secs(settings.finish_seconds)).await
}

/// Works until a signal tells to stop, and then as long as it takes to `finish`, or until a second signal.
async fn until_told(
    mut signals: Signals,
    stop: watch::Sender<()>,
    work: impl Future<Output = ()>,
    finish: Duration,
) -> Result<(), Failure> {
    tokio::pin!(work);
    tokio::select! {
        () = &mut work => return Err(Failure::Runtime("stopped without being told to".into())),
        () = signals.next() => {}
    }
    tracing::info!("stopping: nothing new is taken, what was begun is finished");
    stop.send_replace(());
    tokio::select! {
        done = tokio::time::timeout(finish, work) => match done {
            Ok(()) => {
                tracing::info!("stopped");
                Ok(())
            }
            Err(_) => Err(Failure::Runtime(format!("stopped with work unfinished after {finish:?}"))),
        },
        () = signals.next() => Err(Failure::Runtime("stopped at once by a second signal".into())),
    }
}

fn local(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(|error| Failure::Runtime(error.to_string()))
}

async fn bind(setting: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::Check(format!(
            "cannot listen on {address}: {error}; set {setting} to an address that is free"
        ))
    })
}

/// The signals that mean "stop".
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Signals { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
