//! The token that clients of `serve` and `mcp` show where other machines can connect: from a file that its owner alone can
//! read, or the environment; never from an argument, and never shown.

use std::fmt;
use std::path::Path;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::secret::{MAX_SECRET, PrivateFile, variable};

/// A secret that clients show as `Authorization: Bearer …`.
pub(crate) struct Token(Zeroizing<String>);

impl Token {
    /// The token of a file, else of an environment variable, if there is one.
    pub(crate) fn read(file: Option<&Path>, name: &str) -> Result<Option<Self>, Failure> {
        let (place, text) = match file {
            Some(path) => {
                let place = format!("token file {}", path.display());
                let text = PrivateFile::open(path, MAX_SECRET).and_then(PrivateFile::secret);
                let text = text.map_err(|why| Failure::usage(format!("{place}: {why}")))?;
                (place, text)
            }
            None => match variable(name) {
                Some(text) => (name.to_owned(), text),
                None => return Ok(None),
            },
        };
        match Token::new(&text) {
            Some(token) => Ok(Some(token)),
            None => Err(Failure::usage(format!(
                "{place}: a token has at least {SHORTEST} letters, digits or signs, and no spaces; openssl rand -hex 32 \
                 makes one"
            ))),
        }
    }

    pub(crate) fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let fit = text.len() >= SHORTEST && text.bytes().all(|byte| byte.is_ascii_graphic());
        fit.then(|| Token(Zeroizing::new(text.to_owned())))
    }

    /// Whether a request shows it, in a time that does not tell how much of what is shown is right.
    pub(crate) fn is_shown(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
        let shown = shown.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        shown.is_some_and(|(_, token)| token.trim().as_bytes().ct_eq(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(..)")
    }
}

/// Too many to be guessed over a network.
const SHORTEST: usize = 16;
