//! Servers that sell the same for the same price on the same node: how many 402s and paid answers each gives, and what
//! they cost it.

mod load;
mod payer;
mod process;
mod scene;
mod shop;

use std::time::Duration;

use self::load::{Errand, Loads};
use self::scene::{Account, NAMES, Scene};
use crate::Outcome;
use crate::bench::Bench;
use crate::report::{Goal, Section, Table, figure};

pub(crate) use self::shop::{Kind, Shop, serve};

pub(crate) const TITLE: &str = "Servers";

const CONNECTIONS: u32 = 64;
/// Unpaid requests of a turn, for each server.
const UNPAID: [u32; 4] = [20_000, 20_000, 20_000, 2_000];
/// In flight, and paid requests of a turn.
const PAID: [(u32, u32); 3] = [(1, 100), (8, 200), (64, 320)];

pub(crate) fn run(bench: &Bench) -> Outcome<Section> {
    let rounds = bench.times(3, 1);
    bench.block_on(async {
        let mut accounts = [Account::default(); 4];
        let unpaid = unpaid(&mut accounts, bench.times(5, 2)).await?;
        let mut paid = Vec::new();
        for (in_flight, number) in PAID {
            paid.push((in_flight, self::paid(&mut accounts, rounds, in_flight, number).await?));
        }
        Ok(report(&unpaid, &paid, &accounts))
    })
}

/// Rounds on one node, which unpaid requests do not make older.
async fn unpaid(accounts: &mut [Account; 4], rounds: usize) -> Outcome<[Loads; 4]> {
    let mut loads: [Loads; 4] = Default::default();
    let scene = Scene::open(accounts).await?;
    for round in 0..rounds {
        let mut turns: Vec<_> = scene.servers.iter().zip(UNPAID).zip(&mut loads).collect();
        turns.rotate_left(round % NAMES.len());
        for ((server, number), loads) in turns {
            loads.push(scene.load(server, Errand::Unpaid, CONNECTIONS, number).await?);
        }
    }
    scene.close(accounts).await?;
    Ok(loads)
}

/// What came of the four servers, and of the node alone.
struct Paid {
    servers: [Loads; 4],
    alone: Loads,
}

/// Rounds on a young node each.
async fn paid(accounts: &mut [Account; 4], rounds: usize, in_flight: u32, number: u32) -> Outcome<Paid> {
    let mut paid = Paid { servers: Default::default(), alone: Loads::default() };
    for round in 0..rounds {
        let scene = Scene::open(accounts).await?;
        let servers = scene.servers.iter().zip(&mut paid.servers);
        let servers = servers.map(|(server, loads)| (server, Errand::Paid, loads));
        let mut turns: Vec<_> = servers.chain([(&scene.alone, Errand::Bare, &mut paid.alone)]).collect();
        let first = round % turns.len();
        turns.rotate_left(first);
        for (server, errand, loads) in turns {
            loads.push(scene.load(server, errand, in_flight, number).await?);
        }
        scene.close(accounts).await?;
    }
    Ok(paid)
}

fn report(unpaid: &[Loads; 4], paid: &[(u32, Paid)], accounts: &[Account; 4]) -> Section {
    let mut section = Section::new(TITLE)
        .prose(WHAT)
        .prose(format!("Requests without payment, on {CONNECTIONS} connections:"))
        .table(unpaid_table(unpaid))
        .prose(PAYMENTS)
        .table(paid_table(paid))
        .prose("Memory of a server's process, and whether what was answered was paid for:")
        .table(accounts_table(accounts));
    let failures = unpaid.iter().chain(paid.iter().flat_map(|(_, paid)| &paid.servers));
    if let Some(failure) = failures.flat_map(Loads::failures).next() {
        section = section.prose(format!("The first failure: {}", crate::report::brief(failure)));
    }
    let [durable, _, mpp, mppx] = unpaid;
    section = section
        .goal(Goal::at_least("10 times as many 402s as mppx", durable.times_those_of(mppx).median(), 10.0))
        .goal(
            Goal::at_least("1.5 times as many 402s as mpp", durable.times_those_of(mpp).median(), 1.5)
                .against_it(BY_THE_LOAD),
        );
    let Some((_, Paid { servers: [durable, _, mpp, mppx], .. })) = paid.last() else { return section };
    section
        .goal(
            Goal::at_least("10 times as many payments as mppx", durable.times_those_of(mppx).median(), 10.0)
                .against_it(BY_THE_NODE),
        )
        .goal(
            Goal::at_least("1.5 times as many payments as mpp", durable.times_those_of(mpp).median(), 1.5)
                .against_it(BY_THE_NODE),
        )
}

const BY_THE_LOAD: &str = "\
The load comes from one thread on the same two processors, and is near its own limit; what a 402 takes of a server's CPU is
bound by nothing else. A 402 of ours is for one request, whose body it digests; what it asks for is worked out anew.";

const BY_THE_NODE: &str = "\
A payment is bound by the node, which stands on the same two processors. It is asked once by mpp, to send the transaction. Ours
has it tried first, so that one that cannot pay costs its payer no fee, and writes the sale to disk before and after; mpp
keeps the hashes that it saw in memory.";

fn unpaid_table(loads: &[Loads; 4]) -> Table {
    let mut table = Table::new([
        "server",
        "402s",
        "failures",
        "402s/s",
        "spread",
        "SQLite gate is ×",
        "spread",
        "p50 ms",
        "p99 ms",
        "CPU of a 402 µs",
    ]);
    let [durable, ..] = loads;
    for (name, loads) in NAMES.iter().zip(loads) {
        let ratio = durable.times_those_of(loads);
        table.row([
            (*name).to_owned(),
            loads.done().to_string(),
            loads.failures().count().to_string(),
            figure(loads.rates().median()),
            loads.rates().spread(),
            figure(ratio.median()),
            ratio.spread(),
            figure(loads.whole().median()),
            figure(loads.whole().quantile(0.99)),
            figure(loads.server_cpu().as_secs_f64() * 1e6),
        ]);
    }
    table
}

fn paid_table(paid: &[(u32, Paid)]) -> Table {
    let mut table = Table::new([
        "server",
        "in flight",
        "paid",
        "failures",
        "paid/s",
        "spread",
        "SQLite gate is ×",
        "spread",
        "paid leg p50 ms",
        "p99 ms",
        "whole p50 ms",
        "p99 ms",
        "server's CPU ms",
        "node's CPU ms",
    ]);
    for (in_flight, Paid { servers, alone }) in paid {
        let [durable, ..] = servers;
        for (name, loads) in NAMES.iter().chain(&["node alone"]).zip(servers.iter().chain([alone])) {
            let own = (!std::ptr::eq(loads, alone)).then(|| loads.server_cpu());
            let ratio = durable.times_those_of(loads);
            table.row([
                (*name).to_owned(),
                in_flight.to_string(),
                loads.done().to_string(),
                loads.failures().count().to_string(),
                figure(loads.rates().median()),
                loads.rates().spread(),
                figure(ratio.median()),
                ratio.spread(),
                figure(loads.last().median()),
                figure(loads.last().quantile(0.99)),
                figure(loads.whole().median()),
                figure(loads.whole().quantile(0.99)),
                own.map_or_else(String::new, millis),
                millis(loads.node_cpu()),
            ]);
        }
    }
    table
}

fn accounts_table(accounts: &[Account; 4]) -> Table {
    let mut table = Table::new([
        "server",
        "at the start MiB",
        "peak MiB",
        "cents on chain",
        "answers with a receipt, a cent each",
    ]);
    for (name, account) in NAMES.iter().zip(accounts) {
        table.row([
            (*name).to_owned(),
            mebibytes(account.idle),
            mebibytes(account.peak),
            account.paid.to_string(),
            account.sold.to_string(),
        ]);
    }
    table
}

fn millis(time: Duration) -> String {
    figure(time.as_secs_f64() * 1e3)
}

fn mebibytes(kibibytes: u32) -> String {
    figure(f64::from(kibibytes) / 1024.0)
}

const WHAT: &str = "\
A gate of this project behind axum, keeping its sales in SQLite (each on the disk before the answer leaves) or in memory;
the extractor of mpp behind axum, and mppx behind Node's `http`, both with their own stores in memory. All sell one apple for
a cent on one node, each in a process of its own, and take turns.";

const PAYMENTS: &str = "\
Requests with payment, from asking for a challenge to the apple with its receipt, on a node that is young at the beginning of
every round, as a node takes longer the more it has mined. Gates and mppx have the node try a payment before it is made; mpp
has it made untried. The last row is a node asked by no server, to try a payment and make it: no server that does both can
be faster.";
