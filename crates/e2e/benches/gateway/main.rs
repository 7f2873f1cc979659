//! How many requests a gate answers, unpaid and paid, beside the published server on the same node and machine; what
//! each costs in time, CPU and memory; and that a gate is as fast with many sales behind it.
//!
//!     cargo bench -p e2e --bench gateway
//!
//! The servers take turns in one run; the ratios are what a busy machine disturbs least.

#![expect(clippy::print_stdout, reason = "the tables are the result")]

mod growth;
mod load;
mod payer;
mod process;
mod shop;

use std::sync::Arc;
use std::time::Duration;

use e2e::{Anvil, CHAIN_ID, MppxServer, PATH_USD, RECIPIENT};

use crate::load::{Errand, Load, Server};
use crate::payer::{CENT, Payer};
use crate::shop::Shop;

/// How often the servers take turns.
const ROUNDS: u32 = 3;
const CONNECTIONS: u32 = 64;
/// Requests of a round, unpaid: of ours and of the other's.
const UNPAID: [u32; 2] = [20_000, 2_000];
/// In flight, and paid requests of a round.
const PAID: [(u32, u32); 3] = [(1, 60), (8, 160), (64, 320)];

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, node, file] = arguments.as_slice()
        && command == shop::COMMAND
    {
        return shop::serve(node, file.as_ref());
    }
    // One thread, as the servers need the processors.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let run = Run::start().await?;
        run.warm_up().await?;
        run.unpaid().await?;
        run.paid().await?;
        run.memory()?;
        run.balances().await;
        growth::table().await
    })
}

/// Everything that runs for the tables.
struct Run {
    node: Anvil,
    _shops: (Shop, MppxServer),
    ours: Server,
    theirs: Server,
    /// The node itself, asked for the least that any server asks it.
    bare: Server,
    payer: Arc<Payer>,
    idle: [process::Memory; 2],
    /// What the two payees held.
    held: [u128; 2],
}

impl Run {
    async fn start() -> Outcome<Self> {
        let node = Anvil::start(CHAIN_ID).await;
        let shops = (Shop::start(&node.url())?, MppxServer::start(&node).await);
        let node_process = node.process_id();
        let server = |name, url: &str, process| Server::new(name, url, process, node_process);
        Ok(Run {
            ours: server("this gate", &shops.0.url(), shops.0.process_id())?,
            theirs: server("mppx", &shops.1.url("/pull"), shops.1.process_id())?,
            bare: server("node alone", &node.url(), node_process)?,
            idle: [process::memory(shops.0.process_id())?, process::memory(shops.1.process_id())?],
            held: balances(&node).await,
            payer: Arc::new(Payer::new()?),
            _shops: shops,
            node,
        })
    }

    async fn load(
        &self,
        server: &Server,
        errand: Errand,
        in_flight: u32,
        number: u32,
        load: &mut Load,
    ) -> Outcome<()> {
        load::run(server, errand, &self.payer, in_flight, number, load).await
    }

    /// The other server's code is compiled as it runs.
    async fn warm_up(&self) -> Outcome<()> {
        for server in [&self.ours, &self.theirs] {
            self.load(server, Errand::Unpaid, CONNECTIONS, 2_000, &mut Load::default()).await?;
            self.load(server, Errand::Paid, 8, 80, &mut Load::default()).await?;
        }
        Ok(())
    }

    async fn unpaid(&self) -> Outcome<()> {
        let mut loads = [Load::default(), Load::default()];
        let servers = [&self.ours, &self.theirs];
        for _ in 0..ROUNDS {
            for ((server, number), load) in servers.iter().zip(UNPAID).zip(&mut loads) {
                self.load(server, Errand::Unpaid, CONNECTIONS, number, load).await?;
            }
        }
        println!("Unpaid requests on {CONNECTIONS} connections:\n");
        head(["server", "402s", "failures", "402s/s", "p50 ms", "p99 ms", "CPU of a 402 µs"]);
        for (server, load) in servers.iter().zip(&loads) {
            row([
                server.name.to_owned(),
                load.done().to_string(),
                load.failures.len().to_string(),
                format!("{:.0}", load.rate()),
                millis(load.whole(50)),
                millis(load.whole(99)),
                micros(load.server_cpu()),
            ]);
        }
        let [ours, theirs] = &loads;
        let cpu = theirs.server_cpu().as_secs_f64() / ours.server_cpu().as_secs_f64();
        println!("\n{:.1} times as many, {cpu:.1} times as little CPU\n", ours.rate() / theirs.rate());
        loads.iter().for_each(Load::explain);
        Ok(())
    }

    async fn paid(&self) -> Outcome<()> {
        println!(
            "Paid requests; of the node alone its simulation and transaction are asked, nothing else:\n"
        );
        head([
            "server",
            "in flight",
            "paid",
            "failures",
            "paid/s",
            "of the node's",
            "paid leg p50 ms",
            "p99 ms",
            "whole p50 ms",
            "p99 ms",
            "server's CPU ms",
            "node's CPU ms",
        ]);
        for (in_flight, number) in PAID {
            let mut loads = [Load::default(), Load::default(), Load::default()];
            let servers = [&self.bare, &self.ours, &self.theirs];
            let errands = [Errand::Bare, Errand::Paid, Errand::Paid];
            for _ in 0..ROUNDS {
                for ((server, errand), load) in servers.iter().zip(errands).zip(&mut loads) {
                    self.load(server, errand, in_flight, number, load).await?;
                }
            }
            let [bare, ..] = &loads;
            for (server, load) in servers.iter().zip(&loads) {
                let own = if server.is_node() { Duration::ZERO } else { load.server_cpu() };
                row([
                    server.name.to_owned(),
                    in_flight.to_string(),
                    load.done().to_string(),
                    load.failures.len().to_string(),
                    format!("{:.0}", load.rate()),
                    format!("{:.2}", load.rate() / bare.rate()),
                    millis(load.last(50)),
                    millis(load.last(99)),
                    millis(load.whole(50)),
                    millis(load.whole(99)),
                    millis(own),
                    millis(load.node_cpu()),
                ]);
            }
            loads.iter().for_each(Load::explain);
        }
        Ok(())
    }

    fn memory(&self) -> Outcome<()> {
        println!("\nMemory of the server's process:\n");
        head(["server", "at the start MiB", "at the end MiB", "peak MiB"]);
        for (server, idle) in [&self.ours, &self.theirs].iter().zip(&self.idle) {
            let memory = process::memory(server.process)?;
            row([
                server.name.to_owned(),
                mebibytes(idle.resident),
                mebibytes(memory.resident),
                mebibytes(memory.peak),
            ]);
        }
        Ok(())
    }

    /// That what was answered was paid for.
    async fn balances(&self) {
        println!("\nPaid on chain against answers with a receipt, in cents:\n");
        head(["server", "on chain", "answers"]);
        let earned = balances(&self.node).await;
        for ((server, now), before) in [&self.ours, &self.theirs].iter().zip(earned).zip(self.held) {
            row([server.name.to_owned(), ((now - before) / CENT).to_string(), server.sold().to_string()]);
        }
    }
}

async fn balances(node: &Anvil) -> [u128; 2] {
    let of = |owner| node.balance_of(PATH_USD, owner);
    [of(shop::RECIPIENT).await, of(RECIPIENT.address).await]
}

fn head<const N: usize>(cells: [&str; N]) {
    println!("| {} |", cells.join(" | "));
    println!("|{}", "---|".repeat(N));
}

fn row<const N: usize>(cells: [String; N]) {
    println!("| {} |", cells.join(" | "));
}

fn millis(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}

fn micros(time: Duration) -> String {
    format!("{:.0}", time.as_secs_f64() * 1e6)
}

fn mebibytes(kibibytes: u32) -> String {
    format!("{:.1}", f64::from(kibibytes) / 1024.0)
}
