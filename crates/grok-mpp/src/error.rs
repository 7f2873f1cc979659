//! What can go wrong with a call to Grok; each error knows what became of the money.

use std::fmt;

use bytes::Bytes;
use http::StatusCode;
use mpp_http::{Failure, Money, Payment};

use crate::answer::{AnswerError, ServiceError};
use crate::code_execution::RequestError;

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
