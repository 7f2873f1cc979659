//! A fruit shop behind the gate, with its till, its prices, and a kitchen that a test can hold up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::middleware::Next;
use axum::routing::{any, get, post};
use mpp_core::Amount;
use mpp_gate::store::SqlStore;
use mpp_gate::{Charge, Cost, Gate};
use tempfile::TempDir;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::book;
use crate::support::{Buyer, payee, secret, serve, until};
use crate::till::Till;

pub(crate) const PRICE: u64 = 10_000;
/// Of a request's body, and of an answer that is kept.
pub(crate) const LIMIT: usize = 1000;

pub(crate) struct Shop {
    pub(crate) till: Till,
    pub(crate) buyer: Buyer,
    pub(crate) gate: Gate,
    pub(crate) price: Arc<AtomicU64>,
    pub(crate) sold: Arc<AtomicU64>,
    /// What `/stew` takes a permit of; burnt when it is closed.
    pub(crate) kitchen: Arc<Semaphore>,
    /// What comes out of `/juice`, and of `/cider`.
    pub(crate) press: Arc<Mutex<Option<Press>>>,
    /// Who hung up before there was an answer.
    pub(crate) left: Arc<AtomicU64>,
    care: JoinSet<()>,
}

type Press = mpsc::Receiver<Result<Bytes, std::io::Error>>;

impl Shop {
    pub(crate) async fn open() -> Self {
        Self::with(|gate| gate).await
    }

    pub(crate) async fn with(configure: impl FnOnce(Gate) -> Gate) -> Self {
        Self::at(Till::default(), configure).await
    }

    /// A shop whose sales are in a file; another of the same folder has the same.
    pub(crate) async fn lasting(till: &Till, folder: &TempDir, configure: impl FnOnce(Gate) -> Gate) -> Self {
        let store = SqlStore::sqlite(book::file(folder)).await.unwrap();
        Self::at(till.clone(), |gate| configure(gate.durable(secret(), store))).await
    }

    pub(crate) async fn at(till: Till, configure: impl FnOnce(Gate) -> Gate) -> Self {
        let (price, sold) = (Arc::new(AtomicU64::new(PRICE)), Arc::new(AtomicU64::new(0)));
        let gate = configure(Gate::new(payee(), till.clone(), prices(&price)).unwrap().body_limit(LIMIT));
        let kitchen = Arc::new(Semaphore::new(0));
        let (press, left) = (Arc::default(), Arc::default());
        let router = shelves(&sold, &kitchen, &press).layer(gate.clone());
        let router = router.route_service("/payments/{reference}", gate.status());
        let watch = Arc::clone(&left);
        let router = router.layer(axum::middleware::from_fn(move |request: Request, next: Next| {
            let mut guest = Guest { left: Arc::clone(&watch), served: false };
            async move {
                let answer = next.run(request).await;
                guest.is_served();
                answer
            }
        }));
        Shop {
            till,
            buyer: Buyer::of(serve(router).await),
            gate,
            price,
            sold,
            kitchen,
            press,
            left,
            care: JoinSet::new(),
        }
    }

    /// The shop is looked after for as long as it is there.
    pub(crate) fn maintained(mut self) -> Self {
        let gate = self.gate.clone();
        self.care.spawn(async move { gate.maintain().await });
        self
    }

    pub(crate) fn sold(&self) -> u64 {
        self.sold.load(Ordering::Relaxed)
    }

    /// Nothing was settled and nothing sold.
    pub(crate) fn did_nothing(&self) {
        assert!(self.till.sent().is_empty());
        assert_eq!(self.sold(), 0);
    }

    /// No more than so many payments were ever settled, and nothing was sold here.
    pub(crate) fn did_nothing_more(&self, payments: usize) {
        assert_eq!((self.till.sent().len(), self.sold()), (payments, 0));
    }

    /// Waits until somebody has hung up.
    pub(crate) async fn somebody_left(&self) {
        until("somebody left", || self.left.load(Ordering::Relaxed) > 0).await;
    }

    /// A press that the test works.
    pub(crate) fn press(&self) -> mpsc::Sender<Result<Bytes, std::io::Error>> {
        let (sender, receiver) = mpsc::channel(1);
        *self.press.lock().unwrap() = Some(receiver);
        sender
    }
}

fn prices(price: &Arc<AtomicU64>) -> impl Fn(&Parts, &Bytes) -> Cost + Send + Sync + 'static {
    let price = Arc::clone(price);
    move |request, body| {
        let units = match request.uri.path() {
            "/window" => return Cost::Free,
            "/apple" if body.is_empty() => {
                let answer = Response::builder().status(400).body(Bytes::from("how many?")).unwrap();
                return Cost::Refused(Box::new(answer));
            }
            "/taste" | "/mould" => 0,
            _ if request.headers.contains_key("gift-wrapped") => 2 * PRICE,
            _ => price.load(Ordering::Relaxed),
        };
        Cost::Charge(Charge::new(Amount::from_base_units(units.into())).description("une \"poêle\"\n"))
    }
}

fn shelves(sold: &Arc<AtomicU64>, kitchen: &Arc<Semaphore>, press: &Arc<Mutex<Option<Press>>>) -> Router {
    let (counter, cooked, pressed) = (Arc::clone(sold), Arc::clone(sold), Arc::clone(sold));
    let (kitchen, press) = (Arc::clone(kitchen), Arc::clone(press));
    let sell = move |headers: HeaderMap, body: Bytes| {
        counter.fetch_add(1, Ordering::Relaxed);
        let seen = headers.get_all("authorization").iter().map(|value| value.to_str().unwrap().to_owned());
        let seen: Vec<String> = seen.collect();
        std::future::ready(format!("{}|{}", String::from_utf8_lossy(&body), seen.join(",")))
    };
    let cook = move || async move {
        let number = cooked.fetch_add(1, Ordering::Relaxed);
        match kitchen.acquire().await {
            Ok(permit) => permit.forget(),
            Err(_) => return Err((StatusCode::BAD_GATEWAY, "burnt")),
        }
        Ok(format!("stew {number}"))
    };
    let pour = move |kind: &'static str| {
        pressed.fetch_add(1, Ordering::Relaxed);
        let juice = press.lock().unwrap().take().unwrap();
        std::future::ready(([("content-type", kind)], Body::new(Juice(juice))))
    };
    let ferment = pour.clone();
    Router::new()
        .route("/apple", any(sell.clone()))
        .route("/pear", post(sell.clone()))
        .route("/taste", post(sell.clone()))
        .route("/window", get(sell))
        .route("/stew", post(cook))
        .route("/juice", post(move || pour("text/event-stream")))
        .route("/cider", post(move || ferment("text/plain")))
        .route("/crate", post(|| async { "x".repeat(LIMIT + 1) }))
        .route("/box", post(|| async { "x".repeat(LIMIT) }))
        .route("/rotten", post(|| async { (StatusCode::BAD_GATEWAY, "a worm") }))
        .route("/mould", post(|| async { (StatusCode::BAD_GATEWAY, "a worm") }))
        .route("/sold-out", post(|| async { (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "9")]) }))
        .route("/resold", post(|| async { StatusCode::PAYMENT_REQUIRED }))
        .route("/secret", post(|| async { [("cache-control", "max-age=0, No-Store")] }))
        .route("/own", post(|| async { [("cache-control", "private,max-age=9")] }))
        .route("/poster", post(|| async { [("cache-control", "public")] }))
}

/// A body that comes as it is pressed.
struct Juice(Press);

impl http_body::Body for Juice {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        self.0.poll_recv(context).map(|part| part.map(|part| part.map(http_body::Frame::data)))
    }
}

/// Counts who leaves without an answer.
struct Guest {
    left: Arc<AtomicU64>,
    served: bool,
}

impl Guest {
    fn is_served(&mut self) {
        self.served = true;
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if !self.served {
            self.left.fetch_add(1, Ordering::Relaxed);
        }
    }
}
