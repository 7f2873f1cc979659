//! What a service makes of a paid request: its answer, whole or as it comes, and a copy to keep; or why there is none.

use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::response::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use tokio::sync::{mpsc, oneshot};

use crate::BoxError;
use crate::body::Body;
use crate::chain::ChainError;
use crate::sale::Kept;

/// The service behind the gate, to be called once.
pub(crate) type Behind = Box<dyn FnOnce(Request<Body>) -> Answering + Send>;
/// Its answer to come.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;
/// Where the answer goes, or why the payment was not made; nobody may be there any more.
pub(crate) type Reply = oneshot::Sender<Result<Response<Body>, ChainError>>;
/// Where an answer goes that is passed on as it comes.
type Outlet = mpsc::Sender<Result<Bytes, BoxError>>;

/// Why there is no answer.
pub(crate) struct Failure {
    pub(crate) why: String,
    pub(crate) status: StatusCode,
    pub(crate) words: Option<String>,
    pub(crate) retry_after: Option<HeaderValue>,
}

/// What is left to send.
pub(crate) enum End {
    Whole(Reply, Parts),
    /// And how long the payer is still waited for.
    Open(Outlet, Duration),
}

/// Takes the service's answer in. An event stream is passed on as it comes, and so is what is too long to be kept.
pub(crate) async fn produce(
    answering: Answering,
    receipt: Option<HeaderValue>,
    reply: Reply,
    limit: usize,
) -> (Result<Kept, Failure>, End) {
    let response = answering.await;
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        let (parts, failure) = failure(response).await;
        return (Err(failure), End::Whole(reply, parts));
    }
    let (mut parts, body) = response.into_parts();
    if let Some(mut receipt) = receipt.filter(|_| status.is_success()) {
        receipt.set_sensitive(true);
        parts.headers.insert(PAYMENT_RECEIPT, receipt);
    }
    if !is_private(&parts.headers) {
        parts.headers.insert(CACHE_CONTROL, HeaderValue::from_static("private"));
    }
    let head = Kept::head(&parts);
    let streams = parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(EVENTS));
    let end = End::Whole(reply, parts);
    let (copy, end) = copy(body, if streams { end.open() } else { end }, limit).await;
    (copy.map(|body| Kept { body, ..head }), end)
}

/// Reads a body to its end, and passes its parts on where they are waited for. The copy of it is nothing if it is too long.
async fn copy(body: Body, mut end: End, limit: usize) -> (Result<Option<Bytes>, Failure>, End) {
    let mut copy = Some(BytesMut::new());
    let mut body = pin!(body);
    while let Some(frame) = body.frame().await {
        let data = match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => data,
            // Trailers.
            Ok(Err(_)) => continue,
            Err(_) => {
                let why = "the answer broke off".to_owned();
                let status = StatusCode::BAD_GATEWAY;
                return (Err(Failure { why, status, words: None, retry_after: None }), end);
            }
        };
        if copy.as_ref().is_some_and(|copy| copy.len().saturating_add(data.len()) > limit) {
            let begun = copy.take().unwrap_or_default().freeze();
            if let End::Whole(..) = end {
                end = end.open();
                if !begun.is_empty() {
                    end.send(Ok(begun)).await;
                }
            }
        }
        match &mut copy {
            Some(copy) => copy.extend_from_slice(&data),
            None => end.be_patient(),
        }
        if !data.is_empty() {
            end.send(Ok(data)).await;
        }
    }
    (Ok(copy.map(BytesMut::freeze)), end)
}

impl End {
    /// Sends the head; the body follows.
    fn open(self) -> Self {
        let End::Whole(reply, parts) = self else { return self };
        let (outlet, body) = mpsc::channel(OUTLET);
        drop(reply.send(Ok(Response::from_parts(parts, Body::piped(body)))));
        End::Open(outlet, SLOWEST)
    }

    /// A part of the body, if it is sent in parts; an empty one says that it is whole, and an error that it broke off.
    /// Who does not listen any more finds the whole of it later, and who takes too long in all is cut off: he could hold
    /// the service up until it breaks off, and have his money back for what he has read.
    pub(crate) async fn send(&mut self, part: Result<Bytes, BoxError>) {
        let End::Open(outlet, patience) = self else { return };
        let begun = tokio::time::Instant::now();
        if tokio::time::timeout(*patience, outlet.send(part)).await.is_err() {
            *outlet = mpsc::channel(1).0;
        }
        *patience = patience.saturating_sub(begun.elapsed());
    }

    /// What cannot be had again is not cut off for being long.
    fn be_patient(&mut self) {
        if let End::Open(_, patience) = self {
            *patience = SLOWEST;
        }
    }
}

async fn failure(response: Response<Body>) -> (Parts, Failure) {
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, MAX_FAILURE).collect().await;
    let words = body.ok().and_then(|body| String::from_utf8(body.to_bytes().into()).ok());
    let failure = Failure {
        why: format!("the service answered with status {}", parts.status.as_u16()),
        status: parts.status,
        words: words.filter(|words| !words.is_empty()),
        retry_after: parts.headers.get(RETRY_AFTER).cloned(),
    };
    (parts, failure)
}

/// Whether the service itself keeps shared caches from storing its answer (RFC 9111 §5.2.2).
fn is_private(headers: &HeaderMap) -> bool {
    let fields = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut directives = fields.flat_map(|field| field.split(',')).map(str::trim);
    directives.any(|name| name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("private"))
}

const PAYMENT_RECEIPT: HeaderName = HeaderName::from_static("payment-receipt");
const EVENTS: &[u8] = b"text/event-stream";
/// Parts of an answer that wait for a payer who reads slowly.
const OUTLET: usize = 16;
/// Longest wait for a payer to take his answer, or each part of one that is not kept.
const SLOWEST: Duration = Duration::from_secs(30);
/// Most bytes of a failed answer that are passed on.
const MAX_FAILURE: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_reads_slowly_holds_the_service_up_for_so_long_in_all() {
        let (outlet, mut body) = mpsc::channel(1);
        let mut end = End::Open(outlet, SLOWEST);
        tokio::spawn(async move {
            while body.recv().await.is_some() {
                tokio::time::sleep(SLOWEST / 2).await;
            }
        });
        let begun = tokio::time::Instant::now();
        for _ in 0..10 {
            end.send(Ok(Bytes::from_static(b"part"))).await;
        }
        assert_eq!(begun.elapsed(), SLOWEST);
    }
}
