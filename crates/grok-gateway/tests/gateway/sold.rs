//! What is sold: each route's price, its checks, what xAI is asked for it, and what the payer gets.

use grok_gateway::{Prices, Route};
use mpp_core::payee::body_digest;
use mpp_core::{Amount, ChargeRequest};
use reqwest::Method;
use serde_json::json;

use crate::orders::{mistakes, orders};
use crate::stand_in::{StandIn, answer};
use crate::support::{KEY, RECIPIENT, Scene, xai};

#[tokio::test]
async fn every_route_asks_its_price_for_exactly_this_request() {
    let scene = Scene::of(xai("http://127.0.0.1:9")).await;
    for (route, body, price, ..) in orders() {
        let challenge = scene.post(route.path(), &body).await.challenge();
        let charge = ChargeRequest::from_challenge(&challenge).unwrap();
        assert_eq!(charge.amount().base_units(), price, "{route:?}");
        assert_eq!(charge.recipient(), RECIPIENT);
        assert_eq!(challenge.digest(), Some(body_digest(body.to_string().as_bytes()).as_str()));
        assert!(challenge.description().unwrap().starts_with("Grok: "), "{route:?}");
    }
    let routes: std::collections::BTreeSet<_> = orders().iter().map(|(route, ..)| *route).collect();
    assert_eq!(routes.len(), Route::ALL.len());
    assert_eq!(scene.earned(), 0);
}

#[tokio::test]
async fn a_bad_request_is_refused_on_every_route_before_any_payment() {
    let scene = Scene::of(xai("http://127.0.0.1:9")).await;
    for (route, body, error) in mistakes() {
        let answer = scene.post(route.path(), &body).await;
        assert_eq!(answer.status, 400, "{route:?} {body} {answer:?}");
        answer.is_refused(400, error);
    }
    for route in Route::ALL {
        for body in ["", "{", "nonsense"] {
            scene.send(Method::POST, route.path(), body, None).await.is_refused(400, "invalid_json");
        }
        for body in [json!([]), json!("x"), json!(null), json!({})] {
            assert_eq!(scene.post(route.path(), &body).await.status, 400);
        }
    }
    assert!(mistakes().len() > 80);
}

#[tokio::test]
async fn what_xai_has_no_way_to_give_is_refused_before_any_payment() {
    let scene = Scene::of(xai("http://127.0.0.1:9")).await;
    let order = |route| orders().into_iter().find(|order| order.0 == route).unwrap().1;
    for (route, name, value, error) in [
        (Route::Speech, "stream", json!(true), "invalid_stream"),
        (Route::ImageGenerate, "stream", json!(true), "invalid_stream"),
        (Route::Chat, "stream_options", json!({"include_usage": true}), "invalid_stream_options"),
        (Route::XSearch, "stream_options", json!({}), "invalid_stream_options"),
        (Route::XSearch, "background", json!(true), "invalid_background"),
        (Route::XSearch, "previous_response_id", json!("resp_1"), "invalid_previous_response_id"),
        (Route::XSearch, "tools", json!("all"), "invalid_tools"),
        (Route::Speech, "voice_id", json!("alloy"), "invalid_voice_id"),
        (Route::Chat, "max_completion_tokens", json!(0), "invalid_max_tokens"),
        (Route::CodeExecution, "max_output_tokens", json!(7), "invalid_max_tokens"),
        (Route::ImageEdit, "image_url", json!("https://a.example/2.png"), "invalid_image"),
        (Route::Speech, "codec", json!("mp3"), "invalid_output_format"),
        (Route::WebSearch, "instructions", json!("x".repeat(800_000)), "prompt_too_long"),
    ] {
        let mut body = order(route);
        body[name] = value;
        scene.post(route.path(), &body).await.is_refused(400, error);
    }
}

#[tokio::test]
async fn a_paid_request_gets_the_answer_of_xai_in_the_envelope() {
    let service = StandIn::open().await;
    let scene = Scene::of(xai(&service.url)).await;
    let mut earned = 0;
    for (route, body, price, path, expected) in orders() {
        let data = scene.bought(route.path(), &body).await;
        earned += price;
        assert_eq!(scene.earned(), earned, "{route:?}");
        let asked = service.asked().pop().unwrap();
        assert_eq!((asked.path.as_str(), &asked.body), (path, &expected), "{route:?}");
        assert_eq!(asked.headers["authorization"], format!("Bearer {KEY}"));
        assert!(!asked.headers.contains_key("payment-authorization"));
        if route == Route::Speech {
            assert_eq!(data, json!({"data": "//thdWRpbwA=", "content_type": "audio/mpeg"}));
        } else {
            assert_eq!(data.to_string().as_bytes(), answer(path), "{route:?}");
        }
    }
    assert_eq!(service.asked().len(), orders().len());
}

#[tokio::test]
async fn the_other_names_of_fields_are_taken_too() {
    let service = StandIn::open().await;
    let scene = Scene::of(xai(&service.url)).await;
    let url = "https://a.example/hat.png";
    scene.bought("/grok/image-edit", &json!({"prompt": "red", "image_url": {"url": url}})).await;
    assert_eq!(service.asked()[0].body["image"], json!({"type": "image_url", "url": url}));
    scene.bought("/grok/tts", &json!({"text": "x", "language": "auto", "codec": "pcm"})).await;
    assert_eq!(service.asked()[1].body["output_format"], json!({"codec": "pcm"}));
}

#[tokio::test]
async fn a_picture_may_be_sixteen_times_as_long_as_any_other_request() {
    let scene = Scene::of(xai("http://127.0.0.1:9")).await;
    let picture = |length| format!("data:image/png;base64,{}", "A".repeat(length));
    let edit = |length| json!({"prompt": "red", "image": picture(length)});
    assert_eq!(scene.post("/grok/image-edit", &edit((16 << 20) - 200)).await.status, 402);
    assert_eq!(scene.post("/grok/image-edit", &edit(16 << 20)).await.status, 413);
    let speech = json!({"text": "x".repeat(1 << 20), "language": "en"});
    assert_eq!(scene.post("/grok/tts", &speech).await.status, 413);
}

#[tokio::test]
async fn an_operator_sets_the_prices() {
    let mut prices = Prices { margin: 0, floor: 1, character: 200, max_tokens: 10, ..Prices::default() };
    prices.tokens.others = None;
    prices.images.listed.insert(0, ("hat-*".to_owned(), 300));
    let scene = Scene::with(xai("http://127.0.0.1:9"), prices).await;
    let messages = json!([{"role": "user", "content": "6*7?"}]);
    for (path, body, price) in [
        ("/grok/tts", json!({"text": "abc", "language": "en"}), 6),
        ("/grok/image-generate", json!({"prompt": "x", "n": 2, "model": "hat-1"}), 6),
        // floor(9·1.25 + 10·2.5)
        ("/grok/chat", json!({"model": "grok-4.3", "messages": messages}), 36),
    ] {
        let charge = ChargeRequest::from_challenge(&scene.post(path, &body).await.challenge()).unwrap();
        assert_eq!(charge.amount(), Amount::from_base_units(price), "{path}");
    }
    let other = json!({"model": "grok-4.6", "messages": messages});
    scene.post("/grok/chat", &other).await.is_refused(400, "invalid_model");
}

#[tokio::test]
async fn other_methods_and_paths_get_structured_errors() {
    let scene = Scene::of(xai("http://127.0.0.1:9")).await;
    let paid = Route::ALL.into_iter().map(|route| (route.path(), "POST", Method::GET));
    let free =
        ["/openapi.json", "/llms.txt", "/health"].into_iter().map(|path| (path, "GET,HEAD", Method::POST));
    for (path, allow, method) in paid.chain(free) {
        for method in [method, Method::PUT, Method::DELETE, Method::PATCH] {
            let answer = scene.send(method, path, "{}", None).await;
            answer.is_refused(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), Some(allow), "{path}");
        }
    }
    for path in ["/", "/grok", "/grok/chat/", "/grok/video"] {
        scene.post(path, &json!({})).await.is_refused(404, "not_found");
    }
}
