//! A Payment challenge: the fields of a `402` in, [`Challenge`]s out, the server's own text kept for the echo
//! (draft-httpauth-payment §5.1). How a payee makes them is in `issue.rs`.

use std::fmt::Write as _;

use crate::auth_param::{self, Param, Scheme};
use crate::base64url;
use crate::digest;
use crate::json::{self, Json};
use crate::time;

/// One `Payment` challenge whose parameters have been checked, but not yet what it asks for: see
/// [`ChargeRequest`](crate::ChargeRequest).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub(crate) id: String,
    pub(crate) realm: String,
    pub(crate) method: String,
    pub(crate) intent: String,
    /// As on the wire; never re-encoded.
    pub(crate) request: String,
    pub(crate) expires: Option<String>,
    pub(crate) expires_at: Option<u64>,
    pub(crate) digest: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) opaque: Option<String>,
    pub(crate) header: Option<String>,
}

impl Challenge {
    /// Reads every Payment challenge of a response, given the values of all its `WWW-Authenticate` fields.
    ///
    /// Other schemes are skipped. A challenge that is malformed is an item of its own and hides no other.
    ///
    /// ```
    /// use mpp_core::Challenge;
    ///
    /// let field = br#"Bearer, Payment id="a", realm="api", method="tempo", intent="charge", request="e30""#;
    /// let challenges = Challenge::parse_all([field]);
    /// assert_eq!(challenges[0].as_ref().map(Challenge::id), Ok("a"));
    /// ```
    ///
    /// # Errors
    /// Each item that is no valid challenge says what is wrong and at which byte of which field.
    pub fn parse_all<F: AsRef<[u8]>>(
        fields: impl IntoIterator<Item = F>,
    ) -> Vec<Result<Challenge, ChallengeError>> {
        let mut found = Vec::new();
        for (field, value) in fields.into_iter().enumerate() {
            let value = value.as_ref();
            let error = |fault| ChallengeError { field, fault };
            if value.len() > MAX_FIELD {
                found.push(Err(error(Fault::TooLong { length: value.len(), limit: MAX_FIELD })));
                continue;
            }
            for scheme in auth_param::schemes(value) {
                let challenge = match scheme {
                    Ok(scheme) if is_payment(scheme.name) => Challenge::from_scheme(&scheme).map_err(error),
                    Err(bad) if is_payment(bad.scheme) || bad.scheme.is_empty() => {
                        Err(error(Fault::Syntax { offset: bad.offset, why: bad.why }))
                    }
                    Ok(_) | Err(_) => continue,
                };
                if found.len() >= MAX_CHALLENGES {
                    found.push(Err(error(Fault::TooMany { limit: MAX_CHALLENGES })));
                    return found;
                }
                found.push(challenge);
            }
        }
        found
    }

    /// The identifier the server bound to all other parameters; never empty.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The protection space that asks to be paid; never empty.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The payment method, such as `tempo`.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The payment intent, such as `charge`.
    #[must_use]
    pub fn intent(&self) -> &str {
        &self.intent
    }

    /// The base64url text of the request, as received.
    #[must_use]
    pub fn request(&self) -> &str {
        &self.request
    }

    /// When the challenge expires, in whole Unix seconds (rounded down).
    #[must_use]
    pub fn expires_at(&self) -> Option<u64> {
        self.expires_at
    }

    /// The digest of the request body this challenge was made for, as received.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// What the server says is being bought. For display only: nothing may rely on it, and it may hold anything but
    /// control characters (a tab it may).
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The base64url text of the server's correlation data, as received.
    #[must_use]
    pub fn opaque(&self) -> Option<&str> {
        self.opaque.as_deref()
    }

    /// The field that takes the credential: `Authorization`, or `Payment-Authorization` where the server names it.
    #[must_use]
    pub fn credential_header(&self) -> &'static str {
        if self.header.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(PAYMENT_AUTHORIZATION)) {
            PAYMENT_AUTHORIZATION
        } else {
            AUTHORIZATION
        }
    }

    fn from_scheme(scheme: &Scheme<'_>) -> Result<Challenge, Fault> {
        Challenge::from_parameters(|name| {
            let param = scheme.params.iter().find(|param| param.name.eq_ignore_ascii_case(name));
            param.map(|Param { value, offset, .. }| (value.as_ref(), Some(*offset)))
        })
    }

    /// Checks the parameters that `lookup` finds, in a header or in the echo of a credential.
    pub(crate) fn from_parameters<'v>(
        lookup: impl Fn(&'static str) -> Option<(&'v str, Option<usize>)>,
    ) -> Result<Challenge, Fault> {
        let optional = |name, check: fn(&str) -> Result<(), &'static str>| match lookup(name) {
            None => Ok(None),
            Some((value, offset)) => match check(value) {
                Ok(()) => Ok(Some(value.to_owned())),
                Err(why) => Err(Fault::Invalid { parameter: name, offset, why }),
            },
        };
        let required = |name, check| optional(name, check)?.ok_or(Fault::Missing { parameter: name });
        let expires_at = match lookup("expires") {
            None => None,
            Some((value, offset)) => Some(time::parse_rfc3339(value).map_err(|why| Fault::Invalid {
                parameter: "expires",
                offset,
                why,
            })?),
        };
        Ok(Challenge {
            id: required("id", check_name)?,
            realm: required("realm", check_name)?,
            method: required("method", check_method)?,
            intent: required("intent", check_intent)?,
            request: required("request", check_request)?,
            expires: optional("expires", |_| Ok(()))?,
            expires_at,
            digest: optional("digest", |value| digest::parse(value).map(drop))?,
            description: optional("description", check_text)?,
            opaque: optional("opaque", check_opaque)?,
            header: optional("header", check_header)?,
        })
    }

    /// The value of the `WWW-Authenticate` field that carries this challenge.
    #[must_use]
    pub fn encode(&self) -> String {
        let parameters = self.parameters().map(|(name, value)| format!("{name}=\"{}\"", escape(value)));
        format!("{SCHEME} {}", parameters.collect::<Vec<_>>().join(", "))
    }

    /// The parameters present, by name, in the order of the drafts.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let required = [
            ("id", &self.id),
            ("realm", &self.realm),
            ("method", &self.method),
            ("intent", &self.intent),
            ("request", &self.request),
        ];
        let optional = [
            ("expires", &self.expires),
            ("digest", &self.digest),
            ("description", &self.description),
            ("opaque", &self.opaque),
            ("header", &self.header),
        ];
        let optional = optional.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        required.into_iter().map(|(name, value)| (name, value.as_str())).chain(optional)
    }
}

fn is_payment(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case(SCHEME)
}

fn not_empty(value: &str) -> Result<(), &'static str> {
    if value.is_empty() { Err("is empty") } else { Ok(()) }
}

/// What people are shown and headers are made of: escaped or echoed, a control character is one all the same.
fn check_text(value: &str) -> Result<(), &'static str> {
    // Most text is of these bytes, which are looked through fastest all at once.
    let plain = value.bytes().fold(true, |plain, byte| plain & matches!(byte, b'\t' | b' '..=b'~'));
    if !plain && value.chars().any(|letter| letter.is_control() && letter != '\t') {
        Err("has a control character")
    } else {
        Ok(())
    }
}

fn check_name(value: &str) -> Result<(), &'static str> {
    not_empty(value).and_then(|()| check_text(value))
}

/// `payment-method-id = 1*LOWERALPHA`; what is deployed after a colon or digit is let through to be ignored later.
fn check_method(value: &str) -> Result<(), &'static str> {
    let mut bytes = value.bytes();
    let starts = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase());
    let goes_on =
        bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b':' | b'-'));
    if starts && goes_on { Ok(()) } else { Err("is not a lower-case method name") }
}

/// `intent-token = 1*( ALPHA / DIGIT / "-" )`
fn check_intent(value: &str) -> Result<(), &'static str> {
    let token = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if token { Ok(()) } else { Err("is not an intent name") }
}

/// Only the size: what is inside is read, once, by `ChargeRequest`.
fn check_request(value: &str) -> Result<(), &'static str> {
    if value.len() > MAX_REQUEST { Err("is longer than 16384 characters") } else { not_empty(value) }
}

/// A flat JSON object of strings.
fn check_opaque(value: &str) -> Result<(), &'static str> {
    let bytes = base64url::decode(value, MAX_REQUEST)?;
    let flat = json::object(&bytes)?.members().all(|(_, value)| matches!(value, Json::String(_)));
    if flat { Ok(()) } else { Err("is not a flat object of strings") }
}

/// A server that could name any field could overwrite `Cookie`; only two make sense.
fn check_header(value: &str) -> Result<(), &'static str> {
    let known = [AUTHORIZATION, PAYMENT_AUTHORIZATION].iter().any(|name| name.eq_ignore_ascii_case(value));
    if known { Ok(()) } else { Err("names neither Authorization nor Payment-Authorization") }
}

/// The inside of a quoted-string in ASCII: quotes and backslashes escaped, a tab as it is, all else as `\uXXXX`. At most
/// three times as long as the value.
fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for unit in value.chars() {
        match unit {
            '"' | '\\' => escaped.extend(['\\', unit]),
            '\t' | ' '..='~' => escaped.push(unit),
            _ => {
                for unit in unit.encode_utf16(&mut [0; 2]) {
                    let _ = write!(escaped, "\\u{unit:04x}");
                }
            }
        }
    }
    escaped
}

pub(crate) const SCHEME: &str = "Payment";
pub(crate) const AUTHORIZATION: &str = "Authorization";
const PAYMENT_AUTHORIZATION: &str = "Payment-Authorization";

/// Longest field value read, in bytes. The draft asks for 4 KiB and has servers stay under 8 KiB; 64 KiB
/// descriptions are accepted by every deployed SDK.
const MAX_FIELD: usize = 128 * 1024;
/// Most challenges read from one response; a server offers a handful.
const MAX_CHALLENGES: usize = 64;
/// Longest `request` and `opaque`, in characters, as in every deployed SDK.
pub(crate) const MAX_REQUEST: usize = 16 * 1024;

/// Why one challenge of a response is unusable, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("payment challenge in WWW-Authenticate field {field}: {fault}")]
#[non_exhaustive]
pub struct ChallengeError {
    /// Which `WWW-Authenticate` field of the response, counted from 0.
    pub field: usize,
    /// What is wrong in it.
    pub fault: Fault,
}

/// What is wrong in a challenge; offsets are bytes from the start of the field value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The field is longer than is read.
    #[error("{length} bytes long, more than the limit of {limit}")]
    TooLong {
        /// Bytes received.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The response holds more challenges than are read.
    #[error("more than {limit} challenges in one response")]
    TooMany {
        /// Challenges allowed.
        limit: usize,
    },
    /// Not the grammar of RFC 9110 §11.
    #[error("{why} at byte {offset}")]
    Syntax {
        /// Where.
        offset: usize,
        /// What was expected.
        why: &'static str,
    },
    /// A parameter every challenge must have is absent.
    #[error("parameter {parameter} is missing")]
    Missing {
        /// Its name.
        parameter: &'static str,
    },
    /// A known parameter has a value the draft does not allow.
    #[error("parameter {parameter}{} {why}", At(*.offset))]
    Invalid {
        /// Its name.
        parameter: &'static str,
        /// Where it starts; nowhere in the echo of a credential.
        offset: Option<usize>,
        /// What is wrong with the value.
        why: &'static str,
    },
}

/// ` at byte 7`, or nothing.
struct At(Option<usize>);

impl std::fmt::Display for At {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |offset| write!(formatter, " at byte {offset}"))
    }
}
