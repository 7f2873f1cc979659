//! Each body in `testdata` is read as the file beside it says, and no JSON at all can make reading fail badly.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{fs, path::Path};

use grok_mpp::answer::{Answer, AnswerError, ServiceError};
use proptest::prelude::*;
use serde_json::{Value, json};

fn cases(prefix: &str) -> Vec<(String, Vec<u8>, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let bodies = files.filter(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(prefix) && !name.ends_with(".expect.json")
    });
    bodies
        .map(|path| {
            let expected = fs::read(path.with_extension("expect.json")).unwrap();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(&path).unwrap(), serde_json::from_slice(&expected).unwrap())
        })
        .collect()
}

fn seen(answer: &Answer) -> Value {
    let executions = answer.executions().iter().map(
        |run| json!({"code": run.code, "output": run.output, "images": run.images, "status": run.status}),
    );
    let usage = answer.usage().map(|usage| {
        json!({
            "input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens,
            "total_tokens": usage.total_tokens, "reasoning_tokens": usage.reasoning_tokens,
            "tool_calls": usage.tool_calls, "tool_calls_by_kind": usage.tool_calls_by_kind,
            "cost_ticks": usage.cost_ticks,
        })
    });
    let mut seen = json!({
        "text": answer.text(), "model": answer.model(), "finish": answer.finish(),
        "citations": answer.citations(), "executions": executions.collect::<Vec<_>>(), "usage": usage,
    });
    let called = answer.function_calls().iter().map(|call| json!([call.id, call.name, call.arguments]));
    let used = answer.server_calls().iter().map(|call| json!([call.kind, call.status]));
    let images = answer.images().iter().map(|image| {
        let bytes = image.bytes().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        json!([image.url(), bytes, image.revised_prompt, image.respects_moderation])
    });
    let audio =
        answer.audio().map(|audio| json!([String::from_utf8_lossy(&audio.bytes), audio.content_type]));
    // Most answers have none of these.
    for (name, found) in [
        ("function_calls", called.collect::<Vec<_>>()),
        ("server_calls", used.collect()),
        ("images", images.collect()),
        ("audio", audio.into_iter().collect()),
    ] {
        if !found.is_empty() {
            seen.as_object_mut().unwrap().insert(name.to_owned(), found.into());
        }
    }
    seen
}

#[test]
fn ok_bodies_read_as_expected_and_stay_whole() {
    let cases = cases("ok_");
    assert!(cases.len() >= 14, "testdata is missing");
    for (name, body, expected) in cases {
        let answer = Answer::parse(&body).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(seen(&answer), expected, "{name}");
        let whole: Value =
            serde_json::from_slice(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&body)).unwrap();
        assert_eq!(answer.raw(), &whole, "{name}");
    }
}

#[test]
fn err_bodies_say_what_they_are() {
    let cases = cases("err_");
    assert!(cases.len() >= 16, "testdata is missing");
    for (name, body, expected) in cases {
        let error = Answer::parse(&body).expect_err(&name);
        let seen = match &error {
            AnswerError::NotJson { found, .. } => json!({"not_json": found}),
            AnswerError::Service(error) => json!({"service": {"code": error.code, "message": error.message}}),
            other => panic!("{name}: {other}"),
        };
        assert_eq!(seen, expected, "{name}");
        let alone = ServiceError::parse(&body).map(AnswerError::Service);
        assert_eq!(alone, Some(error).filter(|error| matches!(error, AnswerError::Service(_))), "{name}");
    }
}

#[test]
fn html_is_called_html_in_the_message() {
    let error = Answer::parse(b"<html>").unwrap_err();
    assert!(
        error.to_string().starts_with("the service answered html or xml where JSON was due (line 1"),
        "{error}"
    );
}

#[test]
fn nesting_beyond_the_json_limit_is_an_error_and_no_overflow() {
    let deep = "[".repeat(100_000);
    assert!(matches!(Answer::parse(deep.as_bytes()), Err(AnswerError::NotJson { .. })));
    let inside = json!({"output": [{"type": "code_interpreter_call", "arguments": deep}]}).to_string();
    assert_eq!(Answer::parse(inside.as_bytes()).unwrap().executions()[0].code, deep);
}

/// Any JSON, with the names and words that are looked for far more often than chance would have them.
fn any_json() -> impl Strategy<Value = Value> {
    const WORDS: &[&str] = &[
        "data",
        "success",
        "output",
        "choices",
        "message",
        "content",
        "type",
        "text",
        "code",
        "arguments",
        "input",
        "outputs",
        "results",
        "logs",
        "url",
        "usage",
        "error",
        "detail",
        "title",
        "status",
        "tool_calls",
        "function",
        "name",
        "annotations",
        "citations",
        "output_text",
        "code_interpreter_call",
        "code_execution",
        "refusal",
        "input_tokens",
        "server_side_tool_usage_details",
        "incomplete_details",
        "reason",
        "{\"code\":\"x\"}",
    ];
    let word =
        || prop_oneof![4 => proptest::sample::select(WORDS).prop_map(str::to_owned), 1 => any::<String>()];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u32>().prop_map(|n| Value::from(f64::from(n) / 8.0)),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 96, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(word(), inner, 0..8).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_an_answer_that_stays_whole_or_an_error_it_names(json in any_json()) {
        match Answer::parse(json.to_string().as_bytes()) {
            Ok(answer) => prop_assert_eq!(answer.raw(), &json),
            Err(AnswerError::Service(error)) => {
                prop_assert!(!error.message.is_empty() && error.message.chars().count() <= 300);
                prop_assert!(!error.to_string().chars().any(char::is_control));
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = (Answer::parse(&body), ServiceError::parse(&body));
    }
}
