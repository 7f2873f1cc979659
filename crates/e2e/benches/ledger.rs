//! What writing payments down costs a paid call, and that it costs the same however many are written down already.
//!
//!     cargo bench -p e2e --bench ledger
//!
//! Medians of one run; the ratios are what a busy machine disturbs least.

#![expect(clippy::print_stdout, reason = "the tables are the result")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use e2e::books::{Attempt, Terms};
use e2e::{CHAIN_ID, PATH_USD, PAYER};
use http_body_util::{BodyExt as _, Full};
use mpp_core::tempo::LocalSigner;
use mpp_core::{Amount, Policy};
use mpp_http::ledger::{Budget, Ledger, MemoryLedger, SqlLedger, Step, Window};
use mpp_http::{Body, Client, SendFuture, Transport};
use sqlx::{AnyConnection, Connection as _, Executor as _};

const CALLS: u32 = 400;
/// A round number of seconds some time in the future, so that no run begins just before a window ends.
const NOW: u64 = 1_814_400_000;
const MONTH: u64 = 30 * 86_400;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        overhead().await?;
        growth().await
    })
}

/// Whole paid calls to a server that answers at once, with each ledger in turns.
async fn overhead() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let policy = || Policy::new(CHAIN_ID, [PATH_USD], Amount::from_base_units(10_000));
    let client = || {
        let signer = LocalSigner::from_hex(PAYER.key)?;
        Outcome::Ok(Client::with_transport(signer, policy(), Prompt).budget(budget()))
    };
    let sqlite = SqlLedger::sqlite(folder.path().join("ledger.sqlite")).await?;
    let clients = [("memory", client()?), ("SQLite", client()?.ledger(sqlite))];
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..CALLS {
        for ((_, client), times) in clients.iter().zip(&mut times) {
            let begun = Instant::now();
            client.send(http::Request::get("https://shop.test/").body(Bytes::new())?).await?.bytes().await?;
            times.push(begun.elapsed());
        }
    }
    println!("ledger | a paid call");
    let medians = times.map(median);
    for ((name, _), time) in clients.iter().zip(medians) {
        println!("{name} | {time:?}");
    }
    let [memory, sqlite] = medians;
    println!(
        "SQLite adds {:?} to a call: four transactions, each on the disk before it goes on",
        sqlite.saturating_sub(memory)
    );
    Ok(())
}

/// One payment from reservation to delivery, with five limits, beside ever more of them in the last 30 days.
async fn growth() -> Outcome<()> {
    println!("\npayments in the ledger | memory | ratio to the first | SQLite | ratio to the first");
    let mut first = None;
    for exponent in 2..=6 {
        let held = 10_u64.pow(exponent);
        let memory = Arc::new(MemoryLedger::new());
        for number in 0..held {
            let (payment, _) = Terms::cent(spread(number, held)).approved();
            memory.reserve(payment, &Budget::new()).await?;
            memory.advance(number + 1, Step::NotSent { failure: String::new() }, NOW).await?;
        }
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("ledger.sqlite");
        let sqlite = SqlLedger::sqlite(&file).await?;
        let template = Terms::cent(NOW - MONTH).attempt();
        buy(&sqlite, &template).await?;
        fill(&file, held).await?;
        let (mut in_memory, mut on_disk) = (Vec::new(), Vec::new());
        for _ in 0..CALLS {
            let attempt = Terms::cent(NOW).attempt();
            in_memory.push(buy(&*memory, &attempt).await?);
            on_disk.push(buy(&sqlite, &attempt).await?);
        }
        let (memory, sqlite) = (median(in_memory), median(on_disk));
        let (memory_first, sqlite_first) = *first.get_or_insert((memory, sqlite));
        let ratio = |time: Duration, first: Duration| time.as_secs_f64() / first.as_secs_f64();
        let (one, other) = (ratio(memory, memory_first), ratio(sqlite, sqlite_first));
        println!("10^{exponent} | {memory:?} | {one:.2} | {sqlite:?} | {other:.2}");
    }
    println!("flat is below 2");
    Ok(())
}

async fn buy(ledger: &dyn Ledger, attempt: &Attempt) -> Outcome<Duration> {
    let begun = Instant::now();
    let id = ledger.reserve(attempt.payment.clone(), &budget()).await?.id();
    let delivered = Step::Delivered { body_digest: "sha-256=:digest:".to_owned() };
    for step in [attempt.sent(), attempt.answered(), delivered] {
        ledger.advance(id, step, NOW).await?;
    }
    Ok(begun.elapsed())
}

/// Copies the ledger's one payment, spread over the last 30 days, and counts the copies.
async fn fill(file: &Path, held: u64) -> Outcome<()> {
    let mut connection = AnyConnection::connect(&format!("sqlite:{}?mode=rw", file.display())).await?;
    let copied = "process, state, method, url, body_digest, challenge, challenge_id, realm, chain_id, token, amount, \
                  recipients, fee_ceiling, payer, sent_at, hash, memo, valid_before, signed_transaction, answered_at, \
                  status, answer_digest, receipt";
    let (begin, each) = (NOW - MONTH, "n.number * 2591940 / ");
    let copy = format!(
        "WITH RECURSIVE n (number) AS (SELECT 2 UNION ALL SELECT number + 1 FROM n WHERE number < {held}) \
         INSERT INTO payments (id, reserved_at, {copied}) \
         SELECT n.number, {begin} + {each} {held}, {copied} FROM n CROSS JOIN payments WHERE payments.id = 1"
    );
    connection.execute(sqlx::AssertSqlSafe(copy)).await?;
    for (span, length) in [(1, 60), (2, 3600), (3, 86_400)] {
        let count = format!(
            "INSERT INTO totals SELECT t.chain_id, t.token, t.scope, {span}, p.reserved_at / {length}, SUM(t.spent) \
             FROM payments p CROSS JOIN totals t WHERE t.span = 0 AND p.id > 1 \
             GROUP BY t.chain_id, t.token, t.scope, p.reserved_at / {length} \
             ON CONFLICT DO UPDATE SET spent = spent + excluded.spent"
        );
        connection.execute(sqlx::AssertSqlSafe(count)).await?;
    }
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await?;
    Ok(connection.close().await?)
}

/// When the payment of this number was made, of so many in the last 30 days.
fn spread(number: u64, held: u64) -> u64 {
    NOW - MONTH + number * (MONTH - 60) / held
}

fn budget() -> Budget {
    let plenty = Amount::from_base_units(1 << 60);
    [Window::Call, Window::Process, Window::Hour, Window::Day, Window::Month]
        .into_iter()
        .fold(Budget::new(), |budget, window| budget.per(window, plenty))
        .realm("shop.test", Window::Day, plenty)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// A server that asks a cent and is content with any credential, without a network between.
struct Prompt;

impl Transport for Prompt {
    fn send(&self, request: http::Request<Bytes>) -> SendFuture<'_> {
        let response = match request.headers().contains_key("authorization") {
            true => http::Response::new("bought"),
            false => {
                let demand = e2e::demand(Amount::from_base_units(10_000), None, 300).encode();
                let mut response = http::Response::new("");
                *response.status_mut() = http::StatusCode::PAYMENT_REQUIRED;
                if let Ok(value) = demand.try_into() {
                    response.headers_mut().insert("www-authenticate", value);
                }
                response
            }
        };
        let body = |text| -> Body { Box::pin(Full::from(text).map_err(|never| match never {})) };
        Box::pin(std::future::ready(Ok(response.map(body))))
    }
}
