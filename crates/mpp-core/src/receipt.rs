//! The receipt: the value of a `Payment-Receipt` field in, and whether it is for the payment that was made
//! (draft-httpauth-payment §5.3).

use std::fmt;

use alloy_primitives::{Address, B256};
use serde::{Serialize, Serializer};

use crate::amount::Amount;
use crate::tempo::SignedPayment;
use crate::{base64url, charge, json, time};

/// What the payee says was settled. Servers may leave it out, so its absence says nothing.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "base_units")]
    amount: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    method: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payer: Option<Address>,
    reference: String,
    status: &'static str,
    timestamp: String,
}

impl Receipt {
    /// A receipt for a `tempo` payment: `reference` is the transaction's hash, or the challenge id of a proof;
    /// `settled_at` is in Unix seconds.
    #[must_use]
    pub fn new(reference: impl Into<String>, settled_at: u64, external_id: Option<&str>) -> Self {
        Receipt {
            amount: None,
            currency: None,
            external_id: external_id.map(str::to_owned),
            method: METHOD.to_owned(),
            payer: None,
            reference: reference.into(),
            status: SUCCESS,
            timestamp: time::format_rfc3339(settled_at),
        }
    }

    /// The same receipt with what was paid, in base units of `currency`, and by whom. No draft has these members; the
    /// deployed clients read past them.
    #[must_use]
    pub fn paid(mut self, amount: Amount, currency: Address, payer: Address) -> Self {
        (self.amount, self.currency, self.payer) = (Some(amount), Some(currency), Some(payer));
        self
    }

    /// Reads the value of a `Payment-Receipt` field.
    ///
    /// # Errors
    /// When it is not base64url of a JSON object with unique keys, lacks a member or has a malformed one, or does not say
    /// `success`.
    pub fn parse(value: &[u8]) -> Result<Self, ReceiptError> {
        let text = std::str::from_utf8(value).map_err(|_| ReceiptError::Encoding("is not base64url"))?;
        let bytes = base64url::decode(text.trim(), MAX_RECEIPT).map_err(ReceiptError::Encoding)?;
        let receipt = json::object(&bytes).map_err(ReceiptError::Encoding)?;
        let required = |member| {
            receipt.string(member).ok().flatten().map(str::to_owned).ok_or(ReceiptError::Member(member))
        };
        if required("status")? != SUCCESS {
            return Err(ReceiptError::Status);
        }
        let optional = |member| receipt.string(member).map_err(|_| ReceiptError::Member(member));
        let address = |member| {
            let text = optional(member)?;
            text.map(|text| charge::hex(text).map(Address::new).ok_or(ReceiptError::Member(member)))
                .transpose()
        };
        let amount = optional("amount")?.map(Amount::from_integer).transpose();
        Ok(Receipt {
            amount: amount.map_err(|_| ReceiptError::Member("amount"))?,
            currency: address("currency")?,
            external_id: receipt.string("externalId").ok().flatten().map(str::to_owned),
            method: required("method")?,
            payer: address("payer")?,
            reference: required("reference")?,
            status: SUCCESS,
            timestamp: required("timestamp")?,
        })
    }

    /// The value of the `Payment-Receipt` field.
    #[must_use]
    pub fn encode(&self) -> String {
        base64url::encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// The transaction's hash in hexadecimal, or a challenge id.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// The payment method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// When the payee says it was settled, as it wrote it.
    #[must_use]
    pub fn timestamp(&self) -> &str {
        &self.timestamp
    }

    /// The payee's own reference.
    #[must_use]
    pub fn external_id(&self) -> Option<&str> {
        self.external_id.as_deref()
    }

    /// What was paid, in base units, if the payee says so.
    #[must_use]
    pub fn amount(&self) -> Option<Amount> {
        self.amount
    }

    /// The token it was paid in, if the payee says so.
    #[must_use]
    pub fn currency(&self) -> Option<Address> {
        self.currency
    }

    /// Who paid, if the payee says so.
    #[must_use]
    pub fn payer(&self) -> Option<Address> {
        self.payer
    }

    /// The reference as a transaction hash; `None` for that of a proof.
    #[must_use]
    pub fn hash(&self) -> Option<B256> {
        charge::hex(&self.reference).map(B256::new)
    }

    /// Checks that this receipt is for `payment`: same method, and the hash that was signed, or, sponsored, any
    /// hash, or, for a proof, the challenge's id. Amount, currency and payer are those that were signed or left out.
    ///
    /// # Errors
    /// When it is for something else.
    pub fn check(&self, payment: &SignedPayment) -> Result<(), ReceiptError> {
        if self.method != METHOD {
            return Err(ReceiptError::Method);
        }
        let fits = match (payment.transaction(), payment.hash()) {
            (None, _) => self.reference == payment.challenge().id(),
            (Some(_), None) => self.hash().is_some(),
            (Some(_), signed) => self.hash() == signed,
        };
        if !fits {
            return Err(ReceiptError::Reference);
        }
        let quote = payment.quote();
        if self.amount.is_some_and(|amount| amount != quote.amount) {
            return Err(ReceiptError::Terms("amount"));
        }
        if self.currency.is_some_and(|currency| currency != quote.token) {
            return Err(ReceiptError::Terms("currency"));
        }
        if self.payer.is_some_and(|payer| payer != payment.payer()) {
            return Err(ReceiptError::Terms("payer"));
        }
        Ok(())
    }
}

/// An amount as the drafts write it: a string of base units.
fn base_units<S: Serializer>(amount: &Option<Amount>, serializer: S) -> Result<S::Ok, S::Error> {
    amount.map(|amount| amount.base_units().to_string()).serialize(serializer)
}

/// The reference alone: receipts are to be treated as sensitive (§11.8).
impl fmt::Debug for Receipt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Receipt").field("reference", &self.reference).finish_non_exhaustive()
    }
}

const METHOD: &str = "tempo";
const SUCCESS: &str = "success";
/// Longest receipt read, in characters, as in every deployed SDK.
const MAX_RECEIPT: usize = 16 * 1024;

/// Why a field value is no receipt, or none for the payment made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// Not base64url of a JSON object with unique keys.
    #[error("the receipt {0}")]
    Encoding(&'static str),
    /// A required member is missing, or a member is malformed.
    #[error("the receipt's {0} is missing or malformed")]
    Member(&'static str),
    /// The status is not `success`.
    #[error("the receipt's status is not success")]
    Status,
    /// For another payment method.
    #[error("the receipt is for another payment method than tempo")]
    Method,
    /// For another payment.
    #[error("the receipt's reference is not the payment that was made")]
    Reference,
    /// For this payment, but with another amount, currency or payer.
    #[error("the receipt's {0} is not that of the payment that was made")]
    Terms(&'static str),
}
