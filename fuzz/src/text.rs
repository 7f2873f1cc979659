//! Text of strangers as a terminal may be shown it.

/// The first `most` characters, controls as spaces, without what Unicode calls `Bidi_Control` and what takes no room.
pub fn printable(text: &str, most: usize) -> String {
    let mut shown = String::new();
    let mut left = most;
    for letter in text.chars() {
        let code = u32::from(letter);
        let unseen = [0x61c, 0xfeff].contains(&code)
            || (0x200b..=0x200f).contains(&code)
            || (0x2028..=0x202e).contains(&code)
            || (0x2060..=0x2069).contains(&code);
        if unseen {
            continue;
        }
        if left == 0 {
            break;
        }
        left -= 1;
        let control = code < 0x20 && code != 9 || (0x7f..=0x9f).contains(&code);
        shown.push(if control { ' ' } else { letter });
    }
    shown
}
