//! The one line that is logged of each request, and its part of the metrics: route, status, time, address and a number.
//! Never what was asked, nor any field but those.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::http::{HeaderValue, Method};
use grok_gateway::Route;
use tracing::Span;

use super::metrics::Metrics;

/// A request under way. Dropped, it is told of.
pub(crate) struct Entry {
    metrics: Arc<Metrics>,
    method: Method,
    route: &'static str,
    client: IpAddr,
    id: String,
    span: Span,
    begun: Instant,
    /// Of a client that left before there was an answer, as nginx has it.
    pub(crate) status: u16,
}

impl Entry {
    pub(crate) fn begin(metrics: &Arc<Metrics>, method: &Method, path: &str, client: IpAddr) -> Self {
        metrics.begun();
        let mut bytes = [0; 8];
        // Without randomness nothing is sold; then the number does not matter either.
        let _ = getrandom::fill(&mut bytes);
        let id = format!("{:016x}", u64::from_be_bytes(bytes));
        // Whatever is logged on behalf of the request carries its number.
        let span = tracing::error_span!("request", id);
        let (metrics, method, begun) = (Arc::clone(metrics), method.clone(), Instant::now());
        Entry { metrics, method, route: route(path), client, id, span, begun, status: 499 }
    }

    pub(crate) fn span(&self) -> Span {
        self.span.clone()
    }

    /// For the field `X-Request-Id` of the answer.
    pub(crate) fn id(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.id).ok()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let time = self.begun.elapsed();
        self.metrics.ended(self.route, self.status, time);
        // Anybody may write anything as a method.
        let method = if KNOWN.contains(&self.method) { self.method.as_str() } else { "other" };
        let (route, status, client) = (self.route, self.status, self.client);
        let _entered = self.span.enter();
        let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(method, route, status, milliseconds, %client, "request");
    }
}

/// What a path is called: there are few names, whatever is asked for.
fn route(path: &str) -> &'static str {
    let documents = ["/openapi.json", "/llms.txt", "/health"];
    let mut known = Route::ALL.into_iter().map(Route::path).chain(documents);
    match known.find(|known| *known == path) {
        Some(route) => route,
        None if path.starts_with("/payments/") => "/payments",
        None => "other",
    }
}

const KNOWN: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
