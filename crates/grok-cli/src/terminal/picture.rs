//! Pictures in the terminals that can show them: by kitty's protocol, or by iTerm2's.
//!
//! Two short sequences, so they are made here. Kitty's takes PNG or bare pixels: of a JPEG it is sent the pixels.

use std::io::{self, IsTerminal as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zune_core::bytestream::ZCursor;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::file::Kind;
use super::look::width;
use super::waiting::aside;

/// Shows a picture on standard error: not without a terminal, nor in one that cannot, nor where
/// the bytes are of no kind that it knows.
///
/// # Errors
/// When standard error cannot be written to.
pub(crate) fn show_image(bytes: &[u8]) -> io::Result<()> {
    let protocol = Protocol::of(|name| std::env::var(name).unwrap_or_default());
    let Some(protocol) = protocol.filter(|_| io::stderr().is_terminal()) else { return Ok(()) };
    let Some(sequence) = protocol.sequence(bytes, width().min(MAX_COLUMNS)) else { return Ok(()) };
    aside(|| writeln!(io::stderr(), "{sequence}"))
}

/// How a terminal is handed a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Kitty,
    Iterm,
}

impl Protocol {
    /// That of the terminal which the environment tells of. What runs inside of tmux or screen is not the terminal's.
    fn of(variable: impl Fn(&str) -> String) -> Option<Self> {
        let (term, program) = (variable("TERM"), variable("TERM_PROGRAM"));
        match (&*term, &*program) {
            _ if ["screen", "tmux", "dumb"].iter().any(|name| term.starts_with(name)) => None,
            (_, "iTerm.app" | "WezTerm") => Some(Protocol::Iterm),
            ("xterm-kitty" | "xterm-ghostty", _) | (_, "ghostty") => Some(Protocol::Kitty),
            _ if !variable("KITTY_WINDOW_ID").is_empty() => Some(Protocol::Kitty),
            _ => None,
        }
    }

    fn sequence(self, bytes: &[u8], columns: usize) -> Option<String> {
        match (self, Kind::of(bytes)) {
            (Protocol::Iterm, Kind::Png | Kind::Jpeg | Kind::Gif | Kind::WebP) => Some(format!(
                "\x1b]1337;File=inline=1;size={};width={columns};preserveAspectRatio=1:{}\x07",
                bytes.len(),
                STANDARD.encode(bytes)
            )),
            (Protocol::Kitty, Kind::Png) => Some(kitty(&format!("f=100,c={columns}"), bytes)),
            (Protocol::Kitty, Kind::Jpeg) => {
                let (pixels, width, height) = pixels(bytes)?;
                Some(kitty(&format!("f=24,s={width},v={height},c={columns}"), &pixels))
            }
            _ => None,
        }
    }
}

/// Kitty's sequences for a picture, in parts of a size that it takes. It is told to answer nothing, as the answer would be
/// there for the shell to read.
fn kitty(format: &str, data: &[u8]) -> String {
    let mut parts = data.chunks(PART).peekable();
    let mut control = format!("a=T,q=2,{format},");
    let mut sequence = String::new();
    while let Some(part) = parts.next() {
        let more = u8::from(parts.peek().is_some());
        sequence.push_str(&format!("\x1b_G{control}m={more};{}\x1b\\", STANDARD.encode(part)));
        control.clear();
    }
    sequence
}

/// A JPEG's pixels of three bytes, its width, and its height.
fn pixels(jpeg: &[u8]) -> Option<(Vec<u8>, u16, u16)> {
    let options = DecoderOptions::default().set_max_width(MAX_PIXELS).set_max_height(MAX_PIXELS);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
    let pixels = decoder.decode().ok()?;
    let info = decoder.info()?;
    let wanted = usize::from(info.width).checked_mul(info.height.into())?.checked_mul(3)?;
    (pixels.len() == wanted).then_some((pixels, info.width, info.height))
}

/// Columns that a picture takes: about half of a wide terminal.
const MAX_COLUMNS: usize = 60;
/// Most pixels of a side: 48 MiB of them in all.
const MAX_PIXELS: usize = 4_096;
/// Bytes that are 4,096 letters of base64, the most that kitty takes at once.
const PART: usize = 3_072;

#[cfg(test)]
mod tests {
    use super::Protocol;

    fn protocol(variables: &[(&str, &str)]) -> Option<Protocol> {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        Protocol::of(|name| find(name).map_or(String::new(), |(_, value)| (*value).to_owned()))
    }

    #[test]
    fn a_terminal_is_sent_pictures_only_when_it_is_known_to_show_them() {
        assert_eq!(protocol(&[("TERM", "xterm-kitty")]), Some(Protocol::Kitty));
        assert_eq!(protocol(&[("TERM", "xterm-256color"), ("KITTY_WINDOW_ID", "1")]), Some(Protocol::Kitty));
        assert_eq!(protocol(&[("TERM", "tmux-256color"), ("KITTY_WINDOW_ID", "1")]), None);
        assert_eq!(
            protocol(&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "iTerm.app")]),
            Some(Protocol::Iterm)
        );
        assert_eq!(protocol(&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "Apple_Terminal")]), None);
        assert_eq!(protocol(&[]), None);
    }

    #[test]
    fn a_large_png_goes_to_kitty_in_parts_of_which_the_last_says_so() {
        let png = [b"\x89PNG\r\n\x1a\n".to_vec(), vec![0; 7_000]].concat();
        let sequence = Protocol::Kitty.sequence(&png, 60).expect("a sequence");
        let parts: Vec<_> = sequence.split_terminator("\x1b\\").collect();
        assert!(parts[0].starts_with("\x1b_Ga=T,q=2,f=100,c=60,m=1;iVBORw0KGgo"), "{}", &parts[0][..50]);
        assert!(parts[1].starts_with("\x1b_Gm=1;") && parts[2].starts_with("\x1b_Gm=0;"));
        assert_eq!(parts.len(), 3);
        assert!(parts.iter().all(|part| part.split_once(';').expect("data").1.len() <= 4_096));
    }

    #[test]
    fn a_jpeg_goes_to_kitty_as_pixels_and_to_iterm_as_it_is() {
        let jpeg = include_bytes!("../../testdata/two_by_one.jpg");
        let kitty = Protocol::Kitty.sequence(jpeg, 60).expect("a sequence");
        assert!(kitty.starts_with("\x1b_Ga=T,q=2,f=24,s=2,v=1,c=60,m=0;"), "{kitty:?}");
        let iterm = Protocol::Iterm.sequence(jpeg, 60).expect("a sequence");
        assert!(iterm.starts_with("\x1b]1337;File=inline=1;size=") && iterm.ends_with('\x07'));
        assert_eq!(Protocol::Kitty.sequence(&jpeg[..40], 60), None, "a broken one is not shown");
        assert_eq!(Protocol::Iterm.sequence(b"\x1b]0;no picture\x07", 60), None);
    }
}
