//! What the tools take and give, as JSON Schema.

use grok_mpp::Grok;
use mpp_core::Amount;
use serde_json::{Map, Value, json};

use super::tools::{ASK, IMAGE, RUN, WEB, X};

/// What the arguments of a tool that buys may be; `cap` is the most that a call may cost.
pub(super) fn arguments(tool: &str, names: &[&str], cap: Amount) -> Value {
    let argument = |name: &&str| match (*name, tool) {
        ("max_cost_usd", _) => json!({
            "type": "string", "pattern": "^[0-9]+(\\.[0-9]{1,6})?$",
            "description": format!(
                "The most US dollars this call may cost, as a decimal string such as \"0.02\", network fee not included. \
                 It can only lower the configured cap of {cap}. What costs more is refused before anything is paid."
            ),
        }),
        (name, IMAGE) => of_pictures(name),
        (name, tool) => of_questions(name, tool),
    };
    let described: Map<_, _> = names.iter().map(|name| ((*name).to_owned(), argument(name))).collect();
    object(described, &["prompt"])
}

fn of_questions(name: &str, tool: &str) -> Value {
    match name {
        "prompt" => json!({
            "type": "string", "minLength": 1,
            "description": "What to ask. Grok sees nothing else of this conversation: say all that it has to know. \
                            Together with everything else at most 1 MiB.",
        }),
        "system" => json!({"type": "string", "description": "Instructions that stand before the prompt."}),
        "model" => json!({
            "type": "string", "minLength": 1, "default": Grok::DEFAULT_MODEL,
            "description": format!(
                "The model's id{}. Dearer models cost more for the same max_tokens.",
                if tool == ASK { "" } else { ", of the grok-4 family" }
            ),
        }),
        "max_tokens" => json!({
            "type": "integer", "minimum": 1, "maximum": u32::MAX, "default": Grok::DEFAULT_MAX_TOKENS,
            "description": "The most tokens the answer may take, hidden reasoning included, which may take most of them. \
                            The price follows this number, and nothing of it is given back when the answer is shorter.",
        }),
        "temperature" => json!({
            "type": "number", "minimum": 0, "maximum": 2,
            "description": "The sampling temperature; by default the service's own choice.",
        }),
        "files" => json!({
            "type": "array",
            "items": object(
                json!({
                    "name": {"type": "string", "description": "What to call it, such as data.csv."},
                    "text": {"type": "string", "description": "All of its text."},
                }),
                &["name", "text"],
            ),
            "description": "Text files to work on. They are put below the prompt, so that they count as part of it.",
        }),
        "allowed_domains" => domains("the only ones to search. Not together with excluded_domains"),
        "excluded_domains" => domains("not to search. Not together with allowed_domains"),
        _ => json!({
            "type": "array", "items": {"type": "string", "minLength": 1},
            "description": "Pictures to look at, each by its https: or data: URL.",
        }),
    }
}

fn domains(what: &str) -> Value {
    json!({
        "type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 5,
        "description": format!("At most 5 domains, such as \"rust-lang.org\", {what}."),
    })
}

fn of_pictures(name: &str) -> Value {
    match name {
        "prompt" => json!({"type": "string", "minLength": 1, "description": "What the images are to show."}),
        "n" => json!({
            "type": "integer", "minimum": 1, "maximum": 10, "default": 1,
            "description": "How many images to make. Each is paid for.",
        }),
        "aspect_ratio" => json!({
            "type": "string", "enum": ["1:1", "16:9", "9:16", "4:3", "3:2", "auto"],
            "description": "The proportions; by default the service's own choice.",
        }),
        _ => json!({
            "type": "string", "minLength": 1,
            "description": "The image model's id; by default the service's own choice.",
        }),
    }
}

/// What `quote` takes.
pub(super) fn quote_input() -> Value {
    object(
        json!({
            "tool": {
                "type": "string", "enum": [RUN, ASK, WEB, X, IMAGE],
                "description": "The tool whose call to price.",
            },
            "arguments": {
                "type": "object", "description": "The arguments that the call would have, its prompt included.",
            },
        }),
        &["tool", "arguments"],
    )
}

/// What `budget` takes.
pub(super) fn budget_input() -> Value {
    object(
        json!({
            "payment_id": {
                "type": "integer", "minimum": 1,
                "description": "The number of a payment to look up, such as one whose outcome was unknown.",
            },
        }),
        &[],
    )
}

/// What a question gives.
pub(super) fn answer() -> Value {
    object(
        json!({
            "text": {"type": "string", "description": "The answer."},
            "executions": {
                "type": "array", "description": "The programs that Grok ran, in order.",
                "items": {"type": "object", "properties": {
                    "code": {"type": "string"}, "output": {"type": "string"}, "status": text_or_null(),
                }},
            },
            "citations": {"type": "array", "items": {"type": "string"}, "description": "URLs of the sources."},
            "model": text_or_null(),
            "finish": text_or_null(),
            "usage": {"type": ["object", "null"], "description": "Tokens as the service counts them."},
            "cost": cost(),
            "budget": limits(),
        }),
        &["text", "executions", "citations", "cost", "budget"],
    )
}

/// What a request for pictures gives.
pub(super) fn pictures() -> Value {
    object(
        json!({
            "images": {
                "type": "array", "description": "The images, in the order of this result's image content.",
                "items": {"type": "object", "properties": {
                    "mime_type": text_or_null(), "bytes": {"type": ["integer", "null"]},
                    "url": text_or_null(), "revised_prompt": text_or_null(),
                    "respects_moderation": {"type": ["boolean", "null"]},
                }},
            },
            "cost": cost(),
            "budget": limits(),
        }),
        &["images", "cost", "budget"],
    )
}

/// What was paid for something, as all tools tell it.
fn cost() -> Value {
    json!({
        "type": ["object", "null"],
        "description": "What was paid; null when the service took nothing. price and fees are base units of currency, a \
                        millionth of a dollar each. fee is null until the chain has told it; until then it is at most \
                        fee_at_most.",
        "properties": {
            "payment_id": {"type": "integer"},
            "state": {"type": "string"},
            "price": {"type": "string"}, "price_usd": {"type": "string"},
            "fee": text_or_null(), "fee_usd": text_or_null(),
            "fee_at_most": {"type": "string"}, "fee_at_most_usd": {"type": "string"},
            "currency": {"type": "string"}, "chain_id": {"type": "integer"},
            "transaction": text_or_null(),
        },
    })
}

fn limits() -> Value {
    json!({
        "type": "array",
        "description": "Each limit and what is left of it, in base units.",
        "items": {"type": "object", "properties": {
            "window": text_or_null(), "realm": text_or_null(), "recipient": text_or_null(),
            "limit": {"type": "string"}, "spent": {"type": "string"}, "left": {"type": "string"},
        }},
    })
}

/// What `quote` gives.
pub(super) fn quote() -> Value {
    object(
        json!({
            "free": {"type": "boolean", "description": "Whether the service would take nothing."},
            "price": text_or_null(), "price_usd": text_or_null(),
            "fee_at_most": text_or_null(), "fee_at_most_usd": text_or_null(),
            "currency": text_or_null(), "chain_id": {"type": ["integer", "null"]},
            "expires_at": {"type": ["integer", "null"], "description": "Unix seconds."},
            "refusal": {"type": ["string", "null"], "description": "Why the call would be refused, if it would be."},
        }),
        &["free", "refusal"],
    )
}

/// What `budget` gives.
pub(super) fn budget() -> Value {
    object(
        json!({
            "cap_per_call_usd": {"type": "string"},
            "tokens": {
                "type": "array",
                "items": {"type": "object", "properties": {
                    "currency": {"type": "string"}, "chain_id": {"type": "integer"}, "limits": limits(),
                }},
            },
            "unknown": {
                "type": "array", "items": {"type": "object"},
                "description": "Payments of which it is unknown whether they happened. Do not repeat their calls.",
            },
            "payment": {"type": ["object", "null"], "description": "The payment asked about."},
        }),
        &["cap_per_call_usd", "tokens", "unknown"],
    )
}

/// An object of these properties and, where it is taken in, no others.
fn object(properties: impl Into<Value>, required: &[&str]) -> Value {
    json!({
        "type": "object", "properties": properties.into(), "required": required, "additionalProperties": false,
    })
}

fn text_or_null() -> Value {
    json!({"type": ["string", "null"]})
}
