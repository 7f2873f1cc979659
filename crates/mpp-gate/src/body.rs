//! The one body of everything that leaves the gate, for the service or for the payer, whatever it is made of.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt as _, Full};
use tokio::sync::mpsc::Receiver;

use crate::BoxError;

/// The body of a request that is let through, or of an answer.
pub struct Body(Pin<Box<dyn http_body::Body<Data = Bytes, Error = BoxError> + Send>>);

impl Body {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Body::of(Full::new(bytes))
    }

    /// What comes out of a channel, until an empty part says that it is whole. A channel that just ends is a body that
    /// broke off.
    pub(crate) fn piped(parts: Receiver<Result<Bytes, BoxError>>) -> Self {
        Body::of(Piped { parts, ended: false })
    }

    pub(crate) fn of<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Body(Box::pin(body.map_err(Into::into)))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.as_mut().poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Body").finish_non_exhaustive()
    }
}

struct Piped {
    parts: Receiver<Result<Bytes, BoxError>>,
    ended: bool,
}

impl http_body::Body for Piped {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let part =
            ready!(self.parts.poll_recv(context)).unwrap_or_else(|| Err("the answer broke off".into()));
        self.ended = part.as_ref().map_or(true, Bytes::is_empty);
        Poll::Ready(match part {
            Ok(part) if part.is_empty() => None,
            part => Some(part.map(Frame::data)),
        })
    }
}
