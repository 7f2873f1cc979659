//! A charge: the `request` of a challenge in, checked amounts, token and recipients out
//! (draft-payment-intent-charge-00 §4, draft-tempo-charge-00 §4). A request that could be read in two ways is refused.

use alloy_primitives::{Address, B256};
use serde::Serialize;

use crate::amount::Amount;
use crate::base64url;
use crate::challenge::{Challenge, MAX_REQUEST};
use crate::json::{self, Json, Object, WrongType};

/// What a `tempo` `charge` challenge asks for. The splits always sum to less than the amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeRequest {
    amount: Amount,
    currency: Address,
    recipient: Address,
    chain_id: Option<u64>,
    fee_payer: bool,
    modes: Modes,
    splits: Vec<Transfer>,
    memo: Option<B256>,
    external_id: Option<String>,
}

/// One payment out of a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Who receives it.
    pub to: Address,
    /// How much, in base units of the charge's token.
    pub amount: Amount,
    /// The memo that goes with it, if it must have one.
    pub memo: Option<B256>,
}

/// How a payee lets a charge be submitted (draft-tempo-charge-00 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modes {
    /// The payee broadcasts the signed transaction.
    Pull,
    /// The payer broadcasts it and hands over the hash.
    Push,
    /// Either.
    Both,
}

impl ChargeRequest {
    /// A charge of `amount` base units of `currency` on chain `chain_id`, all for `recipient`, submitted by the payee.
    #[must_use]
    pub fn new(amount: Amount, currency: Address, recipient: Address, chain_id: u64) -> Self {
        let modes = Modes::Pull;
        ChargeRequest {
            amount,
            currency,
            recipient,
            chain_id: Some(chain_id),
            fee_payer: false,
            modes,
            splits: Vec::new(),
            memo: None,
            external_id: None,
        }
    }

    /// The same charge, parts of it going to others; `recipient` keeps the rest.
    ///
    /// # Errors
    /// For more than ten splits, one of nothing, or a sum that leaves `recipient` nothing.
    pub fn split(mut self, splits: Vec<Transfer>) -> Result<Self, ChargeError> {
        self.splits = splits;
        self.check_splits()?;
        Ok(self)
    }

    /// The same charge, to be submitted like this. A sponsored one stays with pull.
    #[must_use]
    pub fn with_modes(mut self, modes: Modes) -> Self {
        self.modes = if self.fee_payer { Modes::Pull } else { modes };
        self
    }

    /// The same charge, the transaction's fee paid by the payee, who therefore has to be handed it: pull only
    /// (draft-tempo-charge-00 §4.3, §6).
    #[must_use]
    pub fn sponsored(mut self) -> Self {
        self.fee_payer = true;
        self.modes = Modes::Pull;
        self
    }

    /// The same charge with the payee's own reference, such as an order number. The payer sees it.
    #[must_use]
    pub fn with_external_id(mut self, external_id: impl Into<String>) -> Self {
        self.external_id = Some(external_id.into());
        self
    }

    /// Reads the request of a challenge.
    ///
    /// # Errors
    /// For another method or intent, for anything but JSON with unique keys, and for a field that is missing, of
    /// another type, or out of its range.
    pub fn from_challenge(challenge: &Challenge) -> Result<Self, ChargeError> {
        if challenge.method != "tempo" || challenge.intent != "charge" {
            return Err(ChargeError::Unsupported);
        }
        let bytes = base64url::decode(&challenge.request, MAX_REQUEST).map_err(ChargeError::Request)?;
        let request = json::object(&bytes).map_err(ChargeError::Request)?;
        let empty = Object::default();
        let details = match request.get("methodDetails") {
            None => &empty,
            Some(Json::Object(details)) => details,
            Some(_) => return Err(ChargeError::field("methodDetails", "must be an object")),
        };
        let charge = ChargeRequest {
            amount: amount(&request)?,
            currency: address(&request, "currency")?,
            recipient: address(&request, "recipient")?,
            chain_id: match details.get("chainId") {
                None => None,
                Some(Json::Integer(id)) => Some(*id),
                Some(_) => return Err(ChargeError::field("methodDetails.chainId", "must be a whole number")),
            },
            fee_payer: match details.get("feePayer") {
                None => false,
                Some(Json::Bool(value)) => *value,
                Some(_) => return Err(ChargeError::field("methodDetails.feePayer", "must be true or false")),
            },
            modes: modes(details.get("supportedModes"))?,
            splits: splits(details.get("splits"))?,
            memo: memo(details)?,
            external_id: request.string("externalId")?.map(str::to_owned),
        };
        charge.check_splits()?;
        Ok(charge)
    }

    /// The total, in base units; zero asks for a proof of identity instead of money.
    #[must_use]
    pub fn amount(&self) -> Amount {
        self.amount
    }

    /// The TIP-20 token to pay in.
    #[must_use]
    pub fn currency(&self) -> Address {
        self.currency
    }

    /// Who receives what the splits leave.
    #[must_use]
    pub fn recipient(&self) -> Address {
        self.recipient
    }

    /// The chain to pay on; `None` where the payee leaves it open.
    #[must_use]
    pub fn chain_id(&self) -> Option<u64> {
        self.chain_id
    }

    /// Whether the payee pays the transaction's fee.
    #[must_use]
    pub fn fee_payer(&self) -> bool {
        self.fee_payer
    }

    /// How the payment may be submitted.
    #[must_use]
    pub fn modes(&self) -> Modes {
        self.modes
    }

    /// The payee's own reference, such as an order number.
    #[must_use]
    pub fn external_id(&self) -> Option<&str> {
        self.external_id.as_deref()
    }

    /// Every transfer the payment consists of: the recipient's first, then the splits in their order.
    #[must_use]
    pub fn transfers(&self) -> Vec<Transfer> {
        let split = self.split_sum().unwrap_or(self.amount);
        let rest = self.amount.checked_sub(split).unwrap_or_default();
        let primary = Transfer { to: self.recipient, amount: rest, memo: self.memo };
        std::iter::once(primary).chain(self.splits.iter().copied()).collect()
    }

    /// The base64url text of the `request` parameter, its JSON in canonical form (RFC 8785).
    #[must_use]
    pub fn encode(&self) -> String {
        let wire = Wire {
            amount: self.amount.base_units().to_string(),
            currency: self.currency,
            external_id: self.external_id.as_deref(),
            method_details: WireDetails {
                chain_id: self.chain_id,
                fee_payer: self.fee_payer.then_some(true),
                memo: self.memo,
                splits: self.splits.iter().map(WireSplit::from).collect(),
                supported_modes: match self.modes {
                    Modes::Both => &[],
                    Modes::Pull => &["pull"],
                    Modes::Push => &["push"],
                },
            },
            recipient: self.recipient,
        };
        base64url::encode(serde_json::to_vec(&wire).unwrap_or_default())
    }

    fn split_sum(&self) -> Option<Amount> {
        self.splits.iter().try_fold(Amount::ZERO, |sum, split| sum.checked_add(split.amount))
    }

    fn check_splits(&self) -> Result<(), ChargeError> {
        if self.splits.len() > MAX_SPLITS {
            return Err(ChargeError::field("methodDetails.splits", "has more than 10 entries"));
        }
        if self.splits.iter().any(|split| split.amount.is_zero()) {
            return Err(ChargeError::field("methodDetails.splits[].amount", "must be above zero"));
        }
        match self.split_sum() {
            Some(sum) if self.splits.is_empty() || sum < self.amount => Ok(()),
            _ => Err(ChargeError::field("methodDetails.splits", "must sum to less than the amount")),
        }
    }
}

fn amount(object: &Object<'_>) -> Result<Amount, ChargeError> {
    let text = object.string("amount")?.ok_or(ChargeError::Missing { field: "amount" })?;
    Amount::from_integer(text).map_err(|why| ChargeError::Amount { why })
}

/// Addresses come in differing letter case; only the 20 bytes count.
fn address(object: &Object<'_>, field: &'static str) -> Result<Address, ChargeError> {
    let text = object.string(field)?.ok_or(ChargeError::Missing { field })?;
    hex(text).map(Address::new).ok_or(ChargeError::field(field, "must be 0x and 40 hexadecimal digits"))
}

fn memo(object: &Object<'_>) -> Result<Option<B256>, ChargeError> {
    let Some(text) = object.string("memo")? else { return Ok(None) };
    hex(text)
        .map(|bytes| Some(B256::new(bytes)))
        .ok_or(ChargeError::field("memo", "must be 0x and 64 hexadecimal digits"))
}

/// Exactly `N` bytes of hexadecimal behind `0x`.
pub(crate) fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    text.starts_with("0x").then(|| alloy_primitives::hex::decode_to_array(text).ok()).flatten()
}

fn modes(value: Option<&Json<'_>>) -> Result<Modes, ChargeError> {
    let Some(value) = value else { return Ok(Modes::Both) };
    let Json::Array(names) = value else {
        return Err(ChargeError::field("methodDetails.supportedModes", "must be an array"));
    };
    let offers = |mode: &str| names.iter().any(|name| matches!(name, Json::String(name) if name == mode));
    match (offers("pull"), offers("push")) {
        (true, true) => Ok(Modes::Both),
        (true, false) => Ok(Modes::Pull),
        (false, true) => Ok(Modes::Push),
        (false, false) => {
            Err(ChargeError::field("methodDetails.supportedModes", "names neither pull nor push"))
        }
    }
}

fn splits(value: Option<&Json<'_>>) -> Result<Vec<Transfer>, ChargeError> {
    match value {
        None => Ok(Vec::new()),
        Some(Json::Array(entries)) if !entries.is_empty() => entries
            .iter()
            .map(|entry| match entry {
                Json::Object(entry) => Ok(Transfer {
                    to: address(entry, "recipient")?,
                    amount: amount(entry)?,
                    memo: memo(entry)?,
                }),
                _ => Err(ChargeError::field("methodDetails.splits[]", "must be an object")),
            })
            .collect(),
        Some(_) => Err(ChargeError::field("methodDetails.splits", "must be an array of at least one entry")),
    }
}

/// Most splits (draft-tempo-charge-00 §4.4.3).
const MAX_SPLITS: usize = 10;

/// The request with its members in the order RFC 8785 sorts them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    amount: String,
    currency: Address,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    method_details: WireDetails,
    recipient: Address,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    chain_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fee_payer: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memo: Option<B256>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    splits: Vec<WireSplit>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    supported_modes: &'static [&'static str],
}

#[derive(Serialize)]
struct WireSplit {
    amount: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    memo: Option<B256>,
    recipient: Address,
}

impl From<&Transfer> for WireSplit {
    fn from(split: &Transfer) -> Self {
        WireSplit { amount: split.amount.base_units().to_string(), memo: split.memo, recipient: split.to }
    }
}

/// Why the request of a challenge is no charge that could be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChargeError {
    /// Another method than `tempo`, or another intent than `charge`.
    #[error("not a tempo charge")]
    Unsupported,
    /// The `request` parameter holds no JSON object with unique keys.
    #[error("the request parameter {0}")]
    Request(&'static str),
    /// A required member is absent.
    #[error("the request lacks {field}")]
    Missing {
        /// Its name.
        field: &'static str,
    },
    /// An amount, of the charge or of a split, is not one.
    #[error("the request's amount {why}")]
    Amount {
        /// What is wrong with it.
        why: crate::amount::AmountError,
    },
    /// A member has a value the draft does not allow.
    #[error("the request's {field} {why}")]
    Invalid {
        /// Its path.
        field: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl ChargeError {
    const fn field(field: &'static str, why: &'static str) -> Self {
        ChargeError::Invalid { field, why }
    }
}

impl From<WrongType> for ChargeError {
    fn from(WrongType(field, why): WrongType) -> Self {
        ChargeError::Invalid { field, why }
    }
}
