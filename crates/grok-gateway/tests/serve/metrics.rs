//! What Prometheus reads.

use std::collections::HashMap;

use crate::payer::Payer;
use crate::program::Place;
use crate::stand_ins::{Node, Service};

/// Samples by name and labels, of a text whose every line is one, or says what one is (OpenMetrics 1.0).
fn parse(text: &str) -> HashMap<String, f64> {
    assert!(text.ends_with("# EOF\n"), "{text}");
    let mut samples = HashMap::new();
    for line in text.lines() {
        let words: Vec<_> = line.split(' ').collect();
        if line.starts_with('#') {
            assert!(line == "# EOF" || ["HELP", "TYPE", "UNIT"].contains(&words[1]), "{line}");
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        let bare = name.split('{').next().unwrap();
        assert!(
            bare.starts_with("grok_gateway_") && bare.bytes().all(|it| it.is_ascii_lowercase() || it == b'_'),
            "{line}"
        );
        assert!(samples.insert(name.to_owned(), value.parse().unwrap()).is_none(), "{line} is there twice");
    }
    samples
}

#[tokio::test]
async fn requests_sales_and_refusals_are_counted() {
    let (node, service) = (Node::start().await, Service::start(true).await);
    let program = Place::new(&node, &service, "[limits]\nbody_bytes = 1000").serve().await;
    let payer = Payer::of(&program.address);
    let credential = payer.credential().await;
    assert_eq!(payer.pay(&credential).await.status, 200);
    for path in ["/a", "/b", "/payments/1", "/payments/2"] {
        assert_eq!(payer.get(path).await.status, 404);
    }
    let long = payer.send(reqwest::Method::POST, "/c", "x".repeat(2000), None).await;
    assert_eq!(long.status, 413);

    let prometheus = Payer::of(&program.metrics);
    let answer = prometheus.get("/metrics").await;
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    let samples = parse(&answer.body);
    for (name, value) in [
        ("requests_total{route=\"/grok/chat\",status=\"402\"}", 1.0),
        ("requests_total{route=\"/grok/chat\",status=\"200\"}", 1.0),
        ("requests_total{route=\"other\",status=\"404\"}", 2.0),
        ("requests_total{route=\"/payments\",status=\"404\"}", 2.0),
        ("requests_total{route=\"other\",status=\"413\"}", 1.0),
        ("request_seconds_count{route=\"/grok/chat\"}", 2.0),
        ("refused_total{limit=\"body_length\"}", 1.0),
        ("requests_in_flight", 0.0),
        ("connections", 1.0),
        ("upstream_cost_ticks_total", 540_000.0),
    ] {
        assert_eq!(samples.get(&format!("grok_gateway_{name}")), Some(&value), "{name}: {}", answer.body);
    }
    assert!(samples["grok_gateway_sold_base_units_total"] >= 1000.0, "{}", answer.body);
    assert_eq!(prometheus.get("/").await.status, 404);
}

#[tokio::test]
async fn the_public_address_has_no_metrics() {
    let (node, service) = (Node::start().await, Service::start(true).await);
    let program = Place::new(&node, &service, "").serve().await;
    assert_eq!(Payer::of(&program.address).get("/metrics").await.status, 404);
}
