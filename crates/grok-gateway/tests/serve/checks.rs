//! What is looked at before anything is sold.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;

use crate::payer::PAYER_KEY;
use crate::program::Place;
use crate::stand_ins::{self, Node, Service};

#[tokio::test]
async fn a_check_of_good_settings_ends_well_and_leaves_nothing_behind() {
    let (node, service) = (Node::start().await, Service::start(true).await);
    let place = Place::new(&node, &service, "")
        .set("GROK_GATEWAY_OPERATOR_KEY", PAYER_KEY)
        .set("GROK_GATEWAY_SPONSOR_KEY", PAYER_KEY);
    let (code, said, errors) = place.run("check").await;
    assert_eq!((code, errors.as_str()), (0, ""), "{said}");
    for line in [
        "ok       node      answers for chain 31337",
        "ok       operator  ",
        "ok       sponsor   ",
        "ok       upstream  ",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(
        !said.contains("FAILED") && !said.contains("a-key-in-the-url") && !said.contains(PAYER_KEY),
        "{said}"
    );
    assert_eq!(std::fs::read_dir(place.folder.path()).unwrap().count(), 1, "a check made a file");
}

#[tokio::test]
async fn each_thing_that_is_wrong_is_one_line_that_says_what_to_do() {
    let (node, poor, service) = (Node::start().await, Node::with(0).await, Service::start(true).await);
    let place = |node| Place::new(node, &service, "");
    let mainnet = "0x20C000000000000000000000b9537d11c60E8b50";
    for (place, line) in [
        (
            place(&node).set("GROK_GATEWAY_RPC", "http://127.0.0.1:9"),
            "node      the node cannot be reached; check",
        ),
        (
            place(&node).set("GROK_GATEWAY_RPC", "http://a.example"),
            "node      a node on another machine is asked over",
        ),
        (
            place(&node).set("GROK_GATEWAY_CHAIN_ID", "4217"),
            "node      the node is on chain 31337, the settings are for 4217",
        ),
        (
            place(&node).set("GROK_GATEWAY_CURRENCY", &mainnet.replace("0x20C", "0x10C").to_lowercase()),
            "currency  0x10",
        ),
        (
            place(&poor).set("GROK_GATEWAY_OPERATOR_KEY", PAYER_KEY),
            "operator  0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266 has",
        ),
        (place(&poor).set("GROK_GATEWAY_SPONSOR_KEY", PAYER_KEY), "needs 1.0"),
        (place(&node).set("GROK_GATEWAY_DATABASE", "nowhere/x.sqlite"), "database  nowhere/x.sqlite: "),
        (
            place(&node).set("GROK_GATEWAY_UPSTREAM_URL", "http://a.example"),
            "upstream  a key is sent over https only",
        ),
        (
            place(&node).set("GROK_GATEWAY_UPSTREAM", "sandbox").set("GROK_GATEWAY_LISTEN", "0.0.0.0:0"),
            "upstream  the sandbox runs what it is sent",
        ),
        (Place::new(&node, &service, "[tls]\ncertificate_file = \"x\"\nkey_file = \"y\""), "tls       "),
    ] {
        let (code, said, _) = place.run("check").await;
        let failed: Vec<_> = said.lines().filter(|line| line.starts_with("FAILED")).collect();
        assert!(code == 3 && failed.len() == 1 && failed[0].contains(line), "{line}: {code} {said}");
        let (code, _, errors) = place.run("serve").await;
        assert_eq!(code, 3);
        assert!(errors.contains("a check failed, so nothing is served"), "{errors}");
        assert!(!errors.contains("\"serving\""), "{errors}");
    }
}

#[tokio::test]
async fn an_upstream_that_is_down_is_no_reason_not_to_start() {
    let (node, service) = (Node::start().await, Service::start(true).await);
    let place = Place::new(&node, &service, "").set("GROK_GATEWAY_UPSTREAM_URL", "http://127.0.0.1:9");
    let (code, said, _) = place.run("check").await;
    assert_eq!(code, 0);
    assert!(said.contains("warning  upstream  http://127.0.0.1:9 does not answer"), "{said}");
}

#[tokio::test]
async fn a_compatible_service_is_asked_for_its_models_below_its_base() {
    let (node, service) = (Node::start().await, Service::start(true).await);
    let models = Router::new().route("/v1/models", get(|| async { StatusCode::UNAUTHORIZED }));
    let url = stand_ins::serve(models).await;
    for (base, line) in [
        (
            url.clone(),
            format!(
                "warning  upstream  {url} may not be the base: GET {url}/models is answered 404; the base of a \
                 compatible service ends with its version, such as /v1: check upstream.base_url\n"
            ),
        ),
        (format!("{url}/v1"), format!("ok       upstream  {url}/v1 answers\n")),
        (format!("{url}/v1/"), format!("ok       upstream  {url}/v1/ answers\n")),
    ] {
        let place = Place::new(&node, &service, "").set("GROK_GATEWAY_UPSTREAM", "compatible");
        let (code, said, _) = place.set("GROK_GATEWAY_UPSTREAM_URL", &base).run("check").await;
        assert!(code == 0 && said.contains(&line), "{base}: {code} {said}");
    }
}

#[tokio::test]
async fn wrong_settings_are_told_by_file_and_line() {
    let (node, service) = (Node::start().await, Service::start(true).await);
    let (code, _, errors) = Place::new(&node, &service, "[limits]\nbrust = 1").run("serve").await;
    assert_eq!(code, 2);
    assert!(
        errors.starts_with("grok-gateway: gateway.toml, line 6: unknown field `brust`, expected"),
        "{errors}"
    );
    let (code, _, errors) = Place::new(&node, &service, "").set("XAI_API_KEY", "").run("serve").await;
    assert_eq!(code, 2);
    assert!(errors.starts_with("grok-gateway: XAI_API_KEY is missing: set it"), "{errors}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_told_with_its_setting() {
    let (node, service) = (Node::start().await, Service::start(true).await);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (name, setting) in
        [("GROK_GATEWAY_LISTEN", "set listen"), ("GROK_GATEWAY_METRICS_LISTEN", "set metrics.listen")]
    {
        let (code, _, errors) = Place::new(&node, &service, "").set(name, &address).run("serve").await;
        assert!(code == 3 && errors.contains(setting), "{code} {errors}");
    }
}
