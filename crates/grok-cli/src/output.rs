//! How things get onto standard output and standard error.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write};

use jiff::Timestamp;
use mpp_core::tempo::{MAINNET, MODERATO};
use mpp_core::{Amount, printable};
use mpp_http::Payment;
use serde_json::Value;

use crate::failure::Failure;
use crate::terminal::{Look, aside, faint, look, paragraph, render, width};

/// An answer in Markdown: as it is into a file or a pipe, and laid out for a terminal.
pub(crate) fn print_answer(markdown: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match look(&output) {
        Look::Styled => {
            // Whoever closed standard error does not want it.
            let _ = set_apart(&mut io::stderr());
            output.write_all(render(markdown, width()).as_bytes())?;
        }
        Look::Raw | Look::Plain => print_text(markdown)?,
    }
    output.flush()
}

/// A text as it is into a file or a pipe, made fit for a terminal otherwise.
pub(crate) fn print_text(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match text.strip_suffix('\n').unwrap_or(text) {
        "" => Ok(()),
        text if !output.is_terminal() => writeln!(output, "{text}"),
        text => text.lines().try_for_each(|line| writeln!(output, "{}", printable(line, usize::MAX))),
    }
}

/// A text that is ours as it is.
pub(crate) fn print_raw(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

/// A piece of an answer that goes on.
pub(crate) fn print_piece(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match look(&output) {
        Look::Raw => output.write_all(text.as_bytes())?,
        // Between its lines, it is made fit for a terminal.
        Look::Plain | Look::Styled => {
            for (index, line) in text.split('\n').enumerate() {
                let end = if index == 0 { "" } else { "\n" };
                write!(output, "{end}{}", printable(line, usize::MAX))?;
            }
        }
    }
    output.flush()
}

/// Lines of a label and what it tells, on standard output.
pub(crate) fn print_facts(facts: &str) -> io::Result<()> {
    let styled = look(&io::stdout()) == Look::Styled;
    let shown = facts.lines().map(|line| match line.split_once(' ') {
        Some((label, fact)) => format!("{} {}", faint(label, styled), printable(fact, usize::MAX)),
        None => printable(line, usize::MAX),
    });
    let shown: Vec<_> = shown.collect();
    writeln!(io::stdout(), "{}", shown.join("\n"))
}

/// Rows under a heading, on standard output.
pub(crate) fn print_table(heading: &str, rows: &[String]) -> io::Result<()> {
    writeln!(io::stdout(), "{}", faint(heading, look(&io::stdout()) == Look::Styled))?;
    print_text(&rows.join("\n"))
}

/// One JSON value on standard output; on a terminal, letters that could steer it are escaped.
pub(crate) fn print_json(value: &Value) -> io::Result<()> {
    let mut output = io::stdout().lock();
    let text = format!("{value:#}\n");
    if !output.is_terminal() {
        return output.write_all(text.as_bytes());
    }
    for line in text.lines() {
        for letter in line.chars() {
            let mut bytes = [0; 4];
            let letter: &str = letter.encode_utf8(&mut bytes);
            match printable(letter, 1) == letter {
                true => output.write_all(letter.as_bytes())?,
                // Outside of strings, which alone can hold such letters, JSON is ASCII.
                false => letter.encode_utf16().try_for_each(|unit| write!(output, "\\u{unit:04x}"))?,
            }
        }
        writeln!(output)?;
    }
    output.flush()
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

/// A line on standard error, or several on a terminal that is not wide.
pub(crate) fn note(text: &str) -> io::Result<()> {
    aside(|| told(&mut io::stderr(), text))
}

/// The same among the notes.
pub(crate) fn told(notes: &mut impl Write, text: &str) -> io::Result<()> {
    writeln!(notes, "{}", laid_out(text, 0))
}

/// A line among the notes: what it tells, and that.
pub(crate) fn fact(notes: &mut impl Write, label: &str, text: impl Display) -> io::Result<()> {
    let styled = look(&io::stderr()) == Look::Styled;
    let label = faint(&format!("{label:<LABEL$}"), styled);
    writeln!(notes, "{label}{}", laid_out(&text.to_string(), LABEL))
}

/// A line of its own over what follows it among the notes.
pub(crate) fn title(notes: &mut impl Write, text: &str) -> io::Result<()> {
    set_apart(notes)?;
    writeln!(notes, "{}", faint(text, look(&io::stderr()) == Look::Styled))
}

/// What sets the notes of one kind apart from others, and from the answer, on a terminal.
pub(crate) fn set_apart(notes: &mut impl Write) -> io::Result<()> {
    if look(&io::stderr()) == Look::Styled { writeln!(notes) } else { Ok(()) }
}

/// A text beside a margin that stands on its first line already: in lines as wide as a terminal, or else as it is.
pub(crate) fn laid_out(text: &str, margin: usize) -> String {
    match look(&io::stderr()) {
        Look::Raw => text.to_owned(),
        Look::Plain | Look::Styled => paragraph(text, margin, width()),
    }
}

/// Columns of a label.
const LABEL: usize = 13;
