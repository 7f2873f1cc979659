//! A sale as a row of a database and back.

use std::str::FromStr;

use alloy_primitives::{Address, B256, Bytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mpp_core::Amount;
use sqlx::any::{Any, AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Decode, Row as _, Type};

use super::{Sale, State};
use crate::chain::Outgoing;
use crate::sale::Kept;

/// The columns of `sales`, in the order in which [`bind`] gives their values: first what a sale begins with and keeps.
pub(super) const COLUMNS: [&str; 26] = [
    "challenge_id",
    "request",
    "credential",
    "reference",
    "payer",
    "chain_id",
    "currency",
    "amount",
    "payment_hash",
    "payment_raw",
    "payment_end",
    "claimed_at",
    "version",
    "state",
    "due_at",
    "idempotency",
    "settled_at",
    "answer_status",
    "answer_headers",
    "answer_body",
    "failure",
    "refund_hash",
    "refund_raw",
    "refund_end",
    "refund_tries",
    "ended_at",
];
/// How many of them are kept; the version is the next.
pub(super) const FIXED: usize = 12;

type AnyQuery<'q> = Query<'q, Any, AnyArguments>;

/// Adds the values of a row to a statement.
pub(super) fn bind<'q>(query: AnyQuery<'q>, sale: &Sale) -> AnyQuery<'q> {
    let Sale { payment, refund, answer, .. } = sale;
    let headers = |answer: &Kept| serde_json::json!(answer.headers).to_string();
    let query = query
        .bind(sale.challenge_id.clone())
        .bind(sale.request.clone())
        .bind(sale.credential.clone())
        .bind(sale.reference.clone())
        .bind(sale.payer.to_string())
        .bind(sale.chain_id.cast_signed())
        .bind(sale.currency.to_string())
        .bind(sale.amount.base_units().to_string());
    let query = bind_outgoing(query, payment.as_ref())
        .bind(signed(sale.claimed_at))
        .bind(signed(sale.version))
        .bind(sale.state.name())
        .bind(sale.due_at.map(signed))
        .bind(sale.idempotency.clone())
        .bind(sale.settled_at.map(signed))
        .bind(answer.as_ref().map(|answer| i64::from(answer.status)))
        .bind(answer.as_ref().map(headers))
        .bind(answer.as_ref().and_then(|answer| answer.body.as_ref()).map(|body| STANDARD.encode(body)))
        .bind(sale.failure.clone());
    bind_outgoing(query, refund.as_ref()).bind(i64::from(sale.refund_tries)).bind(sale.ended_at.map(signed))
}

fn bind_outgoing<'q>(query: AnyQuery<'q>, outgoing: Option<&Outgoing>) -> AnyQuery<'q> {
    query
        .bind(outgoing.map(|it| it.hash.to_string()))
        .bind(outgoing.map(|it| it.raw.to_string()))
        .bind(outgoing.and_then(|it| it.valid_before).map(signed))
}

/// Reads a row with all [`COLUMNS`].
///
/// # Errors
/// The column that holds what no sale has.
pub(super) fn read(row: &AnyRow) -> Result<Sale, sqlx::Error> {
    let state: String = row.try_get("state")?;
    let amount: String = row.try_get("amount")?;
    let tries: i64 = column(row, "refund_tries")?;
    Ok(Sale {
        challenge_id: row.try_get("challenge_id")?,
        version: unsigned(row, "version")?.unwrap_or_default(),
        state: State::ALL.into_iter().find(|known| known.name() == state).ok_or_else(|| wrong("state"))?,
        due_at: unsigned(row, "due_at")?,
        request: row.try_get("request")?,
        credential: row.try_get("credential")?,
        idempotency: row.try_get("idempotency")?,
        reference: row.try_get("reference")?,
        payer: parsed::<Address>(row, "payer")?.ok_or_else(|| wrong("payer"))?,
        chain_id: column::<i64>(row, "chain_id")?.cast_unsigned(),
        currency: parsed(row, "currency")?.ok_or_else(|| wrong("currency"))?,
        amount: Amount::from_base_units(amount.parse().map_err(|_| wrong("amount"))?),
        payment: outgoing(row, ["payment_hash", "payment_raw", "payment_end"])?,
        claimed_at: unsigned(row, "claimed_at")?.unwrap_or_default(),
        settled_at: unsigned(row, "settled_at")?,
        answer: answer(row)?,
        failure: row.try_get("failure")?,
        refund: outgoing(row, ["refund_hash", "refund_raw", "refund_end"])?,
        refund_tries: u32::try_from(tries).map_err(|_| wrong("refund_tries"))?,
        ended_at: unsigned(row, "ended_at")?,
    })
}

fn outgoing(row: &AnyRow, [hash, raw, end]: [&'static str; 3]) -> Result<Option<Outgoing>, sqlx::Error> {
    let Some(hash) = parsed::<B256>(row, hash)? else { return Ok(None) };
    let raw = parsed::<Bytes>(row, raw)?.unwrap_or_default();
    Ok(Some(Outgoing { raw, hash, valid_before: unsigned(row, end)? }))
}

fn answer(row: &AnyRow) -> Result<Option<Kept>, sqlx::Error> {
    let Some(status) = column::<Option<i64>>(row, "answer_status")? else { return Ok(None) };
    let headers: Option<String> = row.try_get("answer_headers")?;
    let headers = serde_json::from_str(&headers.unwrap_or_default()).map_err(|_| wrong("answer_headers"))?;
    let body = column::<Option<String>>(row, "answer_body")?;
    let body = body.map(|body| STANDARD.decode(body).map_err(|_| wrong("answer_body"))).transpose()?;
    Ok(Some(Kept {
        status: u16::try_from(status).map_err(|_| wrong("answer_status"))?,
        headers,
        body: body.map(bytes::Bytes::from),
    }))
}

/// A number that is never large: of a version, of a second.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn column<'r, T: Decode<'r, Any> + Type<Any>>(row: &'r AnyRow, name: &'static str) -> Result<T, sqlx::Error> {
    row.try_get(name)
}

fn unsigned(row: &AnyRow, name: &'static str) -> Result<Option<u64>, sqlx::Error> {
    let number = column::<Option<i64>>(row, name)?;
    number.map(|number| u64::try_from(number).map_err(|_| wrong(name))).transpose()
}

fn parsed<T: FromStr>(row: &AnyRow, name: &'static str) -> Result<Option<T>, sqlx::Error> {
    let text = column::<Option<String>>(row, name)?;
    text.map(|text| text.parse().map_err(|_| wrong(name))).transpose()
}

fn wrong(column: &'static str) -> sqlx::Error {
    let source = "is not what a sale has there".into();
    sqlx::Error::ColumnDecode { index: column.to_owned(), source }
}
