//! Markdown as a terminal shows it: headings, emphasis, lists, tables, quotes, code, links with their URLs; formulas as they
//! are written.

use anstyle::Style;
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::code;
use super::math;
use super::table::{HEADER, Table};
use super::text::{
    BOLD, CODE, FAINT, ITALIC, Line, PLAIN, STRUCK, Span, TITLE, UNDERLINED, columns, letters, over, paint,
    wrap,
};

/// A text of a stranger in lines of at most `width` columns, but for code and long words, with the escape sequences of
/// its styles and no others; ends with a line break unless it is empty.
pub(crate) fn render(markdown: &str, width: usize) -> String {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_MATH;
    let mut page = Page { width, ..Page::default() };
    for event in Parser::new_ext(&math::escaped(markdown, options), options) {
        page.take(event);
    }
    page.end_lines();
    page.text
}

/// What is written so far, and where in the text that is.
#[derive(Default)]
struct Page {
    text: String,
    width: usize,
    /// Whether an empty line has to come before the next, and how many margins it has at most.
    apart: Option<usize>,
    /// What stands at the left of every line, the outermost first.
    margins: Vec<Margin>,
    /// How many more there would be if there were room.
    unseen: usize,
    /// The text of the block so far.
    inline: Vec<Span>,
    /// The style in force last.
    styles: Vec<Style>,
    /// The open lists, with the next number of those that have numbers.
    lists: Vec<Option<u64>>,
    /// Where the open links lead.
    links: Vec<(String, usize)>,
    table: Option<Table>,
    /// The language and text of the open code block.
    code: Option<(String, String)>,
}

/// The left of lines, and what stands there on the first of them.
struct Margin {
    first: Option<Line>,
    rest: Line,
}

impl Page {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match &mut self.code {
                Some((_, code)) => code.push_str(&text),
                None => self.write(&text, PLAIN),
            },
            Event::Code(text) => self.write(&text, CODE),
            Event::InlineMath(text) => self.write(&format!("${text}$"), PLAIN),
            Event::DisplayMath(text) => self.write(&format!("$${text}$$"), PLAIN),
            Event::InlineHtml(tag) if is_break(&tag) => self.write("\n", PLAIN),
            Event::Html(text) | Event::InlineHtml(text) => self.write(&text, PLAIN),
            Event::SoftBreak => self.write(" ", PLAIN),
            Event::HardBreak => self.write("\n", PLAIN),
            Event::TaskListMarker(done) => self.write(if done { "[x] " } else { "[ ] " }, PLAIN),
            Event::Rule => {
                self.end_lines();
                let width = self.room();
                self.line(&vec![('─', FAINT); width]);
                self.set_apart();
            }
            Event::FootnoteReference(name) => self.write(&name, PLAIN),
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => self.end_lines(),
            Tag::Heading { level, .. } => {
                self.end_lines();
                self.styles.push(if level == HeadingLevel::H1 { TITLE } else { BOLD });
            }
            Tag::Emphasis => self.push(ITALIC),
            Tag::Strong => self.push(BOLD),
            Tag::Strikethrough => self.push(STRUCK),
            Tag::TableHead => {
                self.push(HEADER);
                self.start_row();
            }
            Tag::TableRow => self.start_row(),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.links.push((dest_url.into_string(), self.inline.len()));
                self.push(UNDERLINED);
            }
            Tag::BlockQuote(_) => {
                self.end_lines();
                self.indent(None, "│ ");
            }
            Tag::List(first) => {
                self.end_lines();
                self.lists.push(first);
            }
            Tag::Item => self.start_item(),
            Tag::CodeBlock(kind) => {
                self.end_lines();
                let language = match kind {
                    CodeBlockKind::Fenced(language) => language.into_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some((language, String::new()));
            }
            Tag::Table(alignments) => {
                self.end_lines();
                self.table = Some(Table { alignments, ..Table::default() });
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::HtmlBlock => self.end_block(),
            TagEnd::Heading(_) => {
                self.styles.pop();
                self.end_block();
            }
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => drop(self.styles.pop()),
            TagEnd::Link | TagEnd::Image => self.end_link(),
            TagEnd::BlockQuote(_) => {
                self.end_lines();
                self.outdent();
                self.set_apart();
            }
            TagEnd::Item => {
                self.end_lines();
                self.outdent();
            }
            TagEnd::List(_) => {
                self.lists.pop();
                if self.lists.is_empty() {
                    self.set_apart();
                }
            }
            TagEnd::CodeBlock => self.end_code(),
            TagEnd::TableHead => drop(self.styles.pop()),
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.inline);
                if let Some(row) = self.table.as_mut().and_then(|table| table.rows.last_mut()) {
                    row.push(cell);
                }
            }
            TagEnd::Table => {
                let room = self.room();
                let lines = self.table.take().map(|table| table.lines(room)).unwrap_or_default();
                lines.iter().for_each(|line| self.line(line));
                self.set_apart();
            }
            _ => {}
        }
    }

    /// Takes more text into the block.
    fn write(&mut self, text: &str, style: Style) {
        self.inline.push(Span::new(text, over(self.style(), style)));
    }

    fn style(&self) -> Style {
        self.styles.last().copied().unwrap_or(PLAIN)
    }

    fn push(&mut self, style: Style) {
        self.styles.push(over(self.style(), style));
    }

    fn start_item(&mut self) {
        self.end_lines();
        let marker = match self.lists.last_mut() {
            Some(Some(number)) => {
                let marker = format!("{number}. ");
                *number = number.saturating_add(1);
                marker
            }
            _ => "• ".to_owned(),
        };
        let rest = " ".repeat(marker.chars().count());
        self.indent(Some(&marker), &rest);
    }

    fn start_row(&mut self) {
        if let Some(table) = &mut self.table {
            table.rows.push(Vec::new());
        }
    }

    /// Puts the URL of a link after its text, unless that is the text.
    fn end_link(&mut self) {
        self.styles.pop();
        let Some((url, start)) = self.links.pop() else { return };
        let shown: String =
            letters(self.inline.get(start..).unwrap_or_default()).map(|(letter, _)| letter).collect();
        if url.strip_prefix("mailto:").unwrap_or(&url) == shown {
            return;
        }
        match shown.is_empty() {
            true => self.write(&url, UNDERLINED),
            false => self.write(&format!(" ({url})"), FAINT),
        }
    }

    fn end_code(&mut self) {
        let Some((language, code)) = self.code.take() else { return };
        self.indent(None, INDENT);
        code::lines(&code, &language).iter().for_each(|line| self.line(line));
        self.outdent();
        self.set_apart();
    }

    fn end_block(&mut self) {
        self.end_lines();
        self.set_apart();
    }

    /// Writes the text of the block, if there is any.
    fn end_lines(&mut self) {
        let inline = std::mem::take(&mut self.inline);
        if !inline.is_empty() {
            wrap(&inline, self.room()).iter().for_each(|line| self.line(line));
        }
    }

    /// Adds a margin, if there is room.
    fn indent(&mut self, first: Option<&str>, rest: &str) {
        let style = |letter| if letter == ' ' { PLAIN } else { FAINT };
        let faint = |text: &str| text.chars().map(|letter| (letter, style(letter))).collect::<Line>();
        let fits = self.room() > self.width.div_euclid(2);
        match fits {
            true => self.margins.push(Margin { first: first.map(faint), rest: faint(rest) }),
            false => self.unseen = self.unseen.saturating_add(1),
        }
    }

    /// Takes the innermost margin away.
    fn outdent(&mut self) {
        match self.unseen.checked_sub(1) {
            Some(fewer) => self.unseen = fewer,
            None => drop(self.margins.pop()),
        }
    }

    fn set_apart(&mut self) {
        self.apart = Some(self.margins.len());
    }

    /// Columns beside the margins.
    fn room(&self) -> usize {
        let margins = self.margins.iter().map(|margin| columns(&margin.rest)).sum();
        self.width.saturating_sub(margins)
    }

    fn line(&mut self, line: &[(char, Style)]) {
        if let Some(margins) = self.apart.take().filter(|_| !self.text.is_empty()) {
            let margins = self.margins.iter().take(margins);
            self.write_line(margins.flat_map(|margin| margin.rest.iter().copied()).collect());
        }
        let mut whole = Line::new();
        for margin in &mut self.margins {
            whole.extend(margin.first.take().unwrap_or_else(|| margin.rest.clone()));
        }
        whole.extend_from_slice(line);
        self.write_line(whole);
    }

    fn write_line(&mut self, mut line: Line) {
        while line.pop_if(|(letter, _)| *letter == ' ').is_some() {}
        self.text.push_str(&paint(&line));
        self.text.push('\n');
    }
}

fn is_break(tag: &str) -> bool {
    ["<br>", "<br/>", "<br />"].contains(&tag.to_ascii_lowercase().as_str())
}

/// Code stands in from the text, so that it can be selected without marks.
const INDENT: &str = "    ";

#[cfg(test)]
mod tests {
    use super::render;

    /// What is shown at 40 columns, with a mark for each style that begins.
    fn shown(markdown: &str) -> String {
        let mut text = render(markdown, 40);
        for (sequence, mark) in [
            ("\u{1b}[0m", "⟩"),
            ("\u{1b}[1m\u{1b}[4m", "⟨title:"),
            ("\u{1b}[1m", "⟨bold:"),
            ("\u{1b}[3m", "⟨italic:"),
            ("\u{1b}[2m", "⟨faint:"),
            ("\u{1b}[4m", "⟨under:"),
            ("\u{1b}[36m", "⟨cyan:"),
            ("\u{1b}[35m", "⟨keyword:"),
            ("\u{1b}[32m", "⟨string:"),
        ] {
            text = text.replace(sequence, mark);
        }
        text
    }

    #[test]
    fn a_page_is_laid_out() {
        let markdown = "# Title\nSome *soft*, **loud** and `let x` words that go over the line.\n\n- one\n  - two\n\
                        - three\n\n7. seven\n8. eight\n\n> quoted\n>\n> twice\n\n***\n```py\nif 1:\n  x = 'a'\n```\nend";
        let expected = "⟨title:Title⟩\n\nSome ⟨italic:soft⟩, ⟨bold:loud⟩ and ⟨cyan:let x⟩ words that go\nover the line.\n\n\
                        ⟨faint:•⟩ one\n  ⟨faint:•⟩ two\n⟨faint:•⟩ three\n\n⟨faint:7.⟩ seven\n⟨faint:8.⟩ eight\n\n\
                        ⟨faint:│⟩ quoted\n⟨faint:│⟩\n⟨faint:│⟩ twice\n\n⟨faint:────────────────────────────────────────⟩\n\n\
                            \x20   ⟨keyword:if⟩ ⟨cyan:1⟩:\n      x = ⟨string:'a'⟩\n\nend\n";
        assert_eq!(shown(markdown), expected);
    }

    #[test]
    fn blocks_stay_apart_whatever_they_stand_in() {
        let cases = [
            ("- a\n  # b\n- c", "⟨faint:•⟩ a\n  ⟨title:b⟩\n\n⟨faint:•⟩ c\n"),
            ("<div>\nx\n</div>\n\ny", "<div>\nx\n</div>\n\ny\n"),
            ("- a\n\n  b\n- c", "⟨faint:•⟩ a\n\n  b\n\n⟨faint:•⟩ c\n"),
            ("- [x] b", "⟨faint:•⟩ [x] b\n"),
            ("a\\\nb<br>c", "a\nb\nc\n"),
            (
                "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字",
                "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字\n漢字\n",
            ),
            ("", ""),
        ];
        for (markdown, expected) in cases {
            assert_eq!(shown(markdown), expected, "{markdown:?}");
        }
    }

    #[test]
    fn a_table_is_aligned_and_fits() {
        let table =
            "| name | n |\n|:--|--:|\n| one | 1 |\n| a cell that is far too long for its line | 2,000 |";
        let expected = "⟨bold:name⟩                                   ⟨bold:n⟩\n⟨faint:─────────────────────────────────  ─────⟩\n\
                        one                                    1\na cell that is far too long for    2,000\nits line\n";
        assert_eq!(shown(table), expected);
    }

    #[test]
    fn a_table_without_room_is_rows_between_bars() {
        let row = "| a | b | c | d | e | f | g |\n";
        assert!(
            shown(&format!("{row}{}{row}", "|-".repeat(7) + "|\n"))
                .ends_with("a⟨faint: | ⟩b⟨faint: | ⟩c⟨faint: | ⟩d⟨faint: | ⟩e⟨faint: | ⟩f⟨faint: | ⟩g\n")
        );
    }

    #[test]
    fn a_link_shows_where_it_leads() {
        assert_eq!(shown("[here](https://a.example/b)"), "⟨under:here⟩⟨faint: (https://a.example/b)⟩\n");
        assert_eq!(shown("<https://a.example>"), "⟨under:https://a.example⟩\n");
    }

    #[test]
    fn formulas_stay_as_they_are_written() {
        for formula in [
            r"\(a_1 * b_2 * \alpha\)",
            r"$x_1*y*z$",
            "\\[\n\\sum_{i=1}^n *i* \\\\\n= x\n\\]",
            "$$\na_b_c\n$$",
        ] {
            assert_eq!(shown(formula), format!("{formula}\n"));
        }
        assert_eq!(shown(r"`\(x\)` and \(y"), "⟨cyan:\\(x\\)⟩ and (y\n");
    }

    #[test]
    fn nothing_of_an_answer_reaches_the_terminal_as_an_escape_sequence() {
        let attacks = [
            "\u{1b}]52;c;aGk=\u{7}",
            "\u{1b}[2J",
            "\u{9b}2J",
            "\u{202e}txt",
            "&#27;]0;x&#7;",
            "&#x202e;",
            "\r",
            "\u{8}",
            "\u{1b}_Ga=T;AAAA\u{1b}\\",
        ];
        let places = [
            "{}",
            "# {}",
            "`{}`",
            "```{}\n{}\n```",
            "[a{}](https://a.example/{})",
            "<https://a.example/{}>",
            "| a{} |\n|--|\n| {} |",
            "- {}",
            "> {}",
            "<b {}>",
            "<div>\n{}\n</div>",
            "$a{}$",
            "\\(a{}\\)",
            "![{}](b{} 'c{}')",
            "    {}",
            "**{}**",
            "[r]: https://a.example/{}\n\n[r]",
        ];
        for place in places {
            for attack in attacks {
                let text = render(&place.replace("{}", attack), 40);
                let own = ["0", "1", "2", "3", "4", "9", "32", "35", "36"].iter();
                let rest = own.fold(text, |text, style| text.replace(&format!("\u{1b}[{style}m"), ""));
                assert!(
                    !rest.chars().any(|letter| letter != '\n' && letter.is_control()),
                    "{place:?} {attack:?} {rest:?}"
                );
                assert!(!rest.contains('\u{202e}'), "{place:?} {rest:?}");
            }
        }
    }

    #[test]
    fn large_and_deep_texts_take_no_time() {
        for (text, times) in
            [(">", 20_000), ("- ", 20_000), ("*a ", 50_000), ("[", 50_000), ("|a", 20_000), ("\\(", 100_000)]
        {
            render(&text.repeat(times), 80);
        }
        render(&("|a".repeat(500) + "\n" + &"|-".repeat(500) + "\n" + &"|b\n".repeat(1_000)), 80);
    }
}
