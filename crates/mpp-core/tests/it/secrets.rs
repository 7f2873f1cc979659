//! What may be logged: every public type printed, by `{:?}` and where it has one by `{}`, and searched for what nobody
//! may read: the key, the signature, the transaction's bytes, the credential.

use std::fmt::{Debug, Display};

use alloy_primitives::hex;
use mpp_core::error::{self, KeyError};
use mpp_core::exchange::{Exchange, Next, NotPaid, Outcome};
use mpp_core::tempo::Payload;
use mpp_core::tempo::{AccessKey, LocalSigner, Signature};
use mpp_core::{Challenge, ChargeRequest, Credential, Problem, Quote, Receipt};
use serde_json::{Value, json};

use crate::support::{
    KEY, NOW, SALT, base64url, challenge, charge, header, parameters, parse, policy, signer,
};

/// Texts that were printed, and what must not be in them.
struct Page {
    text: String,
    secrets: Vec<String>,
}

impl Page {
    fn print(&mut self, thing: &impl Debug) {
        self.write(&[format!("{thing:?}"), format!("{thing:#?}")]);
    }

    fn print_both(&mut self, thing: &(impl Debug + Display)) {
        self.print(thing);
        self.write(&[thing.to_string()]);
    }

    /// Hiding everything is no way to hide a secret.
    fn write(&mut self, shown: &[String]) {
        for text in shown {
            assert!(!text.is_empty(), "nothing is shown, after:\n{}", self.text);
            self.text += &format!("{text}\n");
        }
    }

    fn check(&self) {
        let text = self.text.to_lowercase();
        for secret in &self.secrets {
            assert!(!text.contains(&secret.to_lowercase()), "printed {secret}:\n{}", self.text);
        }
    }
}

/// A secret as hexadecimal and as a list of numbers, the way a derived `Debug` prints bytes.
fn forms(bytes: &[u8]) -> [String; 2] {
    let list = format!("{bytes:?}");
    [hex::encode(bytes), list.trim_matches(['[', ']']).to_owned()]
}

/// Walks one payment and prints everything on the way.
fn walk(request: &Value) -> Page {
    let mut page = Page { text: String::new(), secrets: Vec::new() };
    let key = hex::decode(KEY).expect("hexadecimal");
    page.secrets.extend(forms(&key));

    let policy = policy().push(true).realms(["api.example.com"]);
    page.print(&policy);
    let exchange =
        Exchange { method: "GET", body: Some(b""), secure: true, has_authorization: false, policy: &policy };
    page.print(&exchange);
    let field = header(&parameters(&base64url(request)));
    let next = exchange.answered(402, [&field], NOW).expect("paid");
    page.print(&next);
    let Next::Pay { approval, .. } = next else { panic!("nothing to pay") };
    page.print(&approval);
    let quote: &Quote = approval.quote();
    page.print_both(quote);
    let challenge: &Challenge = approval.challenge();
    page.print(challenge);
    let charge: &ChargeRequest = approval.charge();
    page.print(charge);

    let signer = signer();
    page.print(&signer);
    page.print(&AccessKey::new(quote.token, crate::support::signer()));
    let unsigned = approval.prepare(signer.address(), NOW, SALT);
    page.print(&unsigned);
    let signature: Signature = signer.sign(&unsigned);
    page.print(&signature);
    let bytes = signature.to_bytes();
    page.secrets.extend([&bytes[..32], &bytes[32..64]].into_iter().flat_map(forms));

    let payment = unsigned.signed(&signature);
    page.print(&payment);
    if let Some(transaction) = payment.transaction() {
        page.print(transaction);
        page.secrets
            .extend([&transaction.raw()[..40], &transaction.raw()[100..]].into_iter().flat_map(forms));
    }
    let credential: &Credential = payment.credential();
    page.print(credential);
    let payload: &Payload = credential.payload();
    page.print(payload);
    page.secrets
        .extend(credential.header_value().split_at_checked(40).map(|(start, _)| start[8..].to_owned()));
    let read = Credential::parse(credential.header_value().as_bytes()).expect("a credential");
    page.print(&read);
    page.print(&read.verify(4217, NOW).expect("pays"));
    let error = read.verify(4217, NOW + 60).expect_err("expired");
    page.print_both(&error);
    page.print_both(&error::Error::from(error));

    let reference = payment.hash().map_or("challenge-123".to_owned(), |hash| hash.to_string());
    let receipt = Receipt::new(reference, NOW, Some("an order nobody else should see"));
    page.secrets.extend([
        receipt.encode(),
        String::from("an order nobody"),
        String::from("2027-01-15T08:00:00Z"),
    ]);
    page.print(&receipt);
    page.print(&receipt.clone().paid(payment.quote().amount, payment.quote().token, payment.payer()));
    let outcome: Outcome = payment.answered(200, Some(receipt.encode().as_bytes()));
    page.print(&outcome);
    page
}

#[test]
fn nothing_printed_on_the_way_of_a_payment_can_be_spent() {
    let with_detail = |member: &str, value: Value| {
        let mut request = charge();
        request["methodDetails"][member] = value;
        request
    };
    let mut nothing = charge();
    nothing["amount"] = json!("0");
    for request in [
        charge(),
        with_detail("feePayer", json!(true)),
        with_detail("supportedModes", json!(["push"])),
        nothing,
    ] {
        let page = walk(&request);
        assert!(page.text.contains("challenge-123"), "what may be seen is seen");
        page.check();
    }
}

#[test]
fn a_printed_secret_is_found() {
    let mut page = walk(&charge());
    page.print(&hex::decode(KEY).expect("hexadecimal"));
    assert!(std::panic::catch_unwind(|| page.check()).is_err());
}

#[test]
fn a_key_that_cannot_be_read_is_not_shown() {
    let almost = KEY.replacen("1111", "11g1", 1);
    for (text, expected) in [
        (&*almost, KeyError::NotHex),
        (&KEY[..60], KeyError::NotHex),
        ("", KeyError::NotHex),
        ("0x0x11", KeyError::NotHex),
        (&"0".repeat(64), KeyError::OutOfRange),
        (&"f".repeat(64), KeyError::OutOfRange),
    ] {
        let error = LocalSigner::from_hex(text).expect_err("no key");
        assert_eq!(error, expected);
        let shown = format!("{error} {error:?} {:?}", error::Error::from(error));
        assert!(text.is_empty() || !shown.contains(&text[text.len() / 2..]), "{shown}");
    }
    for text in [KEY, &KEY[2..], &format!("  {KEY}\n")] {
        assert_eq!(LocalSigner::from_hex(text).expect("a key").address(), signer().address());
    }
}

#[test]
fn malformed_credentials_and_receipts_are_not_quoted_in_errors() {
    let marker = "c2VjcmV0LXNlY3JldA";
    for value in [format!("Payment {marker}"), format!("Payment {marker}!"), format!("Bearer {marker}")] {
        let error = Credential::parse(value.as_bytes()).expect_err("no credential");
        assert!(!format!("{error} {error:?}").contains(marker), "{error}");
    }
    let error = Receipt::parse(marker.as_bytes()).expect_err("no receipt");
    assert!(!format!("{error} {error:?}").contains(marker), "{error}");
}

#[test]
fn what_a_server_says_cannot_steer_a_terminal() {
    let request = base64url(&charge());
    let described = |text: &str| header(&[&parameters(&request)[..], &[("description", text)]].concat());
    let quote = |text: &str| {
        let challenge = parse(&described(text));
        policy().approve(challenge, b"", NOW).expect("approved").quote().to_string()
    };
    // No control characters, these: a right-to-left override, and a separator of lines.
    let shown = quote("free\u{202e}\u{2028}price $0");
    assert_eq!(shown.lines().last(), Some("says       freeprice $0"));
    assert_eq!(quote(&"x".repeat(10_000)).len(), quote("").len() + 200);
    let problem = json!({ "title": "\u{1b}[2Jgone", "detail": "x".repeat(10_000) }).to_string();
    let shown = Problem::parse(problem.as_bytes()).expect("a problem").to_string();
    assert!(shown.starts_with(" [2Jgone: x") && shown.len() < 500, "{shown}");
    let policy = policy().realms(["elsewhere"]);
    let field = challenge(&charge()).encode().replace("api.example.com", r"\u202eapi");
    let exchange =
        Exchange { method: "GET", body: Some(b""), secure: true, has_authorization: false, policy: &policy };
    let refused: NotPaid = exchange.answered(402, [field], NOW).map(drop).expect_err("refused");
    assert!(refused.to_string().contains(r#"realm "api""#), "{refused}");
}
