//! A paying process is killed again and again, wherever it happens to be, on the real chain with a real gateway. After each
//! kill a fresh process opens the ledger and reconciles it: then the ledger and the chain agree to the unit, no payment is
//! missing, totals are the sum of the records, and no budget was exceeded. Prints a table; `KILLS` in the environment changes
//! how many there are.

#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it prints a table, and a panic is how it fails"
)]

use std::fmt;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use e2e::{Anvil, CHAIN_ID, PATH_USD, harness};
use grok_gateway::sandbox::{Sandbox, SandboxOptions};
use mpp_core::tempo::{Address, LocalSigner};
use mpp_core::{Amount, Policy};
use mpp_http::Client;
use mpp_http::chain::Rpc;
use mpp_http::ledger::{Budget, Currency, SqlLedger, State, Window};
use mpp_http::reconcile::reconcile;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::task::JoinSet;

/// Wallets that pay at the same time, each with a ledger of its own.
const LANES: u64 = 16;
/// How long a payment can happen, in seconds. The node takes none that has three or fewer left.
const VALIDITY: u64 = 6;
/// What each wallet has, in base units.
const FUNDS: u128 = 100_000_000;
/// What each process may spend beyond what was spent before it, in base units: room for some eight payments.
const ROOM: u128 = 300_000;

const NAME: &str = "ledgers_of_killed_payers_agree_with_the_chain";
const HEAD: &str =
    "wallet | kills | records | paid | not paid | never sent | sum by ledger | sum by chain | difference";

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["pay", key, ledger, url, limit] => runtime.block_on(pay(key, ledger, url, limit)),
        ["check", ledger, rpc] => runtime.block_on(check(ledger, rpc)),
        _ => return harness::run(HEAD, [(NAME, || runtime.block_on(all_lanes()))]),
    }
    ExitCode::SUCCESS
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
    let (mut records, mut paid, mut not_paid, mut never_sent) = (0_u64, 0_u64, 0_u64, 0_u64);
    let (mut spent, mut counted, mut before) = (0_u128, 0_u128, None);
    loop {
        let page = ledger.payments(before, 100, false).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id());
        for payment in &page {
            records += 1;
            counted += payment.counted().base_units();
            match payment.settled() {
                _ if payment.transaction().is_none() => never_sent += 1,
                Some(settled) if settled.amount.is_zero() => not_paid += 1,
                Some(_) => paid += 1,
                // What is left over makes the sum of the three too small.
                None => {}
            }
            if let Some(settled) = payment.settled() {
                spent += settled.amount.base_units() + settled.fee.base_units();
            }
        }
    }
    let currency = Currency { chain_id: CHAIN_ID, token: PATH_USD };
    let budget = Budget::new().per(Window::Month, Amount::ZERO);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let standing = budget.standing(ledger, currency, now).await.unwrap();
    let totals: u128 = standing.iter().map(|standing| standing.spent.base_units()).sum();
    json!({
        "records": records,
        "paid": paid,
        "not paid": not_paid,
        "never sent": never_sent,
        "spent": spent.to_string(),
        "counted": counted.to_string(),
        "totals": totals.to_string(),
    })
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

    let mut all = Lane::default();
    for lane in lanes {
        println!("{} | {lane}", lane.number);
        all.kills += lane.kills;
        all.records += lane.records;
        all.paid += lane.paid;
        all.not_paid += lane.not_paid;
        all.never_sent += lane.never_sent;
        all.ledger += lane.ledger;
        all.chain += lane.chain;
    }
    println!("all | {all}");
    let received = node.balance_of(PATH_USD, sandbox.recipient()).await - received;
    println!("the gateway received {received} base units");
    assert!(all.ledger == all.chain && received <= all.chain && all.paid > 0, "ledgers and chain differ");
}

/// What came of one wallet.
#[derive(Debug, Default)]
struct Lane {
    number: u64,
    kills: u64,
    /// Payments in the ledger; each is one of the three kinds that follow.
    records: u64,
    paid: u64,
    /// The chain never took them.
    not_paid: u64,
    never_sent: u64,
    /// What they cost by the ledger, in base units.
    ledger: u128,
    /// What the wallet lost by the chain, in base units.
    chain: u128,
}

/// A row of the table, but for its name.
impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lane { kills, records, paid, not_paid, never_sent, ledger, chain, .. } = self;
        let difference = ledger.abs_diff(*chain);
        write!(
            f,
            "{kills} | {records} | {paid} | {not_paid} | {never_sent} | {ledger} | {chain} | {difference}"
        )
    }
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
        let count = |name: &str| summary[name].as_u64().unwrap();
        lane.records = count("records");
        (lane.paid, lane.not_paid, lane.never_sent) = (count("paid"), count("not paid"), count("never sent"));
        (lane.ledger, counted) = (amount("spent"), amount("counted"));
        lane.chain = FUNDS - node.balance_of(PATH_USD, payer).await;
        let place = format!("wallet {number}, kill {kill}");
        assert_eq!(lane.ledger, lane.chain, "{place}: ledger and chain differ");
        assert_eq!(lane.paid, on_chain(node, payer).await, "{place}: payments are missing");
        assert_eq!(lane.records, lane.paid + lane.not_paid + lane.never_sent, "{place}: {summary}");
        assert_eq!(counted, amount("totals"), "{place}: the budget's totals differ from the records");
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
