//! Pieces of text in styles of their own: fit for a terminal, measured in columns, wrapped, and painted.

use anstyle::{AnsiColor, Effects, Style};
use mpp_core::printable;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// A piece of text without line breaks, but where a writer put one in, and how it looks.
#[derive(Clone, Debug)]
pub(super) struct Span {
    text: String,
    style: Style,
}

impl Span {
    /// A text of a stranger, made fit for a terminal. Everything that is shown passes through here.
    pub(super) fn new(text: &str, style: Style) -> Self {
        let text: Vec<_> = text.split('\n').map(|line| printable(line, usize::MAX)).collect();
        Span { text: text.join("\n").replace('\t', TAB), style }
    }
}

/// A line: its letters, each with its style.
pub(super) type Line = Vec<(char, Style)>;

/// The letters of pieces, in order.
pub(super) fn letters(spans: &[Span]) -> impl Iterator<Item = (char, Style)> {
    spans.iter().flat_map(|span| span.text.chars().map(|letter| (letter, span.style)))
}

/// Breaks a text between words into lines of at most `width` columns. A longer word, such as a URL, stays whole; letters
/// of two columns, which are written without spaces, are words of their own.
pub(super) fn wrap(spans: &[Span], width: usize) -> Vec<Line> {
    let mut wrapped = Wrapped { width, ..Wrapped::default() };
    for (letter, style) in letters(spans) {
        match letter {
            '\n' => {
                wrapped.end_word();
                wrapped.end_line();
            }
            ' ' => {
                wrapped.end_word();
                wrapped.gap.push((letter, style));
            }
            _ => {
                wrapped.word.push((letter, style));
                if letter.width() == Some(2) {
                    wrapped.end_word();
                }
            }
        }
    }
    wrapped.end_word();
    if !wrapped.line.is_empty() {
        wrapped.end_line();
    }
    wrapped.lines
}

#[derive(Default)]
struct Wrapped {
    width: usize,
    lines: Vec<Line>,
    line: Line,
    /// Columns of the line.
    used: usize,
    /// Spaces since the latest word.
    gap: Line,
    word: Line,
}

impl Wrapped {
    fn end_word(&mut self) {
        if self.word.is_empty() {
            return;
        }
        let needed = columns(&self.gap).saturating_add(columns(&self.word));
        if !self.line.is_empty() && self.used.saturating_add(needed) > self.width {
            self.end_line();
        }
        self.used = self.used.saturating_add(columns(&self.gap)).saturating_add(columns(&self.word));
        self.line.append(&mut self.gap);
        self.line.append(&mut self.word);
    }

    fn end_line(&mut self) {
        self.lines.push(std::mem::take(&mut self.line));
        self.gap.clear();
        self.used = 0;
    }
}

/// How many columns a line takes.
pub(super) fn columns(line: &[(char, Style)]) -> usize {
    line.iter().map(|(letter, _)| letter).collect::<String>().width()
}

/// How many columns pieces take on one line.
pub(super) fn columns_of(spans: &[Span]) -> usize {
    spans.iter().flat_map(|span| span.text.split('\n')).map(|text| text.width()).sum()
}

/// A line with the escape sequences of its styles.
pub(super) fn paint(line: &[(char, Style)]) -> String {
    let mut painted = String::new();
    for run in line.chunk_by(|(_, left), (_, right)| left == right) {
        let text: String = run.iter().map(|(letter, _)| letter).collect();
        let style = run.first().map(|(_, style)| *style).unwrap_or_default();
        painted.push_str(&format!("{style}{text}{style:#}"));
    }
    painted
}

/// A style on top of another.
pub(super) fn over(below: Style, style: Style) -> Style {
    let colour = style.get_fg_color().or(below.get_fg_color());
    style.effects(below.get_effects() | style.get_effects()).fg_color(colour)
}

/// A text of several lines of at most `width` columns, all but the first `margin` columns further in.
pub(crate) fn paragraph(text: &str, margin: usize, width: usize) -> String {
    let lines = wrap(&[Span::new(text, PLAIN)], width.saturating_sub(margin));
    let lines: Vec<_> = lines.iter().map(|line| paint(line)).collect();
    lines.join(&format!("\n{}", " ".repeat(margin)))
}

/// A short text that stands back, such as a label; as it is where there are no styles.
pub(crate) fn faint(text: &str, styled: bool) -> String {
    if styled { format!("{FAINT}{text}{FAINT:#}") } else { text.to_owned() }
}

pub(super) const PLAIN: Style = Style::new();
pub(super) const BOLD: Style = Style::new().bold();
pub(super) const ITALIC: Style = Style::new().italic();
pub(super) const STRUCK: Style = Style::new().strikethrough();
pub(super) const UNDERLINED: Style = Style::new().underline();
pub(super) const TITLE: Style = Style::new().effects(Effects::BOLD.insert(Effects::UNDERLINE));
pub(super) const FAINT: Style = Style::new().dimmed();
// Colours that are the terminal's own, and can be read on dark and on light.
pub(super) const CODE: Style = AnsiColor::Cyan.on_default();
pub(super) const KEYWORD: Style = AnsiColor::Magenta.on_default();
pub(super) const LITERAL: Style = AnsiColor::Green.on_default();

const TAB: &str = "    ";
