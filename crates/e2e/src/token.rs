//! Tempo's dollar tokens (TIP-20) as the chain shows them: calldata, transfers with a memo, and fees.

use alloy_primitives::{Address, B256, U256, address, b256, hex};
use serde_json::Value;

/// pathUSD, six decimals: one dollar is 1,000,000 base units.
pub const PATH_USD: Address = address!("20c0000000000000000000000000000000000000");

/// Where fees are transferred to.
const FEE_COLLECTOR: Address = address!("feec000000000000000000000000000000000000");

/// `Transfer(address,address,uint256)`.
const TRANSFER: B256 = b256!("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");

/// `TransferWithMemo(address,address,uint256,bytes32)`.
pub(crate) const TRANSFER_WITH_MEMO: B256 =
    b256!("57bc7354aa85aed339e000bccffabbc529466af35f0772c8f8ee1145927de7f0");

/// A `TransferWithMemo` event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoTransfer {
    /// The token that moved.
    pub token: Address,
    /// Who sent it.
    pub from: Address,
    /// Who received it.
    pub to: Address,
    /// How much, in base units.
    pub amount: u128,
    /// The memo.
    pub memo: B256,
    /// The transaction's hash.
    pub transaction: B256,
}

impl MemoTransfer {
    pub(crate) fn from_log(log: &Value) -> Self {
        Self {
            token: field(log, "/address"),
            from: topic_address(log, 1),
            to: topic_address(log, 2),
            amount: data_amount(log),
            memo: field(log, "/topics/3"),
            transaction: field(log, "/transactionHash"),
        }
    }
}

/// A transaction in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mined {
    /// Whether its calls took effect.
    pub succeeded: bool,
    /// Who signed it.
    pub from: Address,
    /// Who paid the fee, read off the transfer to the fee collector.
    pub fee_payer: Address,
    /// The fee, in base units of the fee token.
    pub fee: u128,
}

impl Mined {
    pub(crate) fn from_receipt(receipt: &Value) -> Self {
        let logs = receipt.get("logs").and_then(Value::as_array).expect("a receipt has logs");
        let fee = logs
            .iter()
            .rfind(|log| {
                field::<B256>(log, "/topics/0") == TRANSFER && topic_address(log, 2) == FEE_COLLECTOR
            })
            .expect("every transaction transfers a fee");
        Self {
            succeeded: field::<U256>(receipt, "/status") == U256::ONE,
            from: field(receipt, "/from"),
            fee_payer: topic_address(fee, 1),
            fee: data_amount(fee),
        }
    }
}

/// Calldata of `balanceOf(address)`, as hex.
pub(crate) fn balance_of(owner: Address) -> String {
    format!("0x70a08231{}", hex::encode(owner.into_word()))
}

/// Calldata of `transfer(address,uint256)`, as hex.
pub(crate) fn transfer(to: Address, amount: u128) -> String {
    format!("0xa9059cbb{}{amount:064x}", hex::encode(to.into_word()))
}

/// A hex string as an amount, a length or a time.
pub(crate) fn number<N: TryFrom<U256>>(value: &Value) -> N {
    let number = value.as_str().and_then(|text| text.parse::<U256>().ok());
    number
        .and_then(|number| N::try_from(number).ok())
        .unwrap_or_else(|| panic!("not a number in range: {value}"))
}

fn field<T: std::str::FromStr>(value: &Value, pointer: &str) -> T {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("the node sent no {pointer} in {value}"))
}

fn topic_address(log: &Value, index: usize) -> Address {
    Address::from_word(field(log, &format!("/topics/{index}")))
}

fn data_amount(log: &Value) -> u128 {
    number(log.get("data").unwrap_or_default())
}
