//! Source code in colour: comments, strings, numbers and keywords of the languages that answers are written in.
//!
//! A scanner of one pass, not a grammar: the code is a stranger's, and must not be able to keep it busy.

use anstyle::Style;

use super::text::{CODE, FAINT, KEYWORD, LITERAL, Line, PLAIN, Span, letters, paint};

/// Code as lines with escape sequences, fit for a terminal. A language that is not known is not coloured.
pub(crate) fn highlight(code: &str, language: &str) -> Vec<String> {
    lines(code, language).iter().map(|line| paint(line)).collect()
}

/// Code as lines.
pub(super) fn lines(code: &str, language: &str) -> Vec<Line> {
    let name = language.split([' ', ',', '{']).next().unwrap_or_default().to_ascii_lowercase();
    let language = LANGUAGES.iter().find(|language| language.names.contains(&&*name));
    let mut spans = Vec::new();
    let (mut rest, mut before) = (code.trim_end(), '\n');
    while !rest.is_empty() {
        let (length, style) = language.map_or((rest.len(), PLAIN), |language| language.token(rest, before));
        let Some((token, after)) = rest.split_at_checked(length) else { break };
        spans.push(Span::new(token, style));
        before = token.chars().next_back().unwrap_or(before);
        rest = after;
    }
    let letters: Line = letters(&spans).collect();
    letters.split(|(letter, _)| *letter == '\n').map(<[_]>::to_vec).collect()
}

/// What tells the tokens of a language apart.
struct Language {
    names: &'static [&'static str],
    comment: &'static str,
    block: Option<(&'static str, &'static str)>,
    /// Quotes of strings that may go over several lines; longer ones first.
    long_quotes: &'static [&'static str],
    quotes: &'static [&'static str],
    keywords: &'static [&'static str],
}

impl Language {
    /// Length in bytes, never 0, and style of the first token of `rest`, which is not empty and follows `before`.
    fn token(&self, rest: &str, before: char) -> (usize, Style) {
        // In a shell, $# and ${#…} are no comments.
        if rest.starts_with(self.comment) && !(self.comment == "#" && matches!(before, '$' | '{')) {
            return (rest.find('\n').unwrap_or(rest.len()), FAINT);
        }
        if let Some((open, close)) = self.block.filter(|(open, _)| rest.starts_with(open)) {
            return (closed(rest, open, close, false), FAINT);
        }
        if let Some(quote) = self.long_quotes.iter().find(|quote| rest.starts_with(**quote)) {
            return (closed(rest, quote, quote, false), LITERAL);
        }
        if let Some(quote) = self.quotes.iter().find(|quote| rest.starts_with(**quote)) {
            return (closed(rest, quote, quote, true), LITERAL);
        }
        let first = rest.chars().next().unwrap_or_default();
        let word = |letter: char| letter.is_alphanumeric() || letter == '_';
        if !word(first) {
            return (first.len_utf8(), PLAIN);
        }
        if first.is_ascii_digit() {
            return (length_while(rest, |letter| word(letter) || letter == '.'), CODE);
        }
        let length = length_while(rest, word);
        let known = rest.get(..length).is_some_and(|name| self.keywords.contains(&name));
        (length, if known { KEYWORD } else { PLAIN })
    }
}

/// Length in bytes of what begins with `open` and ends with `close`, or else with the line or the text.
fn closed(rest: &str, open: &str, close: &str, in_line: bool) -> usize {
    let mut at = open.len();
    while let Some(tail) = rest.get(at..).filter(|tail| !tail.is_empty()) {
        let mut letters = tail.chars();
        let letter = letters.next().map_or(1, char::len_utf8);
        match tail {
            _ if tail.starts_with(close) => return at.saturating_add(close.len()),
            _ if in_line && tail.starts_with('\n') => return at,
            _ if tail.starts_with('\\') => {
                let escaped = letters.next().filter(|escaped| *escaped != '\n').map_or(0, char::len_utf8);
                at = at.saturating_add(letter).saturating_add(escaped);
            }
            _ => at = at.saturating_add(letter),
        }
    }
    rest.len()
}

fn length_while(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|letter| !belongs(letter)).unwrap_or(text.len())
}

#[rustfmt::skip]
const LANGUAGES: [Language; 5] = [
    Language {
        names: &["python", "py", "python3", "pycon"],
        comment: "#",
        block: None,
        long_quotes: &["\"\"\"", "'''"],
        quotes: &["\"", "'"],
        keywords: &[
            "False", "None", "True", "and", "as", "assert", "async", "await", "break", "case", "class", "continue", "def",
            "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda",
            "match", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
        ],
    },
    Language {
        names: &["javascript", "js", "jsx", "typescript", "ts", "tsx", "json", "jsonc"],
        comment: "//",
        block: Some(("/*", "*/")),
        long_quotes: &["`"],
        quotes: &["\"", "'"],
        keywords: &[
            "as", "async", "await", "break", "case", "catch", "class", "const", "continue", "default", "delete", "do",
            "else", "enum", "export", "extends", "false", "finally", "for", "from", "function", "if", "import", "in",
            "instanceof", "interface", "let", "new", "null", "of", "return", "static", "super", "switch", "this",
            "throw", "true", "try", "type", "typeof", "undefined", "var", "void", "while", "yield",
        ],
    },
    Language {
        names: &["rust", "rs", "c", "h", "cpp", "c++", "cc", "java", "go", "golang", "kotlin", "swift", "csharp", "cs"],
        comment: "//",
        block: Some(("/*", "*/")),
        long_quotes: &["\""],
        // An apostrophe may begin a lifetime as well as a character.
        quotes: &[],
        keywords: &[
            "as", "async", "await", "bool", "break", "case", "catch", "char", "class", "const", "continue", "crate",
            "default", "defer", "do", "double", "else", "enum", "extern", "false", "final", "float", "fn", "for", "fun",
            "func", "go", "if", "impl", "import", "in", "int", "interface", "let", "long", "loop", "match", "mod",
            "mut", "namespace", "new", "nil", "null", "package", "private", "protected", "pub", "public", "range",
            "return", "self", "static", "struct", "super", "switch", "this", "throw", "trait", "true", "try", "type",
            "unsafe", "use", "using", "val", "var", "void", "where", "while",
        ],
    },
    Language {
        names: &["bash", "sh", "shell", "zsh", "console", "toml", "yaml", "yml", "dockerfile", "ruby", "rb", "r"],
        comment: "#",
        block: None,
        long_quotes: &["\"", "'"],
        quotes: &[],
        keywords: &[
            "case", "def", "do", "done", "elif", "else", "end", "esac", "export", "false", "fi", "for", "function",
            "if", "in", "local", "null", "return", "then", "true", "while",
        ],
    },
    Language {
        names: &["sql", "postgresql", "mysql", "sqlite"],
        comment: "--",
        block: Some(("/*", "*/")),
        long_quotes: &["'", "\""],
        quotes: &[],
        keywords: &[
            "AND", "AS", "ASC", "BY", "CASE", "CREATE", "DELETE", "DESC", "DISTINCT", "ELSE", "END", "FROM", "GROUP",
            "HAVING", "IN", "INNER", "INSERT", "INTO", "IS", "JOIN", "LEFT", "LIKE", "LIMIT", "NOT", "NULL", "ON", "OR",
            "ORDER", "OVER", "PARTITION", "SELECT", "SET", "TABLE", "THEN", "UNION", "UPDATE", "VALUES", "WHEN",
            "WHERE", "WITH", "and", "as", "by", "case", "create", "delete", "desc", "else", "end", "from", "group",
            "having", "in", "insert", "into", "is", "join", "left", "limit", "not", "null", "on", "or", "order",
            "select", "set", "table", "then", "union", "update", "values", "when", "where", "with",
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::super::text::{CODE, FAINT, KEYWORD, LITERAL, PLAIN, paint};
    use super::{highlight, lines};

    /// What of some code is in each colour.
    fn coloured(code: &str, language: &str) -> Vec<(String, &'static str)> {
        let lines = lines(code, language);
        let runs = lines.iter().flat_map(|line| line.chunk_by(|(_, left), (_, right)| left == right));
        let named = runs.filter_map(|run| {
            let names = [
                (KEYWORD, "keyword"),
                (LITERAL, "string"),
                (CODE, "number"),
                (FAINT, "comment"),
                (PLAIN, ""),
            ];
            let (_, name) = names.iter().find(|(style, _)| *style == run[0].1).expect("a known style");
            (!name.is_empty()).then(|| (run.iter().map(|(letter, _)| letter).collect(), *name))
        });
        named.collect()
    }

    #[test]
    fn python_is_told_apart() {
        let code = "def f(x): # it's\n    return f'a\\'b' + \"\"\"two\nlines\"\"\" * 0x1f";
        let expected = [
            ("def", "keyword"),
            ("# it's", "comment"),
            ("return", "keyword"),
            ("'a\\'b'", "string"),
            ("\"\"\"two", "string"),
            ("lines\"\"\"", "string"),
            ("0x1f", "number"),
        ];
        assert_eq!(coloured(code, "python"), expected.map(|(text, name)| (text.to_owned(), name)));
    }

    #[test]
    fn a_string_that_never_ends_takes_its_line_and_no_more() {
        let names: Vec<_> =
            coloured("x = 'no end \\\nif y:", "py").into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["string", "keyword"]);
        assert_eq!(coloured("'''", "python"), [("'''".to_owned(), "string")]);
    }

    #[test]
    fn other_languages_have_their_own_comments() {
        assert_eq!(coloured("echo ${#x} # n", "sh"), [("# n".to_owned(), "comment")]);
        assert_eq!(coloured("/* a\nb */ c // d", "rust").len(), 3);
        assert!(coloured("if def 1", "brainfuck").is_empty());
    }

    #[test]
    fn no_escape_sequence_and_no_letter_of_code_is_lost_or_added() {
        let code = "a = '\u{1b}]52;c;aGk=\u{7}' # \u{202e}\u{9b}2J\n\tb\r";
        let bare: Vec<String> = lines(code, "python")
            .iter()
            .map(|line| line.iter().map(|(letter, _)| letter).collect())
            .collect();
        assert_eq!(bare, ["a = ' ]52;c;aGk= ' #  2J", "    b"]);
        let shown = highlight(code, "python").concat();
        assert!(!shown.contains("\u{1b}]") && !shown.contains('\u{9b}') && !shown.contains('\u{7}'));
        assert_eq!(shown, lines(code, "python").iter().map(|line| paint(line)).collect::<String>());
    }

    #[test]
    fn ten_thousand_unclosed_quotes_take_no_time() {
        let code = "\"\"\"'\\".repeat(100_000);
        assert_eq!(lines(&code, "python").len(), 1);
    }
}
