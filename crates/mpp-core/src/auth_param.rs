//! The grammar of `WWW-Authenticate`: a field value in, schemes with their parameters out (RFC 9110 §11.2–11.6.1).
//!
//! Linear in the length of the value. A challenge that is malformed is reported with the offset of the fault, and
//! parsing resumes at the next challenge of the list.
//!
//! Deviations from RFC 9110, all seen deployed: parameters and challenges separated by spaces alone are accepted, and
//! `\uXXXX` inside a quoted-string is the UTF-16 code unit XXXX. Control characters and bytes that are not UTF-8 are
//! refused.

use std::borrow::Cow;

/// Most parameters one challenge may have; the drafts define nine.
const MAX_PARAMS: usize = 32;
const DEFINED_PARAMS: usize = 9;

/// One challenge of the list: `challenge = auth-scheme [ 1*SP ( token68 / #auth-param ) ]`.
pub(crate) struct Scheme<'a> {
    pub(crate) name: &'a str,
    pub(crate) params: Vec<Param<'a>>,
}

/// `auth-param = token BWS "=" BWS ( token / quoted-string )`, the value unescaped.
pub(crate) struct Param<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: Cow<'a, str>,
    /// Of the name, counted in bytes from the start of the field value.
    pub(crate) offset: usize,
}

/// A challenge that does not follow the grammar.
pub(crate) struct Malformed<'a> {
    pub(crate) scheme: &'a str,
    pub(crate) offset: usize,
    pub(crate) why: &'static str,
}

/// The challenges of one field value, in order.
pub(crate) fn schemes(value: &[u8]) -> impl Iterator<Item = Result<Scheme<'_>, Malformed<'_>>> {
    let text = std::str::from_utf8(value).unwrap_or_default();
    let mut cursor = Cursor { bytes: value, text, at: 0 };
    std::iter::from_fn(move || cursor.scheme())
}

struct Cursor<'a> {
    bytes: &'a [u8],
    /// The same if it is UTF-8, so that its parts need no look of their own; otherwise empty.
    text: &'a str,
    at: usize,
}

/// Where the fault is and what it is.
type Fault = (usize, &'static str);

impl<'a> Cursor<'a> {
    fn scheme(&mut self) -> Option<Result<Scheme<'a>, Malformed<'a>>> {
        self.skip(is_list_separator);
        if self.rest().is_empty() {
            return None;
        }
        let name = self.token();
        let params = if name.is_empty() { Err(self.fault("expected an auth-scheme")) } else { self.params() };
        Some(params.map(|params| Scheme { name, params }).map_err(|(offset, why)| {
            self.recover();
            Malformed { scheme: name, offset, why }
        }))
    }

    /// Everything behind the scheme name, up to the next challenge or the end.
    fn params(&mut self) -> Result<Vec<Param<'a>>, Fault> {
        let spaces = self.skip(|byte| byte == b' ');
        if self.at_element_end() {
            return Ok(Vec::new());
        }
        if spaces == 0 {
            return Err(self.fault("expected a space after the auth-scheme"));
        }
        if self.token68() {
            return Ok(Vec::new());
        }
        let mut params: Vec<Param<'a>> = Vec::with_capacity(DEFINED_PARAMS);
        let (mut offset, mut name) = (self.at, self.param_name()?);
        loop {
            let value = self.param_value()?;
            if params.iter().any(|other| other.name.eq_ignore_ascii_case(name)) {
                return Err((offset, "parameter given twice"));
            }
            if params.len() >= MAX_PARAMS {
                return Err((offset, "too many parameters"));
            }
            params.push(Param { name, value, offset });
            let spaces = self.skip(is_whitespace);
            if self.skip(is_list_separator) == 0 && spaces == 0 && !self.rest().is_empty() {
                return Err(self.fault("expected a comma"));
            }
            offset = self.at;
            match self.param_name() {
                Ok(next) => name = next,
                // Another challenge, or nothing.
                Err(_) => {
                    self.at = offset;
                    return Ok(params);
                }
            }
        }
    }

    /// The `token BWS "=" BWS` that an auth-param begins with.
    fn param_name(&mut self) -> Result<&'a str, Fault> {
        let name = self.token();
        if name.is_empty() {
            return Err(self.fault("expected a parameter name"));
        }
        self.skip(is_whitespace);
        if !self.take(b'=') {
            return Err(self.fault("expected an equals sign after the parameter name"));
        }
        self.skip(is_whitespace);
        Ok(name)
    }

    fn param_value(&mut self) -> Result<Cow<'a, str>, Fault> {
        if self.take(b'"') {
            return self.quoted_string();
        }
        match self.token() {
            "" => Err(self.fault("expected a token or a quoted-string")),
            token => Ok(Cow::Borrowed(token)),
        }
    }

    /// `quoted-string = DQUOTE *( qdtext / quoted-pair ) DQUOTE`, behind its opening quote.
    fn quoted_string(&mut self) -> Result<Cow<'a, str>, Fault> {
        let start = self.at;
        let (mut escaped, mut control) = (false, None);
        loop {
            self.skip_many(is_qdtext);
            let end = self.at;
            match self.bump() {
                Some(b'"') => {
                    let text = control.map_or_else(|| self.text(start, end), Err)?;
                    return if escaped { unescape(text, start) } else { Ok(Cow::Borrowed(text)) };
                }
                Some(b'\\') => {
                    escaped = true;
                    let _ = self.take(b'"') || self.take(b'\\');
                }
                Some(_) => control = control.or(Some((end, "control character in a quoted-string"))),
                None => return Err((start, "quoted-string without an end")),
            }
        }
    }

    /// `token68 = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`, only if nothing follows in the
    /// element; otherwise the cursor stays where it was.
    fn token68(&mut self) -> bool {
        let start = self.at;
        let found = self.skip(is_token68) > 0;
        self.skip(|byte| byte == b'=');
        if found && self.at_element_end() {
            return true;
        }
        self.at = start;
        false
    }

    /// Whether only whitespace stands before the next comma or the end; skips that whitespace if so.
    fn at_element_end(&mut self) -> bool {
        let start = self.at;
        self.skip(is_whitespace);
        if matches!(self.rest().first(), None | Some(b',')) {
            return true;
        }
        self.at = start;
        false
    }

    /// Moves behind a malformed challenge: to the next list element, outside quotes, that is not a parameter.
    fn recover(&mut self) {
        loop {
            self.skip(|byte| byte != b',' && byte != b'"');
            if self.take(b'"') {
                let _ = self.quoted_string();
            } else if self.rest().is_empty() {
                return;
            } else {
                self.skip(is_list_separator);
                let start = self.at;
                if self.param_name().is_err() {
                    self.at = start;
                    return;
                }
            }
        }
    }

    /// `token = 1*tchar`; empty when there is none.
    fn token(&mut self) -> &'a str {
        let start = self.at;
        self.skip(is_tchar);
        self.text(start, self.at).unwrap_or_default()
    }

    fn text(&self, start: usize, end: usize) -> Result<&'a str, Fault> {
        self.text.get(start..end).map_or_else(
            || {
                let text = std::str::from_utf8(self.bytes.get(start..end).unwrap_or_default());
                text.map_err(|fault| (start + fault.valid_up_to(), "not UTF-8"))
            },
            Ok,
        )
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn bump(&mut self) -> Option<u8> {
        let byte = self.rest().first().copied()?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.rest().first() == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn skip(&mut self, class: impl Fn(u8) -> bool) -> usize {
        let rest = self.rest();
        let skipped = rest.iter().position(|byte| !class(*byte)).unwrap_or(rest.len());
        self.at += skipped;
        skipped
    }

    /// The same, by blocks as long as all of one belongs, which is faster where many bytes do.
    fn skip_many(&mut self, class: impl Fn(u8) -> bool) {
        let (blocks, _) = self.rest().as_chunks::<16>();
        let all = |block: &&[u8; 16]| block.iter().fold(true, |all, byte| all & class(*byte));
        self.at += blocks.iter().take_while(all).count() * 16;
        self.skip(class);
    }

    fn fault(&self, why: &'static str) -> Fault {
        (self.at, why)
    }
}

/// The text of a quoted-string: `quoted-pair = "\" ( HTAB / SP / VCHAR / obs-text )`, and `\uXXXX` as deployed.
fn unescape(text: &str, start: usize) -> Result<Cow<'_, str>, Fault> {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, pair)) = rest.split_once('\\') {
        units.extend(before.encode_utf16());
        let (unit, behind) = match pair.strip_prefix('u').and_then(hex_unit) {
            Some(found) => found,
            None => {
                let mut chars = pair.chars();
                let mut buffer = [0; 2];
                units.extend_from_slice(chars.next().unwrap_or('\\').encode_utf16(&mut buffer));
                rest = chars.as_str();
                continue;
            }
        };
        units.push(unit);
        rest = behind;
    }
    units.extend(rest.encode_utf16());
    String::from_utf16(&units).map(Cow::Owned).map_err(|_| (start, "a \\u escape is half a surrogate pair"))
}

/// Four hexadecimal digits as a UTF-16 code unit, and what stands behind them.
fn hex_unit(text: &str) -> Option<(u16, &str)> {
    let (digits, behind) = text.split_at_checked(4)?;
    let unit = digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(digits)?;
    Some((u16::from_str_radix(unit, 16).ok()?, behind))
}

/// `tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" / "_" / "`" / "|" / "~" / DIGIT / ALPHA`
pub(crate) const fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// `qdtext = HTAB / SP / %x21 / %x23-5B / %x5D-7E / obs-text`
const fn is_qdtext(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'!' | b'#'..=b'[' | b']'..=b'~' | 0x80..)
}

/// The characters of `token68` before its padding.
const fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
}

/// `OWS = BWS = *( SP / HTAB )`
const fn is_whitespace(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// What may stand between list elements: `OWS` and commas, as often as the sender likes (RFC 9110 §5.6.1.2).
const fn is_list_separator(byte: u8) -> bool {
    is_whitespace(byte) || byte == b','
}
