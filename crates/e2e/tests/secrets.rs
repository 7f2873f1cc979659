//! What a payment leaves behind in logs and in printed values: enough to find it on chain, nothing to spend it with.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use alloy_primitives::hex;
use e2e::{CHAIN_ID, Customer, PATH_USD, PAYER, Reply, ScriptedServer, Sent, Then};
use mpp_core::tempo::{Address, LocalSigner, Payload, SignFuture, Signer, Unsigned};
use mpp_core::{Amount, Policy};
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
    let signatures = Arc::new(Mutex::new(Vec::new()));
    let signer = || KeepingSigner(LocalSigner::from_hex(PAYER.key).unwrap(), Arc::clone(&signatures));
    let recorded = Arc::new(Mutex::new(String::new()));
    let book = Arc::clone(&recorded);
    let customer = Customer::with_signer(signer(), policy.clone()).with(|client| {
        client.announce(move |payment| Ok(write!(book.lock().unwrap(), "{payment:?} {payment:#?}")?))
    });

    let mut printed = format!("{:?} {customer:?}", signer().0);
    let answer = customer.get(&server.url("/paid")).await.unwrap();
    let hash = answer.payment().unwrap().hash().unwrap().to_string();
    write!(printed, "{answer:?} {answer:#?} {:?}", answer.headers()).unwrap();
    let receipt = answer.headers().get("payment-receipt").unwrap();
    assert!(receipt.is_sensitive(), "whoever prints the headers prints it");
    let receipt = receipt.to_str().unwrap();
    // This one is left out of its own printed form: the server may say in its answer what it likes.
    let error = customer.get(&server.url("/failed")).await.unwrap_err();
    print(&mut printed, &error, error.payment());
    let error = customer.get(&server.url("/cut")).await.unwrap_err();
    print(&mut printed, &error, &error);
    let forgetful =
        Customer::with_signer(signer(), policy).with(|client| client.announce(|_| Err("full".into())));
    let error = forgetful.get(&server.url("/paid")).await.unwrap_err();
    print(&mut printed, &error, &error);
    let refused = Customer::new(PAYER.key, Policy::new(CHAIN_ID, [PATH_USD], Amount::ZERO));
    let error = refused.get(&server.url("/paid")).await.unwrap_err();
    print(&mut printed, &error, &error);

    assert_eq!((customer.signatures(), customer.sent().len()), (3, 7), "what is cut off is sent once more");
    assert_eq!((forgetful.signatures(), forgetful.sent().len()), (1, 1));
    assert_eq!((refused.signatures(), refused.sent().len()), (0, 1));
    let recorded = recorded.lock().unwrap();
    let logged = std::fs::read_to_string(log.path()).unwrap();
    for (place, text) in [("the log", &logged), ("the record", &recorded), ("what is printed", &printed)] {
        assert!(text.contains(&hash), "{place} does not say which payment it is about: {text}");
    }
    assert!(logged.contains("mpp_call") && logged.contains("not paid"), "{logged}");
    let mut secrets: Vec<String> = customer.sent().iter().filter_map(secrets_of).flatten().collect();
    secrets.extend(signatures.lock().unwrap().iter().flatten().cloned());
    assert_eq!(secrets.len(), 4 * 2 + 4 * 2);
    for secret in secrets.iter().map(String::as_str).chain([PAYER.key.trim_start_matches("0x"), receipt]) {
        for (place, text) in [("the log", &logged), ("the record", &recorded), ("what is printed", &printed)]
        {
            let found = text.to_lowercase().contains(&secret.to_lowercase());
            assert!(!found, "{place} holds the secret {secret}:\n{text}");
        }
    }
}

/// Prints an error with its causes, and `debug`.
fn print(printed: &mut String, error: &dyn std::error::Error, debug: impl Debug) {
    write!(printed, "{debug:?} {debug:#?} {error}").unwrap();
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(printed, " {error}").unwrap();
        cause = error.source();
    }
}

/// What of a paid request could be spent: its credential, by the start that all have in common, sent or not, and the
/// transaction in hexadecimal.
fn secrets_of(sent: &Sent) -> Option<[String; 2]> {
    let value = sent.headers.get("authorization")?;
    assert!(value.is_sensitive(), "another transport would log it");
    let credential = sent.credential()?;
    let Payload::Transaction(raw) = credential.payload() else { panic!("no transaction") };
    let start = &value.to_str().unwrap().trim_start_matches("Payment ")[..16];
    Some([start.to_owned(), hex::encode(raw)])
}

/// Keeps the first half of every signature, in hexadecimal and as the numbers in a list.
struct KeepingSigner(LocalSigner, Arc<Mutex<Vec<[String; 2]>>>);

impl Signer for KeepingSigner {
    fn address(&self) -> Address {
        self.0.address()
    }

    fn sign<'a>(&'a self, payment: &'a Unsigned) -> SignFuture<'a> {
        let signature = self.0.sign(payment);
        let half = &signature.to_bytes()[..32];
        let list = format!("{half:?}").trim_matches(['[', ']']).to_owned();
        self.1.lock().unwrap().push([hex::encode(half), list]);
        Box::pin(std::future::ready(Ok(signature)))
    }
}
