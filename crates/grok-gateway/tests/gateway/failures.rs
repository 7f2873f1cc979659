//! What becomes of a payment when the service behind fails: it is taken, the payer is told so with a reference, and the
//! key stays a secret.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use grok_gateway::{ApiKey, Compatible, Route, UpstreamUrlError, Xai};
use serde_json::{Value, json};
use tracing::Dispatch;
use tracing_subscriber::fmt::MakeWriter;

use crate::stand_in::{Rude, StandIn, rude};
use crate::streams::streamed;
use crate::support::{KEY, Scene, key, xai};

/// floor((9·1.25 + 400·2.5)·1.15)
const PRICE: u128 = 1162;

pub(crate) fn request() -> Value {
    json!({"model": "grok-4.3", "max_tokens": 400, "messages": [{"role": "user", "content": "hello"}]})
}

/// Buys what fails, once; returns what the payer is told of the service.
pub(crate) async fn fails(scene: &Scene, status: u16) -> Value {
    fails_to(&request(), scene, status).await
}

pub(crate) async fn fails_to(request: &Value, scene: &Scene, status: u16) -> Value {
    let before = scene.earned();
    let (payment, answer) = scene.buy("/grok/code-execution", request).await;
    let problem = answer.json();
    assert_eq!(answer.status, status, "{problem}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert!(problem["detail"].as_str().unwrap().starts_with("the payment was taken"), "{problem}");
    assert_eq!(problem["reference"], payment.hash().unwrap().to_string());
    assert_eq!((answer.header("www-authenticate"), answer.header("payment-receipt")), (None, None));
    assert_eq!(scene.earned() - before, PRICE);
    assert!(!answer.body.contains(KEY), "{problem}");
    let words: Value = serde_json::from_str(problem["answer"].as_str().unwrap()).unwrap();
    assert_eq!(words["success"], false);
    words
}

#[tokio::test]
async fn every_no_of_xai_is_told_to_the_payer_and_asked_for_once() {
    let says = |message: &str| json!({"error": {"message": message, "type": "x", "code": null}}).to_string();
    let account = format!("Incorrect API key provided: {KEY}.");
    let long = says(&"x".repeat(5000));
    for (status, headers, body, answered, code, words) in [
        (401, vec![], says(&account), 502, "upstream_account", "only its operator can mend that"),
        (
            403,
            vec![],
            json!({"code": "no", "error": account}).to_string(),
            502,
            "upstream_account",
            "operator",
        ),
        (429, vec![("retry-after", "7")], says("slow down"), 503, "upstream_busy", "try again in 7 seconds"),
        (429, vec![("retry-after", "soon")], String::new(), 503, "upstream_busy", "try again later"),
        (400, vec![], says("no such\nmodel"), 502, "upstream_refused", "with status 400: no suchmodel"),
        (
            422,
            vec![],
            json!({"code": "c", "error": "bad tool"}).to_string(),
            502,
            "upstream_refused",
            ": bad tool",
        ),
        (
            404,
            vec![],
            format!("{{\"error\":\"{KEY} has it not\"}}"),
            502,
            "upstream_refused",
            ": … has it not",
        ),
        (400, vec![], long, 502, "upstream_refused", "xxxx"),
        (400, vec![], "<html>".to_owned(), 502, "upstream_refused", "with status 400"),
        (500, vec![], says(&account), 502, "upstream_failed", "failed with status 500"),
        (503, vec![], String::new(), 503, "upstream_busy", "busy"),
        (504, vec![], String::new(), 504, "upstream_timeout", "took too long"),
        (302, vec![("location", "https://elsewhere.example/")], String::new(), 502, "upstream_failed", "302"),
        (204, vec![], String::new(), 502, "upstream_failed", "204"),
        (200, vec![], "nonsense".to_owned(), 502, "upstream_failed", "else than a JSON object"),
        (200, vec![], "[1]".to_owned(), 502, "upstream_failed", "else than a JSON object"),
        (200, vec![], String::new(), 502, "upstream_failed", "else than a JSON object"),
    ] {
        let service = StandIn::saying(status, &headers, body).await;
        let told = fails(&Scene::of(xai(&service.url)).await, answered).await;
        assert_eq!(told["error"], code, "{status}: {told}");
        let message = told["message"].as_str().unwrap();
        assert!(message.contains(words) && message.len() < 600, "{status}: {told}");
        assert_eq!(service.asked().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_service_that_breaks_off_or_floods_is_given_up_and_not_asked_again() {
    for (manner, words) in [
        (Rude::Closes, "without an answer"),
        (Rude::Cuts, "in the middle of its answer"),
        (Rude::Floods, "more than can be passed on"),
    ] {
        let (url, connections) = rude(manner).await;
        let told = fails(&Scene::of(xai(&url)).await, 502).await;
        assert_eq!(told["error"], "upstream_failed", "{manner:?}");
        assert!(told["message"].as_str().unwrap().contains(words), "{manner:?}: {told}");
        assert_eq!(*connections.lock().unwrap(), 1, "{manner:?}");
    }
}

#[tokio::test]
async fn a_service_that_hangs_is_waited_for_so_long_and_no_longer() {
    for manner in [Rude::Hangs, Rude::Stalls] {
        let (url, connections) = rude(manner).await;
        let scene = Scene::of(xai(&url).patience(Duration::from_millis(200))).await;
        let told = tokio::time::timeout(Duration::from_secs(20), fails(&scene, 504)).await.unwrap();
        assert_eq!(told["error"], "upstream_timeout", "{manner:?}");
        assert_eq!(*connections.lock().unwrap(), 1, "{manner:?}");
    }
}

#[tokio::test]
async fn only_what_was_never_sent_is_tried_again_and_once() {
    // TLS with something that does not speak it comes to no connection, so no request is sent.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let accepted = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&accepted);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            *counter.lock().unwrap() += 1;
            drop(stream);
        }
    });
    let told = fails(&Scene::of(xai(&url)).await, 503).await;
    assert_eq!(told["error"], "upstream_unreachable");
    assert_eq!(*accepted.lock().unwrap(), 2);
}

#[tokio::test]
async fn a_page_is_not_sold_as_audio() {
    let speech = json!({"text": "x", "language": "en"});
    for (kind, body) in [("text/html", "<html>"), ("application/json", "{}"), ("audio/mpeg", "")] {
        let service = StandIn::saying(200, &[("content-type", kind)], body).await;
        let (_, answer) = Scene::of(xai(&service.url)).await.buy("/grok/tts", &speech).await;
        assert_eq!(answer.status, 502, "{kind}");
        assert!(
            answer.json()["answer"].as_str().unwrap().contains("something else than audio"),
            "{answer:?}"
        );
    }
    let service = StandIn::saying(200, &[], "ID3").await;
    let data = Scene::of(xai(&service.url)).await.bought("/grok/tts", &speech).await;
    assert_eq!(data, json!({"data": "SUQz", "content_type": "application/octet-stream"}));
}

#[test]
fn a_key_that_is_none_and_a_url_that_shows_it_are_refused() {
    for text in ["", "two words", "line\n", "clé"] {
        assert!(ApiKey::new(text.to_owned()).is_none(), "{text}");
    }
    let open = |url: &str| Xai::new(url, key().unwrap());
    for url in
        ["", "nonsense", "ftp://a.example", "https://a.example/?key=1", "https://a.example/#x", "file:///x"]
    {
        assert!(matches!(open(url), Err(UpstreamUrlError::Url)), "{url}");
    }
    for url in ["http://a.example", "http://10.0.0.1/v1", "http://127.0.0.1.a.example"] {
        assert!(matches!(open(url), Err(UpstreamUrlError::Cleartext)), "{url}");
        assert!(Compatible::new(url, None).is_ok(), "{url}");
    }
    for url in [Xai::BASE_URL, "http://127.0.0.1:9", "http://[::1]:9", "http://localhost:9/v1/"] {
        let xai = open(url).unwrap();
        let compatible = Compatible::new(url, key()).unwrap();
        let shown = format!("{xai:?} {compatible:?} {:?}", key());
        assert!(!shown.contains(KEY) && shown.contains("ApiKey(..)"), "{shown}");
    }
}

#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Every task of a test runs on its one thread, and while the guard lives writes here.
    pub(crate) fn keep(&self) -> tracing::subscriber::DefaultGuard {
        let into = |log: &Log| {
            let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false);
            Dispatch::new(subscriber.with_max_level(tracing::Level::TRACE).finish())
        };
        // Were there only one in the process, what a thread without it logs first would be off for all threads.
        static OTHER: OnceLock<Dispatch> = OnceLock::new();
        OTHER.get_or_init(|| into(&Log::default()));
        tracing::dispatcher::set_default(&into(self))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Log;

    fn make_writer(&self) -> Log {
        self.clone()
    }
}

#[tokio::test]
async fn the_log_has_price_and_cost_and_neither_key_nor_words() {
    let log = Log::default();
    let _guard = log.keep();
    let service = StandIn::open().await;
    Scene::of(xai(&service.url)).await.bought(Route::CodeExecution.path(), &request()).await;
    let service = StandIn::saying(500, &[], "oh").await;
    fails(&Scene::of(xai(&service.url)).await, 502).await;
    let service = StandIn::saying(200, &[("content-type", "application/json")], "{\"a\":\"word\"}").await;
    fails_to(&streamed(), &Scene::of(xai(&service.url)).await, 502).await;
    let log = log.text();
    let sold = log.lines().find(|line| line.contains("sold")).unwrap();
    for part in
        ["route=\"/grok/code-execution\"", "model=\"grok-4.3\"", "price=1162", "=37756000", " cost=3776"]
    {
        assert!(sold.contains(part), "{part}: {sold}");
    }
    assert!(log.contains("the upstream has no answer"), "{log}");
    assert!(log.contains("answered with something else than a stream of events"), "{log}");
    assert!(!log.contains(KEY) && !log.contains("hello") && !log.contains("word"), "{log}");
}
