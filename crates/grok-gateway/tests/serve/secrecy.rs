//! What must not be in any log: who paid with what for which words.

use crate::payer::{PAYER_KEY, Payer, QUESTION};
use crate::program::{KEY, Place};
use crate::stand_ins::{Node, Service};

/// The public second key of anvil.
const SPONSOR_KEY: &str = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
const SECRET: &str = "5eed0000000000000000000000000000000000000000000000000000deadbeef";

#[tokio::test]
async fn nothing_secret_is_logged_at_any_level_in_any_format() {
    for (level, format) in [("info", "json"), ("trace", "json"), ("trace", "text")] {
        let (node, service) = (Node::start().await, Service::start(true).await);
        let place = Place::new(&node, &service, "")
            .set("GROK_GATEWAY_LOG_LEVEL", level)
            .set("GROK_GATEWAY_LOG_FORMAT", format);
        let keys =
            place.set("GROK_GATEWAY_OPERATOR_KEY", PAYER_KEY).set("GROK_GATEWAY_SPONSOR_KEY", SPONSOR_KEY);
        let mut program = keys.set("GROK_GATEWAY_SECRET", SECRET).serve().await;
        let payer = Payer::of(&program.address);
        let credential = payer.credential().await;
        let paid = payer.pay(&credential).await;
        assert_eq!((paid.status, payer.pay(&credential).await.status), (200, 200), "{}", paid.body);
        let token = credential.strip_prefix("Payment ").unwrap();
        assert_eq!(payer.pay(&format!("Payment {}", &token[..token.len() - 1])).await.status, 402);
        payer.send(reqwest::Method::POST, "/a-path-of-somebody", QUESTION.into(), Some("Bearer hush")).await;
        program.signal(rustix::process::Signal::TERM);
        let (code, said) = program.ended().await;
        assert_eq!(code, 0);
        let receipt = paid.header("payment-receipt").unwrap();
        let answer = "an answer that nobody else must see";
        assert!(paid.body.contains(answer) && service.asked()[0].contains(QUESTION));
        let secrets = [
            &token[..20],
            &token[token.len() / 2..][..20],
            &receipt[..20],
            KEY,
            PAYER_KEY,
            SPONSOR_KEY,
            SECRET,
        ];
        for secret in
            secrets.into_iter().chain([QUESTION, answer, "hush", "a-key-in-the-url", "a-path-of-somebody"])
        {
            assert!(!said.contains(secret), "{level}: {secret} is in the log: {said}");
        }
        assert_eq!(said.lines().filter(|line| line.contains("milliseconds")).count(), 5, "{said}");
        let id = paid.header("x-request-id").unwrap();
        let line = said.lines().find(|line| line.contains(id) && line.contains("milliseconds")).unwrap();
        for word in ["/grok/chat", "200", "127.0.0.1", "POST"] {
            assert!(line.contains(word), "{line}");
        }
    }
}

#[tokio::test]
async fn a_secret_that_was_not_given_is_made_beside_the_database() {
    let (node, service) = (Node::start().await, Service::start(true).await);
    let place = Place::new(&node, &service, "");
    let path = place.folder.path().join("gateway.sqlite.secret");
    let _program = place.serve().await;
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!((std::fs::read(&path).unwrap().len(), mode & 0o777), (64, 0o600));
}

#[tokio::test]
async fn a_crash_would_leave_no_file_of_its_memory() {
    let (node, service) = (Node::start().await, Service::start(true).await);
    let program = Place::new(&node, &service, "").serve().await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", program.child.id().unwrap())).unwrap();
    let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    assert!(core.split_whitespace().take(2).eq(["0", "0"]), "{core}");
}
