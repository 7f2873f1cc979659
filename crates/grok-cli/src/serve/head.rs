//! What the head of an answer says of the money, and the names of the fields that clients send and heed.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use mpp_http::Payment;
use serde_json::{Value, json};

use crate::output::base_units;

/// The payment's number in the ledger, its price in base units, its token and chain, where the money is, and its
/// transaction, if that is known.
pub(super) fn payment(payment: &Payment) -> HeaderMap {
    let quote = payment.quote();
    let fields = [
        (HeaderName::from_static("x-mpp-payment-id"), Some(payment.id().to_string())),
        (HeaderName::from_static("x-mpp-amount"), Some(base_units(quote.amount))),
        (HeaderName::from_static("x-mpp-currency"), Some(quote.token.to_string())),
        (HeaderName::from_static("x-mpp-chain-id"), Some(quote.chain_id.to_string())),
        (MONEY, Some(payment.money().name().to_owned())),
        (HeaderName::from_static("x-mpp-transaction"), payment.hash().map(|hash| hash.to_string())),
    ];
    let fields = fields.into_iter().filter_map(|(name, text)| {
        let value = HeaderValue::try_from(text?).ok()?;
        Some((name, value))
    });
    fields.collect()
}

/// The same, for the body of an error.
pub(super) fn payment_value(payment: &Payment) -> Value {
    let quote = payment.quote();
    json!({
        "id": payment.id(),
        "money": payment.money().name(),
        "amount": base_units(quote.amount),
        "currency": quote.token.to_string(),
        "chain_id": quote.chain_id,
        "transaction": payment.hash().map(|hash| hash.to_string()),
    })
}

/// Whether the price moved.
pub(super) const MONEY: HeaderName = HeaderName::from_static("x-mpp-money");
/// Whether to try again, which overrules what the official clients make of a status.
pub(super) const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// How often the official clients have tried before.
pub(super) const RETRY_COUNT: HeaderName = HeaderName::from_static("x-stainless-retry-count");
/// By which a client calls requests the same.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer is that of an earlier request, which alone was paid.
pub(super) const REPLAYED: HeaderName = HeaderName::from_static("x-mpp-replayed");
/// The number of a request, by which the official clients name it.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
