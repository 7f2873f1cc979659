//! Numbers and names as text, a mutation of which is another number or name: words of a line.

use std::str::FromStr;

/// The words of a line that have not been read. What is missing or malformed is the default of its type.
pub struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    /// A line that is no text has no words.
    pub fn new(line: &'a [u8]) -> Self {
        Words(std::str::from_utf8(line).unwrap_or_default())
    }

    /// The next word.
    pub fn word(&mut self) -> &'a str {
        let text = self.0.trim_start();
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        self.0 = rest;
        word
    }

    /// The next word as a number or an address.
    pub fn read<T: FromStr + Default>(&mut self) -> T {
        self.word().parse().unwrap_or_default()
    }

    /// All words that are left.
    pub fn rest(self) -> impl Iterator<Item = &'a str> {
        self.0.split_ascii_whitespace()
    }
}
