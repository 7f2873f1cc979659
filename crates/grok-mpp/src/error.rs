//! What can go wrong with a call to Grok; each error knows what became of the money.

use std::fmt;

use bytes::Bytes;
use http::StatusCode;
use mpp_http::{Failure, Money, Payment};

use crate::answer::{AnswerError, ServiceError};
use crate::client::Grok;

/// A call without an answer that could be read. Ask [`money`](Error::money) first.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The service would refuse this request. Nothing was sent.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The base URL is none. Nothing was sent.
    #[error("the base URL is not a URL")]
    BaseUrl(#[source] http::Error),
    /// The service refused the request without asking for payment.
    #[error("the service answered {status} before any payment{}", Said(.said.as_ref()))]
    Refused {
        /// Its status.
        status: StatusCode,
        /// Its reason, if it gave one.
        said: Option<ServiceError>,
    },
    /// The paid request was answered with a failure. Never ask again before it is known what became of the money.
    #[error("the service answered {status} to the paid request{}", Said(.said.as_ref()))]
    Failed {
        /// The payment.
        payment: Box<Payment>,
        /// The answer's status.
        status: StatusCode,
        /// The service's reason, if it gave one.
        said: Option<ServiceError>,
        /// The first 64 KiB of the answer as it came.
        body: Bytes,
    },
    /// The call failed on the way; it may have been paid.
    #[error(transparent)]
    Http(mpp_http::Error),
    /// An answer came that is none. It may have been paid.
    #[error("the service's answer cannot be read")]
    Unreadable {
        /// The payment, if one was made.
        payment: Option<Box<Payment>>,
        /// What is wrong with the answer.
        #[source]
        reason: AnswerError,
        /// The answer as it came.
        body: Bytes,
    },
}

impl Error {
    /// What became of the money.
    #[must_use]
    pub fn money(&self) -> Money {
        self.payment().map_or(Money::NotMoved, Payment::money)
    }

    /// The payment, if one was signed.
    #[must_use]
    pub fn payment(&self) -> Option<&Payment> {
        match self {
            Error::Http(error) => error.payment(),
            Error::Failed { payment, .. } => Some(payment),
            Error::Unreadable { payment, .. } => payment.as_deref(),
            _ => None,
        }
    }

    /// The body of an answer that is none, for whoever can make something of it.
    #[must_use]
    pub fn body(&self) -> Option<&Bytes> {
        match self {
            Error::Failed { body, .. } | Error::Unreadable { body, .. } => Some(body),
            _ => None,
        }
    }
}

/// Why a request is not worth sending.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// There is nothing asked, or it is blank.
    #[error("the prompt is empty; say what is wanted")]
    EmptyPrompt,
    /// The model id is empty.
    #[error("the model id is empty; leave it out to use the default")]
    NoModel,
    /// The model is not of the family that the routes with tools take.
    #[error(
        "model {model:?} has no tools: the service takes the grok-4 family only, such as {}",
        Grok::DEFAULT_MODEL
    )]
    ForeignModel {
        /// The id asked for.
        model: String,
    },
    /// A number is out of range, or none.
    #[error("{field} is outside {low} to {high}")]
    OutOfRange {
        /// The field of the request.
        field: &'static str,
        /// The least allowed.
        low: i64,
        /// The most allowed.
        high: i64,
    },
    /// `max_tokens` is zero.
    #[error("max_tokens is 0, which buys an empty answer; allow at least 1")]
    NoTokens,
    /// A tool is no tool.
    #[error("tool {} is no object with a type, such as {{\"type\":\"function\",…}}", .index + 1)]
    Tool {
        /// Its place, from 0.
        index: usize,
    },
    /// Too many domains, or both kinds.
    #[error("a search takes at most 5 domains, which are either all allowed or all excluded")]
    Domains,
    /// The aspect ratio is none that the service knows.
    #[error("the aspect ratio must be 1:1, 16:9, 9:16, 4:3, 3:2 or auto")]
    AspectRatio,
    /// The picture is at no place that a service could get it from.
    #[error("the picture must be at an http(s) URL, or in a data:image/ URL")]
    Picture,
    /// The codec is none that the service knows.
    #[error("the codec must be mp3, wav, pcm, mulaw or alaw")]
    Codec,
    /// The text is longer than is spoken at once.
    #[error("the text has {characters} characters, over the limit of {limit}; speak it in parts")]
    TextTooLong {
        /// Its characters.
        characters: usize,
        /// Most characters spoken at once.
        limit: usize,
    },
    /// An extra field would overwrite one that has a setting.
    #[error("the extra field {field:?} has a setting of its own; use that instead")]
    DeclaredExtra {
        /// The field.
        field: &'static str,
    },
    /// The encoded request is too large.
    #[error("the request is {bytes} bytes, over the limit of {limit}; shorten it")]
    TooLarge {
        /// Size of the encoded request.
        bytes: usize,
        /// Largest size sent.
        limit: usize,
    },
}

/// A failed answer's body may say why, in one of the service's shapes.
impl From<mpp_http::Error> for Error {
    fn from(error: mpp_http::Error) -> Self {
        match error {
            mpp_http::Error::AfterSigning { payment, failure: Failure::Status { status, body } } => {
                Error::Failed { payment, status, said: ServiceError::parse(&body), body }
            }
            mpp_http::Error::Unpaid(Failure::Status { status, body }) => {
                Error::Refused { status, said: ServiceError::parse(&body) }
            }
            error => Error::Http(error),
        }
    }
}

/// `: the service reports …`, or nothing.
struct Said<'a>(Option<&'a ServiceError>);

impl fmt::Display for Said<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |said| write!(formatter, ": {said}"))
    }
}
