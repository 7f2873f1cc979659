//! The payee's check of a payment that the payer broadcast: the logs of the mined transaction in, who paid out
//! (draft-tempo-charge-00 §7.3).

use alloy_primitives::{Address, B256, b256};

use super::verify::VerifyError;
use crate::amount::Amount;
use crate::charge::{ChargeRequest, Transfer};
use crate::credential::Credential;

/// One transfer as a TIP-20 token logs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferLog {
    /// The contract that logged it; that it is a token worth anything is for the reader to check.
    pub token: Address,
    /// Whose money it was.
    pub from: Address,
    /// Who received it.
    pub to: Address,
    /// How much, in base units.
    pub amount: Amount,
    /// Its memo; `None` for a `Transfer`, which a token also logs, once more, for each `TransferWithMemo`.
    pub memo: Option<B256>,
}

impl TransferLog {
    /// Reads a log of either event, given the address, topics and data of it; `None` for any other log, and for an
    /// amount of 2^128 or more.
    #[must_use]
    pub fn decode(address: Address, topics: &[B256], data: &[u8]) -> Option<Self> {
        let (from, to, memo) = match topics {
            [TRANSFER, from, to] => (from, to, None),
            [TRANSFER_WITH_MEMO, from, to, memo] => (from, to, Some(*memo)),
            _ => return None,
        };
        let (upper, amount) = data.split_last_chunk::<16>()?;
        if upper != [0; 16] {
            return None;
        }
        Some(TransferLog {
            token: address,
            from: Address::from_word(*from),
            to: Address::from_word(*to),
            amount: Amount::from_base_units(u128::from_be_bytes(*amount)),
            memo,
        })
    }
}

impl Credential {
    /// Who paid this credential's challenge, by all transfers that the transaction it names logged. The transaction may
    /// do other things too; what is asked for must all come from one payer, the source if the credential has one.
    ///
    /// The caller has checked that [`verify`](Credential::verify) takes the credential, and that the transaction is the
    /// one named, is on that chain, and succeeded.
    ///
    /// # Errors
    /// [`VerifyError::MissingTransfer`] when a transfer is not there, and [`VerifyError::Source`] when somebody else
    /// than the source made it.
    pub fn paid_by(&self, logs: &[TransferLog]) -> Result<Address, VerifyError> {
        let charge = ChargeRequest::from_challenge(self.challenge()).map_err(VerifyError::Charge)?;
        let transfers = transfers(charge.currency(), logs);
        let source = self.source().map(|(_, address)| address);
        let mut error = VerifyError::MissingTransfer { index: 0 };
        let mut tried: Vec<Address> = Vec::new();
        for (payer, _) in &transfers {
            if tried.contains(payer) {
                continue;
            }
            tried.push(*payer);
            let own = transfers.iter().filter(|(from, _)| from == payer).map(|(_, transfer)| *transfer);
            match self.take_transfers(&charge, own.collect()) {
                Ok(_) if source.is_none_or(|source| source == *payer) => return Ok(*payer),
                Ok(_) => error = VerifyError::Source,
                Err(VerifyError::MissingTransfer { index: 0 }) => {}
                Err(missing) => error = missing,
            }
        }
        Err(error)
    }
}

/// The transfers of one token by payer. Each with a memo was logged twice, and its plain log counts for nothing else.
fn transfers(token: Address, logs: &[TransferLog]) -> Vec<(Address, Transfer)> {
    let of_token = || logs.iter().filter(|log| log.token == token);
    let mut plain: Vec<&TransferLog> = of_token().filter(|log| log.memo.is_none()).collect();
    let mut found: Vec<&TransferLog> = of_token().filter(|log| log.memo.is_some()).collect();
    for memoed in &found {
        let same = |log: &&TransferLog| TransferLog { memo: memoed.memo, ..**log } == **memoed;
        if let Some(at) = plain.iter().position(same) {
            plain.swap_remove(at);
        }
    }
    found.extend(plain);
    found.iter().map(|log| (log.from, Transfer { to: log.to, amount: log.amount, memo: log.memo })).collect()
}

/// `Transfer(address,address,uint256)`
const TRANSFER: B256 = b256!("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
/// `TransferWithMemo(address,address,uint256,bytes32)`
const TRANSFER_WITH_MEMO: B256 = b256!("57bc7354aa85aed339e000bccffabbc529466af35f0772c8f8ee1145927de7f0");
