//! What the chain's register of access keys says of one: the calls that ask it, what they answer, and whether a payment
//! fits (TIP-1011).

use alloy_primitives::{Address, U256, address};

use crate::amount::Amount;

/// Where the chain keeps whose keys may sign for whom.
pub const ACCOUNT_KEYCHAIN: Address = address!("aaaaaaaa00000000000000000000000000000000");

/// What the chain knows of a key that is to sign for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyStatus {
    /// The account has not authorised it.
    Unknown,
    /// The account took its authorisation back, for good.
    Revoked,
    /// The account authorised it.
    Authorized {
        /// It may not sign from this on, in Unix seconds.
        expires_at: u64,
        /// How much it may still spend of the token asked about; `None` when it may spend all there is, of any.
        limit: Option<KeyLimit>,
    },
}

/// What is left of an access key's limit for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyLimit {
    /// In base units.
    pub remaining: Amount,
    /// When the limit starts anew, in Unix seconds; `None` when it never does.
    pub renewed_at: Option<u64>,
}

impl KeyStatus {
    /// The inputs of the two calls to [`ACCOUNT_KEYCHAIN`] that [`decode`](KeyStatus::decode) reads the answers of.
    #[must_use]
    pub fn calls(account: Address, key: Address, token: Address) -> [Vec<u8>; 2] {
        let input = |selector: [u8; 4], arguments: &[Address]| {
            let words = arguments.iter().flat_map(|argument| argument.into_word().0);
            selector.into_iter().chain(words).collect()
        };
        [input(GET_KEY, &[account, key]), input(GET_REMAINING_LIMIT, &[account, key, token])]
    }

    /// Reads the answers to the two calls; `None` when they are none of the register's.
    #[must_use]
    pub fn decode(key: &[u8], limit: &[u8]) -> Option<Self> {
        let number = |word: &[u8; 32]| U256::from_be_bytes(*word);
        let seconds = |word: &[u8; 32]| u64::try_from(number(word)).ok();
        let ([_, id, expires_at, limited, revoked], []) = key.as_chunks::<32>() else { return None };
        let ([remaining, renewed_at], []) = limit.as_chunks::<32>() else { return None };
        if !number(revoked).is_zero() {
            return Some(KeyStatus::Revoked);
        }
        if number(id).is_zero() {
            return Some(KeyStatus::Unknown);
        }
        let limit = KeyLimit {
            remaining: Amount::from_base_units(u128::try_from(number(remaining)).unwrap_or(u128::MAX)),
            renewed_at: Some(seconds(renewed_at)?).filter(|time| *time != 0),
        };
        let limit = (!number(limited).is_zero()).then_some(limit);
        Some(KeyStatus::Authorized { expires_at: seconds(expires_at)?, limit })
    }

    /// Whether the key may sign a payment of `amount`, at `now` in Unix seconds. `fee` is the most that the payer pays for
    /// it in the same token, which counts against the limit: the chain sets it aside first and gives the rest back.
    ///
    /// # Errors
    /// When it may not.
    pub fn check(&self, amount: Amount, fee: Amount, now: u64) -> Result<(), KeyRefusal> {
        let (expires_at, limit) = match *self {
            KeyStatus::Unknown => return Err(KeyRefusal::Unknown),
            KeyStatus::Revoked => return Err(KeyRefusal::Revoked),
            KeyStatus::Authorized { expires_at, limit } => (expires_at, limit),
        };
        if expires_at <= now {
            return Err(KeyRefusal::Expired { expires_at, now });
        }
        match limit {
            Some(KeyLimit { remaining, .. })
                if amount.checked_add(fee).is_none_or(|needed| needed > remaining) =>
            {
                Err(KeyRefusal::OverLimit { remaining, amount, fee })
            }
            _ => Ok(()),
        }
    }
}

/// `getKey(address,address)`
const GET_KEY: [u8; 4] = [0xbc, 0x29, 0x85, 0x53];
/// `getRemainingLimitWithPeriod(address,address,address)`
const GET_REMAINING_LIMIT: [u8; 4] = [0xa7, 0xf7, 0x2c, 0xab];

/// Why the chain does not let an access key make a payment. It reads on from the key's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyRefusal {
    /// The account has not authorised it.
    #[error("is not authorised by the account that pays; authorise it from there")]
    Unknown,
    /// The account took its authorisation back.
    #[error("was revoked by the account that pays; authorise another key from there")]
    Revoked,
    /// Its time is over.
    #[error(
        "expired at {expires_at}, now {now} (Unix seconds); authorise another from the account that pays"
    )]
    Expired {
        /// When it ended, in Unix seconds.
        expires_at: u64,
        /// The time given, in Unix seconds.
        now: u64,
    },
    /// Less is left of its limit.
    #[error(
        "may spend {remaining} dollars more, the payment takes {amount} and up to {fee} in fees; raise its limit from \
         the account that pays"
    )]
    OverLimit {
        /// What is left, in base units.
        remaining: Amount,
        /// The price, in base units.
        amount: Amount,
        /// The most the payer pays in fees, in base units.
        fee: Amount,
    },
}
