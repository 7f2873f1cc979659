//! Keystore files, version 3 of the Web3 Secret Storage: a private key under a passphrase. What comes in may be anybody's:
//! it is checked field by field, and how much memory and work it asks for is limited.

use aes::Aes128;
use alloy_primitives::{Address, B256, Keccak256, hex};
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use mpp_core::printable;
use mpp_core::tempo::LocalSigner;
use scrypt::Params;
use serde_json::{Value, json};
use sha2::Sha256;
use zeroize::Zeroizing;

/// A key that only its passphrase opens.
pub(super) struct Keystore {
    /// Whose key it says it is; known for sure only once it is open.
    pub(super) address: Option<Address>,
    derivation: Derivation,
    iv: [u8; 16],
    ciphertext: Vec<u8>,
    mac: B256,
}

/// How the passphrase becomes the keys of cipher and MAC.
struct Derivation {
    salt: Vec<u8>,
    function: Function,
}

enum Function {
    Scrypt(Params),
    /// HMAC-SHA-256, this many times.
    Pbkdf2(u32),
}

/// The key of the cipher and that of the MAC.
type Keys = Zeroizing<[[u8; 16]; 2]>;

impl Keystore {
    /// Reads a keystore file's text, or says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let file: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
        match file.get("version").and_then(Value::as_u64) {
            Some(3) => {}
            Some(other) => return Err(format!("a keystore of version {other}; only 3 can be read")),
            None => return Err("JSON, but no keystore: it has no version".to_owned()),
        }
        // Old files of geth write it large.
        let crypto = file.get("crypto").or_else(|| file.get("Crypto")).unwrap_or_default();
        one_of(crypto, "cipher", &["aes-128-ctr"])?;
        let ciphertext = bytes(crypto, "ciphertext")?;
        if ciphertext.is_empty() || ciphertext.len() > 32 {
            return Err("ciphertext must be of 1 to 32 bytes, as a private key is".to_owned());
        }
        let address = match file.get("address").and_then(Value::as_str).unwrap_or_default() {
            "" => None,
            text => Some(text.parse().map_err(|_| "address must be 40 hexadecimal digits")?),
        };
        Ok(Keystore {
            address,
            derivation: Derivation::parse(crypto)?,
            iv: sized(crypto.get("cipherparams").unwrap_or_default(), "iv")?,
            ciphertext,
            mac: sized(crypto, "mac").map(B256::new)?,
        })
    }

    /// The key, if the passphrase is the file's and the key is of the address that the file names.
    pub(super) fn open(&self, passphrase: &str) -> Result<LocalSigner, String> {
        let [cipher_key, mac_key] = &*self.derivation.derive(passphrase)?;
        if mac(mac_key, &self.ciphertext) != self.mac {
            return Err("the passphrase is wrong, or the file is damaged".to_owned());
        }
        // Some write a key without its leading zeros.
        let mut key = Zeroizing::new([0; 32]);
        let (_, end) = key.split_at_mut(32_usize.saturating_sub(self.ciphertext.len()));
        end.copy_from_slice(&self.ciphertext);
        Ctr128BE::<Aes128>::new(cipher_key.into(), &self.iv.into()).apply_keystream(end);
        let signer = LocalSigner::from_bytes(&key).map_err(|error| error.to_string())?;
        match self.address {
            Some(address) if address != signer.address() => {
                Err(format!("it names the address {address}, but holds the key of {}", signer.address()))
            }
            _ => Ok(signer),
        }
    }

    /// Writes a key's keystore file.
    pub(super) fn write(
        key: &[u8; 32],
        address: Address,
        passphrase: &str,
        random: &Random,
    ) -> Result<String, String> {
        let Random { salt, iv, id } = random;
        let function = Function::Scrypt(Params::RECOMMENDED);
        let [cipher_key, mac_key] = &*Derivation { salt: salt.to_vec(), function }.derive(passphrase)?;
        let mut ciphertext = *key;
        Ctr128BE::<Aes128>::new(cipher_key.into(), iv.into()).apply_keystream(&mut ciphertext);
        let file = json!({
            "version": 3,
            "id": uuid(u128::from_be_bytes(*id)),
            "address": hex::encode(address),
            "crypto": {
                "cipher": "aes-128-ctr",
                "cipherparams": { "iv": hex::encode(iv) },
                "ciphertext": hex::encode(ciphertext),
                "kdf": "scrypt",
                "kdfparams": {
                    "dklen": 32,
                    "n": 1_u64 << Params::RECOMMENDED_LOG_N,
                    "r": Params::RECOMMENDED_R,
                    "p": Params::RECOMMENDED_P,
                    "salt": hex::encode(salt),
                },
                "mac": hex::encode(mac(mac_key, &ciphertext)),
            },
        });
        Ok(format!("{file:#}\n"))
    }
}

/// What a new keystore takes of randomness.
pub(super) struct Random {
    pub(super) salt: [u8; 32],
    pub(super) iv: [u8; 16],
    pub(super) id: [u8; 16],
}

impl Derivation {
    fn parse(crypto: &Value) -> Result<Self, String> {
        let params = crypto.get("kdfparams").unwrap_or_default();
        let function = match one_of(crypto, "kdf", &["scrypt", "pbkdf2"])? {
            "scrypt" => scrypt_params(params)?,
            _ => {
                one_of(params, "prf", &["hmac-sha256"])?;
                let rounds = u32::try_from(number(params, "c")?).ok();
                let rounds = rounds.filter(|rounds| (1..=MAX_ROUNDS).contains(rounds));
                Function::Pbkdf2(rounds.ok_or(format!("c must be from 1 to {MAX_ROUNDS}"))?)
            }
        };
        if number(params, "dklen")? != 32 {
            return Err("dklen must be 32".to_owned());
        }
        let salt = bytes(params, "salt")?;
        Ok(Derivation { salt, function })
    }

    fn derive(&self, passphrase: &str) -> Result<Keys, String> {
        let mut keys = Keys::default();
        let (passphrase, derived) = (passphrase.as_bytes(), keys.as_flattened_mut());
        match &self.function {
            Function::Scrypt(params) => scrypt::scrypt(passphrase, &self.salt, params, derived)
                .map_err(|error| format!("scrypt: {error}"))?,
            Function::Pbkdf2(rounds) => {
                pbkdf2::pbkdf2_hmac::<Sha256>(passphrase, &self.salt, *rounds, derived);
            }
        }
        Ok(keys)
    }
}

/// The parameters of scrypt, if they take neither too much memory nor too long.
fn scrypt_params(params: &Value) -> Result<Function, String> {
    let [n, r, p] = [number(params, "n")?, number(params, "r")?, number(params, "p")?];
    if n < 2 || !n.is_power_of_two() {
        return Err("n must be a power of two".to_owned());
    }
    let blocks = n.checked_add(p).and_then(|blocks| blocks.checked_mul(r));
    let work = n.checked_mul(r).and_then(|work| work.checked_mul(p));
    if blocks.is_none_or(|blocks| blocks > MAX_BLOCKS) || work.is_none_or(|work| work > MAX_WORK) {
        return Err(format!("n {n}, r {r} and p {p} of scrypt take too much memory or work"));
    }
    let [r, p] = [u32::try_from(r), u32::try_from(p)];
    let (r, p) = r.ok().zip(p.ok()).ok_or("r and p must be below 2^32")?;
    let log_n = u8::try_from(n.ilog2()).map_err(|error| error.to_string())?;
    let params = Params::new(log_n, r, p).map_err(|_| "r and p must not be zero")?;
    Ok(Function::Scrypt(params))
}

fn mac(key: &[u8; 16], ciphertext: &[u8]) -> B256 {
    let mut hash = Keccak256::new();
    hash.update(key);
    hash.update(ciphertext);
    hash.finalize()
}

/// A random number as a UUID of version 4.
fn uuid(random: u128) -> String {
    let id = random & !(0xf << 76) & !(0b11 << 62) | 4 << 76 | 0b10 << 62;
    let part = |shift: u32, mask: u128| id >> shift & mask;
    let (b, c, d) = (part(80, 0xffff), part(64, 0xffff), part(48, 0xffff));
    format!("{:08x}-{b:04x}-{c:04x}-{d:04x}-{:012x}", id >> 96, part(0, 0xffff_ffff_ffff))
}

fn one_of<'a>(object: &'a Value, name: &str, known: &[&str]) -> Result<&'a str, String> {
    let known_list = known.join(" or ");
    match object.get(name).and_then(Value::as_str) {
        Some(text) if known.contains(&text) => Ok(text),
        Some(other) => {
            Err(format!("{name} is \"{}\"; only {known_list} can be read", printable(other, MAX_SHOWN)))
        }
        None => Err(format!("it has no {name}, which would be {known_list}")),
    }
}

fn number(object: &Value, name: &str) -> Result<u64, String> {
    object.get(name).and_then(Value::as_u64).ok_or_else(|| format!("{name} must be a whole number"))
}

fn bytes(object: &Value, name: &str) -> Result<Vec<u8>, String> {
    let text = object.get(name).and_then(Value::as_str);
    text.and_then(|text| hex::decode(text).ok()).ok_or_else(|| format!("{name} must be hexadecimal"))
}

fn sized<const SIZE: usize>(object: &Value, name: &str) -> Result<[u8; SIZE], String> {
    let bytes = bytes(object, name)?;
    bytes.try_into().map_err(|_| format!("{name} must be of {SIZE} bytes"))
}

/// Most memory of scrypt, in blocks of 128 bytes: 512 MiB, four times what we write, twice what geth does.
const MAX_BLOCKS: u64 = 4 * 1024 * 1024;
/// Most work of scrypt, as n times r times p: sixteen times what we write, some seconds.
const MAX_WORK: u64 = 16 * 1024 * 1024;
/// Most rounds of PBKDF2: some seconds; the usual is 262,144.
const MAX_ROUNDS: u32 = 10_000_000;
/// Longest part of the file that is shown, in characters.
const MAX_SHOWN: usize = 40;
