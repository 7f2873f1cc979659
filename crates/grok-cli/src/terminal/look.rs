//! Whether a stream is shown in colour, plainly, or gets its bytes untouched.

use std::env;
use std::io::{self, IsTerminal};
use std::sync::OnceLock;

use clap::ValueEnum;
use terminal_size::{Width, terminal_size_of};

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb
    #[default]
    Auto,
    /// Everywhere
    Always,
    /// Nowhere
    Never,
}

/// How a stream shows a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Byte for byte: it is no terminal.
    Raw,
    /// Made fit for a terminal, and no more.
    Plain,
    /// Laid out and coloured.
    Styled,
}

impl Look {
    fn decide(color: Color, is_terminal: bool, can_colour: bool) -> Self {
        match (color, is_terminal, can_colour) {
            (Color::Always, ..) | (Color::Auto, true, true) => Look::Styled,
            (_, true, _) => Look::Plain,
            (_, false, _) => Look::Raw,
        }
    }
}

/// Sets when to use colour, once, before anything is shown.
pub(crate) fn choose(color: Color) {
    let _ = CHOSEN.set(color);
}

/// How to show a text on a stream.
pub(crate) fn look(stream: &impl IsTerminal) -> Look {
    let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let color = CHOSEN.get().copied().unwrap_or_default();
    Look::decide(color, stream.is_terminal(), !refused && !is_dumb())
}

/// Whether the terminal can only be written to.
pub(super) fn is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|name| name == "dumb")
}

/// Columns to lay a text out in: those of the terminal, and no more than are pleasant to read.
pub(crate) fn width() -> usize {
    let size = terminal_size_of(io::stdout()).or_else(|| terminal_size_of(io::stderr()));
    size.map_or(DEFAULT_WIDTH, |(Width(columns), _)| columns.into()).clamp(MIN_WIDTH, MAX_WIDTH)
}

static CHOSEN: OnceLock<Color> = OnceLock::new();

const DEFAULT_WIDTH: usize = 80;
const MIN_WIDTH: usize = 20;
const MAX_WIDTH: usize = 100;

#[cfg(test)]
mod tests {
    use super::{Color, Look};

    #[test]
    fn a_pipe_gets_colour_only_when_told() {
        assert_eq!(Look::decide(Color::Auto, false, true), Look::Raw);
        assert_eq!(Look::decide(Color::Never, false, true), Look::Raw);
        assert_eq!(Look::decide(Color::Always, false, true), Look::Styled);
    }

    #[test]
    fn a_terminal_that_is_to_have_no_colour_is_plain_unless_told_otherwise() {
        assert_eq!(Look::decide(Color::Auto, true, true), Look::Styled);
        assert_eq!(Look::decide(Color::Auto, true, false), Look::Plain);
        assert_eq!(Look::decide(Color::Never, true, true), Look::Plain);
        assert_eq!(Look::decide(Color::Always, true, false), Look::Styled);
    }
}
