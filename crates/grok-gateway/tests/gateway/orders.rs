//! Requests that are sold, and such as nobody sells.

use grok_gateway::Route;
use serde_json::{Value, json};

/// A request to each route, what it costs, and what becomes of it at xAI.
pub(crate) fn orders() -> Vec<(Route, Value, u128, &'static str, Value)> {
    let messages = json!([{"role": "user", "content": "6*7?"}]);
    assert_eq!(messages.to_string().len(), 34);
    let parts = json!([
        {"role": "system", "content": "short"},
        {"role": "user", "content": [
            {"type": "text", "text": "what is this?"},
            {"type": "image_url", "image_url": {"url": "https://a.example/1.png", "detail": "low"}},
        ]},
        {"role": "assistant", "content": [{"type": "text", "text": "a hat"}]},
    ]);
    vec![
        (
            Route::CodeExecution,
            // A temperature whose last digit a hasty reader gets wrong.
            json!({"model": "grok-4.3", "messages": messages, "max_tokens": 2000,
                "temperature": 0.9636758504022105, "seed": 7,
                "tools": [{"type": "code_interpreter"}, {"type": "x_search", "from_date": "2026-01-01"}]}),
            // 34 bytes of messages and 74 of tools are 27 tokens: floor((27·1.25 + 2000·2.5)·1.15)
            5788,
            "/v1/responses",
            json!({"model": "grok-4.3", "input": messages, "max_output_tokens": 2000,
                "temperature": 0.9636758504022105, "seed": 7, "store": false,
                "tools": [{"type": "code_interpreter"}, {"type": "x_search", "from_date": "2026-01-01"}]}),
        ),
        (
            Route::Chat,
            json!({"model": "grok-4.6", "messages": messages, "stop": "\n\n", "n": 1, "top_p": 0.9,
                "frequency_penalty": -2, "presence_penalty": 2, "stream": false}),
            // 9 tokens: floor((9·2 + 4096·6)·1.15)
            28_283,
            "/v1/chat/completions",
            json!({"model": "grok-4.6", "messages": messages, "stop": ["\n\n"], "n": 1, "top_p": 0.9,
                "frequency_penalty": -2, "presence_penalty": 2, "stream": false, "max_tokens": 4096}),
        ),
        (
            Route::WebSearch,
            json!({"model": "grok-4.20-0309-reasoning", "messages": messages, "max_tokens": 900,
                "search_parameters": {"allowed_domains": ["a.example"], "enable_image_understanding": true}}),
            // floor((9·1.25 + 900·2.5)·1.15)
            2600,
            "/v1/responses",
            json!({"model": "grok-4.20-0309-reasoning", "input": messages, "max_output_tokens": 900, "store": false,
                "tools": [{"type": "web_search", "filters": {"allowed_domains": ["a.example"]},
                    "enable_image_understanding": true}]}),
        ),
        (
            Route::XSearch,
            json!({"model": "grok-4", "messages": parts, "max_completion_tokens": 10, "store": true}),
            // 202 bytes without the picture's address are 51 tokens, the picture is 1792: floor((1843·2 + 10·6)·1.15)
            4307,
            "/v1/responses",
            json!({"model": "grok-4", "max_output_tokens": 10, "store": true, "tools": [{"type": "x_search"}],
            "input": [
                {"role": "system", "content": "short"},
                {"role": "user", "content": [
                    {"type": "input_text", "text": "what is this?"},
                    {"type": "input_image", "image_url": "https://a.example/1.png", "detail": "low"},
                ]},
                {"role": "assistant", "content": [{"type": "output_text", "text": "a hat"}]},
            ]}),
        ),
        (
            Route::XSearch,
            json!({"model": "grok-4", "max_tokens": 10, "messages": [
                {"role": "user", "content": "6+7?"},
                {"role": "assistant", "content": null, "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}},
                ]},
                {"role": "tool", "tool_call_id": "c1", "content": "13"},
            ], "tools": [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]}),
            1000,
            "/v1/responses",
            json!({"model": "grok-4", "max_output_tokens": 10, "store": false, "input": [
                {"role": "user", "content": "6+7?"},
                {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": "13"},
            ], "tools": [
                {"type": "x_search"}, {"type": "function", "name": "add", "parameters": {"type": "object"}},
            ]}),
        ),
        (
            Route::ImageGenerate,
            json!({"prompt": "a hat", "n": 2, "aspect_ratio": "16:9", "response_format": "url"}),
            46_000,
            "/v1/images/generations",
            json!({"prompt": "a hat", "n": 2, "aspect_ratio": "16:9", "response_format": "url",
                "model": "grok-imagine-image"}),
        ),
        (
            Route::ImageEdit,
            json!({"prompt": "make it red", "image": "data:image/png;base64,AAAA", "model": "grok-imagine-image-pro"}),
            80_500,
            "/v1/images/edits",
            json!({"prompt": "make it red", "model": "grok-imagine-image-pro",
                "image": {"type": "image_url", "url": "data:image/png;base64,AAAA"}}),
        ),
        (
            Route::Speech,
            json!({"text": "é".repeat(108), "language": "pt-BR", "voice_id": "ara", "output_format": "wav"}),
            1863,
            "/v1/tts",
            json!({"text": "é".repeat(108), "language": "pt-BR", "voice_id": "ara", "output_format": {"codec": "wav"}}),
        ),
    ]
}

/// What clients send that offer tools of their own: messages without words, and answers of tools.
pub(crate) fn conversations() -> Vec<Value> {
    let call = json!({"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{}"}});
    let after = |call: Value| {
        json!([{"role": "user", "content": "6+7?"}, call,
        {"role": "tool", "tool_call_id": "call_1", "content": "13"}])
    };
    vec![
        after(json!({"role": "assistant", "content": null, "tool_calls": [call]})),
        after(json!({"role": "assistant", "tool_calls": [call]})),
        after(json!({"role": "assistant", "content": "", "refusal": null, "tool_calls": [call, call]})),
        json!([{"role": "assistant", "content": "13", "tool_calls": null}, {"role": "user", "content": [], "name": "me"}]),
    ]
}

/// Changes to those requests that nobody sells.
pub(crate) fn mistakes() -> Vec<(Route, Value, &'static str)> {
    let mut mistakes = Vec::new();
    let tokens = [Route::CodeExecution, Route::Chat, Route::WebSearch, Route::XSearch];
    let tools = [Route::CodeExecution, Route::WebSearch, Route::XSearch];
    let pictures = [Route::ImageGenerate, Route::ImageEdit];
    let mut add = |routes: &[Route], changes: &[(&str, Value)], error: &'static str| {
        for route in routes {
            mistakes.extend(changes.iter().map(|(name, value)| {
                let mut body = orders().into_iter().find(|order| order.0 == *route).unwrap().1;
                body[name] = value.clone();
                (*route, body, error)
            }));
        }
    };
    let values = |name: &'static str, values: Vec<Value>| values.into_iter().map(move |value| (name, value));
    let list = |name, of| values(name, of).collect::<Vec<_>>();
    let long = |length| json!("x".repeat(length));
    add(&tokens, &list("model", vec![json!(null), json!(""), json!(4), long(201)]), "invalid_model");
    add(&tools, &list("model", vec![json!("grok-3"), json!("grok-40"), json!("gpt-4")]), "invalid_model");
    let bad = vec![
        json!(null),
        json!([]),
        json!("hello"),
        json!([{"role": "user"}]),
        json!([{"content": "x"}]),
        json!([{"role": "user", "content": 4}]),
        json!([{"role": "user", "content": ["x"]}]),
        json!([{"role": "assistant", "tool_calls": {}}]),
        json!([{"role": "assistant", "content": null, "tool_calls": ["x"]}]),
        json!([{"role": "assistant", "content": 4, "tool_calls": []}]),
    ];
    add(&tokens, &list("messages", bad), "invalid_messages");
    add(&tokens, &list("temperature", vec![json!(-0.1), json!(2.1), json!("hot")]), "invalid_temperature");
    add(
        &tools[1..],
        &list("max_tokens", vec![json!(0), json!(-1), json!(1.5), json!("9")]),
        "invalid_max_tokens",
    );
    add(&tools[..1], &list("tools", vec![json!({}), json!("x")]), "invalid_tools");
    add(&tokens, &list("stream", vec![json!("yes"), json!(1)]), "invalid_stream");
    add(&tokens, &list("stream_options", vec![json!(true), json!([])]), "invalid_stream_options");
    add(&[Route::Chat], &list("top_p", vec![json!(-0.1), json!(1.1)]), "invalid_top_p");
    add(&[Route::Chat], &list("n", vec![json!(0), json!(129), json!(1.5)]), "invalid_n");
    let stops = vec![json!(""), json!(4), json!(["a", "b", "c", "d", "e"]), json!([""])];
    add(&[Route::Chat], &list("stop", stops), "invalid_stop");
    add(&[Route::Chat], &list("frequency_penalty", vec![json!(-2.1)]), "invalid_frequency_penalty");
    add(&[Route::Chat], &list("presence_penalty", vec![json!(2.1)]), "invalid_presence_penalty");
    let searches = vec![
        json!([]),
        json!({"allowed_domains": ["a", "b", "c", "d", "e", "f"]}),
        json!({"excluded_domains": "a.example"}),
        json!({"allowed_domains": ["a.example"], "excluded_domains": ["b.example"]}),
    ];
    add(&[Route::WebSearch], &list("search_parameters", searches), "invalid_search_parameters");
    add(&pictures, &list("prompt", vec![json!(null), json!(""), json!(["x"])]), "invalid_prompt");
    add(&pictures, &list("n", vec![json!(0), json!(11)]), "invalid_n");
    add(&pictures, &list("response_format", vec![json!("png")]), "invalid_response_format");
    add(&[Route::ImageGenerate], &list("aspect_ratio", vec![json!("7:1")]), "invalid_aspect_ratio");
    let images =
        vec![json!(null), json!("hat.png"), json!("file:///etc/passwd"), json!({"uri": "https://a.example"})];
    add(&[Route::ImageEdit], &list("image", images), "invalid_image");
    add(&[Route::Speech], &list("text", vec![json!(null), json!(""), long(15_001)]), "invalid_text");
    add(
        &[Route::Speech],
        &list("language", vec![json!(null), json!("English!"), json!("e-")]),
        "invalid_language",
    );
    let formats = vec![json!("flac"), json!({"codec": "ogg"}), json!({})];
    add(&[Route::Speech], &list("output_format", formats), "invalid_output_format");
    mistakes
}
