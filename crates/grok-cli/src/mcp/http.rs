//! Streamable HTTP: for this machine alone, or for whoever holds the token. A web page that a browser of this machine shows
//! gets nothing from it, whatever name it resolves to here.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use http_body_util::BodyExt as _;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;

use super::{Desk, Server};
use crate::failure::Failure;
use crate::output;
use crate::terminal::told_to_end;
use crate::token::Token;

/// A port, and who may use it.
pub(super) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    token: Option<Token>,
}

impl Listener {
    /// Takes the port, unless it would be open to others than this machine's users without a token.
    pub(super) async fn open(address: SocketAddr, token_file: Option<&Path>) -> Result<Self, Failure> {
        let token = Token::read(token_file, VARIABLE)?;
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
                if token.as_ref().as_ref().is_some_and(|token| !token.is_shown(request.headers())) {
                    return unauthorized();
                }
                // A GET is a stream that never ends.
                let read = (request.method() == Method::POST).then(|| calls.token());
                let is_end = request.method() == Method::DELETE;
                let mut response = service.handle(request).await;
                if is_end && response.status() == StatusCode::ACCEPTED {
                    // The official Python client takes nothing else for a session's end.
                    *response.status_mut() = StatusCode::OK;
                }
                response.map(|body| {
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
            told_to_end().await;
            desk.finish().await;
        };
        let served = axum::serve(self.socket, Router::new().route("/mcp", any(answer)));
        let served = served.with_graceful_shutdown(stop).await;
        served.map_err(|error| Failure::unpaid(format!("the server broke: {error}")))
    }
}

fn unauthorized() -> Response {
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")], "the bearer token is missing or wrong\n")
        .into_response()
}

const VARIABLE: &str = "GROK_MPP_MCP_TOKEN";
