//! Finds the Python to run in a chat request, since the sandbox has no model that could write it.
//!
//! In: a request body. Out: the fenced blocks of the last user message joined in order, or else its one code span. A file
//! that grok-mpp put below the prompt is looked at only if its name says that it is Python.
//! Refused before any payment: a message without code, or with several spans and no block.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::Value;

use super::words::{messages, role};

/// The program in the last user message of a request body.
///
/// Blocks marked `python`, `py`, `python3` or not at all are taken; blocks of other languages are not.
///
/// # Errors
/// A [`PromptError`] that says what to write instead.
pub(super) fn program(body: &Value) -> Result<String, PromptError> {
    let asked = messages(body).iter().rfind(|message| role(message) == Some("user"));
    let content = asked.and_then(|message| message.get("content"));
    let text = match content {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts.iter().filter_map(text_part).collect::<Vec<_>>().join("\n"),
        _ => return Err(PromptError::NoMessage),
    };
    let Blocks { program, any, beside } = fenced(&text);
    if !program.trim().is_empty() {
        return Ok(program);
    }
    if any {
        return Err(PromptError::NoCode);
    }
    let mut spans = spans(&beside).into_iter().filter(|span| !span.trim().is_empty());
    match (spans.next(), spans.next()) {
        (Some(span), None) => Ok(format!("{}\n", span.trim())),
        (Some(_), Some(_)) => Err(PromptError::SeveralSpans),
        (None, _) => Err(PromptError::NoCode),
    }
}

/// Why a request holds nothing to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PromptError {
    /// There is no user message with text.
    #[error("the request holds no user message with text; put the Python to run in one")]
    NoMessage,
    /// The last user message holds no code.
    #[error(
        "the sandbox holds no language model; put the Python to run in a ``` block, or between backticks"
    )]
    NoCode,
    /// Several code spans and no block leave open which one is the program.
    #[error("the message holds several code spans; put the Python to run in a ``` block")]
    SeveralSpans,
}

fn text_part(part: &Value) -> Option<&str> {
    let known = matches!(part.get("type").and_then(Value::as_str), None | Some("text" | "input_text"));
    part.get("text").and_then(Value::as_str).filter(|_| known)
}

/// What fenced blocks there are; an open one ends with the text.
fn fenced(text: &str) -> Blocks {
    let mut found = Blocks::default();
    let mut open: Option<Fence> = None;
    let mut before = "";
    for line in text.lines() {
        match &open {
            Some(fence) if fence.is_closed_by(line) => open = None,
            Some(fence) if fence.python => {
                found.program.push_str(fence.outdented(line));
                found.program.push('\n');
            }
            Some(_) => {}
            None => {
                let file = before.starts_with("File ") && before.ends_with(':');
                open = Fence::opened_by(line, file);
                match open {
                    Some(_) => found.any |= !file,
                    None => found.beside.extend([line, "\n"]),
                }
            }
        }
        before = line;
    }
    found
}

#[derive(Default)]
struct Blocks {
    /// The Python in them.
    program: String,
    /// Whether there is one at all that is no file.
    any: bool,
    /// The text without them.
    beside: String,
}

struct Fence {
    indent: usize,
    ticks: usize,
    python: bool,
}

impl Fence {
    /// A line of three or more backticks and a language without backticks opens a block, however far indented. A file's
    /// is no Python unless it says so.
    fn opened_by(line: &str, file: bool) -> Option<Self> {
        let start = line.trim_start();
        let info = start.trim_start_matches('`');
        let ticks = start.len().saturating_sub(info.len());
        if ticks < 3 || info.contains('`') {
            return None;
        }
        let language = info.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
        let python = match language.as_str() {
            "" => !file,
            language => matches!(language, "python" | "py" | "python3"),
        };
        Some(Self { indent: line.len().saturating_sub(start.len()), ticks, python })
    }

    fn is_closed_by(&self, line: &str) -> bool {
        let ticks = line.trim();
        ticks.len() >= self.ticks && ticks.bytes().all(|byte| byte == b'`')
    }

    /// The line without as much leading white space as the opening line had.
    fn outdented<'a>(&self, line: &'a str) -> &'a str {
        let blank = line.len().saturating_sub(line.trim_start().len());
        line.get(blank.min(self.indent)..).unwrap_or(line)
    }
}

/// Every code span: text between a run of backticks and the next run of as many.
pub(super) fn spans(text: &str) -> Vec<&str> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (at, _) in text.match_indices('`') {
        match runs.last_mut() {
            Some(run) if run.end == at => run.end += 1,
            _ => runs.push(at..at + 1),
        }
    }
    // From the end on, so that each run is looked at once, however many lengths there are.
    let mut next: HashMap<usize, Range<usize>> = HashMap::new();
    let close = |open: Range<usize>| Some((open.clone(), next.insert(open.len(), open)?));
    let pairs: Vec<_> = runs.into_iter().rev().filter_map(close).collect();
    let mut found = Vec::new();
    let mut past = 0;
    for (open, close) in pairs.into_iter().rev() {
        if open.start >= past {
            found.extend(text.get(open.end..close.start));
            past = close.end;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(text: &str) -> Result<String, PromptError> {
        program(&json!({"messages": [{"role": "user", "content": text}]}))
    }

    #[test]
    fn a_block_is_the_program_with_its_indentation() {
        let program = Ok("if True:\n    print(1)\n".to_owned());
        for language in ["python", "py", "Python3", "", "python title=x"] {
            assert_eq!(
                found(&format!("Run `this`:\n```{language}\nif True:\n    print(1)\n```\nok?")),
                program
            );
        }
        assert_eq!(found("- run\n   ```py\n   if True:\n       print(1)\n   ```"), program);
        assert_eq!(found("```\r\nif True:\r\n    print(1)\r\n```"), program);
        assert_eq!(found("```\nif True:\n    print(1)"), program);
    }

    #[test]
    fn blocks_are_joined_in_order_and_other_languages_left_out() {
        let text = "```\nx = 1\n```\nthen\n```json\n{}\n```\n````python\nprint('```')\n```\n````";
        assert_eq!(found(text), Ok("x = 1\nprint('```')\n```\n".to_owned()));
        assert_eq!(found("```json\n{}\n``` `print(1)`"), Err(PromptError::NoCode));
    }

    #[test]
    fn a_file_below_the_prompt_hides_no_span_and_is_the_program_only_if_it_is_python() {
        let asked = |prompt: &str, name: &str, text: &str| {
            let file = format!(
                "File {name}:\n````{}\n{text}\n````",
                name.rsplit_once('.').map_or("", |(_, end)| end)
            );
            found(&format!("{prompt}\n\n{file}\n\n{file}"))
        };
        for (name, text) in [("data.csv", "a,b"), ("notes.md", "`x`\n```python\ny\n```"), ("data", "1 2")] {
            assert_eq!(asked("How do `print(1)`", name, text), Ok("print(1)\n".to_owned()), "{name}");
            assert_eq!(asked("a ` stray", name, text), Err(PromptError::NoCode), "{name}");
            assert_eq!(asked("```\nprint(1)\n```", name, text), Ok("print(1)\n".to_owned()), "{name}");
        }
        assert_eq!(asked("Run it", "x.py", "print(1)"), Ok("print(1)\nprint(1)\n".to_owned()));
    }

    #[test]
    fn a_lone_span_is_the_program() {
        assert_eq!(found("What does `print(6*7)` say?"), Ok("print(6*7)\n".to_owned()));
        assert_eq!(found("```print('`')```"), Ok("print('`')\n".to_owned()));
        assert_eq!(found("a ` stray and ``print(1)``"), Ok("print(1)\n".to_owned()));
    }

    #[test]
    fn spans_are_closed_by_the_next_run_of_as_many_backticks() {
        assert_eq!(spans("`a` ``b`c`` `d"), ["a", "b`c"]);
        assert_eq!(spans("``a`b``c`"), ["a`b"]);
        assert_eq!(spans("`a``b`c`d`"), ["a``b", "d"]);
        assert_eq!(spans("```a``b`ü`c"), ["ü"]);
    }

    #[test]
    fn backticks_without_a_partner_take_no_longer_than_others() {
        let text: String = (1..2800).map(|ticks| "`".repeat(ticks) + " ").collect();
        let started = std::time::Instant::now();
        assert!(spans(&text).is_empty());
        // Looking for each one's partner through the rest of the text would take minutes.
        assert!(started.elapsed() < std::time::Duration::from_secs(10), "{:?}", started.elapsed());
    }

    #[test]
    fn what_holds_no_single_program_is_refused() {
        assert_eq!(found("Compute 50! in Python."), Err(PromptError::NoCode));
        assert_eq!(found("```\n\n```"), Err(PromptError::NoCode));
        assert_eq!(found("use `math` in `print(1)`"), Err(PromptError::SeveralSpans));
        assert_eq!(program(&json!({})), Err(PromptError::NoMessage));
        assert_eq!(
            program(&json!({"messages": [{"role": "user", "content": 5}]})),
            Err(PromptError::NoMessage)
        );
    }

    #[test]
    fn the_last_user_message_counts_whole_or_in_parts() {
        let parts = json!([{"type": "text", "text": "Run `print(2)`"}, {"type": "image_url", "text": "`x`"}]);
        let body = json!({"messages": [
            {"role": "user", "content": "`print(1)`"},
            {"role": "user", "content": parts},
            {"role": "assistant", "content": "`print(3)`"},
        ]});
        assert_eq!(program(&body), Ok("print(2)\n".to_owned()));
    }
}
