//! What the published SDKs computed, computed again. Where each file comes from is in `testdata/SOURCES.md`.

use alloy_primitives::{Address, Bytes, U256, keccak256};
use k256::ecdsa::{RecoveryId, Signature, SigningKey};
use mpp_core::error::{CredentialError, TransactionError};
use mpp_core::payee::body_digest;
use mpp_core::tempo::Payload;
use mpp_core::tempo::{Call, FeePayment, Fees, LocalSigner, SignedTransaction, Transaction};
use mpp_core::{Amount, Credential, Policy};
use serde_json::{Value, json};

use crate::support::{
    self, NOW, SALT, base64url, bytes, challenge, charge, decoded, header, list, parameters, parse, pay,
    policy, text, vectors,
};

#[test]
fn body_digests_are_those_of_the_sdks_in_the_drafts_spelling() {
    for vector in list(&vectors("core.json")["body_digest"]) {
        let (name, value) = text(&vector["digest"]).split_once('=').expect("a name");
        assert_eq!(body_digest(text(&vector["body"]).as_bytes()), format!("{name}=:{value}:"), "{vector}");
    }
}

#[test]
fn a_challenge_is_for_the_body_of_its_digest_in_either_spelling_and_no_other() {
    for vector in list(&vectors("core.json")["body_digest"]) {
        let body = text(&vector["body"]).as_bytes();
        for digest in [text(&vector["digest"]), &body_digest(body)] {
            let request = base64url(&charge());
            let challenge = parse(&header(&[&parameters(&request)[..], &[("digest", digest)]].concat()));
            assert!(policy().approve(challenge.clone(), body, NOW).is_ok(), "{digest}");
            assert!(policy().approve(challenge, b"another", NOW).is_err(), "{digest}");
        }
    }
}

#[test]
fn challenges_issued_by_mppx_are_bound_by_their_secret_until_anything_changes() {
    for vector in list(&vectors("mppx.json")["challenges"]) {
        let field = text(&vector["wwwAuthenticate"]);
        let secret = text(&vector["secretKey"]).as_bytes();
        assert_eq!(parse(field).id(), text(&vector["id"]));
        assert!(parse(field).is_bound_by(secret), "{field}");
        assert!(!parse(field).is_bound_by(b"another secret"), "{field}");
        let realm = text(&vector["input"]["realm"]);
        let moved = field.replace(&format!("realm=\"{realm}\""), "realm=\"elsewhere\"");
        assert!(!parse(&moved).is_bound_by(secret), "{moved}");
    }
}

#[test]
fn an_id_spelt_otherwise_is_another_id() {
    let vector = &vectors("mppx.json")["challenges"][0];
    let secret = text(&vector["secretKey"]).as_bytes();
    let (field, id) = (text(&vector["wwwAuthenticate"]), text(&vector["id"]));
    for other in [id.replace('-', "+").replace('_', "/"), format!("{id}=")] {
        assert_ne!(other, id);
        assert!(!parse(&field.replace(id, &other)).is_bound_by(secret), "{other}");
    }
}

#[test]
fn a_credential_goes_through_unchanged() {
    for vector in list(&vectors("core.json")["credential_roundtrip"]) {
        let authorization = text(&vector["authorization"]);
        let credential = Credential::parse(authorization.as_bytes()).expect("a credential");
        assert_eq!(*credential.challenge(), parse(text(&vector["wwwAuthenticate"])));
        assert_eq!(credential.challenge().description(), vector["challenge"]["description"].as_str());
        assert_eq!(credential.challenge().request(), text(&vector["requestB64"]));
        assert_eq!(token(&credential.header_value()), token(authorization));
    }
}

/// The JSON of a credential.
fn token(authorization: &str) -> Value {
    decoded(authorization.strip_prefix("Payment ").expect("the scheme"))
}

#[test]
fn authorization_values_fail_where_the_sdks_fail() {
    let expected = [
        // The SDKs take a payload of any shape; ours has to pay something.
        ("credential_with_payment_authorization_header", CredentialError::Member("payload")),
        ("error_non_object", CredentialError::Encoding("is not a JSON object")),
        ("error_bad_b64", CredentialError::Encoding("is not base64url")),
        ("error_missing_challenge", CredentialError::Member("challenge")),
    ];
    let vectors = vectors("core.json");
    let rows = list(&vectors["authorization_wire"]);
    assert_eq!(rows.len(), expected.len());
    for (row, (name, error)) in rows.iter().zip(expected) {
        assert_eq!(row["name"], name);
        assert_eq!(Credential::parse(text(&row["wire"]).as_bytes()), Err(error), "{name}");
    }
}

#[test]
fn a_credential_for_the_other_header_names_it() {
    let request = base64url(&charge());
    let field = header(&[&parameters(&request)[..], &[("header", "Payment-Authorization")]].concat());
    let payment = pay(&policy(), parse(&field));
    assert_eq!(payment.credential().header_name(), "Payment-Authorization");
    assert_eq!(token(&payment.credential().header_value())["challenge"]["header"], "Payment-Authorization");
}

#[test]
fn payments_carry_the_sdks_attribution_memo() {
    let (tempo, mppx) = (vectors("tempo.json"), vectors("mppx.json"));
    let unnamed = |vector: &&Value| vector["clientId"].is_null();
    let vectors: Vec<_> =
        list(&tempo["attribution_memo"]).iter().chain(list(&mppx["memo"])).filter(unnamed).collect();
    assert_eq!(vectors.len(), 4);
    for vector in vectors {
        let request = base64url(&charge());
        let mut parameters = parameters(&request);
        parameters[0].1 = text(&vector["challengeId"]);
        parameters[1].1 = text(&vector["serverId"]);
        let payment = pay(&policy(), parse(&header(&parameters)));
        assert_eq!(payment.memo().expect("a memo").as_slice(), bytes(&vector["memo"]), "{vector}");
    }
}

/// The hash an account signs to prove who it is, and the policy and challenge that lead there.
fn proof(chain_id: u64, challenge_id: &str, realm: &str) -> (Policy, mpp_core::Challenge) {
    let mut request = charge();
    request["amount"] = json!("0");
    request["methodDetails"] = json!({ "chainId": chain_id });
    let request = base64url(&request);
    let mut parameters = parameters(&request);
    parameters[0].1 = challenge_id;
    parameters[1].1 = realm;
    let policy = Policy::new(chain_id, [mpp_core::tempo::PATH_USD], Amount::ZERO).realms([realm]);
    (policy, parse(&header(&parameters)))
}

#[test]
fn proofs_are_signed_as_the_sdks_sign_them() {
    let (tempo, mppx) = (vectors("tempo.json"), vectors("mppx.json"));
    let mut vectors = list(&tempo["proof_eip712_v3"]["vectors"]).to_vec();
    vectors.push(mppx["proof"].clone());
    vectors.last_mut().expect("pushed")["privateKey"] = mppx["keys"]["client"].clone();
    assert_eq!(vectors.len(), 10);
    for vector in vectors {
        let signer = LocalSigner::from_hex(text(&vector["privateKey"])).expect("a key");
        let chain_id = vector["chainId"].as_u64().expect("a chain");
        let (policy, challenge) = proof(chain_id, text(&vector["challengeId"]), text(&vector["realm"]));
        let unsigned =
            policy.approve(challenge, b"", NOW).expect("approved").prepare(signer.address(), NOW, SALT);
        assert_eq!(signer.address().to_checksum(None), text(&vector["account"]));
        assert_eq!(unsigned.signing_hash().as_slice(), bytes(&vector["digest"]), "{vector}");
        let signature = signer.sign(&unsigned);
        let payment = unsigned.signed(&signature);
        let sent = token(&payment.credential().header_value());
        assert_eq!(sent["payload"], json!({ "type": "proof", "signature": vector["signature"] }));
        if let Some(source) = vector["source"].as_str() {
            assert_eq!(sent["source"], source);
        }
    }
}

#[test]
fn the_proof_is_version_3_and_not_the_drafts_version_1() {
    let vector = &vectors("tempo.json")["proof_eip712_v3"]["golden_from_spec_pr_325"];
    let chain_id = vector["chainId"].as_u64().expect("a chain");
    let (policy, challenge) = proof(chain_id, text(&vector["challengeId"]), text(&vector["realm"]));
    let account: Address = text(&vector["account"]).parse().expect("an address");
    let hash =
        policy.approve(challenge, b"", NOW).expect("approved").prepare(account, NOW, SALT).signing_hash();
    assert_eq!(hash.as_slice(), bytes(&vector["v3_digest"]));
    assert_ne!(hash.as_slice(), bytes(&vector["stale_v1_digest"]));
}

/// A transaction vector of either file in our type.
fn transaction(vector: &Value) -> Transaction {
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let required = |value: &Value| number(value).unwrap_or_else(|| panic!("{value} is no number"));
    let fees = |name: &str| u128::from(required(&vector[name]));
    let token: Option<Address> = vector["feeToken"].as_str().map(|token| token.parse().expect("an address"));
    let gas = if vector["gas"].is_null() { &vector["gasLimit"] } else { &vector["gas"] };
    let call = |call: &Value| Call {
        to: text(&call["to"]).parse().expect("an address"),
        input: Bytes::from(bytes(&call["data"])),
    };
    Transaction {
        chain_id: required(&vector["chainId"]),
        max_priority_fee_per_gas: fees("maxPriorityFeePerGas"),
        max_fee_per_gas: fees("maxFeePerGas"),
        gas_limit: required(gas),
        calls: list(&vector["calls"]).iter().map(call).collect(),
        nonce_key: text(&vector["nonceKey"]).parse::<U256>().expect("a number"),
        nonce: required(&vector["nonce"]),
        valid_before: number(&vector["validBefore"]),
        valid_after: number(&vector["validAfter"]),
        fee: match vector["feePayerPlaceholder"] {
            Value::Bool(true) => FeePayment::Sponsor,
            _ => FeePayment::Sender(token),
        },
        access_key: None,
    }
}

#[test]
fn transactions_hash_and_decode_as_the_sdks_made_them() {
    let vectors = vectors("tempo.json");
    assert_eq!(list(&vectors["tempo_tx"]).len(), 7);
    for vector in list(&vectors["tempo_tx"]) {
        let name = text(&vector["name"]);
        let transaction = transaction(vector);
        let payload = transaction.signing_hash();
        assert_eq!(payload.as_slice(), bytes(&vector["signPayload"]), "{name}");
        // Equal hashes are equal preimages: this is the unsigned encoding, byte for byte.
        assert_eq!(keccak256(bytes(&vector["unsigned"])), payload, "{name}");
        let key = SigningKey::from_slice(&bytes(&vector["privateKey"])).expect("a key");
        let (signature, recovery): (Signature, RecoveryId) = key.sign_prehash_recoverable(payload.as_slice());
        assert_eq!(signature.r().to_bytes().as_slice(), bytes(&vector["r"]), "{name}");
        assert_eq!(signature.s().to_bytes().as_slice(), bytes(&vector["s"]), "{name}");
        assert_eq!(u64::from(recovery.to_byte()), vector["yParity"], "{name}");
        for raw in ["serialized", "feePayerEnvelope"] {
            let Some(raw) = vector[raw].as_str() else { continue };
            let raw = bytes(&json!(raw));
            let (signed, found, sender) = SignedTransaction::decode(&raw).expect(name);
            assert_eq!(found, transaction, "{name}");
            assert_eq!(sender.to_checksum(None), text(&vector["from"]), "{name}");
            let hash = vector["txHash"].as_str().map(|hash| bytes(&json!(hash)));
            assert_eq!(signed.hash().map(|hash| hash.to_vec()), hash, "{name}");
        }
    }
}

#[test]
fn transactions_of_mppx_decode_to_their_fields() {
    let vectors = vectors("mppx.json");
    assert_eq!(list(&vectors["tx"]).len(), 6);
    for vector in list(&vectors["tx"]) {
        let name = text(&vector["name"]);
        let mut expected = transaction(&vector["fields"]);
        let sponsored = name.starts_with("sponsored");
        if sponsored {
            expected.fee = FeePayment::Sponsor;
        }
        assert_eq!(expected.signing_hash().as_slice(), bytes(&vector["signPayload"]), "{name}");
        let raw = bytes(&vector[if sponsored { "raw78" } else { "raw" }]);
        let (signed, found, sender) = SignedTransaction::decode(&raw).expect(name);
        assert_eq!(found, expected, "{name}");
        assert_eq!(sender.to_checksum(None), text(&vectors["keys"]["clientAddress"]), "{name}");
        assert_eq!(signed.hash().map(|hash| hash.to_string()).as_deref(), vector["hash"].as_str(), "{name}");
        if sponsored {
            let cosigned = SignedTransaction::decode(&bytes(&vector["cosignedRaw76"]));
            assert_eq!(cosigned.map(drop), Err(TransactionError::Field("fee_payer_signature")), "{name}");
        }
    }
}

#[test]
fn the_transaction_of_mpp_rs_pays_its_challenge() {
    let vector = &vectors("tempo.json")["tempo_tx_live_mpp_rs"];
    let (_, transaction, sender) = SignedTransaction::decode(&bytes(&vector["serialized"])).expect("decodes");
    let signer = LocalSigner::from_hex(text(&vector["privateKey"])).expect("a key");
    assert_eq!(sender, signer.address());
    assert_eq!(transaction.valid_before, vector["validBefore"].as_u64());
    let mut request = charge();
    request["amount"] = vector["challenge"]["amount"].clone();
    request["recipient"] = vector["challenge"]["recipient"].clone();
    let echo = json!({
        "id": vector["challenge"]["id"],
        "realm": vector["challenge"]["realm"],
        "method": "tempo",
        "intent": "charge",
        "request": base64url(&request),
    });
    let payload = json!({ "type": "transaction", "signature": vector["serialized"] });
    let credential = format!("Payment {}", base64url(&json!({ "challenge": echo, "payload": payload })));
    let credential = Credential::parse(credential.as_bytes()).expect("a credential");
    let signed_at = transaction.valid_before.expect("an end") - 25;
    credential.verify(4217, signed_at).expect("pays");
}

#[test]
fn a_payment_of_the_vectors_terms_is_the_vectors_transaction() {
    // The SDKs' vectors have no salt, so only these fields differ; all others are decided by us and equal theirs.
    let vectors = vectors("tempo.json");
    let expected = transaction(&vectors["tempo_tx"][0]);
    let fees = Fees {
        gas_first_transfer: expected.gas_limit,
        max_fee_per_gas: expected.max_fee_per_gas,
        max_priority_fee_per_gas: expected.max_priority_fee_per_gas,
        ..Fees::default()
    };
    let payment = pay(&policy().fees(fees), challenge(&charge()));
    let raw = payment.transaction().expect("a transaction").raw();
    let (_, mut found, sender) = SignedTransaction::decode(raw).expect("decodes");
    assert_eq!(sender, support::signer().address());
    assert!(found.valid_after.take().is_some());
    assert_eq!(found, expected);
}

#[test]
fn a_sponsored_payment_is_an_envelope_that_names_its_sender() {
    let mut request = charge();
    request["methodDetails"]["feePayer"] = json!(true);
    let payment = pay(&policy(), challenge(&request));
    assert_eq!(payment.hash(), None);
    let Payload::Transaction(raw) = payment.credential().payload() else { panic!("not a transaction") };
    assert_eq!(raw.first(), Some(&0x78));
    let (_, transaction, sender) = SignedTransaction::decode(raw).expect("decodes");
    assert_eq!((transaction.fee, sender), (FeePayment::Sponsor, support::signer().address()));
}

#[test]
fn a_transaction_signed_by_an_access_key_is_its_accounts() {
    let vectors = vectors("tempo.json");
    let vector = &vectors["tempo_tx_keychain"];
    let base = list(&vectors["tempo_tx"]).iter().find(|base| base["name"] == vector["base_tx"]);
    let key = LocalSigner::from_hex(text(&vector["accessPrivateKey"])).expect("a key").address();
    let (_, found, sender) = SignedTransaction::decode(&bytes(&vector["serialized"])).expect("decodes");
    assert_eq!(sender.to_checksum(None), text(&vector["rootAccount"]));
    assert_eq!(found, Transaction { access_key: Some(key), ..transaction(base.expect("its fields")) });
    assert_eq!(found.signing_hash().as_slice(), bytes(&vector["txSignPayload"]));
}
