//! How many requests a gate answers, unpaid and paid, beside the published server on the same node and machine; what
//! each costs in time, CPU and memory; and that a gate is as fast with many sales behind it.
//!
//!     cargo bench -p e2e --bench gateway
//!
//! It reads `/proc`, so it needs Linux. The servers take turns in one run; the ratios are what a busy machine disturbs
//! least.

#![expect(clippy::print_stdout, reason = "the tables are the result")]

mod growth;
mod load;
mod payer;
mod process;
mod scene;
mod shop;

use std::time::Duration;

use crate::load::{Errand, Load};
use crate::scene::{Accounts, Scene};

/// How often the servers take turns, each time in another order.
const ROUNDS: usize = 3;
const CONNECTIONS: u32 = 64;
/// Unpaid requests of a turn: of ours and of the other's.
const UNPAID: [u32; 2] = [20_000, 2_000];
/// In flight, and paid requests of a turn.
const PAID: [(u32, u32); 3] = [(1, 100), (8, 200), (64, 320)];

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
        let mut accounts = Accounts::default();
        unpaid(&mut accounts).await?;
        paid(&mut accounts).await?;
        close(&accounts);
        growth::table().await
    })
}

async fn unpaid(accounts: &mut Accounts) -> Outcome<()> {
    let scene = Scene::open(accounts).await?;
    let mut loads = [Load::default(), Load::default()];
    for _ in 0..ROUNDS {
        for ((server, number), load) in scene.servers.iter().zip(UNPAID).zip(&mut loads) {
            scene.load(server, Errand::Unpaid, CONNECTIONS, number, load).await?;
        }
    }
    println!("Unpaid requests on {CONNECTIONS} connections:\n");
    head(["server", "402s", "failures", "402s/s", "p50 ms", "p99 ms", "CPU of a 402 µs"]);
    for (server, load) in scene.servers.iter().zip(&loads) {
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
    let cpu = ratio(ours.server_cpu(), theirs.server_cpu());
    println!("\n{:.1} times as many, by {cpu:.3} of the CPU each", ours.rate() / theirs.rate());
    loads.iter().for_each(Load::explain);
    scene.close(accounts).await
}

async fn paid(accounts: &mut Accounts) -> Outcome<()> {
    println!("\nPaid requests; the node alone is asked to try and to make a payment, as by a server:\n");
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
        "ratio",
    ]);
    let mut failed = Vec::new();
    for (in_flight, number) in PAID {
        let mut loads = [Load::default(), Load::default(), Load::default()];
        let errands = [Errand::Paid, Errand::Paid, Errand::Bare];
        let mut names = [""; 3];
        for round in 0..ROUNDS {
            let scene = Scene::open(accounts).await?;
            names = scene.servers.each_ref().map(|server| server.name);
            let mut turns: Vec<_> = scene.servers.iter().zip(errands).zip(&mut loads).collect();
            turns.rotate_left(round);
            for ((server, errand), load) in turns {
                scene.load(server, errand, in_flight, number, load).await?;
            }
            scene.close(accounts).await?;
        }
        payments(in_flight, names, &loads);
        failed.extend(loads);
    }
    failed.iter().for_each(Load::explain);
    Ok(())
}

fn payments(in_flight: u32, names: [&str; 3], loads: &[Load; 3]) {
    let [.., alone] = loads;
    for (name, load) in names.iter().zip(loads) {
        let own = (!std::ptr::eq(load, alone)).then(|| load.server_cpu());
        row([
            (*name).to_owned(),
            in_flight.to_string(),
            load.done().to_string(),
            load.failures.len().to_string(),
            format!("{:.0}", load.rate()),
            format!("{:.2}", load.rate() / alone.rate()),
            millis(load.last(50)),
            millis(load.last(99)),
            millis(load.whole(50)),
            millis(load.whole(99)),
            own.map_or_else(String::new, millis),
            millis(load.node_cpu()),
            own.map_or_else(String::new, |own| format!("{:.2}", ratio(own, load.node_cpu()))),
        ]);
    }
}

fn close(accounts: &Accounts) {
    println!("\nMemory of a server's process, and whether what was answered was paid for:\n");
    head([
        "server",
        "at the start MiB",
        "after the load MiB",
        "peak MiB",
        "cents on chain",
        "answers with a receipt, a cent each",
    ]);
    let Accounts { idle, busy, peak, paid, sold } = accounts;
    let memory = idle.iter().zip(busy).zip(peak);
    let money = paid.iter().zip(sold);
    for (name, (((idle, busy), peak), (paid, sold))) in ["this gate", "mppx"].iter().zip(memory.zip(money)) {
        row([
            (*name).to_owned(),
            mebibytes(*idle),
            mebibytes(*busy),
            mebibytes(*peak),
            paid.to_string(),
            sold.to_string(),
        ]);
    }
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

fn millis(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}

fn micros(time: Duration) -> String {
    format!("{:.0}", time.as_secs_f64() * 1e6)
}

fn mebibytes(kibibytes: u32) -> String {
    format!("{:.1}", f64::from(kibibytes) / 1024.0)
}
