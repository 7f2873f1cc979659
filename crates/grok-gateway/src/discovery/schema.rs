//! The shapes of answers. What an upstream adds is passed on, and hardly anything in its part is promised: a payer is
//! to know what he may find, not to refuse what he bought.

use serde_json::{Value, json};

use crate::catalog::Route;

/// The answer to a request that went well.
pub(super) fn envelope(data: Value) -> Value {
    json!({
        "type": "object",
        "required": ["success", "data"],
        "properties": {"success": {"const": true}, "data": data},
    })
}

/// What is in the envelope.
pub(super) fn answer(route: Route) -> Value {
    let name = match route {
        Route::CodeExecution | Route::WebSearch | Route::XSearch => "Response",
        Route::Chat => "ChatCompletion",
        Route::ImageGenerate | Route::ImageEdit => "Images",
        Route::Speech => "Speech",
    };
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// What comes in place of that, without an envelope, where a stream is asked for. OpenAPI 3.1 has no schema for events,
/// so the text of all of them is described.
pub(super) fn events(route: Route) -> Option<Value> {
    let events = match route {
        Route::CodeExecution | Route::WebSearch | Route::XSearch => {
            "events of a response; the last is response.completed, response.done or response.incomplete"
        }
        Route::Chat => "chunks of a chat completion; the last is data: [DONE]",
        Route::ImageGenerate | Route::ImageEdit | Route::Speech => return None,
    };
    let description = format!(
        "With stream: true. Server-sent events: {events}. Without it, or when the connection breaks, the answer is not \
         whole."
    );
    Some(json!({"type": "string", "description": description}))
}

/// What is told of a payment.
pub(super) fn payment() -> Value {
    let text = || json!({"type": "string"});
    json!({
        "type": "object",
        "required": ["reference", "state", "chainId", "currency", "amount", "payer", "claimedAt"],
        "properties": {
            "reference": text(),
            "state": {
                "enum": ["claimed", "settled", "servable", "served", "refund-due", "refunding", "refunded"],
            },
            "chainId": {"type": "integer"},
            "currency": text(),
            "amount": {"type": "string", "description": "In base units."},
            "payer": text(),
            "claimedAt": {"type": "integer", "description": "In Unix seconds, as all times here."},
            "settledAt": {"type": "integer"},
            "endedAt": {"type": "integer"},
            "failure": text(),
            "refund": {
                "type": "object",
                "required": ["status", "detail"],
                "properties": {
                    "status": {"enum": ["due", "sent", "made", "owed", "none"]},
                    "detail": text(),
                    "transaction": {"type": ["string", "null"]},
                },
            },
        },
    })
}

/// The schemas that others refer to.
pub(super) fn components() -> Value {
    let text = || json!({"type": "string"});
    json!({
        "Response": response(),
        "ChatCompletion": chat_completion(),
        "Images": images(),
        "Speech": {
            "type": "object",
            "required": ["data", "content_type"],
            "properties": {
                "data": {"type": "string", "contentEncoding": "base64"},
                "content_type": {"type": "string", "examples": ["audio/mpeg"]},
            },
        },
        "Refusal": {
            "type": "object",
            "required": ["success", "error", "message"],
            "properties": {
                "success": {"const": false},
                "error": {"type": "string", "description": "A code for programs, such as invalid_model."},
                "message": text(),
            },
        },
        "Problem": problem(),
    })
}

fn response() -> Value {
    json!({
        "type": "object",
        "description": "A response object; its text is in the output items of type message.",
        "properties": {
            "id": {"type": "string"},
            "model": {"type": ["string", "null"]},
            "status": {"type": "string"},
            "output": {"type": "array", "items": {
                "type": "object",
                "description": "A message, a call of a tool such as code_interpreter_call, or reasoning.",
                "properties": {
                    "type": {"type": "string"},
                    "status": {"type": "string"},
                    "content": {"type": ["array", "null"], "items": {
                        "type": "object",
                        "properties": {
                            "type": {"type": "string"},
                            "text": {"type": "string"},
                            "annotations": {"type": "array"},
                        },
                    }},
                    "code": {"type": ["string", "null"]},
                    "arguments": {"type": ["string", "null"], "description": "JSON, of a tool that was called."},
                    "outputs": {"type": ["array", "null"], "items": {"type": "object"}},
                },
            }},
            "usage": {"type": ["object", "null"], "properties": {
                "input_tokens": {"type": "integer"},
                "output_tokens": {"type": "integer"},
            }},
        },
    })
}

fn chat_completion() -> Value {
    json!({
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "model": {"type": "string"},
            "choices": {"type": "array", "items": {
                "type": "object",
                "properties": {
                    "index": {"type": "integer"},
                    "message": {"type": "object", "properties": {
                        "role": {"type": "string"},
                        "content": {"type": ["string", "null"]},
                        "reasoning_content": {"type": ["string", "null"]},
                        "tool_calls": {"type": ["array", "null"]},
                    }},
                    "finish_reason": {"type": ["string", "null"]},
                },
            }},
            "usage": {"type": ["object", "null"], "properties": {
                "prompt_tokens": {"type": "integer"},
                "completion_tokens": {"type": "integer"},
            }},
        },
    })
}

fn images() -> Value {
    let text = || json!({"type": "string"});
    json!({
        "type": "object",
        "properties": {
            "data": {"type": "array", "items": {
                "type": "object",
                "description": "One image, by address or as base64.",
                "properties": {
                    "url": text(),
                    "b64_json": text(),
                    "revised_prompt": text(),
                    "respect_moderation": {
                        "type": "boolean",
                        "description": "false where the image was held back.",
                    },
                },
            }},
            "usage": {"type": "object"},
        },
    })
}

fn problem() -> Value {
    let text = || json!({"type": "string"});
    json!({
        "type": "object",
        "description": "RFC 9457.",
        "required": ["type", "title", "status"],
        "properties": {
            "type": text(),
            "title": text(),
            "status": {"type": "integer"},
            "detail": text(),
            "challengeId": text(),
            "reference": {"type": "string", "description": "Of a payment that was taken, or may have been."},
            "answer": {"type": "string", "description": "What whoever failed after the payment said."},
        },
    })
}
