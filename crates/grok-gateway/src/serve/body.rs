//! Bodies with conditions: a request's has to come in time and within a length, an answer's holds on to what its request
//! took until it has left.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Sleep;

/// Why a request's body was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    TooLong,
    TooSlow,
}

/// A request's body.
pub(crate) struct Bounded {
    body: Body,
    left: usize,
    deadline: Pin<Box<Sleep>>,
    cut: Arc<OnceLock<Cut>>,
}

impl Bounded {
    /// At most `length` bytes of `body`, within `time`; why it was cut off, if it was, is to be found in the second.
    pub(crate) fn new(body: Body, length: usize, time: Duration) -> (Self, Arc<OnceLock<Cut>>) {
        let cut = Arc::default();
        let deadline = Box::pin(tokio::time::sleep(time));
        (Bounded { body, left: length, deadline, cut: Arc::clone(&cut) }, cut)
    }
}

impl HttpBody for Bounded {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let cut = |this: &Bounded, why| {
            let _ = this.cut.set(why);
            Poll::Ready(Some(Err("the body was cut off".into())))
        };
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Pending if self.deadline.as_mut().poll(context).is_ready() => cut(&self, Cut::TooSlow),
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                match self.left.checked_sub(length) {
                    Some(left) => self.left = left,
                    None => return cut(&self, Cut::TooLong),
                }
                Poll::Ready(Some(Ok(frame)))
            }
            polled => polled.map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body, and what is dropped once it has been sent or its client has left.
pub(crate) struct Holding<T> {
    pub(crate) body: Body,
    pub(crate) _held: T,
}

impl<T: Unpin> HttpBody for Holding<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
