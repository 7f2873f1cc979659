//! A payment as a row of a database and back.

use std::str::FromStr;

use mpp_core::{Amount, Challenge, Quote, Receipt};
use sqlx::any::{Any, AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Decode, Row as _, Type};

use super::{Answer, LedgerError, Settled, Signed, State};
use crate::payment::Payment;

/// The columns of `payments`, in the order in which [`bind`] gives their values.
pub(super) const COLUMNS: [&str; 30] = [
    "id",
    "process",
    "state",
    "method",
    "url",
    "body_digest",
    "challenge",
    "challenge_id",
    "realm",
    "chain_id",
    "token",
    "amount",
    "recipients",
    "fee_ceiling",
    "payer",
    "reserved_at",
    "sent_at",
    "hash",
    "memo",
    "valid_before",
    "signed_transaction",
    "answered_at",
    "status",
    "answer_digest",
    "receipt",
    "failure",
    "settled_at",
    "settled_hash",
    "settled_amount",
    "settled_fee",
];

pub(super) type AnyQuery<'q> = Query<'q, Any, AnyArguments>;

/// Adds the values of a row to a statement.
pub(super) fn bind<'q>(query: AnyQuery<'q>, payment: &Payment) -> Result<AnyQuery<'q>, LedgerError> {
    let Payment { quote, signed, answer, settled, .. } = payment;
    let (signed, answer, settled) = (signed.as_ref(), answer.as_ref(), settled.as_ref());
    let recipients = quote.transfers.iter().map(|it| format!("{} {}", it.to, it.amount.base_units()));
    let settled_amounts = settled.map(|it| Ok::<_, LedgerError>((integer(it.amount)?, integer(it.fee)?)));
    let settled_amounts = settled_amounts.transpose()?;
    Ok(query
        .bind(signed_64(payment.id))
        .bind(signed_64(payment.process))
        .bind(payment.state.name())
        .bind(payment.method.clone())
        .bind(payment.url.clone())
        .bind(payment.body_digest.clone())
        .bind(payment.challenge.encode())
        .bind(quote.challenge_id.clone())
        .bind(quote.realm.clone())
        .bind(quote.chain_id.cast_signed())
        .bind(quote.token.to_string())
        .bind(integer(quote.amount)?)
        .bind(recipients.collect::<Vec<_>>().join(", "))
        .bind(integer(quote.fee_ceiling)?)
        .bind(payment.payer.to_string())
        .bind(signed_64(payment.reserved_at))
        .bind(signed.map(|it| signed_64(it.at)))
        .bind(signed.and_then(|it| it.hash).map(|hash| hash.to_string()))
        .bind(signed.and_then(|it| it.memo).map(|memo| memo.to_string()))
        .bind(signed.and_then(|it| it.valid_before).map(signed_64))
        .bind(signed.map(|it| alloy_primitives::hex::encode_prefixed(&it.transaction)))
        .bind(answer.map(|it| signed_64(it.at)))
        .bind(answer.and_then(|it| it.status).map(i64::from))
        .bind(answer.and_then(|it| it.body_digest.clone()))
        .bind(payment.receipt.as_ref().map(Receipt::encode))
        .bind(payment.failure.clone())
        .bind(settled.map(|it| signed_64(it.at)))
        .bind(settled.and_then(|it| it.hash).map(|hash| hash.to_string()))
        .bind(settled_amounts.map(|(amount, _)| amount))
        .bind(settled_amounts.map(|(_, fee)| fee)))
}

/// Reads a row with all [`COLUMNS`].
///
/// # Errors
/// The column that holds what no payment has.
pub(super) fn read(row: &AnyRow) -> Result<Payment, sqlx::Error> {
    let challenge: String = row.try_get("challenge")?;
    let challenge = Challenge::parse_all([challenge]).into_iter().flatten().next();
    let challenge = challenge.ok_or_else(|| wrong("challenge"))?;
    let quote =
        Quote::read(&challenge, column::<i64>(row, "chain_id")?.cast_unsigned(), amount(row, "fee_ceiling")?);
    let state: String = row.try_get("state")?;
    let receipt: Option<String> = row.try_get("receipt")?;
    Ok(Payment {
        id: unsigned(row, "id")?,
        process: unsigned(row, "process")?,
        state: State::ALL.into_iter().find(|known| known.name() == state).ok_or_else(|| wrong("state"))?,
        method: row.try_get("method")?,
        url: row.try_get("url")?,
        body_digest: row.try_get("body_digest")?,
        quote: quote.map_err(|_| wrong("challenge"))?,
        challenge,
        payer: parsed(row, "payer")?.ok_or_else(|| wrong("payer"))?,
        reserved_at: unsigned(row, "reserved_at")?,
        signed: signed(row)?,
        answer: answer(row)?,
        receipt: receipt.map(|it| Receipt::parse(it.as_bytes()).map_err(|_| wrong("receipt"))).transpose()?,
        failure: row.try_get("failure")?,
        settled: settled(row)?,
    })
}

fn signed(row: &AnyRow) -> Result<Option<Signed>, sqlx::Error> {
    let Some(at) = optional_unsigned(row, "sent_at")? else { return Ok(None) };
    Ok(Some(Signed {
        at,
        hash: parsed(row, "hash")?,
        memo: parsed(row, "memo")?,
        valid_before: optional_unsigned(row, "valid_before")?,
        transaction: parsed::<alloy_primitives::Bytes>(row, "signed_transaction")?.unwrap_or_default().0,
    }))
}

fn answer(row: &AnyRow) -> Result<Option<Answer>, sqlx::Error> {
    let Some(at) = optional_unsigned(row, "answered_at")? else { return Ok(None) };
    Ok(Some(Answer {
        at,
        status: column::<Option<i64>>(row, "status")?.and_then(|status| u16::try_from(status).ok()),
        body_digest: row.try_get("answer_digest")?,
    }))
}

fn settled(row: &AnyRow) -> Result<Option<Settled>, sqlx::Error> {
    let Some(at) = optional_unsigned(row, "settled_at")? else { return Ok(None) };
    Ok(Some(Settled {
        at,
        hash: parsed(row, "settled_hash")?,
        amount: amount(row, "settled_amount")?,
        fee: amount(row, "settled_fee")?,
    }))
}

/// An amount as a database counts.
pub(super) fn integer(amount: Amount) -> Result<i64, LedgerError> {
    i64::try_from(amount.base_units()).map_err(|_| LedgerError::Amount(amount))
}

/// A number that is never large: of a payment, a process, a second.
pub(super) fn signed_64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn column<'r, T: Decode<'r, Any> + Type<Any>>(row: &'r AnyRow, name: &'static str) -> Result<T, sqlx::Error> {
    row.try_get(name)
}

fn unsigned(row: &AnyRow, name: &'static str) -> Result<u64, sqlx::Error> {
    u64::try_from(column::<i64>(row, name)?).map_err(|_| wrong(name))
}

fn optional_unsigned(row: &AnyRow, name: &'static str) -> Result<Option<u64>, sqlx::Error> {
    let number = column::<Option<i64>>(row, name)?;
    number.map(|number| u64::try_from(number).map_err(|_| wrong(name))).transpose()
}

fn amount(row: &AnyRow, name: &'static str) -> Result<Amount, sqlx::Error> {
    Ok(Amount::from_base_units(unsigned(row, name)?.into()))
}

fn parsed<T: FromStr>(row: &AnyRow, name: &'static str) -> Result<Option<T>, sqlx::Error> {
    let text = column::<Option<String>>(row, name)?;
    text.map(|text| text.parse().map_err(|_| wrong(name))).transpose()
}

pub(super) fn wrong(column: &'static str) -> sqlx::Error {
    let source = "is not what a payment has there".into();
    sqlx::Error::ColumnDecode { index: column.to_owned(), source }
}
