//! A gate is killed again and again, wherever it happens to be, in front of a service that fails now and then, on the
//! real chain, with paying customers who come back soon, late or never. After the last kill everything that is due is
//! waited for. Then every payment on chain is one sale's, which was served or can be, or was given back once; nobody was
//! charged twice for one call; and payers, databases and chain agree to the unit. Prints a table; `KILLS` in the
//! environment changes how many there are.

#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it prints a table, and a panic is how it fails"
)]

mod books;
mod customer;
mod shop;

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use e2e::bare::Connection;
use e2e::{Anvil, Postgres, harness};
use mpp_core::tempo::{Address, LocalSigner};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::books::{Books, sales};
use crate::customer::{Call, End};

/// Gates that are killed at the same time. The last has PostgreSQL and two processes, of which one is killed at a time.
const LANES: u64 = 8;
/// Calls of a lane in flight, besides those whose connection broke.
const IN_FLIGHT: usize = 3;
/// Longest time between two kills, in milliseconds.
const LIFE: u64 = 2500;
/// What each payer and each operator has, in base units.
const FUNDS: u128 = 1_000_000_000;
/// Longest wait for all that is due, in seconds: a lease, then a refund that never left.
const QUIET: u64 = 180;

const NAME: &str = "gates_that_were_killed_agree_with_the_chain";
const HEAD: &str = "lane | store | kills | cut off: claimed | refunding | calls | paid | served | of these on return | \
    servable | refunded | received by database | by chain | given back by database | by chain | difference";
/// Those of them that are numbers.
const COLUMNS: usize = 14;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let ["sell", rest @ ..] = &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        harness::end_with_parent();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(shop::sell(rest.try_into().unwrap()));
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    harness::run(HEAD, [(NAME, || runtime.block_on(all_lanes()))])
}

async fn all_lanes() {
    let kills: u64 = std::env::var("KILLS").map_or(200, |kills| kills.parse().unwrap());
    let node = Anvil::shared().await;
    let mut lanes = JoinSet::new();
    for number in 0..LANES {
        let kills = kills / LANES + u64::from(number < kills % LANES);
        lanes.spawn(async move { Lane::open(number, node).await.run(node, kills).await });
    }
    let mut rows = lanes.join_all().await;
    rows.sort();
    let mut all = [0; COLUMNS];
    for (number, row) in rows {
        let store = if number + 1 == LANES { "PostgreSQL" } else { "SQLite" };
        harness::print([format!("{number} | {store} | {}", row.map(|it| it.to_string()).join(" | "))]);
        all = std::array::from_fn(|at| all[at] + row[at]);
    }
    let [_, _, _, _, paid, served, _, _, refunded, ..] = all;
    harness::print([format!("all | both | {}", all.map(|it| it.to_string()).join(" | "))]);
    assert!(paid > 0 && served > 0 && refunded > 0, "there was nothing to lose");
}

/// One gate, which is somewhere between its first start and its last.
struct Lane {
    number: u64,
    store: String,
    recipient: Address,
    operator: Address,
    /// Port and process.
    shops: Vec<(u16, Option<Child>)>,
    rpc: String,
    _folder: tempfile::TempDir,
}

impl Lane {
    async fn open(number: u64, node: &Anvil) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shared = number + 1 == LANES;
        let store = match shared {
            true => Postgres::shared().await.database().await,
            false => folder.path().join("sales.sqlite").to_str().unwrap().to_owned(),
        };
        let operator = key(OPERATOR, number).address();
        node.fund(operator, FUNDS).await;
        let shops = (0..if shared { 2 } else { 1 }).map(|_| (e2e::free_port(), None)).collect();
        let recipient = Address::left_padding_from(&(0xca5e_0000 + number).to_be_bytes());
        Self { number, store, recipient, operator, shops, rpc: node.url(), _folder: folder }
    }

    async fn run(mut self, node: &Anvil, kills: u64) -> (u64, [u128; COLUMNS]) {
        let payer = key(PAYER, self.number);
        node.fund(payer.address(), FUNDS).await;
        let ports: Vec<u16> = self.shops.iter().map(|(port, _)| *port).collect();
        let turns = Arc::new(Semaphore::new(IN_FLIGHT));
        let customers = tokio::spawn(customers(self.number, ports.clone(), Arc::clone(&turns)));
        let cut = self.kill(kills).await;
        turns.close();
        let mut calls = within("the customers", customers).await.unwrap();
        self.quiet().await;
        for call in &mut calls {
            // Half of those who left never come back.
            if !matches!(call.end, End::Left) || dice(2) == 0 {
                call.come_back(&ports).await;
            }
        }
        self.quiet().await;

        let [sold, served, servable, refunded, sums @ ..] = Books::audit(&self, node, &calls, FUNDS).await;
        let answered = |call: &&Call| call.returned && matches!(call.end, End::Answered(_));
        let returned = calls.iter().filter(answered).count();
        let [claimed, refunding, calls, returned] =
            [cut[0].len(), cut[1].len(), calls.len(), returned].map(|it| u128::try_from(it).unwrap());
        let [a, b, c, d] = sums;
        let row = [
            u128::from(kills),
            claimed,
            refunding,
            calls,
            sold,
            served,
            returned,
            servable,
            refunded,
            a,
            b,
            c,
            d,
            a.abs_diff(b) + c.abs_diff(d),
        ];
        (self.number, row)
    }

    /// Kills a process after a while that is anybody's guess and starts it again, so many times. Which sales were found
    /// with somebody at them then, and which with a refund to make.
    async fn kill(&mut self, kills: u64) -> [HashSet<String>; 2] {
        let mut cut = [HashSet::new(), HashSet::new()];
        for at in 0..self.shops.len() {
            self.start(at, true).await;
        }
        for kill in 0..kills {
            let at = usize::try_from(dice(u64::try_from(self.shops.len()).unwrap())).unwrap();
            tokio::time::sleep(Duration::from_millis(dice(LIFE))).await;
            self.shops[at].1.take().unwrap().kill().await.unwrap();
            for sale in sales(&self.store).await {
                match sale.state.as_str() {
                    "claimed" | "settled" => cut[0].insert(sale.challenge),
                    "refund-due" | "refunding" => cut[1].insert(sale.challenge),
                    _ => continue,
                };
            }
            // Every fourth may be killed before it listens.
            self.start(at, !kill.is_multiple_of(4)).await;
        }
        cut
    }

    async fn start(&mut self, at: usize, wait: bool) {
        let (port, operator) = (self.shops[at].0.to_string(), key_text(OPERATOR, self.number));
        let mut shop = Command::new(std::env::current_exe().unwrap());
        shop.args(["sell", &port, &self.store, &self.rpc, &self.recipient.to_string(), &operator]);
        shop.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut shop = shop.spawn().unwrap();
        if wait {
            let mut lines = BufReader::new(shop.stdout.take().unwrap()).lines();
            assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("ready"));
        }
        self.shops[at].1 = Some(shop);
    }

    /// Waits until nobody has to do anything any more.
    async fn quiet(&self) {
        let quiet = async {
            loop {
                let open = ["claimed", "settled", "refund-due", "refunding"];
                if sales(&self.store).await.iter().all(|sale| !open.contains(&sale.state.as_str())) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        within("what is due", quiet).await;
        let owed = Connection::to(self.shops[0].0).post("/owed", "", &[]).await.unwrap();
        assert_eq!(owed.body, "0");
    }
}

/// Makes calls as long as there are turns, and returns when all of them ended.
async fn customers(lane: u64, ports: Vec<u16>, turns: Arc<Semaphore>) -> Vec<Call> {
    let mut calls = JoinSet::new();
    let mut number = lane << 32;
    while let Ok(turn) = Arc::clone(&turns).acquire_owned().await {
        number += 1;
        calls.spawn(Call::new(number, key(PAYER, lane)).make(ports.clone(), turn));
    }
    calls.join_all().await
}

async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(Duration::from_secs(QUIET), work).await;
    done.unwrap_or_else(|_| panic!("{what} took longer than {QUIET} s"))
}

/// What a call costs, in base units.
fn price(number: u64) -> u128 {
    u128::from(1_000 + number.wrapping_mul(7919) % 1_000)
}

/// Anybody's guess below `sides`.
fn dice(sides: u64) -> u64 {
    RandomState::new().hash_one(sides) % sides
}

const PAYER: u64 = 0xface_0000;
const OPERATOR: u64 = 0xbeef_0000;

fn key(part: u64, lane: u64) -> LocalSigner {
    LocalSigner::from_hex(&key_text(part, lane)).unwrap()
}

fn key_text(part: u64, lane: u64) -> String {
    format!("0x{:064x}", part + lane)
}
