//! What each path asks the service for, and answers.

use serde_json::{Value, json};

use super::{CHAT, Served, chat, ledger, shop, sold, streamed};
use crate::support::{Home, answer, challenge};

#[test]
fn every_path_answers_in_its_shape_and_says_what_it_cost() {
    let home = Home::new();
    let served = Served::sandbox(&home);
    let tool =
        |kind: &str| json!({"model": "grok-4.3", "input": "`print(6 * 7)`", "tools": [{"type": kind}]});
    let picture = "data:image/png;base64,iVBORw0KGgo=";
    let cases: [(&str, Value, &str, &str); 10] = [
        (CHAT, chat(), "/choices/0/message/role", "assistant"),
        ("responses", json!({"model": "grok-4.3", "input": "hi"}), "/output/0/content/0/type", "output_text"),
        ("responses", tool("code_interpreter"), "/output/0/type", "code_interpreter_call"),
        ("responses", tool("web_search"), "/output/0/type", "web_search_call"),
        ("responses", tool("web_search_preview"), "/output/0/type", "web_search_call"),
        ("responses", tool("x_search"), "/output/0/type", "x_search_call"),
        ("images/generations", json!({"prompt": "a hat"}), "/model", "grok-imagine-image"),
        (
            "images/generations",
            json!({"prompt": "x", "model": "gpt-image-1"}),
            "/data/0/b64_json",
            "iVBORw0KGgo",
        ),
        ("images/edits", json!({"prompt": "red", "image": picture}), "/model", "grok-imagine-image"),
        (
            "images/edits",
            json!({"prompt": "red", "images": [{"image_url": picture}]}),
            "/data/0/url",
            "data:",
        ),
    ];
    for (number, (path, body, pointer, expected)) in (1..).zip(cases) {
        let heard = served.post(path, &body);
        assert_eq!((heard.status, heard.field("content-type")), (200, Some("application/json")), "{heard:?}");
        let found = heard.json().pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        assert!(found.starts_with(expected), "{path}: {}", heard.json());
        let payment = &ledger(&home)[number - 1];
        assert_eq!(payment["state"], "delivered");
        for (field, said) in [
            ("x-mpp-payment-id", payment["id"].to_string()),
            ("x-mpp-amount", payment["terms"]["amount"].as_str().expect("units").to_owned()),
            ("x-mpp-currency", "0x20c0000000000000000000000000000000000000".to_owned()),
            ("x-mpp-transaction", payment["transaction"].as_str().expect("a hash").to_owned()),
            ("x-mpp-money", "paid".to_owned()),
        ] {
            assert_eq!(heard.field(field), Some(said.as_str()), "{field}");
        }
    }
    let heard = served.post("audio/speech", &json!({"model": "tts-1", "input": "hello", "voice": "alloy"}));
    assert_eq!((heard.field("content-type"), &heard.body[..4]), (Some("audio/wav"), &b"RIFF"[..]));
}

#[test]
fn what_the_service_leaves_out_is_put_in_and_nothing_is_lost() {
    let home = Home::new();
    let shop = shop([challenge(31337), sold()]);
    let whole = Served::selling(&home, &shop.url).post(CHAT, &chat()).json();
    let choice = &whole["choices"][0];
    assert_eq!((&whole["object"], &whole["model"]), (&json!("chat.completion"), &json!("grok-4.3")));
    assert!(whole["id"].is_string() && whole["created"].is_u64() && whole["kept"] == true, "{whole}");
    assert_eq!([&choice["index"], &choice["finish_reason"]], [&json!(0), &json!("stop")]);
    let message = json!({"role": "assistant", "content": "forty-two", "refusal": null, "extra": 1});
    assert_eq!(choice["message"], message);
    assert_eq!(whole["usage"]["total_tokens"], 7);
}

#[test]
fn an_answer_in_parts_is_one_text() {
    let home = Home::new();
    let parts = json!([{"type": "text", "text": "forty"}, {"type": "text", "text": "-two"}]);
    let body = json!({"choices": [{"message": {"content": parts}, "finish_reason": null}]});
    let shop = shop([challenge(31337), answer("200 OK", &body.to_string())]);
    let choice = Served::selling(&home, &shop.url).post(CHAT, &chat()).json()["choices"][0].clone();
    assert_eq!([&choice["message"]["content"], &choice["finish_reason"]], ["forty-two", "stop"]);
}

#[test]
fn a_service_that_says_nothing_of_streams_is_asked_for_all_and_told_in_pieces() {
    let described = answer(
        "200 OK",
        r#"{"paths":{"/grok/chat":{"post":{"requestBody":{"content":{"application/json":
        {"schema":{"properties":{"model":{},"messages":{}}}}}}}}}}"#,
    );
    for first in [described, answer("404 Not Found", "")] {
        let home = Home::new();
        let shop = shop([first, challenge(31337), sold()]);
        let served = Served::selling(&home, &shop.url);
        let heard = served.post(CHAT, &streamed(chat()));
        assert!(heard.whole && heard.field("content-type") == Some("text/event-stream"), "{heard:?}");
        assert_eq!(heard.field("x-mpp-amount"), Some("1000"));
        let events = heard.events();
        assert_eq!(events.len(), 3, "{events:?}");
        assert_eq!(events[0]["choices"][0]["delta"]["content"], "forty-two");
        assert_eq!(events[1]["choices"][0]["finish_reason"], "stop");
        assert_eq!(events[2], "[DONE]");
        assert!(events[..2].iter().all(|event| event["object"] == "chat.completion.chunk"), "{events:?}");
    }
}

#[test]
fn a_response_is_made_of_a_chat_completion_whole_and_in_events() {
    for stream in [false, true] {
        let home = Home::new();
        let first = stream.then(|| answer("404 Not Found", ""));
        let shop = shop(first.into_iter().chain([challenge(31337), sold()]));
        let mut asked =
            json!({"model": "grok-4.3", "instructions": "Be brief.", "input": "six times seven?"});
        asked["stream"] = stream.into();
        let heard = Served::selling(&home, &shop.url).post("responses", &asked);
        let response = match stream {
            false => heard.json(),
            true => {
                let events = heard.events();
                let numbers: Vec<_> = events.iter().map(|event| event["sequence_number"].as_u64()).collect();
                assert!(numbers.iter().copied().eq((0..).map(Some).take(events.len())), "{numbers:?}");
                let kinds: Vec<_> = events.iter().filter_map(|event| event["type"].as_str()).collect();
                assert_eq!(kinds, KINDS);
                assert_eq!(events[4]["delta"], "forty-two");
                events[8]["response"].clone()
            }
        };
        assert_eq!([&response["object"], &response["status"]], ["response", "completed"]);
        assert_eq!(response["output"][0]["content"][0]["text"], "forty-two");
        assert_eq!([&response["instructions"], &response["store"]], [&json!("Be brief."), &json!(false)]);
        assert_eq!(response["usage"]["total_tokens"], 7);
    }
}

const KINDS: [&str; 9] = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
];

#[test]
fn a_stream_has_a_choice_in_every_chunk_unless_what_was_used_is_asked_for() {
    let home = Home::new();
    let served = Served::sandbox(&home);
    let events = served.post(CHAT, &streamed(chat())).events();
    let chunks = &events[..events.len() - 1];
    assert!(chunks.len() > 5 && chunks.iter().all(|chunk| chunk["choices"][0].is_object()), "{events:?}");
    let mut asked = streamed(chat());
    asked["stream_options"] = json!({"include_usage": true});
    let events = served.post(CHAT, &asked).events();
    let used: Vec<_> = events.iter().filter(|chunk| chunk["usage"]["total_tokens"].is_u64()).collect();
    assert!(matches!(used[..], [used] if used["choices"] == json!([])), "{events:?}");
}

#[test]
fn functions_are_called_and_answered_in_both_apis() {
    let home = Home::new();
    let served = Served::sandbox(&home);
    let function = json!({"type": "function", "name": "add", "description": "adds", "strict": null,
        "parameters": {"type": "object", "properties": {}}});
    let mut asked = json!({"model": "grok-4.3", "input": "`add({\"a\":6})`", "tools": [function]});
    for stream in [false, true] {
        asked["stream"] = stream.into();
        let heard = served.post("responses", &asked);
        let response = match stream {
            false => heard.json(),
            true => heard.events().last().expect("an event")["response"].clone(),
        };
        assert_eq!(response["tools"][0]["name"], "add");
        let call = &response["output"][0];
        assert_eq!([&call["type"], &call["name"]], ["function_call", "add"], "{response}");
        assert_eq!(call["arguments"], "{\"a\":6}");
        let result = json!({"type": "function_call_output", "call_id": call["call_id"], "output": "13"});
        let input = json!([{"role": "user", "content": asked["input"]}, call, result]);
        let said =
            served.post("responses", &json!({"model": "grok-4.3", "input": input, "tools": asked["tools"]}));
        assert!(said.json()["output"][0]["content"][0]["text"].as_str().expect("text").contains("13"));
    }
}

#[test]
fn what_no_route_serves_is_refused_by_name_before_anything_is_paid() {
    let home = Home::new();
    let served = Served::sandbox(&home);
    let response = |more: Value| {
        let mut asked = json!({"model": "grok-4.3", "input": "hi"});
        asked.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        asked
    };
    let tools = |kinds: &[&str]| {
        let tools: Vec<_> = kinds.iter().map(|kind| json!({"type": kind, "name": "f"})).collect();
        response(json!({ "tools": tools }))
    };
    let speech = |more: Value| {
        json!({"input": "hi", "voice": "ara", "speed": more["speed"],
        "response_format": more["response_format"], "instructions": more["instructions"]})
    };
    let cases: [(&str, Value, &str); 20] = [
        ("responses", response(json!({"previous_response_id": "resp_1"})), "previous_response_id"),
        ("responses", response(json!({"conversation": "c"})), "conversation"),
        ("responses", response(json!({"background": true})), "background"),
        ("responses", response(json!({"store": true})), "store"),
        ("responses", response(json!({"input": []})), "input"),
        ("responses", response(json!({"input": [{"type": "item_reference", "id": "x"}]})), "input"),
        ("responses", response(json!({"model": "gpt-5", "tools": [{"type": "x_search"}]})), "model"),
        ("responses", tools(&["file_search"]), "tools"),
        ("responses", tools(&["web_search", "x_search"]), "tools"),
        ("responses", tools(&["code_interpreter", "function"]), "tools"),
        ("responses", response(json!({"max_output_tokens": 0})), "max_output_tokens"),
        (CHAT, json!({"model": "grok-4.3", "messages": []}), "messages"),
        (CHAT, json!({"model": "grok-4.3"}), "messages"),
        ("images/generations", json!({"prompt": " "}), "prompt"),
        ("images/generations", json!({"prompt": "x", "n": 11}), "n"),
        ("images/generations", json!({"prompt": "x", "size": "big"}), "size"),
        ("images/edits", json!({"prompt": "x", "image": "file:///etc/passwd"}), "image"),
        ("audio/speech", speech(json!({"speed": 2.0})), "speed"),
        ("audio/speech", speech(json!({"response_format": "opus"})), "response_format"),
        ("audio/speech", json!({"input": "x".repeat(15_001), "voice": "ara"}), "input"),
    ];
    for (path, body, param) in cases {
        let heard = served.post(path, &body);
        let error = heard.assert_error(400, "invalid_value");
        assert_eq!([&error["param"], &error["type"]], [param, "invalid_request_error"], "{error}");
        assert_eq!(heard.field("x-should-retry"), Some("false"));
    }
    // What the service itself would refuse.
    let error = served.post(CHAT, &json!({"model": "", "messages": [{"role": "user", "content": "hi"}]}));
    assert!(
        error.status == 400
            && error.json()["error"]["message"].as_str().is_some_and(|it| it.contains("model"))
    );
    assert_eq!(ledger(&home), Vec::<Value>::new());
}
