//! What is served where: the gate in front of each paid route, documents for nothing, and structured errors everywhere
//! else. A request on a paid route is parsed twice, for its price and for its answer: nothing is kept of it while it is
//! paid for.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::DefaultBodyLimit;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{Method, Request, Response, StatusCode};
use axum::routing::{get, get_service, post};
use mpp_gate::chain::Chain;
use mpp_gate::{Charge, Cost, Gate, NoRandomness, Payee};
use serde_json::json;
use tokio::net::TcpListener;
use tower::Service;

use crate::BoxError;
use crate::answer::{Answer, Refusal, envelope, events, refused};
use crate::breaker::Breaker;
use crate::catalog::Route;
use crate::discovery::{llms, openapi};
use crate::price::Prices;
use crate::request::Order;
use crate::sale::{Sale, Sales, ticks};
use crate::upstream::Upstream;

/// A gateway that can be served: every [`Route`] for money; `/payments/{reference}`, `/openapi.json`, `/llms.txt` and
/// `/health` for nothing.
pub struct Gateway {
    gate: Gate,
    shop: Arc<Shop>,
    openapi: Bytes,
    llms: Bytes,
}

impl Gateway {
    /// A gateway at which `payee` is paid what `prices` say, on `chain`, for what `upstream` answers.
    ///
    /// # Errors
    /// When the operating system has no random numbers for the gate's secret.
    pub fn new(
        payee: Payee,
        chain: impl Chain + 'static,
        upstream: impl Upstream + 'static,
        prices: Prices,
    ) -> Result<Self, NoRandomness> {
        let offered: Vec<Route> =
            Route::ALL.into_iter().filter(|route| upstream.offers(*route).is_ok()).collect();
        let openapi: Bytes = openapi::document(&offered, &payee, &prices).to_string().into();
        let llms: Bytes = llms::text(&offered, &payee, &prices).into();
        let sales = Sales::default();
        let shop = Arc::new(Shop { upstream: Box::new(upstream), prices, breaker: Arc::default(), sales });
        let pricer = Arc::clone(&shop);
        let gate = Gate::new(payee, chain, move |request: &Parts, body: &Bytes| {
            pricer.cost(request.uri.path(), body)
        })?;
        Ok(Gateway { gate, shop, openapi, llms })
    }

    /// Changes the gate: where it keeps its sales, who refunds, who pays fees. See [`Gate`].
    #[must_use]
    pub fn with_gate(self, configure: impl FnOnce(Gate) -> Gate) -> Self {
        Gateway { gate: configure(self.gate), ..self }
    }

    /// The gate, to look at; clones share everything.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    fn router(&self) -> Router {
        let json = document("application/json", self.openapi.clone());
        let text = document("text/plain; charset=utf-8", self.llms.clone());
        let health = self.gate.clone();
        let mut router = Router::new()
            .route("/openapi.json", get(json).fallback(wrong_method))
            .route("/llms.txt", get(text).fallback(wrong_method))
            .route("/health", get(move || async move { healthy(&health) }).fallback(wrong_method))
            .route("/payments/{reference}", get_service(self.gate.status()).fallback(wrong_method))
            .fallback(not_found);
        for route in Route::ALL {
            let shop = Arc::clone(&self.shop);
            let answer = move |body: Bytes| {
                let shop = Arc::clone(&shop);
                async move { shop.answer(route, &body).await.unwrap_or_else(refused) }
            };
            let gate = self.gate.clone().body_limit(route.body_limit());
            router = router.route(route.path(), post(answer).route_layer(gate).fallback(wrong_method));
        }
        // The gate has a limit of its own on each route, and nothing else reads a body.
        router.layer(DefaultBodyLimit::disable())
    }

    /// What it has sold so far, and goes on to sell.
    #[must_use]
    pub fn sales(&self) -> Sales {
        self.shop.sales.clone()
    }

    /// The gateway for a server of one's own; it is always ready. [`Gate::maintain`] has to run beside it.
    pub fn into_service<B>(
        self,
    ) -> impl Service<
        Request<B>,
        Response = Response<impl HttpBody<Data = Bytes, Error = impl Into<BoxError>> + Send + 'static>,
        Error = Infallible,
        Future: Send,
    > + Clone
    + Send
    + Sync
    + 'static
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.router()
    }

    /// Serves on `listener` until `stop` is done, and then finishes what was begun.
    ///
    /// # Errors
    /// When the listener breaks.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let gate = self.gate.clone();
        let upkeep = tokio::spawn(async move { gate.maintain().await });
        let served = axum::serve(listener, self.router()).with_graceful_shutdown(stop).await;
        self.gate.finished().await;
        upkeep.abort();
        served
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Gateway").finish_non_exhaustive()
    }
}

/// What is sold, and for how much.
struct Shop {
    upstream: Box<dyn Upstream>,
    prices: Prices,
    breaker: Arc<Breaker>,
    sales: Sales,
}

impl Shop {
    fn order(&self, route: Route, body: &[u8]) -> Result<Order, Refusal> {
        self.upstream.offers(route)?;
        let order = Order::parse(route, body, &self.prices)?;
        self.upstream.check(&order)?;
        Ok(order)
    }

    fn cost(&self, path: &str, body: &[u8]) -> Cost {
        // The gate stands in front of paid routes only.
        let Some(route) = Route::of(path) else { return Cost::Free };
        let refused = |refusal: Refusal| Cost::Refused(Box::new(refusal.encode()));
        match (self.order(route, body), self.breaker.pause(Instant::now())) {
            (Err(refusal), _) => refused(refusal),
            (Ok(_), Some(seconds)) => refused(down(seconds)),
            (Ok(order), None) => {
                Cost::Charge(Charge::new(order.price()).description(format!("Grok: {}", route.title())))
            }
        }
    }

    /// Answers what is paid. The breaker is told how it ends, and is not asked.
    async fn answer(&self, route: Route, body: &[u8]) -> Result<Response<Body>, Refusal> {
        let order = self.order(route, body)?;
        let sale = Sale::of(&order, self.breaker.attempt(Instant::now()), self.sales.clone());
        match self.upstream.answer(&order).await {
            Ok(Answer::Whole(data)) => {
                sale.sold(ticks(&data));
                Ok(envelope(&data))
            }
            Ok(Answer::Events(stream)) => stream.begin(sale).await.map(events),
            Err(refusal) => {
                sale.failed(&refusal);
                Err(refusal)
            }
        }
    }
}

/// Something that stays as it is while the gateway runs; clients may keep it for five minutes.
fn document(
    kind: &'static str,
    text: Bytes,
) -> impl Fn() -> std::future::Ready<([(axum::http::HeaderName, &'static str); 2], Bytes)> + Clone {
    move || std::future::ready(([(CONTENT_TYPE, kind), (CACHE_CONTROL, "max-age=300")], text.clone()))
}

/// What a balancer asks: whether requests can be sold right now.
fn healthy(gate: &Gate) -> Response<Body> {
    match gate.unready() {
        None => envelope(&json!({"status": "ok"})),
        Some(reason) => {
            let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "unready", reason);
            refused(refusal.retry_after(Some(5)))
        }
    }
}

async fn wrong_method(method: Method) -> Response<Body> {
    let message = format!("{method} is not served here; see the Allow field");
    refused(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message))
}

async fn not_found() -> Response<Body> {
    let message = "there is nothing here; GET /openapi.json lists what there is";
    refused(Refusal::new(StatusCode::NOT_FOUND, "not_found", message))
}

fn down(seconds: u64) -> Refusal {
    let message =
        format!("the service behind is down, so nothing is charged; try again in {seconds} seconds");
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "upstream_down", message).retry_after(Some(seconds))
}
