//! Any text as a keystore file: it is read exactly when every field is as Web3 Secret Storage has it and the passphrase
//! would take no more than its share of memory and work. What opens is the key that was sealed, under its passphrase alone,
//! and none once a bit of its ciphertext or MAC is another.
//!
//! What starts with a brace is the file. Else words of a line: n, r and p of scrypt, or 0, the rounds of PBKDF2 and
//! anything, then the key, the IV and the salt in hexadecimal, of which a file is made.

#![no_main]
#![allow(dead_code, reason = "of the module that is included, a part is used")]

use alloy_primitives::{Address, hex};
use libfuzzer_sys::fuzz_target;
use mpp_core_fuzz::key::Key;
use mpp_core_fuzz::keystore::{Function, Keystore as Slow, read};
use mpp_core_fuzz::words::Words;

#[path = "../../crates/grok-cli/src/wallet/keystore.rs"]
mod keystore;

use keystore::Keystore;

fuzz_target!(|data: &[u8]| {
    let made = if data.starts_with(b"{") { None } else { Some(made(Words::new(data))) };
    let text = match &made {
        None => std::str::from_utf8(data).unwrap_or_default().to_owned(),
        Some((keystore, _)) => keystore.text(),
    };
    let expected = serde_json::from_str(&text).ok().as_ref().and_then(read);
    let keystore = match Keystore::parse(&text) {
        Ok(keystore) => keystore,
        Err(why) => {
            assert!(expected.is_none(), "{why}: {expected:?}");
            let control = |letter: char| letter.is_control() && letter != '\t';
            assert!(why.chars().count() < 300 && !why.contains(control), "{why}");
            return;
        }
    };
    let mut expected = expected.expect("a keystore");
    assert_eq!(keystore.address, expected.address);
    if expected.function.work() > MOST_WORK {
        return;
    }
    let key = expected.open(PASSPHRASE);
    if let Some((_, made)) = made {
        assert_eq!(key.as_ref(), Some(&made));
    }
    let owner = key.as_deref().and_then(owner);
    let owner = owner.filter(|owner| expected.address.is_none_or(|said| said == *owner));
    assert_eq!(open(&keystore, PASSPHRASE), owner);
    if owner.is_none() {
        return;
    }
    assert_eq!(open(&keystore, "another"), None);
    for at in 0..expected.ciphertext.len() + expected.mac.len() {
        let bit = 1 << (at % 8);
        let changed = expected.ciphertext.iter_mut().chain(&mut expected.mac);
        changed.skip(at).take(1).for_each(|byte| *byte ^= bit);
        let damaged = Keystore::parse(&expected.text()).expect("a keystore");
        assert_eq!(open(&damaged, PASSPHRASE), None, "{expected:?}");
        let changed = expected.ciphertext.iter_mut().chain(&mut expected.mac);
        changed.skip(at).take(1).for_each(|byte| *byte ^= bit);
    }
});

/// A keystore, and the key that is in it.
fn made(mut words: Words<'_>) -> (Slow, Vec<u8>) {
    let [n, r, p] = [(); 3].map(|()| words.read::<u64>() % 32);
    let function = match n {
        0 => Function::Pbkdf2 { rounds: r.max(1) },
        n => Function::Scrypt { n: n.next_power_of_two().max(2), r: r.max(1), p: p.max(1) },
    };
    let [mut key, mut iv, salt] = [(); 3].map(|()| hex::decode(words.word()).unwrap_or_default());
    key.resize(key.len().clamp(1, 32), 0);
    iv.resize(16, 0xff);
    (Slow::seal(function, salt, iv.try_into().expect("16 bytes"), &key, PASSPHRASE), key)
}

fn open(keystore: &Keystore, passphrase: &str) -> Option<Address> {
    keystore.open(passphrase).ok().map(|signer| signer.address())
}

/// Whose key the number is.
fn owner(key: &[u8]) -> Option<Address> {
    let mut number = [0; 32];
    number[32 - key.len()..].copy_from_slice(key);
    Key::from_bytes(&number).map(|key| key.1)
}

const PASSPHRASE: &str = "a passphrase";
/// Blocks of scrypt or rounds of PBKDF2 that an execution can wait for.
const MOST_WORK: u128 = 32 * 1024;
