//! What a payer can show of a payment to claim it back, as JSON.

use mpp_core::{Amount, Quote};
use serde_json::{Value, json};

use crate::client::Quoted;
use crate::payment::Payment;

impl Payment {
    /// All that is known of the payment but the signed transaction: what was asked for, what was signed, what came back,
    /// and what the chain says. Amounts are strings of base units, times are Unix seconds.
    #[must_use]
    pub fn evidence(&self) -> Value {
        let answer = self.answer.as_ref();
        json!({
            "id": self.id,
            "state": self.state.name(),
            "money": self.money().name(),
            "request": { "method": self.method, "url": self.url, "body_digest": self.body_digest },
            // As received, so that the server can check its own binding of the id.
            "challenge": self.challenge.encode(),
            "terms": terms(&self.quote),
            "payer": self.payer,
            "transaction": self.hash(),
            "memo": self.memo(),
            "valid_before": self.valid_before(),
            "reserved_at": self.reserved_at,
            "sent_at": self.signed.as_ref().map(|signed| signed.at),
            "answer": answer.map(|answer| json!({
                "at": answer.at,
                "status": answer.status,
                "body_digest": answer.body_digest,
            })),
            "receipt": self.receipt.as_ref().map(|receipt| json!({
                "reference": receipt.reference(),
                "timestamp": receipt.timestamp(),
                "external_id": receipt.external_id(),
            })),
            "failure": self.failure,
            "chain": self.settled.as_ref().map(|settled| json!({
                "looked_up_at": settled.at,
                "transaction": settled.hash,
                "amount": base_units(settled.amount),
                "fee": base_units(settled.fee),
            })),
        })
    }
}

impl Quoted {
    /// The terms as JSON, in the words of a payment's [`evidence`](Payment::evidence).
    #[must_use]
    pub fn terms(&self) -> Value {
        terms(&self.quote)
    }
}

fn terms(quote: &Quote) -> Value {
    json!({
        "realm": quote.realm,
        "challenge_id": quote.challenge_id,
        "amount": base_units(quote.amount),
        "token": quote.token,
        "chain_id": quote.chain_id,
        "recipients": quote.transfers.iter().map(|transfer| json!({
            "address": transfer.to,
            "amount": base_units(transfer.amount),
            "memo": transfer.memo,
        })).collect::<Vec<_>>(),
        "fee_ceiling": base_units(quote.fee_ceiling),
        "sponsored": quote.sponsored,
    })
}

/// A string, as it can exceed what JSON readers hold exactly.
fn base_units(amount: Amount) -> String {
    amount.base_units().to_string()
}
