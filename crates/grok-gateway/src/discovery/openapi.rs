//! `GET /openapi.json`: an OpenAPI 3.1 document of what is offered, with what each operation costs
//! (draft-payment-discovery-00). Prices depend on the request, so their amounts are `null`: the 402 has them.

use mpp_gate::Payee;
use serde_json::{Map, Value, json};

use super::schema;
use crate::answer::EVENT_STREAM;
use crate::catalog::{Route, Unit};
use crate::price::Prices;

/// The document for the routes that are offered.
pub(crate) fn document(offered: &[Route], payee: &Payee, prices: &Prices) -> Value {
    let mut paths: Map<String, Value> = offered
        .iter()
        .map(|route| (route.path().to_owned(), json!({"post": operation(*route, payee, prices)})))
        .collect();
    let health = schema::envelope(json!({"type": "object", "properties": {"status": {"const": "ok"}}}));
    paths.insert(
        "/health".to_owned(),
        json!({"get": {
            "operationId": "health",
            "summary": "Whether the gateway runs",
            "responses": {
                "200": {"description": "It sells.", "content": {JSON: {"schema": health}}},
                "503": {
                    "description": "It cannot take payments right now.",
                    "content": {JSON: {"schema": {"$ref": "#/components/schemas/Refusal"}}},
                },
            },
        }}),
    );
    paths.insert("/payments/{reference}".to_owned(), json!({"get": payment()}));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": format!("Grok at {}", payee.realm),
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Grok, paid per request over the Machine Payments Protocol; no account, no key.",
        },
        "x-service-info": {"categories": ["compute", "media", "search"]},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": schema::components()},
    })
}

/// What became of a payment.
fn payment() -> Value {
    let problem = json!({PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}});
    json!({
        "operationId": "payment",
        "summary": "What became of a payment, and of its refund if it bought nothing",
        "parameters": [{
            "name": "reference", "in": "path", "required": true, "schema": {"type": "string"},
            "description": "The reference of a receipt, or of a problem.",
        }],
        "responses": {
            "200": {"description": "How far it has come.", "content": {JSON: {"schema": schema::payment()}}},
            "404": {"description": "There was no such payment here.", "content": problem},
        },
    })
}

fn operation(route: Route, payee: &Payee, prices: &Prices) -> Value {
    json!({
        "operationId": route.path().trim_start_matches("/grok/"),
        "summary": route.title(),
        "description": route.about(),
        "x-payment-info": {
            "intent": "charge",
            "method": "tempo",
            "amount": null,
            "currency": payee.currency.to_string(),
            "description": price(route, prices),
        },
        "requestBody": {"required": true, "content": {JSON: {"schema": request(route)}}},
        "responses": responses(route),
    })
}

fn request(route: Route) -> Value {
    let fields = route.fields().iter();
    let required: Vec<&str> = fields.clone().filter(|field| field.required).map(|field| field.name).collect();
    let properties: Map<String, Value> =
        fields.map(|field| (field.name.to_owned(), field.kind.schema())).collect();
    json!({"type": "object", "required": required, "properties": properties})
}

fn responses(route: Route) -> Value {
    let problem = json!({"schema": {"$ref": "#/components/schemas/Problem"}});
    let refusal = json!({"schema": {"$ref": "#/components/schemas/Refusal"}});
    let failed = |description: &str| json!({"description": description, "content": {PROBLEM: problem}});
    let mut answer =
        Map::from_iter([(JSON.to_owned(), json!({"schema": schema::envelope(schema::answer(route))}))]);
    if let Some(events) = schema::events(route) {
        answer.insert(EVENT_STREAM.to_owned(), json!({"schema": events}));
    }
    let header = |description: &str| json!({"description": description, "schema": {"type": "string"}});
    json!({
        "200": {
            "description": "The answer.",
            "headers": {"Payment-Receipt": header("What was paid, and the payment's reference.")},
            "content": answer,
        },
        "400": {
            "description": "The request has to be changed; nothing was paid.",
            "content": {JSON: refusal, PROBLEM: problem},
        },
        "402": {
            "description": "Payment required: pay the challenge, and send the same request again.",
            "headers": {"WWW-Authenticate": header("The challenge, of the scheme Payment.")},
            "content": {PROBLEM: problem},
        },
        "409": failed("This very payment is being worked on: send the same request again."),
        "410": failed("It was paid for and answered, too long ago to be answered again."),
        "413": failed("The body is too long; nothing was paid."),
        "502": failed("The payment was taken, or may have been, and there is no answer; its reference tells of the refund."),
        "503": {
            "description": "With a reference: the payment was taken, and whoever answers is busy. Without one: nothing \
                            was paid; try again later.",
            "content": {JSON: refusal, PROBLEM: problem},
        },
        "504": failed("The payment was taken, and the answer did not come in time; keep the reference."),
    })
}

/// How a price is made, in a sentence.
pub(super) fn price(route: Route, prices: &Prices) -> String {
    let (margin, floor) = (prices.margin, prices.floor);
    match route.unit() {
        Unit::Tokens => format!(
            "By model: tokens of the prompt and max_tokens ({} where it is not given), and {margin} % on top; at least \
             {floor} base units.",
            prices.max_tokens
        ),
        Unit::Images => format!("By model and image, and {margin} % on top; at least {floor} base units."),
        Unit::Characters => {
            format!("By the character of text, and {margin} % on top; at least {floor} base units.")
        }
    }
}

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";
