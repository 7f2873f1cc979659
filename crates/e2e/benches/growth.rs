//! That a gate is as fast with many sales in its store: the same requests beside ever more of them, without a socket and
//! with a chain that takes every payment at once.
//!
//!     cargo bench -p e2e --bench growth
//!
//! Medians of one run; the ratios are what a busy machine disturbs least. How a gate compares with others' servers is in
//! `BENCHMARKS.md`.

#![expect(clippy::print_stdout, reason = "the table is the result")]

use std::path::Path;
use std::time::{Duration, Instant, UNIX_EPOCH};

use alloy_primitives::{Address, B256};
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use e2e::{CHAIN_ID, PATH_USD, PAYER, RECIPIENT, bare};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use mpp_core::tempo::{LocalSigner, Transaction};
use mpp_core::{Amount, Challenge};
use mpp_gate::chain::{Chain, ChainFuture, Found, Outgoing};
use mpp_gate::store::SqlStore;
use mpp_gate::{Charge, Cost, Gate, Payee, Secret};
use sqlx::{AnyConnection, Connection as _, Executor as _};
use tempfile::TempDir;
use tower::Service as _;

const CALLS: u32 = 400;
const HELD: [u64; 4] = [0, 1_000, 10_000, 100_000];
const MONTH: u64 = 30 * 86_400;
/// The price of everything, in base units.
const CENT: u128 = 10_000;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(table())
}

/// Prints what a request costs beside so many sales.
async fn table() -> Outcome<()> {
    let payer = LocalSigner::from_hex(PAYER.key)?;
    let mut shops = Vec::new();
    for held in HELD {
        shops.push(Shop::open(held, &payer).await?);
    }
    for _ in 0..CALLS {
        for shop in &mut shops {
            shop.buy(&payer).await?;
        }
    }
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
    async fn open(held: u64, payer: &LocalSigner) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join(FILE);
        let gate = gate(&file).await?;
        let router = Router::new().route("/pull", get(async || "an apple").route_layer(gate));
        let mut shop = Shop { held, router, times: Default::default(), folder };
        shop.buy(payer).await?;
        shop.times = Default::default();
        fill(&file, held).await?;
        Ok(shop)
    }

    async fn buy(&mut self, payer: &LocalSigner) -> Outcome<()> {
        let (asked, first) = self.send(None, StatusCode::PAYMENT_REQUIRED).await?;
        let payment = bare::pay(payer, challenge(asked.headers())?, "")?;
        let credential = payment.credential().header_value();
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

async fn gate(sales: &Path) -> Outcome<Gate> {
    let payee = Payee { realm: "shop.test".to_owned(), currency: PATH_USD, recipient: RECIPIENT.address };
    let price = |_: &_, _: &_| Cost::Charge(Charge::new(Amount::from_base_units(CENT)));
    let secret = Secret::new(vec![7; 32]).ok_or("the secret is too short")?;
    Ok(Gate::new(payee, Content, price)?.durable(secret, SqlStore::sqlite(sales).await?))
}

fn challenge(asked: &HeaderMap) -> Outcome<Challenge> {
    let fields = asked.get_all("www-authenticate").iter().map(|value| value.as_bytes());
    Ok(Challenge::parse_all(fields).pop().ok_or("a 402 without a challenge")??)
}

/// Copies the store's one sale under other names, spread over the last 30 days.
async fn fill(file: &Path, held: u64) -> Outcome<()> {
    let mut connection = AnyConnection::connect(&format!("sqlite:{}?mode=rw", file.display())).await?;
    let copied = "version, state, due_at, request, credential, payer, chain_id, currency, amount, payment_raw, \
                  payment_end, answer_status, answer_headers, answer_body, refund_tries";
    let at = format!("{} + n.number * {MONTH} / {held}", UNIX_EPOCH.elapsed()?.as_secs() - MONTH);
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

fn head<const N: usize>(cells: [&str; N]) {
    println!("| {} |", cells.join(" | "));
    println!("|{}", "---|".repeat(N));
}

fn row<const N: usize>(cells: [String; N]) {
    println!("| {} |", cells.join(" | "));
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

fn micros(time: Duration) -> String {
    format!("{:.0}", time.as_secs_f64() * 1e6)
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
