//! What a payment leaves behind in logs and in printed values: enough to find it on chain, nothing to spend it with.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::fmt::Write as _;
use std::sync::Arc;

use e2e::{CHAIN_ID, Customer, PATH_USD, PAYER, Reply, ScriptedServer, Sent, Then};
use mpp_core::tempo::LocalSigner;
use mpp_core::{Amount, Payload, Policy};
use tracing_subscriber::fmt::format::FmtSpan;

const PRICE: Amount = Amount::from_base_units(10_000);

#[tokio::test]
async fn logs_and_printed_values_hold_no_key_credential_or_transaction() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let every_crate = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
    let everything =
        every_crate.with_span_events(FmtSpan::FULL).with_writer(log.reopen().map(Arc::new).unwrap());
    let _guard = tracing::subscriber::set_default(everything.finish());
    let server = ScriptedServer::start(|heard| {
        let Some(value) = heard.header("authorization") else {
            return Reply::payment_required(&e2e::demand(PRICE, None, 300));
        };
        match heard.head.split(' ').nth(1) {
            Some("/paid") => Reply::new(200, &[("payment-receipt", &heard.receipt().encode())], "bought"),
            Some("/failed") => Reply::new(500, &[("payment-receipt", &heard.receipt().encode())], value),
            _ => Reply::raw("").then(Then::Close),
        }
    })
    .await;
    let policy = Policy::new(CHAIN_ID, [PATH_USD], PRICE);
    let customer = Customer::new(PAYER.key, policy);

    let mut printed = format!("{:?} {customer:?}", LocalSigner::from_hex(PAYER.key).unwrap());
    let answer = customer.get(&server.url("/paid")).await.unwrap();
    let hash = answer.payment().unwrap().hash().unwrap().to_string();
    write!(printed, "{:?} {:#?}", answer.payment(), answer.payment()).unwrap();
    for route in ["/failed", "/cut"] {
        let error = customer.get(&server.url(route)).await.unwrap_err();
        write!(printed, "{error} {:?}", error.payment()).unwrap();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            write!(printed, "{error}").unwrap();
            cause = error.source();
        }
    }
    let refused = Customer::new(PAYER.key, Policy::new(CHAIN_ID, [PATH_USD], Amount::ZERO));
    let error = refused.get(&server.url("/paid")).await.unwrap_err();
    write!(printed, "{error} {error:?}").unwrap();

    assert_eq!((customer.signatures(), refused.signatures()), (3, 0));
    let logged = std::fs::read_to_string(log.path()).unwrap();
    assert!(logged.contains(&hash), "the log does not say which payment it is about: {logged}");
    assert!(logged.contains("mpp_call") && logged.contains("not paid"), "{logged}");
    let secrets: Vec<String> = customer.sent().iter().filter_map(secrets_of).flatten().collect();
    assert_eq!(secrets.len(), 3 * 4);
    for secret in secrets.iter().map(String::as_str).chain([PAYER.key.trim_start_matches("0x")]) {
        for (place, text) in [("the log", &logged), ("what is printed", &printed)] {
            let found = text.to_lowercase().contains(&secret.to_lowercase());
            assert!(!found, "{place} holds the secret {secret}:\n{text}");
        }
    }
}

/// Whatever of a paid request could be spent: its credential, the transaction, and the signature in it, in
/// hexadecimal and as a list of numbers.
fn secrets_of(sent: &Sent) -> Option<[String; 4]> {
    let value = sent.headers.get("authorization")?;
    assert!(value.is_sensitive(), "another transport would log it");
    let value = value.to_str().unwrap();
    let credential = sent.credential()?;
    let Payload::Transaction(raw) = credential.payload() else { panic!("no transaction") };
    let signature = &raw[raw.len() - 65..raw.len() - 33];
    let token = value.trim_start_matches("Payment ").to_owned();
    let hex = alloy_primitives::hex::encode(raw);
    Some([token, hex, alloy_primitives::hex::encode(signature), format!("{signature:?}")])
}
