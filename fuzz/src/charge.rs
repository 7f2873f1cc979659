//! The JSON of a `tempo` charge by the words of draft-tempo-charge-00 §4; and the same of what mpp-core read.

use mpp_core::ChargeRequest;
use mpp_core::tempo::{Address, B256, Modes};

use crate::json::Json;

/// Recipient, base units, memo.
pub type Transfer = (Address, u128, Option<B256>);

/// What a charge asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Charge {
    pub total: u128,
    pub currency: Address,
    pub chain_id: Option<u64>,
    pub fee_payer: bool,
    /// Pull and push.
    pub modes: (bool, bool),
    pub external_id: Option<String>,
    /// The recipient's first.
    pub transfers: Vec<Transfer>,
}

impl From<&ChargeRequest> for Charge {
    fn from(charge: &ChargeRequest) -> Self {
        let transfers = charge.transfers();
        Charge {
            total: charge.amount().base_units(),
            currency: charge.currency(),
            chain_id: charge.chain_id(),
            fee_payer: charge.fee_payer(),
            modes: match charge.modes() {
                Modes::Pull => (true, false),
                Modes::Push => (false, true),
                Modes::Both => (true, true),
            },
            external_id: charge.external_id().map(str::to_owned),
            transfers: transfers.iter().map(|it| (it.to, it.amount.base_units(), it.memo)).collect(),
        }
    }
}

/// Reads a request; none where a member is not as the drafts say.
pub fn read(request: &Json) -> Option<Charge> {
    let nothing = Json::Object(Vec::new());
    let details = request.get("methodDetails").unwrap_or(&nothing);
    let Json::Object(_) = details else { return None };
    let total = amount(request)?;
    let recipient = address(request.get("recipient")?)?;
    let chain_id = match details.get("chainId") {
        None => None,
        Some(Json::Natural(id)) => Some(*id),
        Some(_) => return None,
    };
    let fee_payer = match details.get("feePayer") {
        None => false,
        Some(Json::Bool(value)) => *value,
        Some(_) => return None,
    };
    let modes = match details.get("supportedModes") {
        None => (true, true),
        Some(Json::Array(names)) => {
            let has = |name: &str| names.iter().any(|it| matches!(it, Json::String(it) if it == name));
            Some((has("pull"), has("push"))).filter(|modes| *modes != (false, false))?
        }
        Some(_) => return None,
    };
    let external_id = match request.get("externalId") {
        None => None,
        Some(Json::String(id)) => Some(id.clone()),
        Some(_) => return None,
    };
    let mut transfers = Vec::new();
    let mut rest = total;
    match details.get("splits") {
        None => {}
        Some(Json::Array(splits)) if (1..=10).contains(&splits.len()) => {
            for split in splits {
                let part = amount(split).filter(|part| *part > 0)?;
                rest = rest.checked_sub(part).filter(|rest| *rest > 0)?;
                transfers.push((address(split.get("recipient")?)?, part, memo(split)?));
            }
        }
        Some(_) => return None,
    }
    transfers.insert(0, (recipient, rest, memo(details)?));
    let currency = address(request.get("currency")?)?;
    Some(Charge { total, currency, chain_id, fee_payer, modes, external_id, transfers })
}

fn amount(object: &Json) -> Option<u128> {
    let Json::String(text) = object.get("amount")? else { return None };
    let amount: u128 = text.parse().ok()?;
    (amount.to_string() == *text).then_some(amount)
}

fn memo(object: &Json) -> Option<Option<B256>> {
    match object.get("memo") {
        None => Some(None),
        Some(Json::String(text)) => hex(text).map(|memo| Some(B256::new(memo))),
        Some(_) => None,
    }
}

fn address(value: &Json) -> Option<Address> {
    let Json::String(text) = value else { return None };
    hex(text).map(Address::new)
}

/// `0x` and exactly twice that many digits.
pub fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    bytes(text)?.try_into().ok()
}

/// `0x` and two digits for each byte.
pub fn bytes(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: &u8| char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.strip_prefix("0x")?.as_bytes().as_chunks();
    let byte = |[high, low]: &[u8; 2]| Some(digit(high)? << 4 | digit(low)?);
    rest.is_empty().then(|| pairs.iter().map(byte).collect()).flatten()
}

/// What a call of `transfer(address,uint256)` or `transferWithMemo(address,uint256,bytes32)` moves; none for any other.
pub fn transfer(input: &[u8]) -> Option<Transfer> {
    let (selector, words) = input.split_at_checked(4)?;
    let words: Vec<&[u8]> = words.chunks(32).collect();
    let (to, amount, memo) = match (selector, &words[..]) {
        ([0xa9, 0x05, 0x9c, 0xbb], [to, amount]) => (to, amount, None),
        ([0x95, 0x77, 0x7d, 0x59], [to, amount, memo]) => (to, amount, Some(B256::try_from(*memo).ok()?)),
        _ => return None,
    };
    let to = to.strip_prefix(&[0; 12])?.try_into().ok()?;
    let amount = amount.strip_prefix(&[0; 16])?.try_into().ok()?;
    Some((to, u128::from_be_bytes(amount), memo))
}
