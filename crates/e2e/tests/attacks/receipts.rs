//! Attacks by receipt: none, malformed, for something else, for a failure, or two.

use alloy_primitives::B256;
use base64_022::Engine as _;
use base64_022::engine::general_purpose::URL_SAFE_NO_PAD;
use e2e::{Heard, Reply};
use mpp_core::Receipt;
use mpp_core::error::ReceiptError;
use mpp_http::Payment;
use serde_json::{Value, json};

use crate::attack::{Attack, accepted, answered, confirmed};
use crate::demand::merge;

pub(crate) fn attacks() -> Vec<Attack> {
    let other = || Receipt::new(B256::repeat_byte(7).to_string(), 0, None).encode();
    let own = |heard: &Heard| heard.receipt().encode();
    let mut attacks = wrong();
    attacks.extend([
        Attack::once_paid("no receipt", |_| Reply::new(200, &[], "bought")).ends_paid(accepted),
        Attack::once_paid("receipt on a failure", move |heard| Reply::new(500, &[(FIELD, &own(heard))], ""))
            .ends_paid_and_lost(answered(500))
            .with_payment(confirmed),
        Attack::once_paid("receipt on a redirect", move |heard| {
            Reply::new(302, &[(FIELD, &own(heard)), ("location", "http://0.0.0.0:1/")], "")
        })
        .ends_paid_and_lost(answered(302))
        .with_payment(confirmed),
        Attack::once_paid("receipt for another payment on a failure", move |_| {
            Reply::new(500, &[(FIELD, &other())], "")
        })
        .ends_unknown(answered(500)),
        Attack::once_paid("receipt twice", move |heard| {
            Reply::new(200, &[(FIELD, &own(heard)), (FIELD, &own(heard))], "bought")
        })
        .ends_paid(confirmed),
        Attack::once_paid("receipt for another payment behind the own", move |heard| {
            Reply::new(200, &[(FIELD, &own(heard)), (FIELD, &other())], "bought")
        })
        .ends_paid(confirmed),
        Attack::once_paid("receipt for another payment before the own", move |heard| {
            Reply::new(200, &[(FIELD, &other()), (FIELD, &own(heard))], "bought")
        })
        .ends_paid(is(ReceiptError::Reference)),
        Attack::unpaid("receipt for who has not paid", Reply::new(200, &[(FIELD, &other())], "free"))
            .ends_handed_back(200),
    ]);
    attacks
}

/// Receipts that are none, on a success.
fn wrong() -> Vec<Attack> {
    let made_of = |name: &str, text: fn(&Heard) -> String, why: ReceiptError| {
        Attack::once_paid(name, move |heard| Reply::new(200, &[(FIELD, &text(heard))], "bought"))
            .ends_paid(is(why))
    };
    vec![
        made_of("receipt for another payment", |_| own_with(None, json!({})), ReceiptError::Reference),
        made_of(
            "receipt for the challenge",
            |heard| {
                let id = heard.credential().expect("a credential").challenge().id().to_owned();
                own_with(Some(heard), json!({ "reference": id }))
            },
            ReceiptError::Reference,
        ),
        made_of("receipt of garbage", |_| "?".to_owned(), ReceiptError::Encoding("is not base64url")),
        made_of("receipt of nothing", |_| URL_SAFE_NO_PAD.encode("{}"), ReceiptError::Member("status")),
        made_of(
            "receipt that is a list",
            |_| URL_SAFE_NO_PAD.encode("[]"),
            ReceiptError::Encoding("is not a JSON object"),
        ),
        made_of(
            "receipt too long",
            |heard| own_with(Some(heard), json!({ "x": "x".repeat(16 << 10) })),
            ReceiptError::Encoding("is too long"),
        ),
        made_of(
            "receipt by another method",
            |heard| own_with(Some(heard), json!({ "method": "stripe" })),
            ReceiptError::Method,
        ),
        made_of(
            "receipt of a failure",
            |heard| own_with(Some(heard), json!({ "status": "failed" })),
            ReceiptError::Status,
        ),
        made_of(
            "receipt of something pending",
            |heard| own_with(Some(heard), json!({ "status": "pending" })),
            ReceiptError::Status,
        ),
        made_of(
            "receipt of two statuses",
            |_| URL_SAFE_NO_PAD.encode(r#"{"status":"failed","status":"success"}"#),
            ReceiptError::Encoding("has a key twice"),
        ),
    ]
}

/// A receipt for the payment heard, or for one that never was, some members of it different.
fn own_with(heard: Option<&Heard>, members: Value) -> String {
    let reference =
        heard.map_or(B256::repeat_byte(7).to_string(), |heard| heard.receipt().reference().to_owned());
    let mut receipt = json!({
        "method": "tempo",
        "reference": reference,
        "status": "success",
        "timestamp": "2026-01-01T00:00:00Z",
    });
    merge(&mut receipt, members);
    URL_SAFE_NO_PAD.encode(receipt.to_string())
}

/// The answer is delivered, its receipt not believed for this reason.
fn is(expected: ReceiptError) -> impl Fn(&Payment) -> bool + Send {
    move |payment| payment.receipt().is_none() && payment.failure() == Some(&expected.to_string())
}

const FIELD: &str = "payment-receipt";
