//! Any JSON as a receipt, or, if it does not begin with a brace, any bytes as the field: mpp-core and a naive reader see
//! the same receipt or none, it is read back as written, and is for the payments that it names and no other.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mpp_core::Receipt;
use mpp_core::tempo::Address;
use mpp_core_fuzz::json::{self, Json};
use mpp_core_fuzz::payments::PAYMENTS;
use mpp_core_fuzz::{base64, charge};

fuzz_target!(|data: &[u8]| {
    let field = match data {
        [b'{', ..] => base64::encode(data).into_bytes(),
        _ => data.to_vec(),
    };
    let found = Receipt::parse(&field).ok();
    let expected = naive(&field);
    assert_eq!(found.as_ref().map(Naive::from), expected, "{found:?}");
    let (Some(found), Some(expected)) = (found, expected) else { return };
    if let Ok(again) = Receipt::parse(found.encode().as_bytes()) {
        assert!(again == found);
    } else {
        assert!(found.encode().len() > 16_384);
    }
    for payment in &*PAYMENTS {
        let fits = match (payment.transaction(), payment.hash()) {
            (None, _) => expected.reference == payment.challenge().id(),
            (Some(_), hash) => {
                let named = charge::hex(&expected.reference);
                named.is_some_and(|named| hash.is_none_or(|hash| hash == named))
            }
        };
        let quote = payment.quote();
        let terms = expected.amount.is_none_or(|amount| amount == quote.amount.base_units())
            && expected.currency.is_none_or(|currency| currency == quote.token)
            && expected.payer.is_none_or(|payer| payer == payment.payer());
        assert_eq!(found.check(payment).is_ok(), expected.method == "tempo" && fits && terms);
    }
});

#[derive(Debug, PartialEq)]
struct Naive {
    method: String,
    reference: String,
    timestamp: String,
    external_id: Option<String>,
    amount: Option<u128>,
    currency: Option<Address>,
    payer: Option<Address>,
}

impl From<&Receipt> for Naive {
    fn from(receipt: &Receipt) -> Self {
        Naive {
            method: receipt.method().to_owned(),
            reference: receipt.reference().to_owned(),
            timestamp: receipt.timestamp().to_owned(),
            external_id: receipt.external_id().map(str::to_owned),
            amount: receipt.amount().map(|amount| amount.base_units()),
            currency: receipt.currency(),
            payer: receipt.payer(),
        }
    }
}

/// draft-httpauth-payment §5.3; as in mpp-core, an `externalId` of another type is none.
fn naive(field: &[u8]) -> Option<Naive> {
    let field = std::str::from_utf8(field).ok()?.trim();
    let receipt = json::parse(&base64::decode_any(field).filter(|_| field.len() <= 16_384)?)?;
    let Json::Object(_) = receipt else { return None };
    let text = |member| match receipt.get(member) {
        None => Some(None),
        Some(Json::String(text)) => Some(Some(text.clone())),
        Some(_) => None,
    };
    let address = |member| match text(member)? {
        None => Some(None),
        Some(text) => charge::hex(&text).map(|address| Some(Address::new(address))),
    };
    let amount = match text("amount")? {
        None => None,
        Some(text) => Some(text.parse().ok().filter(|amount: &u128| amount.to_string() == text)?),
    };
    (text("status")?? == "success").then_some(())?;
    Some(Naive {
        method: text("method")??,
        reference: text("reference")??,
        timestamp: text("timestamp")??,
        external_id: text("externalId").flatten(),
        amount,
        currency: address("currency")?,
        payer: address("payer")?,
    })
}
