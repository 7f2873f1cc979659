//! Logs, one line an event, on standard error. Only what this program itself says is told below a warning: other crates
//! may show what they were given.

use std::io::stderr;

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use super::settings::{self, Format, Log};

/// From here on.
pub(crate) fn start(log: &Log) {
    let level = match log.level {
        settings::Level::Error => Level::ERROR,
        settings::Level::Warn => Level::WARN,
        settings::Level::Info => Level::INFO,
        settings::Level::Debug => Level::DEBUG,
        settings::Level::Trace => Level::TRACE,
    };
    let targets =
        Targets::new().with_default(level.min(Level::WARN)).with_targets(OURS.map(|name| (name, level)));
    let layer = tracing_subscriber::fmt::layer().with_writer(stderr);
    let layer = match log.format {
        Format::Text => layer.with_target(false).boxed(),
        Format::Json => layer.json().flatten_event(true).with_target(false).with_span_list(false).boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(targets)).init();
}

const OURS: [&str; 3] = ["grok_gateway", "mpp_gate", "mpp_database"];
