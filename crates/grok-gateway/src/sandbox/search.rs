//! Answers a search request without searching: it says back what it was asked for, and cites pages that do not exist.

use serde_json::{Value, json};

use super::response::response;
use super::words::last_words;
use crate::catalog::Route;

/// The response to a request on one of the two search routes.
pub(super) fn found(route: Route, body: &Value) -> Value {
    let (kind, counter, hosts) = match route {
        Route::XSearch => ("x_search_call", "x_search_calls", vec!["one.x".to_owned(), "two.x".to_owned()]),
        _ => ("web_search_call", "web_search_calls", hosts(body)),
    };
    let asked = last_words(body);
    let mut text = format!(
        "This sandbox holds no language model and searched nothing. It was asked: {asked}\n\nSources that do not exist:"
    );
    let mut annotations = Vec::new();
    for (place, host) in hosts.iter().enumerate() {
        let (title, url) = (place.saturating_add(1).to_string(), format!("https://{host}.sandbox.example/"));
        text.push(' ');
        let start = text.chars().count();
        text.push_str(&format!("[[{title}]]({url})"));
        annotations.push(json!({"type": "url_citation", "url": url, "title": title, "start_index": start,
            "end_index": text.chars().count()}));
    }
    let call = json!({"type": kind, "status": "completed", "action": {"type": "search", "query": asked}});
    response(body, NOTE, (counter, call), (&text, annotations))
}

/// What stands before `.sandbox.example`: the domains that a request allows, so that they are seen to arrive.
fn hosts(body: &Value) -> Vec<String> {
    let allowed = body.pointer("/search_parameters/allowed_domains").and_then(Value::as_array);
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '-' };
    let allowed = allowed.into_iter().flatten().filter_map(Value::as_str);
    let hosts: Vec<String> = allowed.map(|domain| domain.chars().map(plain).collect()).collect();
    if hosts.is_empty() { vec!["one".to_owned(), "two".to_owned()] } else { hosts }
}

const NOTE: &str = "from a local sandbox without a language model: it searched nothing, and what it cites does not \
                    exist; token counts are estimates";
