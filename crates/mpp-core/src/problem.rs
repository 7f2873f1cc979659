//! Problem details, the body of a failure: RFC 9457 JSON to a [`Problem`] and back, with the drafts' types
//! (draft-httpauth-payment §9).

use std::fmt;

use serde::Serialize;

use crate::json::{self, Json};
use crate::printable::printable;

/// A failure as its server describes it. All of it is the server's word, cut to what a terminal can bear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge_id: Option<String>,
}

/// The drafts' problem types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProblemType {
    /// The resource has to be paid for.
    PaymentRequired,
    /// The amount is too low.
    PaymentInsufficient,
    /// The challenge or the payment expired.
    PaymentExpired,
    /// The payment does not check out.
    VerificationFailed,
    /// The payment method is not taken.
    MethodUnsupported,
    /// The credential can't be read.
    MalformedCredential,
    /// The challenge is unknown, expired or used.
    InvalidChallenge,
}

impl ProblemType {
    /// The HTTP status that goes with it (§9.2).
    #[must_use]
    pub fn status(self) -> u16 {
        if self == ProblemType::MethodUnsupported { 400 } else { 402 }
    }

    fn name_and_title(self) -> (&'static str, &'static str) {
        match self {
            ProblemType::PaymentRequired => ("payment-required", "Payment Required"),
            ProblemType::PaymentInsufficient => ("payment-insufficient", "Payment Insufficient"),
            ProblemType::PaymentExpired => ("payment-expired", "Payment Expired"),
            ProblemType::VerificationFailed => ("verification-failed", "Verification Failed"),
            ProblemType::MethodUnsupported => ("method-unsupported", "Method Unsupported"),
            ProblemType::MalformedCredential => ("malformed-credential", "Malformed Credential"),
            ProblemType::InvalidChallenge => ("invalid-challenge", "Invalid Challenge"),
        }
    }
}

impl Problem {
    /// A problem of one of the drafts' types; `challenge_id` names the fresh challenge that comes with it.
    #[must_use]
    pub fn new(kind: ProblemType, detail: impl Into<String>, challenge_id: Option<&str>) -> Self {
        let (name, title) = kind.name_and_title();
        Problem {
            kind: format!("{BASE}{name}"),
            title: title.to_owned(),
            status: kind.status(),
            detail: detail.into(),
            challenge_id: challenge_id.map(str::to_owned),
        }
    }

    /// Reads a body; `None` when it is no JSON object with at least a `type`, a `title` or a `detail`.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        let body = body.get(..MAX_PROBLEM.min(body.len()))?;
        let problem = json::object(body).ok()?;
        let text = |member| problem.string(member).ok().flatten().map(|text| printable(text, MAX_TEXT));
        let (kind, title, detail) = (text("type"), text("title"), text("detail"));
        if kind.is_none() && title.is_none() && detail.is_none() {
            return None;
        }
        let status = match problem.get("status") {
            Some(Json::Integer(status)) => u16::try_from(*status).unwrap_or(0),
            _ => 0,
        };
        Some(Problem {
            kind: kind.unwrap_or_else(|| String::from("about:blank")),
            title: title.unwrap_or_default(),
            status,
            detail: detail.unwrap_or_default(),
            challenge_id: text("challengeId"),
        })
    }

    /// The JSON body, `application/problem+json`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The problem's type, a URI.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What went wrong this time.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The status the body names, 0 when it names none.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }
}

/// Title and detail, as one phrase.
impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.title.as_str(), self.detail.as_str()) {
            ("", "") => formatter.write_str(&self.kind),
            (text, "") | ("", text) => formatter.write_str(text),
            (title, detail) => write!(formatter, "{title}: {detail}"),
        }
    }
}

const BASE: &str = "https://paymentauth.org/problems/";
/// Longest body read, in bytes.
const MAX_PROBLEM: usize = 64 * 1024;
/// Longest text kept of a member, in characters.
const MAX_TEXT: usize = 400;
