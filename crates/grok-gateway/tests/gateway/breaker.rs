//! A service that is down costs nobody anything: orders are refused before payment until it is back.

use grok_gateway::Route;
use reqwest::Method;
use serde_json::json;

use crate::failures::{fails, request};
use crate::orders::orders;
use crate::stand_in::{Feed, StandIn};
use crate::support::{Scene, xai};

const PATH: &str = "/grok/code-execution";

async fn seconds_down(scene: &Scene) -> u64 {
    let answer = scene.post(PATH, &request()).await;
    answer.is_refused(503, "upstream_down");
    answer.header("retry-after").unwrap().parse().unwrap()
}

#[tokio::test]
async fn after_failures_in_a_row_nothing_is_charged_on_any_route() {
    let service = StandIn::saying(500, &[], "oh").await;
    let scene = Scene::of(xai(&service.url)).await;
    let (_, credential) = scene.payment(PATH, &request()).await;
    for _ in 0..5 {
        fails(&scene, 502).await;
    }
    let earned = scene.earned();
    assert!((1..=5).contains(&seconds_down(&scene).await));
    for (route, body, ..) in orders() {
        scene.post(route.path(), &body).await.is_refused(503, "upstream_down");
    }
    let body = request().to_string();
    let paid = scene.send(Method::POST, PATH, &body, Some(&credential)).await;
    paid.is_refused(503, "upstream_down");
    assert_eq!((scene.earned(), service.asked().len()), (earned, 5));
    scene.post(Route::Chat.path(), &json!({})).await.is_refused(400, "invalid_model");
    assert_eq!(scene.get("/health").await.status, 200);
}

#[tokio::test]
async fn what_is_wrong_with_requests_closes_the_gateway_to_nobody() {
    for (status, answered) in [(400, 502), (403, 502), (422, 502)] {
        let service = StandIn::saying(status, &[], "no").await;
        let scene = Scene::of(xai(&service.url)).await;
        for _ in 0..7 {
            fails(&scene, answered).await;
        }
        assert_eq!(service.asked().len(), 7, "{status}");
    }
}

#[tokio::test]
async fn a_service_that_says_for_how_long_is_left_alone_at_once() {
    for status in [429, 503] {
        let service = StandIn::saying(status, &[("retry-after", "30")], "").await;
        let scene = Scene::of(xai(&service.url)).await;
        fails(&scene, 503).await;
        assert!((25..=30).contains(&seconds_down(&scene).await), "{status}");
        assert_eq!(service.asked().len(), 1);
    }
}

#[tokio::test]
async fn after_the_pause_one_paid_order_finds_out_while_nobody_else_is_charged() {
    let feed = Feed::open().await;
    let scene = Scene::of(xai(&feed.url)).await;
    let mut order = request();
    order["stream"] = json!(true);

    // A pause of no time: the next order finds out, however many ask for the price.
    feed.refuse(429, "retry-after: 0\r\n");
    fails(&scene, 503).await;
    let (payment, credential) = scene.payment(PATH, &request()).await;
    scene.post(PATH, &request()).await.challenge();

    feed.begin();
    feed.chunk(": wait\n\n");
    let (_, mut response) = scene.stream(PATH, &order).await;
    assert!(response.chunk().await.unwrap().is_some());
    let earned = scene.earned();
    seconds_down(&scene).await;
    let body = request().to_string();
    let refused = scene.send(Method::POST, PATH, &body, Some(&credential)).await;
    refused.is_refused(503, "upstream_down");
    assert_eq!(scene.earned(), earned);

    feed.chunk("data: {\"type\":\"response.completed\"}\n\n");
    feed.end();
    while response.chunk().await.unwrap().is_some() {}

    // It is back, and the payment that was refused unspent is as good as before.
    feed.refuse(500, "");
    let failed = scene.send(Method::POST, PATH, &body, Some(&credential)).await;
    assert_eq!(
        (failed.status, &failed.json()["reference"]),
        (502, &json!(payment.hash().unwrap().to_string()))
    );
    scene.post(PATH, &request()).await.challenge();

    // Half open, it takes one failure to open it again.
    feed.refuse(503, "retry-after: 0\r\n");
    fails(&scene, 503).await;
    feed.refuse(500, "");
    fails(&scene, 502).await;
    assert!((1..=5).contains(&seconds_down(&scene).await));
}

#[tokio::test]
async fn streams_that_break_count_as_failures() {
    let feed = Feed::open().await;
    let scene = Scene::of(xai(&feed.url)).await;
    let mut order = request();
    order["stream"] = json!(true);
    for _ in 0..5 {
        feed.begin();
        feed.chunk(": wait\n\n");
        feed.close();
        let (_, response) = scene.stream(PATH, &order).await;
        assert!(response.text().await.is_err());
    }
    seconds_down(&scene).await;
}
