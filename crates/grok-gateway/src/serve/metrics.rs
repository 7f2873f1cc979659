//! What Prometheus reads, and the listener it reads it from: numbers by route and status, none by client.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tokio::net::TcpListener;

use super::start::ReadSums;

type Label = (&'static str, Cow<'static, str>);

/// All that is counted; the rest of the program counts through its methods.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<[Label; 2], Counter>,
    seconds: Family<[Label; 1], Histogram, fn() -> Histogram>,
    refused: Family<[Label; 1], Counter>,
    in_flight: Gauge,
    connections: Gauge,
}

impl Metrics {
    pub(crate) fn new(sums: ReadSums) -> Self {
        let mut registry = Registry::with_prefix("grok_gateway");
        let requests = Family::<_, _>::default();
        registry.register(
            "requests",
            "Answered requests; status 499 is a client that left",
            requests.clone(),
        );
        let histogram: fn() -> Histogram = || Histogram::new(SECONDS);
        let seconds = Family::new_with_constructor(histogram);
        let help = "From a request's head to the end of its answer";
        registry.register_with_unit("request", help, Unit::Seconds, seconds.clone());
        let refused = Family::default();
        registry.register("refused", "Requests and connections that a limit turned away", refused.clone());
        let in_flight = Gauge::default();
        registry.register("requests_in_flight", "Requests that are worked on", in_flight.clone());
        let connections = Gauge::default();
        registry.register("connections", "Open connections", connections.clone());
        registry.register_collector(Box::new(Sold(sums)));
        Metrics { registry, requests, seconds, refused, in_flight, connections }
    }

    pub(crate) fn begun(&self) {
        self.in_flight.inc();
    }

    pub(crate) fn ended(&self, route: &'static str, status: u16, time: Duration) {
        self.in_flight.dec();
        let status = status.to_string().into();
        self.requests.get_or_create(&[("route", route.into()), ("status", status)]).inc();
        self.seconds.get_or_create(&[("route", route.into())]).observe(time.as_secs_f64());
    }

    /// `limit` is one of a few words.
    pub(crate) fn refused(&self, limit: &'static str) {
        self.refused.get_or_create(&[("limit", limit.into())]).inc();
    }

    pub(crate) fn connected(&self) {
        self.connections.inc();
    }

    pub(crate) fn disconnected(&self) {
        self.connections.dec();
    }

    fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

/// Answers `GET /metrics` until the program ends.
pub(crate) async fn serve(listener: TcpListener, metrics: Arc<Metrics>) {
    let answer = move || {
        let text = metrics.text();
        std::future::ready(([(CONTENT_TYPE, OPEN_METRICS)], text).into_response())
    };
    let router = Router::new().route("/metrics", get(answer));
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "metrics are not served any more");
    }
}

/// The sums that others keep, read when they are asked for.
struct Sold(ReadSums);

impl Collector for Sold {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let sums = (self.0)();
        for (name, help, value) in [
            ("sold_base_units", "What was asked for all answers given.", sums.sold_base_units),
            (
                "upstream_cost_ticks",
                "What the upstream takes for them; 10^10 are a dollar.",
                sums.upstream_ticks,
            ),
        ] {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(metric)?;
        }
        let help = "Payments that were taken, bought nothing and are not refunded yet.";
        let metric = encoder.encode_descriptor("refunds_owed", help, None, MetricType::Gauge)?;
        ConstGauge::new(sums.refunds_owed).encode(metric)?;
        Ok(())
    }
}

impl fmt::Debug for Sold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sold")
    }
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// From a challenge, which takes a millisecond, to long runs of code.
const SECONDS: [f64; 12] = [0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
