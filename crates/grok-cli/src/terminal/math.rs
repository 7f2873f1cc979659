//! LaTeX between `\(` and `\)` or `\[` and `\]`, which Markdown would take apart: escaped, so that it comes out as it was.

use std::borrow::Cow;
use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag};

/// The same Markdown, with the formulas outside of code escaped.
pub(super) fn escaped(source: &str, options: Options) -> Cow<'_, str> {
    if !source.contains(r"\(") && !source.contains(r"\[") {
        return Cow::Borrowed(source);
    }
    let mut text = String::new();
    let mut done = 0;
    for Range { start, end } in literal(source, options) {
        if start >= done {
            text.push_str(&outside(source.get(done..start).unwrap_or_default()));
            text.push_str(source.get(start..end).unwrap_or_default());
            done = end;
        }
    }
    text.push_str(&outside(source.get(done..).unwrap_or_default()));
    Cow::Owned(text)
}

/// Where the code is, and the formulas that Markdown knows.
fn literal(source: &str, options: Options) -> impl Iterator<Item = Range<usize>> {
    let events = Parser::new_ext(source, options).into_offset_iter();
    events.filter_map(|(event, range)| match event {
        Event::Start(Tag::CodeBlock(_)) | Event::Code(_) => Some(range),
        Event::InlineMath(_) | Event::DisplayMath(_) => Some(range),
        _ => None,
    })
}

fn outside(mut source: &str) -> String {
    let mut text = String::new();
    while let Some((before, rest)) = source.find('\\').and_then(|at| source.split_at_checked(at)) {
        text.push_str(before);
        let mut formula = String::new();
        let length = match length(rest) {
            Some(length) => {
                rest.get(..length).unwrap_or_default().chars().for_each(|letter| match letter {
                    // What a backslash before the end of a line means is that it is one.
                    '\n' => formula.push_str("\\\n"),
                    letter if letter.is_ascii_punctuation() => formula.extend(['\\', letter]),
                    letter => formula.push(letter),
                });
                length
            }
            // A backslash, and what it escapes.
            None => {
                let length = rest.chars().take(2).map(char::len_utf8).sum();
                formula.push_str(rest.get(..length).unwrap_or_default());
                length
            }
        };
        text.push_str(&formula);
        source = rest.get(length..).unwrap_or_default();
    }
    text + source
}

/// Length in bytes of the formula that `text` begins with, if it does and the formula ends within its paragraph.
fn length(text: &str) -> Option<usize> {
    let close = match text.get(..2)? {
        r"\(" => r"\)",
        r"\[" => r"\]",
        _ => return None,
    };
    let near = text.floor_char_boundary(MAX_FORMULA);
    let formula = text.get(..near)?;
    let paragraph = formula.split_once("\n\n").map_or(formula, |(paragraph, _)| paragraph);
    paragraph.find(close).map(|at| at.saturating_add(close.len()))
}

/// Most bytes of a formula: what is looked through for the end of one that has none.
const MAX_FORMULA: usize = 2_000;
