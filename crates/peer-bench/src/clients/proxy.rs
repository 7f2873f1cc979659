//! A proxy on loopback that lets every request wait, as a distance does, and counts it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::Outcome;

/// A proxy in front of one server, stopped when dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Bytes>>>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// One in front of `upstream`, as `127.0.0.1:80`, whose every answer takes so much longer.
    pub(crate) async fn start(upstream: SocketAddr, delay: Duration) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let requests = Arc::default();
        let seen = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, Line { upstream, delay, seen: Arc::clone(&seen) }));
            }
        });
        Ok(Proxy { address, requests, task })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The bodies of the requests since this was asked last.
    pub(crate) fn requests(&self) -> Vec<Bytes> {
        std::mem::take(&mut self.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where a client's connection leads.
struct Line {
    upstream: SocketAddr,
    delay: Duration,
    seen: Arc<Mutex<Vec<Bytes>>>,
}

async fn serve(client: TcpStream, line: Line) {
    let (line, open) = (&line, &tokio::sync::Mutex::new(None));
    let service = service_fn(async move |request| {
        let answer = forward(request, line, &mut *open.lock().await).await;
        Ok::<_, Infallible>(answer.unwrap_or_else(|error| {
            let mut answer = Response::new(Full::new(error.to_string().into()));
            *answer.status_mut() = StatusCode::BAD_GATEWAY;
            answer
        }))
    });
    // A client that hangs up is no matter of the proxy's.
    let _ = client.set_nodelay(true);
    let _ = http1::Builder::new().serve_connection(TokioIo::new(client), service).await;
}

/// Sends a request on over the connection that belongs to the client's.
async fn forward(
    request: Request<Incoming>,
    line: &Line,
    open: &mut Option<SendRequest<Full<Bytes>>>,
) -> Outcome<Response<Full<Bytes>>> {
    let (mut head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    line.seen.lock().unwrap_or_else(PoisonError::into_inner).push(body.clone());
    tokio::time::sleep(line.delay).await;
    let mut requests = match open.take().filter(|open| !open.is_closed()) {
        Some(requests) => requests,
        None => {
            let upstream = TcpStream::connect(line.upstream).await?;
            upstream.set_nodelay(true)?;
            let (requests, connection) = handshake(TokioIo::new(upstream)).await?;
            tokio::spawn(connection);
            requests
        }
    };
    requests.ready().await?;
    of_the_message(&mut head.headers);
    let answer = requests.send_request(Request::from_parts(head, Full::new(body))).await?;
    let (mut head, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    *open = Some(requests);
    of_the_message(&mut head.headers);
    Ok(Response::from_parts(head, Full::new(body)))
}

/// Leaves the fields that are not of one connection alone (RFC 9110 §7.6.1).
fn of_the_message(headers: &mut HeaderMap) {
    for name in [CONNECTION, TRANSFER_ENCODING, HeaderName::from_static("keep-alive")] {
        headers.remove(name);
    }
}
