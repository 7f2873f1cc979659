//! Credentials put together from parts of good ones, with some bytes changed. The payee takes none that is not what a
//! payer signed for that very challenge, and no challenge that it did not make.
//!
//! The first three bytes say whose challenge, payload and source, the last of them also where and when; the rest is where to change the JSON (two bytes) and
//! what to (one byte, or nothing for a zero), again and again.

#![no_main]

use alloy_primitives::{Address, address};
use libfuzzer_sys::fuzz_target;
use mpp_core::tempo::{MAINNET, MODERATO, SignedPayment, Verified};
use mpp_core::{Challenge, Credential};
use mpp_core_fuzz::payments::{NOW, PARTS, PAYMENTS, SECRET};
use mpp_core_fuzz::{base64, header};

fuzz_target!(|data: &[u8]| {
    let [challenge, payload, source, changes @ ..] = data else { return };
    let part = |whose: &u8, part: usize| &*PARTS[usize::from(*whose) % PARTS.len()][part];
    let mut json = [part(challenge, 0), part(payload, 1), part(source, 2)].concat().into_bytes();
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % json.len();
        match change[2] {
            0 => drop(json.remove(at)),
            byte => json[at] = byte,
        }
    }
    let Ok(credential) = Credential::parse(format!("Payment {}", base64::encode(&json)).as_bytes()) else {
        return;
    };
    let challenge = credential.challenge();
    if !challenge.is_bound_by(SECRET) {
        return;
    }
    let asked = || PAYMENTS.iter().filter(|it| bound(it.challenge()) == bound(challenge));
    assert_ne!(asked().count(), 0, "{challenge:?}");
    let signed = |check: &dyn Fn(&SignedPayment) -> bool| assert!(asked().any(check), "{challenge:?}");
    let (chain_id, now) = WHERE_AND_WHEN[usize::from(*source) / PARTS.len() % WHERE_AND_WHEN.len()];
    let verified = credential.verify(chain_id, now);
    assert!(verified.is_err() || chain_id == MAINNET && now < NOW + 20, "{verified:?} at {now}");
    match verified {
        // Any signature is that of some key. Nobody has this one, and the chain knows no money of it.
        Ok(Verified::Transaction { transaction, payer, .. })
            if transaction.access_key.unwrap_or(payer) != KEY =>
        {
            let source = credential.source();
            assert!(source.is_none_or(|source| source == (chain_id, payer)), "{source:?}");
        }
        Ok(Verified::Transaction { payer, signed: raw, .. }) => {
            signed(&|it| it.transaction() == Some(&raw) && it.payer() == payer);
        }
        Ok(Verified::Proof { payer }) => signed(&|it| it.transaction().is_none() && it.payer() == payer),
        // Which transaction that is, only the chain says.
        Ok(Verified::Hash(_)) => signed(&|it| it.transaction().is_some()),
        Ok(other) => panic!("{other:?}"),
        Err(_) => {}
    }
});

/// In time, on another chain, nearly too late, and too late.
const WHERE_AND_WHEN: [(u64, u64); 4] =
    [(MAINNET, NOW), (MODERATO, NOW), (MAINNET, NOW + 19), (MAINNET, NOW + 20)];

/// The only key in this world.
const KEY: Address = address!("19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A");

/// A challenge but for its description.
fn bound(challenge: &Challenge) -> header::Challenge {
    header::Challenge { description: None, ..challenge.into() }
}
