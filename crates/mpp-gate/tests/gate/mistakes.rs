//! The mistakes that a deployed server was shown, each made anew at this gate: the drafts' status and problem, a fresh
//! challenge, and nothing else happens. It answered some of them with 500.

use alloy_primitives::{Address, B256, Bytes, U256, hex};
use k256::ecdsa::{RecoveryId, Signature, SigningKey};
use mpp_core::Policy;
use mpp_core::payee::body_digest;
use mpp_core::tempo::{self, Modes, SignedPayment, SignedTransaction};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::book;
use crate::shop::{PRICE, Shop};
use crate::support::{CHAIN, REALM, RECIPIENT, account, key, now, payer, tampered};
use crate::till::Till;

const BODY: &str = "two";

/// What comes of a mistake: a problem of this type, an answer to a payment, or the answer once more.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Comes {
    Refused(&'static str),
    Sold,
    Again,
}
use Comes::{Again, Refused, Sold};

/// A way from a good payment to a bad one, and what the drafts want it answered with.
struct Mistake {
    name: &'static str,
    target: &'static str,
    make: fn(&SignedPayment) -> String,
    comes: Comes,
}

const fn mistake(
    name: &'static str,
    target: &'static str,
    make: fn(&SignedPayment) -> String,
    comes: Comes,
) -> Mistake {
    Mistake { name, target, make, comes }
}

const FAILED: Comes = Refused("verification-failed");
const FOREIGN: Comes = Refused("invalid-challenge");
const MALFORMED: Comes = Refused("malformed-credential");

/// In the order in which they were recorded.
const MISTAKES: [Mistake; 24] = [
    mistake("valid", "/apple", good, Sold),
    mistake("replay same credential", "/apple", good, Again),
    mistake("tampered challenge id", "/apple", |payment| challenge(payment, "id", json!("AAAA")), FOREIGN),
    mistake("tampered request amount", "/apple", cheaper, FOREIGN),
    mistake("tampered realm", "/apple", |payment| challenge(payment, "realm", json!("evil.test")), FOREIGN),
    mistake("tampered expires", "/apple", |payment| challenge(payment, "expires", json!(LONG_AGO)), FOREIGN),
    mistake("garbage tx bytes", "/apple", |payment| transaction(payment, &[0x76, 0xc0].into()), FAILED),
    mistake("hash payload on pull-only", "/apple", unknown_hash, FAILED),
    mistake("unknown tx hash (any)", "/any/apple", unknown_hash, FAILED),
    mistake(
        "unknown payload type",
        "/apple",
        |payment| payload(payment, json!({"type": "bogus"})),
        MALFORMED,
    ),
    mistake("missing source", "/apple", |payment| source(payment, Value::Null), Sold),
    mistake("source of another account", "/apple", |payment| source(payment, did(1)), FAILED),
    mistake("transfer without memo", "/apple", |payment| forged(payment, |call| call.memo = None), FAILED),
    mistake("transfer with foreign memo", "/apple", |payment| forged(payment, foreign_memo), FAILED),
    mistake("underpayment", "/apple", |payment| forged(payment, |call| call.amount -= 1), FAILED),
    mistake(
        "validBefore too far (+60s), wrong recipient",
        "/apple",
        |payment| forged(payment, too_far),
        FAILED,
    ),
    mistake("not base64", "/apple", |_| "Payment !!!!".to_owned(), MALFORMED),
    mistake("base64 of non-json", "/apple", |_| "Payment aGVsbG8".to_owned(), MALFORMED),
    mistake("empty object", "/apple", |_| "Payment e30".to_owned(), MALFORMED),
    mistake("Bearer scheme", "/apple", |_| "Bearer abc".to_owned(), Refused("payment-required")),
    mistake("credential from other route (/scoped -> /pull)", "/pear", good, FOREIGN),
    mistake("zero: bad proof sig", "/taste", bad_proof, FAILED),
    mistake("zero: valid", "/taste", good, Sold),
    mistake("zero: replay", "/taste", good, Again),
];
const LONG_AGO: &str = "2020-01-01T00:00:00.000Z";

#[tokio::test]
async fn each_recorded_mistake_gets_the_drafts_problem_and_changes_nothing() {
    let recorded: Value =
        serde_json::from_str(include_str!("../../../mpp-core/testdata/failures.json")).unwrap();
    let names: Vec<&str> = recorded["exchanges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|exchange| exchange["name"].as_str().unwrap())
        .collect();
    assert_eq!(MISTAKES.iter().map(|mistake| mistake.name).collect::<Vec<_>>(), names);

    let (till, folder) = (Till::default(), TempDir::new().unwrap());
    let pull = Shop::lasting(&till, &folder, |gate| gate).await;
    let any = Shop::lasting(&till, &folder, |gate| gate.modes(Modes::Both)).await;
    let mut last = (String::new(), String::new());
    for Mistake { name, target, make, comes } in MISTAKES {
        let (shop, target) = match target.strip_prefix("/any") {
            Some(target) => (&any, target),
            None => (&pull, target),
        };
        let before = state(&pull, &any, &folder).await;
        // A credential is made for one thing; only the one for elsewhere is used for another.
        let made_for = if target == "/pear" { "/apple" } else { target };
        let (payment, _) = shop.buyer.payment(made_for, BODY).await;
        let fresh = make(&payment);
        let credential = if comes == Again { last.0.clone() } else { fresh };
        let answer = shop.buyer.post(target, BODY, &credential).await;
        let after = state(&pull, &any, &folder).await;
        match comes {
            Refused(kind) => {
                assert_eq!(answer.status, 402, "{name}: {answer:?}");
                answer.is_problem(402, kind);
                let challenge = answer.challenge();
                assert_ne!(challenge.id(), payment.challenge().id(), "{name}");
                assert_eq!(challenge.digest(), Some(&*body_digest(BODY.as_bytes())), "{name}");
                assert_eq!(after, before, "{name}");
            }
            Sold => {
                assert_eq!(answer.status, 200, "{name}: {answer:?}");
                answer.receipt().unwrap().check(&payment).unwrap();
                let paid = usize::from(target != "/taste");
                assert_eq!(after, (before.0 + paid, before.1 + 1, before.2 + 1), "{name}");
                last = (credential, answer.header("payment-receipt").unwrap().to_owned());
            }
            Again => {
                assert_eq!(answer.status, 200, "{name}: {answer:?}");
                assert_eq!(answer.header("payment-receipt"), Some(&*last.1), "{name}");
                assert_eq!(after, before, "{name}");
            }
        }
    }
}

/// What was sent, sold and written down.
async fn state(pull: &Shop, any: &Shop, folder: &TempDir) -> (usize, u64, usize) {
    let kept = book::read(folder, "SELECT challenge_id FROM sales").await.len();
    (pull.till.sent().len(), pull.sold() + any.sold(), kept)
}

fn good(payment: &SignedPayment) -> String {
    payment.credential().header_value()
}

fn challenge(payment: &SignedPayment, member: &'static str, value: Value) -> String {
    tampered(&good(payment), |credential| credential["challenge"][member] = value)
}

fn payload(payment: &SignedPayment, payload: Value) -> String {
    tampered(&good(payment), |credential| credential["payload"] = payload)
}

fn source(payment: &SignedPayment, source: Value) -> String {
    tampered(&good(payment), |credential| match source {
        Value::Null => drop(credential.as_object_mut().unwrap().remove("source")),
        source => credential["source"] = source,
    })
}

fn did(number: usize) -> Value {
    format!("did:pkh:eip155:{CHAIN}:{}", account(number).address()).into()
}

fn transaction(payment: &SignedPayment, raw: &Bytes) -> String {
    payload(payment, json!({"type": "transaction", "signature": raw.to_string()}))
}

fn unknown_hash(payment: &SignedPayment) -> String {
    payload(payment, json!({"type": "hash", "hash": B256::repeat_byte(0x11).to_string()}))
}

fn bad_proof(payment: &SignedPayment) -> String {
    payload(payment, json!({"type": "proof", "signature": format!("0x{}", "11".repeat(65))}))
}

/// The challenge for one base unit instead.
fn cheaper(payment: &SignedPayment) -> String {
    let charge = mpp_core::ChargeRequest::from_challenge(payment.challenge()).unwrap();
    let less = mpp_core::Amount::from_base_units(1);
    let less = mpp_core::ChargeRequest::new(less, charge.currency(), charge.recipient(), CHAIN);
    challenge(payment, "request", json!(less.encode()))
}

/// The one transfer of a payment.
struct Transfer {
    to: Address,
    amount: u64,
    memo: Option<B256>,
    valid_before: u64,
}

fn foreign_memo(transfer: &mut Transfer) {
    transfer.memo = Some(B256::repeat_byte(0x22));
}

fn too_far(transfer: &mut Transfer) {
    (transfer.to, transfer.amount, transfer.memo) = (account(1).address(), 1, None);
    transfer.valid_before = now() + 60;
}

/// The payment with another transfer, signed by its payer all the same.
fn forged(payment: &SignedPayment, change: fn(&mut Transfer)) -> String {
    let raw = payment.transaction().unwrap().raw();
    let (_, mut forged, sender) = SignedTransaction::decode(raw).unwrap();
    let mut transfer = Transfer {
        to: RECIPIENT,
        amount: PRICE,
        memo: payment.memo(),
        valid_before: forged.valid_before.unwrap(),
    };
    change(&mut transfer);
    forged.valid_before = Some(transfer.valid_before);
    forged.calls[0].input = input(&transfer).into();

    // An approval signs nothing of the kind, so the place of its signature is taken by one of the same key.
    let policy = Policy::new(CHAIN, [tempo::PATH_USD], "1".parse().unwrap()).realms([REALM]);
    let approval = policy.approve(payment.challenge().clone(), BODY.as_bytes(), now()).unwrap();
    let place = payer().sign(&approval.prepare(sender, now(), 0));
    let raw = forged.signed(sender, &place).raw().to_vec();
    let key = SigningKey::from_slice(&hex::decode(key(0)).unwrap()).unwrap();
    let (signature, recovery): (Signature, RecoveryId) =
        key.sign_prehash_recoverable(forged.signing_hash().as_slice());
    let signature = [&signature.to_bytes()[..], &[27 + u8::from(recovery.is_y_odd())]].concat();
    let raw = [&raw[..raw.len() - signature.len()], &signature].concat();
    assert_eq!(SignedTransaction::decode(&raw).unwrap().2, sender);
    transaction(payment, &raw.into())
}

/// `transfer(address,uint256)`, or `transferWithMemo(address,uint256,bytes32)`
fn input(transfer: &Transfer) -> Vec<u8> {
    let selector: [u8; 4] =
        if transfer.memo.is_some() { [0x95, 0x77, 0x7d, 0x59] } else { [0xa9, 0x05, 0x9c, 0xbb] };
    let amount = U256::from(transfer.amount).to_be_bytes::<32>();
    let memo = transfer.memo.unwrap_or_default();
    let memo = if transfer.memo.is_some() { memo.as_slice() } else { &[] };
    [&selector[..], transfer.to.into_word().as_slice(), &amount, memo].concat()
}
