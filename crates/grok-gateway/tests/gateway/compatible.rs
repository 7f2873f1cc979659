//! A service with OpenAI's API in place of xAI: what it sells, and that the rest costs nothing.

use grok_gateway::{Compatible, Prices, Route};
use serde_json::json;

use crate::orders::orders;
use crate::stand_in::{StandIn, answer};
use crate::support::{KEY, Scene, key};

#[tokio::test]
async fn chat_images_and_speech_are_sold_by_any_compatible_service() {
    let service = StandIn::open().await;
    let base = format!("{}/", service.url);
    let prices = Prices { image_model: "hats-1".to_owned(), ..Prices::default() };
    let scene = Scene::with(Compatible::new(&base, key()).unwrap().speech_model("voice-1"), prices).await;
    let messages = json!([{"role": "user", "content": "6*7?"}]);
    for (path, body, asked_path, expected) in [
        (
            "/grok/chat",
            json!({"model": "llama", "messages": messages, "stop": ["x"], "max_completion_tokens": 9}),
            "/chat/completions",
            json!({"model": "llama", "messages": messages, "stop": ["x"], "max_tokens": 9}),
        ),
        (
            "/grok/image-generate",
            json!({"prompt": "a hat", "aspect_ratio": "auto", "size": "1024x1024"}),
            "/images/generations",
            json!({"prompt": "a hat", "model": "hats-1", "size": "1024x1024"}),
        ),
        (
            "/grok/tts",
            json!({"text": "hi", "language": "en", "output_format": {"codec": "wav"}, "speed": 2}),
            "/audio/speech",
            json!({"input": "hi", "response_format": "wav", "voice": "alloy", "model": "voice-1", "speed": 2}),
        ),
        (
            "/grok/tts",
            json!({"text": "hi", "language": "en", "voice_id": "nova", "model": "voice-2"}),
            "/audio/speech",
            json!({"input": "hi", "voice": "nova", "model": "voice-2"}),
        ),
    ] {
        let data = scene.bought(path, &body).await;
        let asked = service.asked().pop().unwrap();
        assert_eq!((asked.path.as_str(), &asked.body), (asked_path, &expected));
        assert_eq!(asked.headers["authorization"], format!("Bearer {KEY}"));
        if path == "/grok/tts" {
            assert_eq!(data["content_type"], "audio/mpeg");
        } else {
            assert_eq!(data.to_string().as_bytes(), answer(asked_path));
        }
    }
}

#[tokio::test]
async fn what_only_xai_has_is_refused_before_any_payment() {
    let service = StandIn::open().await;
    let scene = Scene::of(Compatible::new(&service.url, None).unwrap()).await;
    let sold = [Route::Chat, Route::ImageGenerate, Route::Speech];
    for (route, body, ..) in orders() {
        let answer = scene.post(route.path(), &body).await;
        if sold.contains(&route) {
            // The first of these orders asks for an aspect ratio.
            assert_eq!(answer.status, if route == Route::ImageGenerate { 400 } else { 402 }, "{answer:?}");
        } else {
            answer.is_refused(501, "not_offered");
        }
    }
    for (path, body, error) in [
        ("/grok/image-generate", json!({"prompt": "x", "aspect_ratio": "1:1"}), "invalid_aspect_ratio"),
        (
            "/grok/tts",
            json!({"text": "x", "language": "en", "output_format": "alaw"}),
            "invalid_output_format",
        ),
        (
            "/grok/chat",
            json!({"model": "m", "messages": [{"role": "user", "content": ""}], "stream": "yes"}),
            "invalid_stream",
        ),
    ] {
        scene.post(path, &body).await.is_refused(400, error);
    }
    let document = scene.get("/openapi.json").await.json();
    let paths: Vec<&str> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        paths,
        ["/grok/chat", "/grok/image-generate", "/grok/tts", "/health", "/payments/{reference}"]
    );
    assert!(service.asked().is_empty());
}

#[tokio::test]
async fn a_service_without_a_key_is_sent_none() {
    let service = StandIn::open().await;
    let scene = Scene::of(Compatible::new(&service.url, None).unwrap()).await;
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    scene.bought("/grok/chat", &body).await;
    assert!(!service.asked()[0].headers.contains_key("authorization"));
}
