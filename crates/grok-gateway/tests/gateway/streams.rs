//! Answers that are streamed: they come event by event, whole or visibly broken. xAI is played by a stand-in that says
//! what the test says, in the shapes that xAI documents.

use std::time::Duration;

use grok_gateway::{Compatible, Route};
use mpp_core::Receipt;
use reqwest::Response;
use serde_json::{Value, json};

use crate::failures::{Log, fails_to, request};
use crate::stand_in::{Feed, StandIn};
use crate::support::{KEY, Scene, key, xai};

const DELTA: &str =
    "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"4\"}\n\n";
const COMPLETED: &str = "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"status\":\
                         \"completed\",\"error\":null,\"usage\":{\"cost_in_usd_ticks\":37756000}}}\n\n";
const CHUNK: &str =
    "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"delta\":{\"content\":\"4\"}}]}\n\n";
const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"cost_in_usd_ticks\":540000}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

pub(crate) fn streamed() -> Value {
    let mut body = request();
    body["stream"] = json!(true);
    body
}

/// Reads until this much has come, and no more may have.
async fn comes(response: &mut Response, expected: &str) {
    let mut text = Vec::new();
    while text.len() < expected.len() {
        text.extend(response.chunk().await.unwrap().expect("more comes"));
    }
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

/// Has it begin with an event and end as the rest says, and whether the payer sees it as whole.
async fn is_whole(feed: &Feed, scene: &Scene, path: &str, first: &str, rest: impl FnOnce(&Feed)) -> bool {
    feed.begin();
    feed.chunk(first);
    let (_, mut response) = scene.stream(path, &streamed()).await;
    comes(&mut response, first).await;
    rest(feed);
    loop {
        match response.chunk().await {
            Ok(Some(_)) => {}
            end => return end.is_ok(),
        }
    }
}

#[tokio::test]
async fn an_event_arrives_before_the_next_is_sent() {
    let log = Log::default();
    let _guard = log.keep();
    for route in [Route::Chat, Route::CodeExecution, Route::WebSearch, Route::XSearch] {
        let events =
            if route == Route::Chat { [CHUNK, CHUNK, USAGE, DONE] } else { [DELTA, DELTA, DELTA, COMPLETED] };
        let feed = Feed::open().await;
        let scene = Scene::of(xai(&feed.url)).await;
        feed.begin();
        feed.chunk(events[0]);
        let (payment, mut response) = scene.stream(route.path(), &streamed()).await;
        assert_eq!(response.status(), 200, "{route:?}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "private");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Receipt::parse(response.headers()["payment-receipt"].as_bytes()).unwrap().check(&payment).unwrap();
        comes(&mut response, events[0]).await;
        for event in &events[1..] {
            feed.chunk(event);
            comes(&mut response, event).await;
        }
        let before = log.text().matches("sold").count();
        feed.end();
        assert_eq!(response.chunk().await.unwrap(), None, "{route:?}");
        assert_eq!(log.text().matches("sold").count(), before + 1, "{route:?}");
        let asked = feed.asked().pop().unwrap();
        assert_eq!(asked["stream"], true);
        let options = (route == Route::Chat).then(|| json!({"include_usage": true}));
        assert_eq!(asked.get("stream_options"), options.as_ref(), "{route:?}");
        assert_eq!(asked.get("store").is_some(), route != Route::Chat);
    }
    let log = log.text();
    let mut costs = vec![" cost=54"];
    costs.extend([" cost=3776"; 3]);
    let sold: Vec<&str> = log.lines().filter(|line| line.contains("sold")).collect();
    assert_eq!(sold.len(), costs.len(), "{sold:?}");
    for (line, cost) in sold.iter().zip(costs) {
        assert!(line.contains(cost) && line.contains("price=1162"), "{line}");
    }
    assert!(!log.contains("hello") && !log.contains(KEY), "{log}");
}

#[tokio::test]
async fn a_compatible_service_streams_chat_and_is_asked_for_usage_unless_the_payer_says_otherwise() {
    for (options, asked) in [
        (json!(null), json!({"include_usage": true})),
        (json!({"x": 1}), json!({"x": 1, "include_usage": true})),
        (json!({"include_usage": false}), json!({"include_usage": false})),
    ] {
        let feed = Feed::open().await;
        let scene = Scene::of(Compatible::new(&feed.url, key()).unwrap()).await;
        let mut body = streamed();
        body["stream_options"] = options;
        feed.begin();
        feed.chunk(CHUNK);
        feed.chunk(DONE);
        feed.end();
        let (_, response) = scene.stream("/grok/chat", &body).await;
        assert_eq!(response.text().await.unwrap(), format!("{CHUNK}{DONE}"));
        assert_eq!(feed.asked()[0]["stream_options"], asked);
    }
}

#[tokio::test]
async fn a_stream_that_breaks_is_cut_and_never_like_a_whole_one() {
    let (chat, code) = ("/grok/chat", "/grok/code-execution");
    let said = |text: &'static str| move |feed: &Feed| (feed.chunk(text), feed.end()).1;
    let cut = |text: &'static str| move |feed: &Feed| (feed.chunk(text), feed.close()).1;
    type Rest = Box<dyn FnOnce(&Feed)>;
    let flood = |feed: &Feed| (0..65).for_each(|_| feed.chunk(&format!(":{}\n\n", " ".repeat(1 << 20))));
    let cases: Vec<(&str, &str, bool, Rest)> = vec![
        (chat, CHUNK, true, Box::new(said(DONE))),
        (chat, CHUNK, true, Box::new(said("data:[DONE]"))),
        (chat, CHUNK, true, Box::new(said("data: [DONE]\r\n\r\n: bye\r\n\r\n"))),
        (chat, ": wait\r\n\r\n", true, Box::new(said("data: {\"choices\":[]}\n\ndata: [DONE]\n\n"))),
        (chat, CHUNK, false, Box::new(Feed::end)),
        (chat, CHUNK, false, Box::new(Feed::close)),
        (chat, CHUNK, false, Box::new(cut(DONE))),
        (chat, CHUNK, false, Box::new(cut("data: [DO"))),
        (chat, CHUNK, false, Box::new(said(COMPLETED))),
        (
            chat,
            CHUNK,
            false,
            Box::new(said("data: {\"error\":{\"message\":\"overloaded\"}}\n\ndata: [DONE]\n\n")),
        ),
        (code, DELTA, true, Box::new(said(COMPLETED))),
        (code, DELTA, true, Box::new(said("data: {\"type\":\ndata: \"response.incomplete\"}\n\n"))),
        (code, DELTA, true, Box::new(said("data: {\"type\":\"response.done\"}\r\n\r\ndata: [DONE]\r\n\r\n"))),
        (code, DELTA, false, Box::new(said(DONE))),
        (code, DELTA, false, Box::new(cut(COMPLETED))),
        (code, DELTA, false, Box::new(said("event: response.completed\ndata: {}\n\n"))),
        (code, DELTA, false, Box::new(said("data: {\"type\":\"response.failed\",\"response\":{}}\n\n"))),
        (code, DELTA, false, Box::new(said("data: {\"type\":\"error\",\"message\":\"no\"}\n\n"))),
        (code, DELTA, false, Box::new(flood)),
    ];
    for (number, (path, first, expected, rest)) in cases.into_iter().enumerate() {
        let feed = Feed::open().await;
        let scene = Scene::of(xai(&feed.url)).await;
        assert_eq!(is_whole(&feed, &scene, path, first, rest).await, expected, "case {number}");
        assert_eq!(feed.asked().len(), 1, "case {number}");
    }
}

#[tokio::test]
async fn a_stream_that_falls_silent_or_lasts_too_long_is_cut() {
    let silent = |url: &str| xai(url).quiet(Duration::from_millis(200));
    let late = |url: &str| xai(url).patience(Duration::from_millis(1500));
    let feed = Feed::open().await;
    let scene = Scene::of(silent(&feed.url)).await;
    assert!(!is_whole(&feed, &scene, "/grok/chat", CHUNK, |_| {}).await);
    let feed = Feed::open().await;
    let scene = Scene::of(late(&feed.url)).await;
    assert!(!is_whole(&feed, &scene, "/grok/chat", CHUNK, |_| {}).await);
}

#[tokio::test]
async fn a_stream_that_breaks_before_its_first_event_is_a_refusal_like_any_other() {
    type Says = fn(&Feed);
    let cases: [(Says, u16, &str, &str); 9] = [
        (|feed| feed.refuse(400, ""), 502, "upstream_refused", "status 400"),
        (|feed| feed.refuse(401, ""), 502, "upstream_account", "operator"),
        (|feed| feed.refuse(429, "retry-after: 7\r\n"), 503, "upstream_busy", "in 7 seconds"),
        (|feed| feed.refuse(500, ""), 502, "upstream_failed", "status 500"),
        (Feed::close, 502, "upstream_failed", "without an answer"),
        (|feed| (feed.begin(), feed.end()).1, 502, "upstream_failed", "before the last event"),
        (|feed| (feed.begin(), feed.close()).1, 502, "upstream_failed", "in the middle of its stream"),
        (
            |feed| (feed.begin(), feed.chunk("data: {\"error\":\"no\"}\n\n")).1,
            502,
            "upstream_failed",
            "told of an error",
        ),
        (Feed::begin, 504, "upstream_timeout", "silent"),
    ];
    for (says, status, code, words) in cases {
        let feed = Feed::open().await;
        says(&feed);
        let scene = Scene::of(xai(&feed.url).quiet(Duration::from_millis(500))).await;
        let told = fails_to(&streamed(), &scene, status).await;
        assert_eq!(told["error"], code, "{told}");
        assert!(told["message"].as_str().unwrap().contains(words), "{told}");
    }
    for headers in [&[("content-type", "application/json")][..], &[("content-type", "text/html")], &[]] {
        let service = StandIn::saying(200, headers, "{}").await;
        let told = fails_to(&streamed(), &Scene::of(xai(&service.url)).await, 502).await;
        assert!(told["message"].as_str().unwrap().contains("else than a stream"), "{told}");
    }
}
