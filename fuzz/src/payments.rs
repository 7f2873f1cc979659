//! Signed payments for targets to change, and the payee that asked for them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use mpp_core::payee::{Offer, body_digest};
use mpp_core::tempo::{self, Address, LocalSigner, Modes, SignedPayment, Unsigned};
use mpp_core::{Amount, Challenge, ChargeRequest, Policy, Transfer};

use crate::base64;

/// When they were made, in Unix seconds.
pub const NOW: u64 = 1_800_000_000;
/// What the payee's challenges are bound by.
pub const SECRET: &[u8] = b"a secret of the payee";

/// A plain payment, one with splits, a sponsored one, one that is pushed, one like the
/// first by an access key, and a proof.
pub static PAYMENTS: LazyLock<[SignedPayment; 6]> = LazyLock::new(|| {
    prepare().map(|unsigned| {
        let signature = signer().sign(&unsigned);
        unsigned.signed(&signature)
    })
});

/// The same before they were signed.
pub static UNSIGNED: LazyLock<[Unsigned; 6]> = LazyLock::new(prepare);

/// Who signs them.
pub fn signer() -> LocalSigner {
    LocalSigner::from_bytes(&[0x11; 32]).expect("a key")
}

fn prepare() -> [Unsigned; 6] {
    let charge = |amount| {
        let amount = Amount::from_base_units(amount);
        ChargeRequest::new(amount, tempo::PATH_USD, Address::repeat_byte(0x74), tempo::MAINNET)
    };
    let split = |amount, memo| Transfer {
        to: Address::repeat_byte(0xa1),
        amount: Amount::from_base_units(amount),
        memo,
    };
    let splits = vec![split(1, None), split(2, Some(tempo::B256::repeat_byte(0xab)))];
    let account = Some(tempo::PATH_USD);
    [
        (charge(10_000).with_modes(Modes::Both), None),
        (charge(10_000).split(splits).expect("less than the amount"), None),
        (charge(10_000).sponsored(), None),
        (charge(10_000).with_modes(Modes::Push), None),
        (charge(10_000).with_modes(Modes::Both).with_external_id("another"), account),
        (charge(0).with_external_id("order \u{2116} 1"), None),
    ]
    .map(|(charge, account)| approve(&charge, account))
}

/// The credentials' JSON: the challenge, the payload, the source.
pub static PARTS: LazyLock<Vec<[String; 3]>> = LazyLock::new(|| {
    let parts = PAYMENTS.iter().map(|payment| {
        let value = payment.credential().header_value();
        let json =
            base64::decode_any(value.strip_prefix("Payment ").expect("the scheme")).expect("base64url");
        let json = String::from_utf8(json).expect("text");
        let at = |name| json.find(name).expect(name);
        let (payload, source) = (at(r#","payload":"#), at(r#","source":"#));
        [&json[..payload], &json[payload..source], &json[source..]].map(str::to_owned)
    });
    parts.collect()
});

fn approve(charge: &ChargeRequest, account: Option<Address>) -> Unsigned {
    let digest = body_digest(b"body");
    let offer = Offer {
        realm: "shop.example",
        request: charge,
        expires_at: Some(NOW + 20),
        digest: Some(&digest),
        description: Some("a thing"),
        opaque: BTreeMap::from([("order", "1")]),
    };
    let challenge = Challenge::issue(SECRET, &offer).expect("a challenge");
    let policy = Policy::new(tempo::MAINNET, [tempo::PATH_USD], Amount::from_base_units(10_000));
    let policy = policy.realms(["shop.example"]).push(true);
    let signer = signer();
    let approval = policy.approve(challenge, b"body", NOW).expect("approved");
    match account {
        None => approval.prepare(signer.address(), NOW, 5),
        Some(account) => approval.prepare(account, NOW, 5).with_access_key(signer.address()),
    }
}
