//! Ten processes of twenty tasks share one wallet, one ledger and one budget, on SQLite and on PostgreSQL: together they
//! spend the budget to the last payment, and not one unit more. Prints a table.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it prints a table, and a panic is how it fails"
)]

use std::collections::HashSet;
use std::process::{ExitCode, Stdio};
use std::time::Instant;

use e2e::{CHAIN_ID, PATH_USD, PAYER, Postgres, Reply, ScriptedServer, harness};
use mpp_core::tempo::LocalSigner;
use mpp_core::{Amount, Policy};
use mpp_http::ledger::{Budget, Currency, SqlLedger, Window};
use mpp_http::{Client, Error};
use tokio::process::Command;
use tokio::task::JoinSet;

const PROCESSES: usize = 10;
const TASKS: usize = 20;
/// Calls of each task.
const CALLS: usize = 3;
/// Payments that the budget has room for.
const ALLOWED: u128 = 400;
const PRICE: u128 = 10_000;
/// What a payment counts before it is settled: price and fee ceiling.
const COUNTED: u128 = PRICE + 25_000;
/// One unit short of one payment more.
const LIMIT: u128 = ALLOWED * COUNTED + COUNTED - 1;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, ledger, url] = &arguments[..]
        && mode == "pay"
    {
        runtime.block_on(pay(ledger, url));
        return ExitCode::SUCCESS;
    }
    let head = "ledger | processes x tasks | calls | paid | refused | overshoot | payments a second";
    let tests = [("budget_holds_on_sqlite", "SQLite"), ("budget_holds_on_postgresql", "PostgreSQL")];
    let spend = |kind| runtime.block_on(spend(kind));
    harness::run(head, tests.map(|(name, kind)| (name, move || spend(kind))))
}

/// One of the ten: prints how many payments it made and how many the budget refused.
async fn pay(ledger: &str, url: &str) {
    let policy = Policy::new(CHAIN_ID, [PATH_USD], Amount::from_base_units(PRICE));
    let client = Client::new(LocalSigner::from_hex(PAYER.key).unwrap(), policy);
    let client = client.ledger(open(ledger).await).budget(budget());
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (client, url) = (client.clone(), url.to_owned());
        tasks.spawn(async move {
            let mut counts = [0, 0];
            for _ in 0..CALLS {
                match client.send(http::Request::get(&url).body("".into()).unwrap()).await {
                    Ok(mut answer) => {
                        answer.bytes().await.unwrap();
                        counts[0] += 1;
                    }
                    Err(Error::OverBudget(_)) => counts[1] += 1,
                    Err(error) => panic!("{error:?}"),
                }
            }
            counts
        });
    }
    let [paid, refused] =
        tasks.join_all().await.into_iter().fold([0, 0], |[a, b], [more, and]| [a + more, b + and]);
    println!("{paid} {refused}");
}

async fn spend(kind: &'static str) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = &match kind {
        "SQLite" => folder.path().join("ledger.sqlite").to_str().unwrap().to_owned(),
        _ => Postgres::shared().await.database().await,
    };
    let server = ScriptedServer::start(|heard| match heard.credential() {
        None => Reply::payment_required(&e2e::demand(Amount::from_base_units(PRICE), None, 300)),
        Some(_) => Reply::new(200, &[], "bought"),
    })
    .await;
    // The schema is there before the race, which is timed.
    let books = open(ledger).await;
    let begun = Instant::now();
    let mut children = JoinSet::new();
    for _ in 0..PROCESSES {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["pay", ledger, &server.url("/")]).stdin(Stdio::null()).stderr(Stdio::inherit());
        children.spawn(async move { child.output().await.unwrap() });
    }
    let mut counts = [0, 0];
    for output in children.join_all().await {
        assert!(output.status.success());
        let line = String::from_utf8(output.stdout).unwrap();
        for (count, number) in counts.iter_mut().zip(line.split_whitespace()) {
            *count += number.parse::<u128>().unwrap();
        }
    }
    let took = begun.elapsed().as_secs_f64();

    let [paid, refused] = counts;
    let heard: HashSet<String> =
        server.heard().iter().filter_map(|heard| heard.header("authorization")).map(str::to_owned).collect();
    let credentials = u128::try_from(heard.len()).unwrap();
    let currency = Currency { chain_id: CHAIN_ID, token: PATH_USD };
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let standing = budget().standing(&books, currency, now).await.unwrap();
    let spent: u128 = standing.iter().map(|standing| standing.spent.base_units()).sum();
    let (calls, overshoot) = (PROCESSES * TASKS * CALLS, spent.saturating_sub(LIMIT));
    let speed = f64::from(u32::try_from(paid).unwrap()) / took;
    println!("{kind} | {PROCESSES} x {TASKS} | {calls} | {paid} | {refused} | {overshoot} | {speed:.0}");
    assert_eq!((paid, credentials, spent), (ALLOWED, ALLOWED, ALLOWED * COUNTED));
    assert_eq!(usize::try_from(paid + refused).unwrap(), calls);
}

async fn open(ledger: &str) -> SqlLedger {
    match ledger.starts_with("postgres:") {
        true => SqlLedger::postgres(ledger).await.unwrap(),
        false => SqlLedger::sqlite(ledger).await.unwrap(),
    }
}

fn budget() -> Budget {
    Budget::new().per(Window::Day, Amount::from_base_units(LIMIT))
}
