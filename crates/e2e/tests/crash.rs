//! A paying process is killed again and again, wherever it happens to be, on the real chain with a real gateway. After each
//! kill a fresh process opens the ledger and reconciles it: then the ledger and the chain agree to the unit, no payment is
//! missing, and no budget was exceeded. Prints a table; `KILLS` in the environment changes how many there are.

#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it prints a table, and a panic is how it fails"
)]

use std::process::Stdio;
use std::time::Duration;

use e2e::{Anvil, CHAIN_ID, PATH_USD};
use grok_gateway::sandbox::{Sandbox, SandboxOptions};
use mpp_core::tempo::{Address, LocalSigner};
use mpp_core::{Amount, Policy};
use mpp_http::Client;
use mpp_http::chain::Rpc;
use mpp_http::ledger::{Budget, Currency, SqlLedger, State, Window, reconcile};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::task::JoinSet;

/// Wallets that pay at the same time, each with a ledger of its own.
const LANES: u64 = 16;
/// How long a payment can happen, in seconds. The node takes none that has three or fewer left.
const VALIDITY: u64 = 6;
const FUNDS: u128 = 100_000_000;
/// What each process may spend beyond what was spent before it, in base units: some nine payments with their fee ceilings.
const ROOM: u128 = 300_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["pay", key, ledger, url, limit] => runtime.block_on(pay(key, ledger, url, limit)),
        ["check", ledger, rpc] => runtime.block_on(check(ledger, rpc)),
        _ if arguments.iter().any(|argument| argument == "--list") => println!("crash: test"),
        _ => runtime.block_on(all_lanes()),
    }
}

/// The process that is killed: it pays as fast as it can until its budget says no.
async fn pay(key: &str, ledger: &str, url: &str, limit: &str) {
    let signer = LocalSigner::from_hex(key).unwrap();
    let policy = Policy::new(CHAIN_ID, [PATH_USD], Amount::from_base_units(50_000)).max_validity(VALIDITY);
    let budget = Budget::new().per(Window::Month, Amount::from_base_units(limit.parse().unwrap()));
    let client = Client::new(signer, policy).ledger(SqlLedger::sqlite(ledger).await.unwrap()).budget(budget);
    println!("ready");
    let mut tasks = JoinSet::new();
    for _ in 0..3 {
        let (client, url) = (client.clone(), url.to_owned());
        tasks.spawn(async move {
            let prompt = "```python\nprint(6 * 7)\n```";
            let body = json!({ "model": "grok-4.3", "messages": [{ "role": "user", "content": prompt }] });
            loop {
                let request = http::Request::post(&url).body(body.to_string().into()).unwrap();
                if let Ok(mut answer) = client.send(request).await {
                    let _ = answer.bytes().await;
                }
            }
        });
    }
    tasks.join_all().await;
}

/// The process that comes after: it reconciles until the chain has had the last word on all that was sent, and says what
/// the ledger holds.
async fn check(path: &str, rpc: &str) {
    let ledger = SqlLedger::sqlite(path).await.unwrap();
    let rpc = Rpc::new(rpc).unwrap().margin(1);
    for _ in 0..200 {
        let open = reconcile(&ledger, Some(&rpc)).await.unwrap().open;
        if open.iter().all(|(payment, _)| payment.state() == State::Reserved) {
            return println!("{}", summary(&ledger).await);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("the chain did not have the last word on every payment within 40 s");
}

async fn summary(ledger: &SqlLedger) -> Value {
    use mpp_http::ledger::Ledger as _;
    let (mut records, mut paid, mut spent, mut before) = (0_u64, 0_u64, 0_u128, None);
    loop {
        let page = ledger.payments(before, 100, false).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id());
        for payment in &page {
            // What is only reserved never left.
            let Some(settled) = payment.settled() else { continue };
            spent += settled.amount.base_units() + settled.fee.base_units();
            paid += u64::from(!settled.amount.is_zero());
        }
        records += u64::try_from(page.len()).unwrap();
    }
    let currency = Currency { chain_id: CHAIN_ID, token: PATH_USD };
    let budget = Budget::new().per(Window::Month, Amount::ZERO);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let counted = budget.standing(ledger, currency, now).await.unwrap();
    let counted: u128 = counted.iter().map(|standing| standing.spent.base_units()).sum();
    json!({ "records": records, "paid": paid, "spent": spent.to_string(), "counted": counted.to_string() })
}

async fn all_lanes() {
    let kills: u64 = std::env::var("KILLS").map_or(304, |kills| kills.parse().unwrap());
    let node: &'static Anvil = Anvil::shared().await;
    let options = SandboxOptions { rpc: Some(node.url()), ..SandboxOptions::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let url: &'static str = Box::leak(format!("{}/grok/code-execution", sandbox.base_url()).into_boxed_str());
    let received = node.balance_of(PATH_USD, sandbox.recipient()).await;
    let lanes: JoinSet<Lane> = (0..LANES).map(|lane| run(node, url, lane, kills.div_ceil(LANES))).collect();
    let mut lanes = lanes.join_all().await;
    lanes.sort_by_key(|lane| lane.number);

    println!("wallet | kills | records | paid | sum by ledger | sum by chain | difference");
    let mut all = Lane::default();
    for Lane { number, kills, records, paid, ledger, chain } in lanes {
        println!("{number} | {kills} | {records} | {paid} | {ledger} | {chain} | {}", ledger.abs_diff(chain));
        all.kills += kills;
        all.records += records;
        all.paid += paid;
        all.ledger += ledger;
        all.chain += chain;
    }
    let Lane { kills, records, paid, ledger, chain, .. } = all;
    println!("all | {kills} | {records} | {paid} | {ledger} | {chain} | {}", ledger.abs_diff(chain));
    let received = node.balance_of(PATH_USD, sandbox.recipient()).await - received;
    println!("the gateway received {received} base units");
    assert!(ledger == chain && received <= chain && paid > 0, "the ledgers and the chain differ");
    println!("1 passed, 0 failed");
}

/// What came of one wallet.
#[derive(Debug, Default)]
struct Lane {
    number: u64,
    kills: u64,
    records: u64,
    paid: u64,
    ledger: u128,
    chain: u128,
}

async fn run(node: &'static Anvil, url: &'static str, number: u64, kills: u64) -> Lane {
    let key = format!("0x{:064x}", 0xdead_0000 + number);
    let payer = LocalSigner::from_hex(&key).unwrap().address();
    node.fund(payer, FUNDS).await;
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger.sqlite").to_str().unwrap().to_owned();
    let mut lane = Lane { number, ..Lane::default() };
    let mut counted = 0;
    for kill in 0..kills {
        let limit = counted + ROOM;
        kill_a_payer(&[&key, &ledger, url, &limit.to_string()], number * 1000 + kill).await;
        lane.kills += 1;

        let output = myself(&["check", &ledger, &node.url()]).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        let amount = |name: &str| summary[name].as_str().unwrap().parse::<u128>().unwrap();
        lane.records = summary["records"].as_u64().unwrap();
        lane.paid = summary["paid"].as_u64().unwrap();
        lane.ledger = amount("spent");
        lane.chain = FUNDS - node.balance_of(PATH_USD, payer).await;
        counted = amount("counted");
        let place = format!("wallet {number}, kill {kill}");
        assert_eq!(lane.ledger, lane.chain, "{place}: ledger and chain differ");
        assert_eq!(lane.paid, on_chain(node, payer).await, "{place}: payments are missing");
        assert!(lane.chain <= limit, "{place}: {} of {limit} were spent", lane.chain);
        assert!(counted <= limit && counted >= lane.chain, "{place}: the budget counts {counted}");
    }
    lane
}

/// Starts a payer and kills it after a while that is anybody's guess.
async fn kill_a_payer(arguments: &[&str; 4], seed: u64) {
    let mut child = myself(&["pay"]).args(arguments).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // Every fourth dies before it could open its ledger, or while it does.
    let scattered = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    if !seed.is_multiple_of(4) {
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("ready"));
    }
    tokio::time::sleep(Duration::from_micros(scattered % 900_000)).await;
    child.kill().await.unwrap();
}

/// How many payments of `payer` the chain holds.
async fn on_chain(node: &Anvil, payer: Address) -> u64 {
    let transfers = node.memo_transfers(None).await;
    u64::try_from(transfers.iter().filter(|transfer| transfer.from == payer).count()).unwrap()
}

fn myself(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
