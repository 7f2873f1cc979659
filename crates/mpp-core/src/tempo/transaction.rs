//! The Tempo transaction, type 0x76, and its envelope for sponsored payments, 0x78 (TIP-0001): fields to bytes and
//! back. What a payment has no use for (access lists, delegations, key authorisations, other signatures than
//! secp256k1, the payer's own or an access key's) is refused on the way in and empty on the way out.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_rlp::{Decodable, EMPTY_LIST_CODE, EMPTY_STRING_CODE, Encodable, Header};

use super::signer::Signature;
use super::{access_key, call};
use crate::amount::Amount;
use crate::charge::Transfer;

/// An unsigned Tempo transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The only chain it is valid on.
    pub chain_id: u64,
    /// The part of the fee offered to the proposer, in 10^-12 base units of the fee token for each gas.
    pub max_priority_fee_per_gas: u128,
    /// The highest fee, in 10^-12 base units of the fee token for each gas.
    pub max_fee_per_gas: u128,
    /// The most gas it may use.
    pub gas_limit: u64,
    /// What it does, all or nothing.
    pub calls: Vec<Call>,
    /// The nonce's lane; all ones for a nonce that expires (TIP-1009).
    pub nonce_key: U256,
    /// The nonce; 0 when it expires.
    pub nonce: u64,
    /// It is valid before this, in Unix seconds.
    pub valid_before: Option<u64>,
    /// It is valid from this on, in Unix seconds.
    pub valid_after: Option<u64>,
    /// Who pays the fee.
    pub fee: FeePayment,
    /// The key that signs for the sender, if it is not his own. Whether it may, only the chain knows.
    pub access_key: Option<Address>,
}

/// One contract call of a transaction; it moves no native value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The contract.
    pub to: Address,
    /// Selector and arguments.
    pub input: Bytes,
}

/// Who pays a transaction's fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeePayment {
    /// The sender, in this token, or in the one the chain has for him.
    Sender(Option<Address>),
    /// Somebody who has yet to sign.
    Sponsor,
}

/// A transaction with its sender's signature, as bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedTransaction {
    raw: Bytes,
    sponsored: bool,
}

impl Transaction {
    /// The most its fee can be, in base units of the fee token, rounded up.
    #[must_use]
    pub fn fee_ceiling(&self) -> Amount {
        fee_ceiling(self.gas_limit, self.max_fee_per_gas)
    }

    /// What it transfers, in its order, each with the token; `None` if any of its calls does anything else.
    #[must_use]
    pub fn transfers(&self) -> Option<Vec<(Address, Transfer)>> {
        self.calls.iter().map(|call| Some((call.to, call::decode(&call.input)?))).collect()
    }

    /// What the sender's own key signs: keccak256 of 0x76 and the fields, without a sponsor's token.
    #[must_use]
    pub fn signing_hash(&self) -> B256 {
        let fee = match self.fee {
            FeePayment::Sender(token) => (token, &[EMPTY_STRING_CODE][..]),
            FeePayment::Sponsor => (None, &[SPONSOR_MARK][..]),
        };
        keccak256(self.encode(TYPE, fee, None))
    }

    /// What is signed for `sender`, by his own key or his access key.
    pub(super) fn hash_to_sign(&self, sender: Address) -> B256 {
        let hash = self.signing_hash();
        if self.access_key.is_some() { access_key::signing_hash(hash, sender) } else { hash }
    }

    /// A signature for `sender` as it stands in the transaction.
    fn sealed(&self, sender: Address, signature: &Signature) -> Vec<u8> {
        match self.access_key {
            Some(_) => access_key::encode(sender, signature),
            None => signature.to_bytes().to_vec(),
        }
    }

    /// The transaction with the signature for `sender`: type 0x76, or an 0x78 envelope when a sponsor has to sign too.
    #[must_use]
    pub fn signed(&self, sender: Address, signature: &Signature) -> SignedTransaction {
        let signature = self.sealed(sender, signature);
        let (raw, sponsored) = match self.fee {
            FeePayment::Sender(token) => {
                (self.encode(TYPE, (token, &[EMPTY_STRING_CODE]), Some(&signature)), false)
            }
            FeePayment::Sponsor => {
                let slot = alloy_rlp::encode(sender.as_slice());
                (self.encode(ENVELOPE_TYPE, (None, &slot), Some(&signature)), true)
            }
        };
        SignedTransaction { raw: raw.into(), sponsored }
    }

    /// What a sponsor signs to pay `sender`'s fee in `token`: keccak256 of 0x78 and the fields, the sender in his slot.
    pub(super) fn sponsor_hash(&self, sender: Address, token: Address) -> B256 {
        let slot = alloy_rlp::encode(sender.as_slice());
        keccak256(self.encode(ENVELOPE_TYPE, (Some(token), &slot), None))
    }

    /// The transaction with the signature for `sender` and the sponsor's, who pays in `token`: type 0x76.
    pub(super) fn cosigned(
        &self,
        (sender, signature): (Address, &Signature),
        token: Address,
        sponsor: &Signature,
    ) -> SignedTransaction {
        let signature = self.sealed(sender, signature);
        let raw = self.encode(TYPE, (Some(token), &sponsor.to_list()), Some(&signature));
        SignedTransaction { raw: raw.into(), sponsored: false }
    }

    /// Type byte and list. `fee` is the fee's token and the RLP in the slot of the sponsor's signature.
    fn encode(&self, kind: u8, fee: (Option<Address>, &[u8]), signature: Option<&[u8]>) -> Vec<u8> {
        let mut fields = Vec::with_capacity(352);
        self.chain_id.encode(&mut fields);
        self.max_priority_fee_per_gas.encode(&mut fields);
        self.max_fee_per_gas.encode(&mut fields);
        self.gas_limit.encode(&mut fields);
        let mut calls = Vec::with_capacity(256);
        for call in &self.calls {
            let payload = 21 + 1 + call.input.length();
            Header { list: true, payload_length: payload }.encode(&mut calls);
            call.to.as_slice().encode(&mut calls);
            calls.push(EMPTY_STRING_CODE);
            call.input.encode(&mut calls);
        }
        Header { list: true, payload_length: calls.len() }.encode(&mut fields);
        fields.extend(calls);
        fields.push(EMPTY_LIST_CODE);
        self.nonce_key.to_be_bytes_trimmed_vec().as_slice().encode(&mut fields);
        self.nonce.encode(&mut fields);
        self.valid_before.unwrap_or_default().encode(&mut fields);
        self.valid_after.unwrap_or_default().encode(&mut fields);
        let (token, slot) = fee;
        token.as_ref().map_or(&[][..], |token| token.as_slice()).encode(&mut fields);
        fields.extend(slot);
        fields.push(EMPTY_LIST_CODE);
        if let Some(signature) = signature {
            signature.encode(&mut fields);
        }
        let mut out = Vec::with_capacity(384);
        out.push(kind);
        Header { list: true, payload_length: fields.len() }.encode(&mut out);
        out.extend(fields);
        out
    }
}

impl SignedTransaction {
    /// The bytes to broadcast, or, sponsored, to hand to the sponsor. Whoever has them can make the payment happen.
    #[must_use]
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The hash it will have on chain; `None` while a sponsor has yet to sign.
    #[must_use]
    pub fn hash(&self) -> Option<B256> {
        (!self.sponsored).then(|| keccak256(&self.raw))
    }

    /// Reads the bytes of a signed transaction or envelope and recovers who signed it: the sender, or an access key of
    /// his if the chain says so.
    ///
    /// # Errors
    /// For anything but canonical RLP of exactly the fields a payment uses, and for a signature of nobody.
    pub fn decode(raw: &[u8]) -> Result<(SignedTransaction, Transaction, Address), TransactionError> {
        if raw.len() > MAX_TRANSACTION {
            return Err(TransactionError::TooLong { length: raw.len(), limit: MAX_TRANSACTION });
        }
        let (transaction, _, sender) = decode_fields(raw)?;
        let sponsored = transaction.fee == FeePayment::Sponsor;
        let signed = SignedTransaction { raw: Bytes::copy_from_slice(raw), sponsored };
        Ok((signed, transaction, sender))
    }
}

/// The hash only: the bytes are as good as the money.
impl std::fmt::Debug for SignedTransaction {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SignedTransaction").field("hash", &self.hash()).finish_non_exhaustive()
    }
}

/// Gas at its highest price, in base units, rounded up; the highest amount if it is more than that.
pub(super) fn fee_ceiling(gas_limit: u64, max_fee_per_gas: u128) -> Amount {
    let attodollars = U256::from(gas_limit).saturating_mul(U256::from(max_fee_per_gas));
    let units = attodollars.div_ceil(U256::from(1_000_000_000_000_u64));
    Amount::from_base_units(units.saturating_to())
}

/// Reads the list in the order it is written; whom it is of follows from the signature.
pub(super) fn decode_fields(raw: &[u8]) -> Result<(Transaction, Signature, Address), TransactionError> {
    let (kind, mut rest) = raw.split_first().ok_or(TransactionError::Field("type"))?;
    if ![TYPE, ENVELOPE_TYPE].contains(kind) {
        return Err(TransactionError::Type { found: *kind });
    }
    let rest = &mut rest;
    let mut list = Header::decode_bytes(rest, true).map_err(|_| TransactionError::Field("list"))?;
    if !rest.is_empty() {
        return Err(TransactionError::Field("end"));
    }
    let fields = &mut list;
    let chain_id = number(fields, "chain_id")?;
    let max_priority_fee_per_gas = number(fields, "max_priority_fee_per_gas")?;
    let max_fee_per_gas = number(fields, "max_fee_per_gas")?;
    let gas_limit = number(fields, "gas_limit")?;
    let calls = decode_calls(fields)?;
    empty(fields, EMPTY_LIST_CODE, "access_list")?;
    let nonce_key = nonce_key(fields)?;
    let nonce = number(fields, "nonce")?;
    let valid_before = Some(number(fields, "valid_before")?).filter(|time| *time != 0);
    let valid_after = Some(number(fields, "valid_after")?).filter(|time| *time != 0);
    let (fee, claimed) = decode_fee(fields, *kind)?;
    empty(fields, EMPTY_LIST_CODE, "authorization_list")?;
    let bytes = string(fields, "signature")?;
    if !fields.is_empty() {
        return Err(TransactionError::Field("end"));
    }
    let mut transaction = Transaction {
        chain_id,
        max_priority_fee_per_gas,
        max_fee_per_gas,
        gas_limit,
        calls,
        nonce_key,
        nonce,
        valid_before,
        valid_after,
        fee,
        access_key: None,
    };
    let (signature, sender) = decode_signature(bytes, &mut transaction).ok_or(TransactionError::Signature)?;
    if claimed.is_some_and(|claimed| claimed != sender) {
        return Err(TransactionError::Sender);
    }
    Ok((transaction, signature, sender))
}

/// The fee's token and the slot of the sponsor's signature, in which an envelope names its sender.
fn decode_fee(fields: &mut &[u8], kind: u8) -> Result<(FeePayment, Option<Address>), TransactionError> {
    match (kind, optional_address(fields, "fee_token")?) {
        (ENVELOPE_TYPE, None) => {
            let sender = optional_address(fields, "sender")?.ok_or(TransactionError::Field("sender"))?;
            Ok((FeePayment::Sponsor, Some(sender)))
        }
        (ENVELOPE_TYPE, Some(_)) => Err(TransactionError::Field("fee_token")),
        (_, None) if fields.first() == Some(&SPONSOR_MARK) => {
            empty(fields, SPONSOR_MARK, "fee_payer_signature")?;
            Ok((FeePayment::Sponsor, None))
        }
        (_, token) => {
            empty(fields, EMPTY_STRING_CODE, "fee_payer_signature")?;
            Ok((FeePayment::Sender(token), None))
        }
    }
}

/// The signature and whom it is for; the transaction learns whether an access key made it.
fn decode_signature(bytes: &[u8], transaction: &mut Transaction) -> Option<(Signature, Address)> {
    let (account, bytes) = access_key::decode(bytes).map_or((None, bytes), |(it, bytes)| (Some(it), bytes));
    let signature = Signature::from_bytes(bytes.try_into().ok()?)?;
    // With v as 0 or 1 the same transaction would have a second hash.
    if signature.to_bytes() != bytes {
        return None;
    }
    let hash = transaction.signing_hash();
    match account {
        None => Some((signature.clone(), signature.recover(&hash)?)),
        Some(account) => {
            transaction.access_key = Some(signature.recover(&access_key::signing_hash(hash, account))?);
            Some((signature, account))
        }
    }
}

fn decode_calls(fields: &mut &[u8]) -> Result<Vec<Call>, TransactionError> {
    let wrong = |_| TransactionError::Field("calls");
    let mut list = Header::decode_bytes(fields, true).map_err(wrong)?;
    let mut calls = Vec::new();
    while !list.is_empty() {
        let mut call = Header::decode_bytes(&mut list, true).map_err(wrong)?;
        let call = &mut call;
        let to = optional_address(call, "calls")?.ok_or(TransactionError::Field("calls"))?;
        empty(call, EMPTY_STRING_CODE, "value of a call")?;
        let input = Bytes::copy_from_slice(string(call, "calls")?);
        if !call.is_empty() || calls.len() >= MAX_CALLS {
            return Err(TransactionError::Field("calls"));
        }
        calls.push(Call { to, input });
    }
    Ok(calls)
}

fn number<N: Decodable>(fields: &mut &[u8], field: &'static str) -> Result<N, TransactionError> {
    N::decode(fields).map_err(|_| TransactionError::Field(field))
}

fn string<'a>(fields: &mut &'a [u8], field: &'static str) -> Result<&'a [u8], TransactionError> {
    Header::decode_bytes(fields, false).map_err(|_| TransactionError::Field(field))
}

/// One byte that says "nothing here".
fn empty(fields: &mut &[u8], code: u8, field: &'static str) -> Result<(), TransactionError> {
    match fields.split_first() {
        Some((first, rest)) if *first == code => {
            *fields = rest;
            Ok(())
        }
        _ => Err(TransactionError::Field(field)),
    }
}

fn optional_address(fields: &mut &[u8], field: &'static str) -> Result<Option<Address>, TransactionError> {
    match string(fields, field)? {
        [] => Ok(None),
        bytes => Address::try_from(bytes).map(Some).map_err(|_| TransactionError::Field(field)),
    }
}

fn nonce_key(fields: &mut &[u8]) -> Result<U256, TransactionError> {
    let bytes = string(fields, "nonce_key")?;
    let canonical = bytes.first() != Some(&0);
    U256::try_from_be_slice(bytes).filter(|_| canonical).ok_or(TransactionError::Field("nonce_key"))
}

/// EIP-2718 type of a Tempo transaction.
const TYPE: u8 = 0x76;
/// Type of what a sponsor is handed, and domain of the sponsor's signature.
const ENVELOPE_TYPE: u8 = 0x78;
/// Stands in the sponsor's slot of what the sender signs.
const SPONSOR_MARK: u8 = 0x00;
/// Longest transaction read, in bytes; eleven transfers with memos take 1.7 kB.
const MAX_TRANSACTION: usize = 8 * 1024;
/// Most calls read; a charge has at most eleven transfers.
const MAX_CALLS: usize = 16;

/// Why bytes are not a payment's transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransactionError {
    /// Longer than is read.
    #[error("{length} bytes long, more than the limit of {limit}")]
    TooLong {
        /// Bytes received.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Another transaction type than 0x76 or 0x78.
    #[error("transaction type {found:#04x} is neither 0x76 nor 0x78")]
    Type {
        /// The first byte.
        found: u8,
    },
    /// A field that is not canonical RLP, out of range, or not empty where a payment has no use for it.
    #[error("the transaction's {0} is not as a payment has it")]
    Field(&'static str),
    /// The signature is not a secp256k1 signature of 65 bytes with a low s, nor one by an access key (type 0x04), or
    /// recovers no address.
    #[error("the signature is not a secp256k1 signature of this transaction")]
    Signature,
    /// The envelope names another sender than the one who signed.
    #[error("the envelope's sender is not who signed it")]
    Sender,
}

#[cfg(test)]
mod tests {
    use alloy_primitives::hex;
    use serde_json::Value;

    use super::*;

    /// `tests/it/vectors.rs` compares fields and hashes; this is the way back to bytes, which without an approval
    /// only this module has.
    #[test]
    fn decoded_transactions_encode_to_the_bytes_of_the_sdks() {
        let tempo: Value = serde_json::from_str(include_str!("../../testdata/tempo.json")).expect("JSON");
        let mppx: Value = serde_json::from_str(include_str!("../../testdata/mppx.json")).expect("JSON");
        let lists = [&tempo["tempo_tx"], &mppx["tx"]].map(|list| list.as_array().expect("an array"));
        for vector in lists.into_iter().flatten().chain([&tempo["tempo_tx_keychain"]]) {
            let raw = ["feePayerEnvelope", "serialized", "raw78", "raw"]
                .iter()
                .find_map(|name| vector[name].as_str());
            let raw = hex::decode(raw.expect("a transaction")).expect("hexadecimal");
            let (transaction, signature, payer) = decode_fields(&raw).expect("a transaction");
            assert_eq!(transaction.signed(payer, &signature).raw()[..], raw, "{}", vector["name"]);
        }
    }
}
