//! How things get onto standard output and standard error.

use std::io::{self, IsTerminal as _, Write as _};

use jiff::Timestamp;
use mpp_core::tempo::{MAINNET, MODERATO};
use mpp_core::{Amount, printable};
use mpp_http::Payment;
use serde_json::Value;

use crate::failure::Failure;

/// A text as it is into a file or a pipe, made fit for a terminal otherwise.
pub(crate) fn print_text(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match text.strip_suffix('\n').unwrap_or(text) {
        "" => Ok(()),
        text if !output.is_terminal() => writeln!(output, "{text}"),
        text => text.lines().try_for_each(|line| writeln!(output, "{}", printable(line, usize::MAX))),
    }
}

/// One JSON value on standard output.
pub(crate) fn print_json(value: &Value) -> io::Result<()> {
    writeln!(io::stdout(), "{value:#}")
}

/// What printing came to. A reader that has seen enough, such as head, is no failure.
pub(crate) fn printed(printed: io::Result<()>, payment: Option<Payment>) -> Result<(), Failure> {
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::unprinted(&error, payment)),
        _ => Ok(()),
    }
}

/// Unix seconds as people write them, in UTC.
pub(crate) fn instant(seconds: u64) -> String {
    let instant = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    instant.unwrap_or(Timestamp::MAX).to_string()
}

/// A chain as people call it: its number where it has no name.
pub(crate) fn chain_name(chain_id: u64) -> String {
    match chain_id {
        MAINNET => "mainnet".to_owned(),
        MODERATO => "testnet".to_owned(),
        other => other.to_string(),
    }
}

/// A string, as it can exceed what JSON readers hold exactly.
pub(crate) fn base_units(amount: Amount) -> String {
    amount.base_units().to_string()
}

/// A line on standard error.
pub(crate) fn note(text: &str) -> io::Result<()> {
    writeln!(io::stderr(), "{text}")
}
