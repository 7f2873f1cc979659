//! Whole exchanges between published SDKs, read again: every challenge, credential, receipt and problem.

use mpp_core::error::{CredentialError, VerifyError};
use mpp_core::tempo::Payload;
use mpp_core::tempo::Verified;
use mpp_core::{Challenge, Credential, Problem, Receipt};
use serde_json::Value;

use crate::support::{decoded, list, text, vectors};

/// The chain of the recordings.
const ANVIL: u64 = 31337;
/// What the recorded servers bound their challenges with.
const SECRET: &[u8] = b"interop-secret-key-0123456789abcdef0123";

fn challenges(exchange: &Value) -> Vec<Challenge> {
    let fields = list(&exchange["www_authenticate"]).iter().map(text);
    Challenge::parse_all(fields).into_iter().collect::<Result<_, _>>().expect("challenges")
}

fn credential(exchange: &Value) -> Option<Result<Credential, CredentialError>> {
    exchange["authorization"].as_str().map(|value| Credential::parse(value.as_bytes()))
}

/// Every exchange of every recording, with a name and the time.
fn exchanges(recordings: &Value) -> impl Iterator<Item = (String, u64, &Value)> {
    list(recordings).iter().flat_map(|recording| {
        let name = ["client", "server", "case"].map(|part| text(&recording[part])).join(" ");
        let at = recording["captured_at"].as_u64().expect("a time");
        list(&recording["exchanges"]).iter().map(move |exchange| (name.clone(), at, exchange))
    })
}

#[test]
fn every_402_holds_one_challenge_that_survives_encoding() {
    let recordings = vectors("captures.json");
    let mut count = 0;
    for (name, _, exchange) in exchanges(&recordings).filter(|(_, _, exchange)| exchange["status"] == 402) {
        let challenges = challenges(exchange);
        assert_eq!(challenges.len(), 1, "{name}");
        assert!(challenges[0].is_bound_by(SECRET), "{name}");
        assert_eq!(Challenge::parse_all([challenges[0].encode()]), [Ok(challenges[0].clone())], "{name}");
        count += 1;
    }
    assert_eq!(count, 31);
}

#[test]
fn every_credential_pays_its_challenge() {
    let recordings = vectors("captures.json");
    let mut kinds = [0; 3];
    for (name, at, exchange) in exchanges(&recordings) {
        let Some(credential) = credential(exchange) else { continue };
        let credential = credential.expect(&name);
        assert!(credential.challenge().is_bound_by(SECRET), "{name}");
        let verified = credential.verify(ANVIL, at).unwrap_or_else(|error| panic!("{name}: {error}"));
        let payer = match (&verified, credential.payload()) {
            (Verified::Transaction { payer, .. }, Payload::Transaction(_)) => Some(*payer),
            (Verified::Hash(hash), Payload::Hash(sent)) if hash == sent => None,
            (Verified::Proof { payer }, Payload::Proof(_)) => Some(*payer),
            _ => panic!("{name}: {verified:?}"),
        };
        assert!(payer.is_none() || credential.source().map(|(_, address)| address) == payer, "{name}");
        kinds[match verified {
            Verified::Transaction { .. } => 0,
            Verified::Hash(_) => 1,
            _ => 2,
        }] += 1;
    }
    assert_eq!(kinds, [22, 3, 4], "transactions, hashes, proofs");
}

#[test]
fn the_echo_of_a_credential_stays_as_it_was() {
    let recordings = vectors("captures.json");
    for (name, _, exchange) in exchanges(&recordings) {
        let Some(sent) = exchange["authorization"].as_str() else { continue };
        let again = Credential::parse(sent.as_bytes()).expect(&name).header_value();
        let json = |value: &str| decoded(value.strip_prefix("Payment ").expect("the scheme"));
        assert_eq!(json(&again), json(sent), "{name}");
    }
}

#[test]
fn every_receipt_is_for_the_payment_it_answers() {
    let recordings = vectors("captures.json");
    let mut count = 0;
    for (name, at, exchange) in exchanges(&recordings) {
        let Some(receipt) = exchange["receipt"].as_str() else { continue };
        let receipt = Receipt::parse(receipt.as_bytes()).expect(&name);
        assert_eq!(Receipt::parse(receipt.encode().as_bytes()).as_ref(), Ok(&receipt), "{name}");
        let credential = credential(exchange).expect("a credential").expect(&name);
        match credential.verify(ANVIL, at).expect(&name) {
            Verified::Proof { .. } => assert_eq!(receipt.reference(), credential.challenge().id(), "{name}"),
            Verified::Hash(hash) => assert_eq!(receipt.hash(), Some(hash), "{name}"),
            // A sponsored transaction has its hash from the sponsor.
            Verified::Transaction { signed, .. } => {
                assert!(receipt.hash().is_some(), "{name}");
                assert!(signed.hash().is_none() || signed.hash() == receipt.hash(), "{name}");
            }
            other => panic!("{name}: {other:?}"),
        }
        count += 1;
    }
    assert_eq!(count, 29);
}

/// What we make of the credentials that mppx 0.11.0 was sent in its failure recording, and it of them.
enum Verdict {
    Pays,
    Unreadable,
    /// The server did not make this challenge.
    Unbound,
    /// Does not pay what the challenge asks for.
    Fails(fn(&VerifyError) -> bool),
}

#[test]
fn credentials_that_a_server_refused_are_refused() {
    use Verdict::{Fails, Pays, Unbound, Unreadable};
    let expected = [
        ("valid", Pays),
        // Replay is for the replay store to find, and a route for who made the challenge.
        ("replay same credential", Pays),
        ("tampered challenge id", Unbound),
        ("tampered request amount", Unbound),
        ("tampered realm", Unbound),
        ("tampered expires", Unbound),
        ("garbage tx bytes", Fails(|error| matches!(error, VerifyError::Transaction(_)))),
        ("hash payload on pull-only", Fails(|error| *error == VerifyError::Payload)),
        ("unknown tx hash (any)", Pays),
        ("unknown payload type", Unreadable),
        ("missing source", Pays),
        // mppx answers 200: it does not look at the source of a transaction.
        ("source of another account", Fails(|error| *error == VerifyError::Source)),
        ("transfer without memo", Fails(|error| *error == VerifyError::MissingTransfer { index: 0 })),
        ("transfer with foreign memo", Fails(|error| *error == VerifyError::MissingTransfer { index: 0 })),
        ("underpayment", Fails(|error| *error == VerifyError::MissingTransfer { index: 0 })),
        (
            "validBefore too far (+60s), wrong recipient",
            Fails(|error| *error == VerifyError::MissingTransfer { index: 0 }),
        ),
        ("not base64", Unreadable),
        ("base64 of non-json", Unreadable),
        ("empty object", Unreadable),
        ("Bearer scheme", Unreadable),
        ("credential from other route (/scoped -> /pull)", Pays),
        ("zero: bad proof sig", Fails(|error| *error == VerifyError::Source)),
        ("zero: valid", Pays),
        ("zero: replay", Pays),
    ];
    let recording = vectors("failures.json");
    let at = recording["captured_at"].as_u64().expect("a time");
    let rows = list(&recording["exchanges"]);
    assert_eq!(rows.len(), expected.len());
    for (row, (name, expected)) in rows.iter().zip(expected) {
        assert_eq!(row["name"], name);
        let credential = credential(row).expect("a credential");
        let found = credential.as_ref().ok().map(|credential| credential.verify(ANVIL, at));
        let bound = credential.as_ref().is_ok_and(|credential| credential.challenge().is_bound_by(SECRET));
        match expected {
            Unreadable => assert!(credential.is_err(), "{name}"),
            Unbound => assert!(credential.is_ok() && !bound, "{name}"),
            Pays => assert!(bound && matches!(found, Some(Ok(_))), "{name}: {found:?}"),
            Fails(why) => {
                assert!(bound && matches!(&found, Some(Err(error)) if why(error)), "{name}: {found:?}")
            }
        }
    }
}

#[test]
fn every_failure_has_a_problem_and_a_fresh_challenge() {
    let recording = vectors("failures.json");
    for row in list(&recording["exchanges"]).iter().filter(|row| row["status"] != 200) {
        let problem = Problem::parse(text(&row["body"]).as_bytes()).expect("a problem");
        assert!(problem.kind().starts_with("https://paymentauth.org/problems/"), "{row}");
        assert_eq!(u64::from(problem.status()), row["status"], "{row}");
        let [challenge] = &challenges(row)[..] else { panic!("{row}") };
        assert!(challenge.is_bound_by(SECRET));
        assert_ne!(
            credential(row).and_then(Result::ok).map(|sent| sent.challenge().clone()).as_ref(),
            Some(challenge)
        );
    }
}
