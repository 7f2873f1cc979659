//! Any bytes as the JSON of a request: mpp-core and a naive reader see the same charge or none, it is read back as
//! written, and no policy approves more than its cap.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mpp_core::error::{ChargeError, Fault};
use mpp_core::tempo::Modes;
use mpp_core::tempo::{self, Address};
use mpp_core::{Amount, Challenge, ChargeRequest, Policy};
use mpp_core_fuzz::json::{self, Json};

fuzz_target!(|data: &[u8]| {
    let challenge = match with_request(&base64url(data)) {
        Ok(challenge) => challenge,
        Err(fault) => {
            assert!(matches!(fault, Fault::Invalid { parameter: "request", .. }), "{fault}");
            assert!(data.is_empty() || data.len() > 12_288);
            return;
        }
    };
    let found = ChargeRequest::from_challenge(&challenge);
    let Some(request @ Json::Object(_)) = json::parse(data) else {
        assert!(matches!(found, Err(ChargeError::Request(_))), "{found:?}");
        return;
    };
    assert!(!matches!(found, Err(ChargeError::Request(_))), "{found:?} of {request:?}");
    assert_eq!(found.as_ref().ok().map(show), naive(&request), "{found:?} of {request:?}");
    let Ok(charge) = found else { return };
    let again = with_request(&charge.encode()).expect("our own encoding");
    assert_eq!(ChargeRequest::from_challenge(&again).as_ref(), Ok(&charge));

    let cap = Amount::from_base_units(1_000_000);
    let policy = Policy::new(charge.chain_id().unwrap_or(1), [charge.currency()], cap).realms(["r"]).push(true);
    if let Ok(approval) = policy.approve(challenge, b"", 0) {
        let transfers = approval.charge().transfers();
        let sum = transfers.iter().try_fold(Amount::ZERO, |sum, transfer| sum.checked_add(transfer.amount));
        assert!(sum.is_some_and(|sum| sum <= cap && sum == approval.quote().amount), "{transfers:?}");
        let unsigned = approval.prepare(Address::ZERO, 0, 0);
        let calls = unsigned.transaction().map_or(0, |transaction| transaction.calls.len());
        assert_eq!(calls, if sum == Some(Amount::ZERO) { 0 } else { transfers.len() });
    }
});

fn with_request(request: &str) -> Result<Challenge, Fault> {
    let field = format!(r#"Payment id="i", realm="r", method="tempo", intent="charge", request="{request}""#);
    Challenge::parse_all([field]).remove(0).map_err(|error| error.fault)
}

/// A charge as text, in the order of the drafts.
fn show(charge: &ChargeRequest) -> String {
    let transfers = charge.transfers();
    let transfers =
        transfers.iter().map(|it| format!("{:#x} {} {:?}", it.to, it.amount.base_units(), it.memo));
    let modes = match charge.modes() {
        Modes::Pull => (true, false),
        Modes::Push => (false, true),
        Modes::Both => (true, true),
    };
    format!(
        "{} {:#x} {:?} {} {modes:?} {:?} {:?}",
        charge.amount().base_units(),
        charge.currency(),
        charge.chain_id(),
        charge.fee_payer(),
        charge.external_id(),
        transfers.collect::<Vec<_>>()
    )
}

/// The same text read from the JSON by the drafts' words; none where a member is not as they say.
fn naive(request: &Json) -> Option<String> {
    let nothing = Json::Object(Vec::new());
    let details = request.get("methodDetails").unwrap_or(&nothing);
    let Json::Object(_) = details else { return None };
    let total = amount(request)?;
    let currency = hex(request.get("currency")?, 40)?;
    let recipient = hex(request.get("recipient")?, 40)?;
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
            let has = |name: &str| names.contains(&Json::String(name.to_owned()));
            Some((has("pull"), has("push"))).filter(|modes| *modes != (false, false))?
        }
        Some(_) => return None,
    };
    let external_id = match request.get("externalId") {
        None => None,
        Some(Json::String(id)) => Some(id.as_str()),
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
                transfers.push(format!("{} {part} {}", hex(split.get("recipient")?, 40)?, memo(split)?));
            }
        }
        Some(_) => return None,
    }
    transfers.insert(0, format!("{recipient} {rest} {}", memo(details)?));
    Some(format!("{total} {currency} {chain_id:?} {fee_payer} {modes:?} {external_id:?} {transfers:?}"))
}

fn amount(object: &Json) -> Option<u128> {
    let Json::String(text) = object.get("amount")? else { return None };
    let amount: u128 = text.parse().ok()?;
    (amount.to_string() == *text).then_some(amount)
}

fn memo(object: &Json) -> Option<String> {
    let memo = match object.get("memo") {
        None => None,
        Some(memo) => Some(hex(memo, 64)?.parse::<tempo::B256>().ok()?),
    };
    Some(format!("{memo:?}"))
}

/// `0x` and exactly that many digits, in lower case.
fn hex(value: &Json, digits: usize) -> Option<String> {
    let Json::String(text) = value else { return None };
    let good =
        text.strip_prefix("0x")?.bytes().all(|byte| byte.is_ascii_hexdigit()) && text.len() == 2 + digits;
    good.then(|| text.to_ascii_lowercase())
}

fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0, |group, byte| group << 8 | usize::from(*byte)) << (8 * (3 - chunk.len()));
        text.extend((0..=chunk.len()).map(|at| char::from(ALPHABET[group >> (18 - 6 * at) & 63])));
    }
    text
}
