//! What each capability sends, and what is refused before anything is.

use std::sync::OnceLock;

use mpp_core::tempo::{LocalSigner, MAINNET};
use mpp_core::{Amount, Policy};
use serde_json::json;

use super::*;
use crate::answer::FunctionCall;
use crate::conversation::Message;

fn grok() -> &'static Grok {
    static GROK: OnceLock<Grok> = OnceLock::new();
    let signer = || LocalSigner::from_bytes(&[0x11; 32]).unwrap();
    GROK.get_or_init(|| Grok::new(signer(), Policy::new(MAINNET, [], Amount::ZERO)))
}

fn ask(prompt: &str) -> Call<'static, CodeExecution> {
    grok().code_execution(prompt)
}

fn sent<C: Capability>(call: &Call<'_, C>) -> Value {
    serde_json::from_slice(&call.body().unwrap()).unwrap()
}

#[test]
fn a_bare_prompt_sends_model_messages_and_max_tokens_and_nothing_else() {
    let expected = json!({
        "model": Grok::DEFAULT_MODEL, "max_tokens": Grok::DEFAULT_MAX_TOKENS,
        "messages": [{"role": "user", "content": "2+2?"}],
    });
    assert_eq!(sent(&ask("2+2?")), expected);
    assert_eq!(sent(&grok().chat("2+2?")), expected);
    assert_eq!(sent(&grok().web_search("2+2?")), expected);
    assert_eq!(sent(&grok().x_search("2+2?")), expected);
}

#[test]
fn every_setting_reaches_the_body_and_the_system_message_is_first() {
    let call = ask("2+2?")
        .model("grok-4.6")
        .system("be brief")
        .temperature(0.25)
        .max_tokens(7)
        .tool(json!({"type": "web_search"}))
        .extra("top_p", json!(0.5));
    let expected = json!({
        "model": "grok-4.6", "max_tokens": 7, "temperature": 0.25, "top_p": 0.5,
        "tools": [{"type": "web_search"}],
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "2+2?"}],
    });
    assert_eq!(sent(&call), expected);
    assert_eq!(call.body(), call.clone().body());

    let chat = grok().chat("x").top_p(0.5).stop("END").frequency_penalty(-2.0).presence_penalty(2.0).n(3);
    let expected = json!({
        "model": "grok-4.3", "max_tokens": 2048, "messages": [{"role": "user", "content": "x"}],
        "top_p": 0.5, "stop": "END", "frequency_penalty": -2.0, "presence_penalty": 2.0, "n": 3,
    });
    assert_eq!(sent(&chat), expected);
    let search = |call: Call<'_, WebSearch>| sent(&call)["search_parameters"].clone();
    let allowed = grok().web_search("x").allow_domain("a.example").allow_domain("b.example");
    assert_eq!(search(allowed), json!({"allowed_domains": ["a.example", "b.example"]}));
    let excluded = grok().web_search("x").exclude_domain("a.example");
    assert_eq!(search(excluded), json!({"excluded_domains": ["a.example"]}));
}

#[test]
fn pictures_and_speech_send_what_is_set() {
    assert_eq!(sent(&grok().generate_image("a hat")), json!({"prompt": "a hat"}));
    let image = grok().generate_image("a hat").model("m").n(2).aspect_ratio("16:9").as_bytes();
    let expected = json!({"prompt": "a hat", "model": "m", "n": 2, "aspect_ratio": "16:9", "response_format": "b64_json"});
    assert_eq!(sent(&image), expected);

    let picture = Picture::from_bytes(b"\x89PNG\r\n\x1a\n").unwrap();
    let edit = grok().edit_image("red", picture).n(10);
    let image = json!({"url": "data:image/png;base64,iVBORw0KGgo=", "type": "image_url"});
    assert_eq!(sent(&edit), json!({"prompt": "red", "image": image, "n": 10}));
    assert_eq!(Picture::from_bytes(b"%PDF-1.7"), None);

    assert_eq!(sent(&grok().speak("Hello")), json!({"text": "Hello", "language": "auto"}));
    let speech = grok().speak("Olá").language("pt-BR").voice("ara").codec("wav");
    let expected = json!({
        "text": "Olá", "language": "pt-BR", "voice_id": "ara", "output_format": {"codec": "wav"},
    });
    assert_eq!(sent(&speech), expected);
}

#[test]
fn a_conversation_is_sent_turn_by_turn() {
    let mut talk = Conversation::from("Is it raining?");
    let answer = json!({"choices": [{"message": {"content": "", "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}},
    ]}}]});
    talk.append(&Answer::parse(answer.to_string().as_bytes()).unwrap());
    talk.push(Message::ToolResult { id: "c1".into(), output: "rain".into() });
    talk.append(&Answer::parse(br#"{"choices": [{"message": {"content": "Yes."}}]}"#).unwrap());
    let call = grok().chat(&talk).image("https://a.example/sky.png").file("data.csv", "a,b\n1,2");
    let expected = json!([
        {"role": "user", "content": "Is it raining?"},
        {"role": "assistant", "content": "", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}},
        ]},
        {"role": "tool", "tool_call_id": "c1", "content": "rain"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "https://a.example/sky.png"}},
            {"type": "text", "text": "File data.csv:\n```csv\na,b\n1,2\n```"},
        ]},
    ]);
    assert_eq!(sent(&call)["messages"], expected);
    let calls = talk.messages().iter().find_map(|message| match message {
        Message::ToolCalls { calls, .. } => Some(calls.clone()),
        _ => None,
    });
    assert_eq!(calls, Some(vec![FunctionCall::new("c1", "weather", "{}")]));
}

#[test]
fn a_file_with_fences_in_it_gets_a_longer_one() {
    let call = ask("Sum it.").file("a.md", "```\n1\n```\n");
    let expected = "Sum it.\n\nFile a.md:\n````md\n```\n1\n```\n````";
    assert_eq!(sent(&call)["messages"][0]["content"], expected);
}

#[test]
fn what_the_service_would_refuse_is_refused_here() {
    fn refusal<C: Capability>(call: Call<'_, C>) -> RequestError {
        call.body().unwrap_err()
    }
    let foreign = |model: &str| RequestError::ForeignModel { model: model.to_owned() };
    let range = |field, low, high| RequestError::OutOfRange { field, low, high };
    let domains = |count| (0..count).fold(grok().web_search("x"), |call, _| call.allow_domain("a.example"));
    let cases = [
        (refusal(ask(" \n")), RequestError::EmptyPrompt),
        (refusal(grok().chat(Conversation::new())), RequestError::EmptyPrompt),
        (refusal(ask("x").temperature(2.1)), range("temperature", 0, 2)),
        (refusal(ask("x").temperature(-0.1)), range("temperature", 0, 2)),
        (refusal(ask("x").temperature(f64::NAN)), range("temperature", 0, 2)),
        (refusal(ask("x").temperature(f64::INFINITY)), range("temperature", 0, 2)),
        (refusal(ask("x").max_tokens(0)), RequestError::NoTokens),
        (refusal(ask("x").model("")), RequestError::NoModel),
        (refusal(ask("x").model("grok-3")), foreign("grok-3")),
        (refusal(ask("x").model("grok-40")), foreign("grok-40")),
        (refusal(grok().x_search("x").model("GROK-4")), foreign("GROK-4")),
        (refusal(grok().web_search("x").model("grok-3")), foreign("grok-3")),
        (refusal(ask("x").extra("messages", json!([]))), RequestError::DeclaredExtra { field: "messages" }),
        (refusal(ask("x").extra("stream", json!(true))), RequestError::DeclaredExtra { field: "stream" }),
        (refusal(ask("x").tool(json!({"type": "a"})).tool(json!("b"))), RequestError::Tool { index: 1 }),
        (refusal(grok().chat("x").top_p(1.1)), range("top_p", 0, 1)),
        (refusal(grok().chat("x").frequency_penalty(-2.1)), range("frequency_penalty", -2, 2)),
        (refusal(grok().chat("x").presence_penalty(2.1)), range("presence_penalty", -2, 2)),
        (refusal(grok().chat("x").n(0)), range("n", 1, 128)),
        (refusal(domains(6)), RequestError::Domains),
        (refusal(domains(1).exclude_domain("b.example")), RequestError::Domains),
        (refusal(grok().generate_image("")), RequestError::EmptyPrompt),
        (refusal(grok().generate_image("x").n(11)), range("n", 1, 10)),
        (refusal(grok().generate_image("x").aspect_ratio("2:1")), RequestError::AspectRatio),
        (refusal(grok().edit_image("x", Picture::at("file:///etc/passwd"))), RequestError::Picture),
        (refusal(grok().speak(" ")), RequestError::EmptyPrompt),
        (refusal(grok().speak("x").codec("ogg")), RequestError::Codec),
        (
            refusal(grok().speak("é".repeat(15_001))),
            RequestError::TextTooLong { characters: 15_001, limit: 15_000 },
        ),
    ];
    for (index, (refused, expected)) in cases.into_iter().enumerate() {
        assert_eq!(refused, expected, "case {index}");
    }
}

#[test]
fn the_limits_themselves_are_accepted() {
    for call in [
        ask("x").temperature(0.0).max_tokens(1).model("grok-4"),
        ask("x").temperature(2.0).max_tokens(u32::MAX).model("grok-4-0709"),
        ask("x").model("grok-4.20-0309-reasoning"),
    ] {
        call.body().unwrap();
    }
    grok().chat("x").model("of-tomorrow").n(128).top_p(0.0).body().unwrap();
    grok().speak("é".repeat(15_000)).body().unwrap();
}

#[test]
fn a_body_over_the_limit_is_refused_with_both_numbers() {
    const LIMIT: usize = 1 << 20;
    let around = ask("x").body().unwrap().len() - 1;
    assert_eq!(ask(&"a".repeat(LIMIT - around)).body().unwrap().len(), LIMIT);
    let over = ask(&"a".repeat(LIMIT - around + 1));
    assert_eq!(over.body(), Err(RequestError::TooLarge { bytes: LIMIT + 1, limit: LIMIT }));
}
