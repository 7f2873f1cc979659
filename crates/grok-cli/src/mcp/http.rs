//! Streamable HTTP: for this machine alone, or for whoever holds the token. A web page that a browser of this machine shows
//! gets nothing from it, whatever name it resolves to here.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use http_body_util::BodyExt as _;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use super::{Desk, Server, told_to_stop};
use crate::failure::Failure;
use crate::output;

/// A port, and who may use it.
pub(super) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    token: Option<Zeroizing<String>>,
}

impl Listener {
    /// Takes the port, unless it would be open to others than this machine's users without a token.
    pub(super) async fn open(address: SocketAddr, token_file: Option<&Path>) -> Result<Self, Failure> {
        let token = token(token_file)?;
        if token.is_none() && !address.ip().is_loopback() {
            return Err(Failure::usage(format!(
                "--http {address} is open to other machines, which would spend this wallet's money: use 127.0.0.1, or \
                 give a token with --token-file FILE or {VARIABLE}"
            )));
        }
        let taken = |error| Failure::unpaid(format!("cannot listen at {address}: {error}"));
        let socket = TcpListener::bind(address).await.map_err(taken)?;
        let address = socket.local_addr().map_err(taken)?;
        Ok(Listener { socket, address, token })
    }

    /// Serves until a signal comes.
    pub(super) async fn serve(self, desk: &Arc<Desk>) -> Result<(), Failure> {
        let config = StreamableHttpServerConfig::default()
            .with_cancellation_token(desk.over.clone())
            .enforce_origin_validation();
        // Who has the token may call this machine what he likes.
        let config = if self.address.ip().is_loopback() { config } else { config.disable_allowed_hosts() };
        let mut sessions = LocalSessionManager::default();
        sessions.session_config.keep_alive = Some(desk.patience.saturating_mul(8));
        let server = Server(Arc::clone(desk));
        let service = StreamableHttpService::new(move || Ok(server.clone()), Arc::new(sessions), config);
        let (token, calls) = (Arc::new(self.token), desk.calls.clone());
        let answer = move |request: Request| {
            let (service, token, calls) = (service.clone(), Arc::clone(&token), calls.clone());
            async move {
                if token.as_ref().as_ref().is_some_and(|token| !bears(request.headers(), token)) {
                    return unauthorized();
                }
                // A GET is a stream that never ends.
                let read = (request.method() == Method::POST).then(|| calls.token());
                service.handle(request).await.map(|body| {
                    Body::new(body.map_frame(move |frame| {
                        let _until_it_is_read = &read;
                        frame
                    }))
                })
            }
        };
        let _ = output::note(&format!("listening    at http://{}/mcp", self.address));
        let desk = Arc::clone(desk);
        let stop = async move {
            told_to_stop().await;
            desk.finish().await;
        };
        let served = axum::serve(self.socket, Router::new().route("/mcp", any(answer)));
        let served = served.with_graceful_shutdown(stop).await;
        served.map_err(|error| Failure::unpaid(format!("the server broke: {error}")))
    }
}

/// The token of the file, else of the environment.
fn token(file: Option<&Path>) -> Result<Option<Zeroizing<String>>, Failure> {
    let (text, place) = match file {
        Some(path) => {
            let text = std::fs::read_to_string(path).map(Zeroizing::new);
            let place = format!("token file {}", path.display());
            (Some(text.map_err(|error| Failure::usage(format!("{place}: {error}")))?), place)
        }
        None => (std::env::var(VARIABLE).map(Zeroizing::new).ok(), VARIABLE.to_owned()),
    };
    let token = text.map(|text| Zeroizing::new(text.trim().to_owned()));
    match token {
        Some(token) if token.is_empty() && file.is_none() => Ok(None),
        Some(token) if token.len() < SHORTEST || !token.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err(Failure::usage(format!(
                "{place}: must be at least {SHORTEST} visible ASCII characters, such as openssl rand -hex 32 prints"
            )))
        }
        token => Ok(token),
    }
}

/// Whether a request shows the token, in a time that does not tell how much of it is right.
fn bears(headers: &HeaderMap, token: &str) -> bool {
    let shown = headers.get(AUTHORIZATION).map_or(&[][..], |value| value.as_bytes());
    let (scheme, shown) = shown.split_at_checked(BEARER.len()).unwrap_or_default();
    let differences = shown.iter().zip(token.bytes()).fold(0, |all, (one, other)| all | (one ^ other));
    scheme.eq_ignore_ascii_case(BEARER) && shown.len() == token.len() && differences == 0
}

fn unauthorized() -> Response {
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")], "the bearer token is missing or wrong\n")
        .into_response()
}

const VARIABLE: &str = "GROK_MPP_MCP_TOKEN";
const BEARER: &[u8] = b"Bearer ";
/// Fewest characters of a token.
const SHORTEST: usize = 16;
