//! `docs/session.svg`, the picture in the README, is what the command writes to a terminal, drawn. It is compared but for
//! what differs each time; `UPDATE_SNAPSHOTS=1` draws it anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use crate::snapshots::settled;
use crate::support::{Home, stdout};
use crate::terminal::on_terminal;

const SESSION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/session.svg");
const COMMANDS: [&str; 3] = [
    "quote --sandbox 'The factorial of 50: `import math; print(math.factorial(50))`'",
    "run --sandbox 'The factorial of 50: `import math; print(math.factorial(50))`'",
    "history",
];
/// Room for a hash and what stands around it.
const COLUMNS: usize = 104;

#[test]
fn the_picture_of_a_session_shows_what_is_written() {
    let home = Home::new();
    let mut lines = Vec::new();
    for command in COMMANDS {
        let columns = COLUMNS.to_string();
        let arguments = shlex::split(command).expect("words");
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let shown = stdout(&on_terminal(&home, &[("COLUMNS", &columns)], &[], &arguments));
        lines.extend(screen(&format!("\x1b[2m$\x1b[0m \x1b[1mgrok-mpp {command}\x1b[0m\r\n{shown}\r\n")));
    }
    let drawn = draw(&lines);
    let kept = fs::read_to_string(SESSION).unwrap_or_default();
    if settled(&kept) != settled(&drawn) {
        assert!(std::env::var_os("UPDATE_SNAPSHOTS").is_some(), "docs/session.svg is old:\n{drawn}");
        fs::write(SESSION, drawn).expect("written");
    }
}

/// Styles, by the numbers that turn them on.
type Style = BTreeSet<u8>;

/// The lines on the screen in the end: letters, each with its style.
fn screen(written: &str) -> Vec<Vec<(char, Style)>> {
    let (mut lines, mut column, mut style) = (Vec::new(), 0, Style::new());
    let mut line: Vec<(char, Style)> = Vec::new();
    let mut letters = written.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\n' => lines.push(std::mem::take(&mut line)),
            '\r' => column = 0,
            '\x1b' => {
                let sequence: String =
                    letters.by_ref().skip(1).take_while(|it| !it.is_ascii_alphabetic()).collect();
                match sequence.parse() {
                    Err(_) => line.truncate(column),
                    Ok(0) => style.clear(),
                    Ok(number) => drop(style.insert(number)),
                }
            }
            letter => {
                line.truncate(column);
                line.push((letter, style.clone()));
                column += 1;
            }
        }
    }
    lines
}

fn draw(lines: &[Vec<(char, Style)>]) -> String {
    let (width, height) = (COLUMNS * 17 / 2 + 40, lines.len() * 20 + 24);
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14">
<title>A session at a shell: a price is asked, an answer is bought, the ledger is read</title>
<style>text {{ fill: #d6dde6; white-space: pre }} .s1 {{ font-weight: bold; fill: #fff }} .s2 {{ fill: #8b97a5 }} .s4 {{ text-decoration: underline }} .s32 {{ fill: #8fd18a }} .s36 {{ fill: #79c7d9 }}</style>
<rect width="{width}" height="{height}" rx="8" fill="#161b22"/>
"##
    );
    for (number, line) in lines.iter().enumerate() {
        let y = number * 20 + 30;
        let _ = write!(svg, r#"<text x="20" y="{y}" xml:space="preserve">"#);
        for run in line.chunk_by(|one, next| one.1 == next.1) {
            let text: String = run.iter().map(|(letter, _)| *letter).collect();
            let text = text.replace('&', "&amp;").replace('<', "&lt;");
            let style: Vec<_> =
                run.iter().take(1).flat_map(|(_, style)| style).map(|it| format!("s{it}")).collect();
            let _ = match style.is_empty() {
                true => write!(svg, "{text}"),
                false => write!(svg, r#"<tspan class="{}">{text}</tspan>"#, style.join(" ")),
            };
        }
        svg += "</text>\n";
    }
    svg + "</svg>\n"
}
