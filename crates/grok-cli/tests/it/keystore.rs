//! Keystore files: those of others open, what is wrong with one is named, and none takes more than its share of memory.

use std::path::PathBuf;

use mpp_core::tempo::LocalSigner;
use serde_json::{Value, json};

use crate::support::{Home, assert_ended, stderr, stdout};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../testdata/keystores.json")).expect("JSON")
}

fn written(home: &Home, keystore: &Value) -> PathBuf {
    let path = home.file("keystore.json");
    std::fs::write(&path, keystore.to_string()).expect("written");
    path
}

#[test]
fn keystores_of_others_open_with_their_passphrase_alone() {
    let home = Home::new();
    for (name, vector) in vectors().as_object().expect("an object") {
        let text = |member: &str| vector[member].as_str().expect("text");
        let file = written(&home, &vector["json"]);
        let address = |passphrase: &str| {
            let mut command = home.keyless();
            command.args(["wallet", "address", "--key-file"]).arg(&file);
            command.env("GROK_MPP_PASSPHRASE", passphrase).output().expect("starts")
        };
        let key = LocalSigner::from_hex(&format!("{:0>64}", text("priv"))).expect("a key");
        let output = address(text("password"));
        assert_ended(&output, 0, "");
        assert_eq!(stdout(&output), format!("{}\n", key.address()), "{name}");
        let output = address("another");
        assert_ended(&output, 2, "the passphrase is wrong, or the file is damaged");
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn what_is_wrong_with_a_keystore_is_named() {
    let home = Home::new();
    let says = |keystore: &Value, says: &str| {
        let file = written(&home, keystore);
        let output = home.keyless().args(["wallet", "address", "--key-file"]).arg(&file).output();
        let output = output.expect("starts");
        assert_ended(&output, 2, &format!("grok-mpp: key file {}: {says}", file.display()));
        assert!(!stderr(&output).contains('\u{1b}'));
    };
    // Where, what instead, and what is said of it.
    let cases = [
        ("version", json!(1), "a keystore of version 1; only 3 can be read"),
        ("version", Value::Null, "JSON, but no keystore: it has no version"),
        ("address", json!("0x12"), "address must be 40 hexadecimal digits"),
        ("crypto/cipher", json!("aes-128-cbc"), "cipher is \"aes-128-cbc\"; only aes-128-ctr can be read"),
        ("crypto/cipherparams/iv", json!("00"), "iv must be of 16 bytes"),
        ("crypto/ciphertext", json!("00".repeat(33)), "ciphertext must be of 1 to 32 bytes"),
        ("crypto/ciphertext", json!(""), "ciphertext must be of 1 to 32 bytes"),
        ("crypto/mac", json!("x"), "mac must be hexadecimal"),
        ("crypto/kdf", json!("argon2\u{1b}[2K"), "kdf is \"argon2 [2K\"; only scrypt or pbkdf2 can be read"),
        ("crypto/kdf", Value::Null, "it has no kdf, which would be scrypt or pbkdf2"),
        ("crypto/kdf", json!("pbkdf2"), "it has no prf"),
        ("crypto/kdfparams/n", json!(3), "n must be a power of two"),
        ("crypto/kdfparams/n", json!(1), "n must be a power of two"),
        ("crypto/kdfparams/n", json!(1_u64 << 23), "n 8388608, r 8 and p 1 of scrypt take too much"),
        (
            "crypto/kdfparams/n",
            json!(1_u64 << 63),
            "n 9223372036854775808, r 8 and p 1 of scrypt take too much",
        ),
        ("crypto/kdfparams/p", json!(1 << 24), "n 2, r 8 and p 16777216 of scrypt take too much"),
        (
            "crypto/kdfparams/r",
            json!(u64::MAX),
            "n 2, r 18446744073709551615 and p 1 of scrypt take too much",
        ),
        ("crypto/kdfparams/r", json!(0), "r and p must not be zero"),
        ("crypto/kdfparams/p", json!(0), "r and p must not be zero"),
        ("crypto/kdfparams/dklen", json!(16), "dklen must be 32"),
        ("crypto/kdfparams/salt", json!(5), "salt must be hexadecimal"),
    ];
    for (place, instead, why) in cases {
        let mut keystore = vectors()["31_byte_key"]["json"].take();
        keystore["address"] = json!("");
        *keystore.pointer_mut(&format!("/{place}")).expect("a member") = instead;
        says(&keystore, why);
    }
    for (member, instead, why) in [
        ("c", json!(0), "c must be from 1 to 10000000"),
        ("c", json!(1_u64 << 40), "c must be from 1 to 10000000"),
        ("prf", json!("hmac-sha512"), "prf is \"hmac-sha512\"; only hmac-sha256 can be read"),
    ] {
        let mut keystore = vectors()["wikipage_test_vector_pbkdf2"]["json"].take();
        keystore["crypto"]["kdfparams"][member] = instead;
        says(&keystore, why);
    }
    says(&json!({ "note": "x".repeat(16 * 1024) }), "longer than 16384 bytes");
}

#[test]
fn a_keystore_that_names_another_address_pays_nothing() {
    let home = Home::new();
    let mut vector = vectors()["31_byte_key"].take();
    vector["json"]["address"] = json!("11".repeat(20));
    let file = written(&home, &vector["json"]);
    let mut command = home.keyless();
    command.args(["run", "--base-url", "http://127.0.0.1:1", "hello", "--key-file"]).arg(file);
    let output = command.env("GROK_MPP_PASSPHRASE", "foo").output().expect("starts");
    assert_ended(
        &output,
        2,
        "it names the address 0x1111111111111111111111111111111111111111, but holds the key of 0x",
    );
}
