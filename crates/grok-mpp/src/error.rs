//! What can go wrong with a call to Grok; each error knows what became of the money.

use bytes::Bytes;
use http::StatusCode;
use mpp_http::{Money, Payment};

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
    #[error("the service answered {status} before any payment{}", .said.as_ref().map(|said| format!(": {said}")).unwrap_or_default())]
    Refused {
        /// Its status.
        status: StatusCode,
        /// Its reason, if it gave one.
        said: Option<ServiceError>,
    },
    /// The call failed on the way; it may have been paid.
    #[error(transparent)]
    Http(#[from] mpp_http::Error),
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
            Error::Unreadable { payment, .. } => payment.as_deref(),
            _ => None,
        }
    }
}
