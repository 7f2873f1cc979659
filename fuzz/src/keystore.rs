//! Keystore files by Web3 Secret Storage, version 3, with scrypt by RFC 7914 and PBKDF2 by RFC 8018, which are others' code.

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use alloy_primitives::{Address, keccak256};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::charge;

/// What a file holds.
#[derive(Debug)]
pub struct Keystore {
    pub address: Option<Address>,
    pub function: Function,
    pub salt: Vec<u8>,
    pub iv: [u8; 16],
    pub ciphertext: Vec<u8>,
    pub mac: [u8; 32],
}

/// How a passphrase becomes keys.
#[derive(Clone, Copy, Debug)]
pub enum Function {
    Scrypt { n: u64, r: u64, p: u64 },
    Pbkdf2 { rounds: u64 },
}

/// Reads a file. As in grok-cli, `Crypto` does for `crypto` where there is none, an address that is no text is none, and
/// what takes more than 512 MiB, 2^24 blocks or ten million rounds is refused.
pub fn read(file: &Value) -> Option<Keystore> {
    let crypto = file.get("crypto").or(file.get("Crypto"))?;
    let params = crypto.get("kdfparams")?;
    let number = |name: &str| params.get(name)?.as_u64();
    let function = match crypto.get("kdf")?.as_str()? {
        "scrypt" => Function::Scrypt { n: number("n")?, r: number("r")?, p: number("p")? },
        "pbkdf2" if params.get("prf")? == "hmac-sha256" => Function::Pbkdf2 { rounds: number("c")? },
        _ => return None,
    };
    let address = match file.get("address").and_then(Value::as_str) {
        None | Some("") => None,
        Some(text) => Some(Address::new(hex(text)?.try_into().ok()?)),
    };
    let as_it_must =
        file.get("version")? == 3 && crypto.get("cipher")? == "aes-128-ctr" && number("dklen")? == 32;
    let keystore = Keystore {
        address,
        function,
        salt: member(params, "salt")?,
        iv: member(crypto.get("cipherparams")?, "iv")?.try_into().ok()?,
        ciphertext: member(crypto, "ciphertext")?,
        mac: member(crypto, "mac")?.try_into().ok()?,
    };
    let taken = as_it_must && function.is_bearable() && (1..=32).contains(&keystore.ciphertext.len());
    taken.then_some(keystore)
}

impl Function {
    fn is_bearable(self) -> bool {
        match self {
            Function::Scrypt { n, r, p } => {
                let [n, r, p] = [n, r, p].map(u128::from);
                let memory = n.saturating_add(p).saturating_mul(r).saturating_mul(128);
                let small = memory <= 512 << 20 && self.work() <= 1 << 24 && p <= u128::from(u32::MAX);
                n > 1 && n.is_power_of_two() && r > 0 && p > 0 && small
            }
            Function::Pbkdf2 { rounds } => (1..=10_000_000).contains(&rounds),
        }
    }

    /// Blocks that are mixed, or rounds.
    pub fn work(self) -> u128 {
        match self {
            Function::Scrypt { n, r, p } => {
                [r, p].map(u128::from).iter().fold(n.into(), |work, factor| work.saturating_mul(*factor))
            }
            Function::Pbkdf2 { rounds } => rounds.into(),
        }
    }
}

impl Keystore {
    /// Seals a key's bytes.
    pub fn seal(function: Function, salt: Vec<u8>, iv: [u8; 16], key: &[u8], passphrase: &str) -> Self {
        let mut keystore =
            Keystore { address: None, function, salt, iv, ciphertext: key.to_vec(), mac: [0; 32] };
        let keys = keystore.keys(passphrase);
        keystore.ciphertext = keystore.mask(&keys);
        keystore.mac = mac(&keys, &keystore.ciphertext);
        keystore
    }

    /// The key's bytes, if the passphrase is the file's.
    pub fn open(&self, passphrase: &str) -> Option<Vec<u8>> {
        let keys = self.keys(passphrase);
        (mac(&keys, &self.ciphertext) == self.mac).then(|| self.mask(&keys))
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let hex = alloy_primitives::hex::encode::<&[u8]>;
        let (kdf, mut params) = match self.function {
            Function::Scrypt { n, r, p } => ("scrypt", json!({ "n": n, "r": r, "p": p })),
            Function::Pbkdf2 { rounds } => ("pbkdf2", json!({ "c": rounds, "prf": "hmac-sha256" })),
        };
        params["salt"] = hex(&self.salt).into();
        params["dklen"] = 32.into();
        let crypto = json!({
            "cipher": "aes-128-ctr",
            "cipherparams": { "iv": hex(&self.iv) },
            "ciphertext": hex(&self.ciphertext),
            "kdf": kdf,
            "kdfparams": params,
            "mac": hex(&self.mac),
        });
        json!({ "version": 3, "crypto": crypto }).to_string()
    }

    fn keys(&self, passphrase: &str) -> [u8; 32] {
        let (passphrase, mut keys) = (passphrase.as_bytes(), [0; 32]);
        match self.function {
            Function::Scrypt { n, r, p } => {
                let [r, p] = [r, p].map(|it| u32::try_from(it).expect("small"));
                let params = u8::try_from(n.ilog2()).map(|log_n| scrypt::Params::new(log_n, r, p));
                let params = params.expect("64 at most").expect("parameters");
                scrypt::scrypt(passphrase, &self.salt, &params, &mut keys).expect("32 bytes");
            }
            Function::Pbkdf2 { rounds } => {
                let rounds = u32::try_from(rounds).expect("few");
                pbkdf2::pbkdf2_hmac::<Sha256>(passphrase, &self.salt, rounds, &mut keys);
            }
        }
        keys
    }

    /// AES-128-CTR by NIST SP 800-38A, the counter being of all 128 bits.
    fn mask(&self, keys: &[u8; 32]) -> Vec<u8> {
        let cipher = Aes128::new_from_slice(&keys[..16]).expect("16 bytes");
        let mut counter = u128::from_be_bytes(self.iv);
        let mut text = self.ciphertext.clone();
        for chunk in text.chunks_mut(16) {
            let mut block = counter.to_be_bytes().into();
            cipher.encrypt_block(&mut block);
            chunk.iter_mut().zip(block).for_each(|(byte, mask)| *byte ^= mask);
            counter = counter.wrapping_add(1);
        }
        text
    }
}

fn mac(keys: &[u8; 32], ciphertext: &[u8]) -> [u8; 32] {
    keccak256([&keys[16..], ciphertext].concat()).0
}

fn member(object: &Value, name: &str) -> Option<Vec<u8>> {
    hex(object.get(name)?.as_str()?)
}

/// Two digits for each byte, behind `0x` or not.
fn hex(text: &str) -> Option<Vec<u8>> {
    charge::bytes(&format!("0x{}", text.strip_prefix("0x").unwrap_or(text)))
}
