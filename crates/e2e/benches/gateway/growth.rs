//! That a gate is as fast with many sales in its store: the same requests beside ever more of them, without a socket and
//! with a chain that takes every payment at once.

use std::path::Path;
use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256};
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use e2e::CHAIN_ID;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use mpp_core::Amount;
use mpp_core::tempo::Transaction;
use mpp_gate::chain::{Chain, ChainFuture, Found, Outgoing};
use sqlx::{AnyConnection, Connection as _, Executor as _};
use tempfile::TempDir;
use tower::Service as _;

use crate::payer::{Payer, now};
use crate::{Outcome, head, micros, ratio, row, shop};

const CALLS: u32 = 400;
const HELD: [u64; 4] = [0, 1_000, 10_000, 100_000];
const MONTH: u64 = 30 * 86_400;

/// Prints what a request costs beside so many sales.
pub(crate) async fn table() -> Outcome<()> {
    let payer = Payer::new()?;
    let mut shops = Vec::new();
    for held in HELD {
        shops.push(Shop::open(held, &payer).await?);
    }
    for _ in 0..CALLS {
        for shop in &mut shops {
            shop.buy(&payer).await?;
        }
    }
    println!("\nA request beside many sales, without a node:\n");
    head(["sales kept", "402 µs", "paid leg µs", "ratio", "its answer again µs", "ratio", "file MiB"]);
    let mut first = None;
    for shop in shops {
        let size = std::fs::metadata(shop.folder.path().join(FILE))?.len();
        let [asked, paid, again] = shop.times.map(median);
        let (paid_first, again_first) = *first.get_or_insert((paid, again));
        row([
            shop.held.to_string(),
            micros(asked),
            micros(paid),
            format!("{:.2}", ratio(paid, paid_first)),
            micros(again),
            format!("{:.2}", ratio(again, again_first)),
            (size >> 20).to_string(),
        ]);
    }
    println!("\nflat is below 2");
    Ok(())
}

/// A shop that keeps so many sales, and what its requests took: for a 402, for the answer, and for the answer again.
struct Shop {
    held: u64,
    router: Router,
    times: [Vec<Duration>; 3],
    folder: TempDir,
}

impl Shop {
    async fn open(held: u64, payer: &Payer) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join(FILE);
        let gate = shop::gate(Content, &file).await?;
        let mut shop = Shop { held, router: shop::router(gate), times: Default::default(), folder };
        shop.buy(payer).await?;
        shop.times = Default::default();
        fill(&file, held).await?;
        Ok(shop)
    }

    async fn buy(&mut self, payer: &Payer) -> Outcome<()> {
        let (asked, first) = self.send(None, StatusCode::PAYMENT_REQUIRED).await?;
        let credential = payer.pay(asked.headers())?.credential().header_value();
        let (_, paid) = self.send(Some(&credential), StatusCode::OK).await?;
        let (_, again) = self.send(Some(&credential), StatusCode::OK).await?;
        for (times, time) in self.times.iter_mut().zip([first, paid, again]) {
            times.push(time);
        }
        Ok(())
    }

    async fn send(
        &mut self,
        credential: Option<&str>,
        status: StatusCode,
    ) -> Outcome<(Response<()>, Duration)> {
        let request = Request::get("/pull");
        let request = match credential {
            Some(credential) => request.header("authorization", credential),
            None => request,
        };
        let request = request.body(Body::empty())?;
        let begun = Instant::now();
        let (parts, body) = self.router.call(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        let took = begun.elapsed();
        match parts.status == status {
            true => Ok((Response::from_parts(parts, ()), took)),
            false => Err(format!("{}: {}", parts.status, String::from_utf8_lossy(&body)).into()),
        }
    }
}

/// Copies the store's one sale under other names, spread over the last 30 days.
async fn fill(file: &Path, held: u64) -> Outcome<()> {
    let mut connection = AnyConnection::connect(&format!("sqlite:{}?mode=rw", file.display())).await?;
    let copied = "version, state, due_at, request, credential, payer, chain_id, currency, amount, payment_raw, \
                  payment_end, answer_status, answer_headers, answer_body, refund_tries";
    let at = format!("{} + n.number * {MONTH} / {held}", now()? - MONTH);
    let copy = format!(
        "WITH RECURSIVE n (number, hash) AS (SELECT 1, lower(hex(randomblob(32))) \
         UNION ALL SELECT number + 1, lower(hex(randomblob(32))) FROM n WHERE number < {held}) \
         INSERT INTO sales (challenge_id, idempotency, reference, payment_hash, claimed_at, settled_at, ended_at, \
         {copied}) SELECT substr(n.hash, 1, 43), substr(n.hash, 5, 53), '0x' || n.hash, '0x' || n.hash, {at}, {at}, \
         {at}, {copied} FROM n CROSS JOIN (SELECT * FROM sales LIMIT 1)"
    );
    if held > 0 {
        connection.execute(sqlx::AssertSqlSafe(copy)).await?;
    }
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await?;
    Ok(connection.close().await?)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

const FILE: &str = "sales.sqlite";

/// A chain that is content with every payment.
struct Content;

impl Chain for Content {
    fn chain_id(&self) -> u64 {
        CHAIN_ID
    }

    fn simulate<'a>(&'a self, _: Address, _: &'a Transaction) -> ChainFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn send<'a>(&'a self, _: &'a Outgoing) -> ChainFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn find(&self, _: B256, _: Option<u64>) -> ChainFuture<'_, Found> {
        Box::pin(std::future::ready(Ok(Found::NotYet)))
    }

    fn balance(&self, _: Address, _: Address) -> ChainFuture<'_, Amount> {
        Box::pin(std::future::ready(Ok(Amount::from_base_units(0))))
    }

    fn probe(&self) -> ChainFuture<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}
