//! Text of strangers made fit for a terminal, a log and a person about to decide.

/// The first `most` characters of `text`, without marks that reorder a line or take no room in it, and with a space for
/// every control character but the tab.
///
/// ```
/// assert_eq!(mpp_core::printable("free\u{1b}[2K\r, \u{202e}really", 100), "free [2K , really");
/// ```
#[must_use]
pub fn printable(text: &str, most: usize) -> String {
    let shown = text.chars().filter(|letter| !is_unseen(*letter));
    shown.map(|letter| if letter.is_control() && letter != '\t' { ' ' } else { letter }).take(most).collect()
}

/// Unicode's `Bidi_Control`, its separators of lines, and its spaces and joiners of no width.
const fn is_unseen(letter: char) -> bool {
    matches!(
        letter,
        '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
    )
}
