//! Many payments at once with one key: whether all succeed, whether each is paid once, and how many there are a second.

use std::collections::BTreeSet;
use std::time::Duration;

use e2e::{Anvil, CHAIN_ID, MppxServer, RECIPIENT};
use mpp_core::Receipt;
use mpp_core::tempo::Address;

use super::peer::{CENT, NAMES, Paid, Program, Purse, Task, explain, pay, programs};
use crate::Outcome;
use crate::bench::Bench;
use crate::report::{Goal, Section, Table, figure};
use crate::servers::{Kind, Shop};
use crate::stats::Samples;

pub(crate) const TITLE: &str = "Many payments at once, from one key";

const IN_FLIGHT: usize = 64;
const LIMIT: Duration = Duration::from_secs(25);

/// What came of one client's payments to one server.
struct Found {
    paid: Paid,
    /// Answers whose receipt names a transaction that an earlier one named.
    duplicates: usize,
    /// Transactions on chain that paid for no answer, or for more than one if below zero.
    astray: i128,
    /// Base units on chain beyond the price of all answers.
    money: i128,
}

pub(crate) fn run(bench: &Bench) -> Outcome<Section> {
    let programs = programs(bench);
    let number = bench.times(1_000, 100);
    let mut section = Section::new(TITLE).prose(format!("{number} payments, {IN_FLIGHT} at a time, {WHAT}"));
    for server in [Server::Mppx, Server::Gate] {
        let mut found = Vec::new();
        for program in &programs {
            let measured = bench.block_on(measure(program, server, number));
            found.push(measured.unwrap_or_else(|error| Found::failed(&*error)));
        }
        let found: [Found; 4] = found.try_into().map_err(|_| "not one of each client")?;
        section = add(section.prose(server.prose()), &found, server, number);
    }
    Ok(section)
}

/// Who is paid.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Server {
    /// The published server, in whose single thread most of the time goes by.
    Mppx,
    /// Our gate, in front of which a client's own share shows.
    Gate,
}

impl Server {
    fn prose(self) -> &'static str {
        match self {
            Server::Mppx => "To the mppx server, which runs on one thread:",
            Server::Gate => "To this project's gate, which keeps its sales in SQLite:",
        }
    }
}

/// A node and a server for this client alone.
async fn measure(program: &Result<Program, String>, server: Server, number: usize) -> Outcome<Found> {
    let node = Anvil::start(CHAIN_ID).await;
    let purse = Purse::new(&node).await?;
    let rpc = node.url();
    let task = |url| Task {
        url,
        rpc: &rpc,
        key: &purse.key,
        warm_up: IN_FLIGHT,
        number,
        in_flight: IN_FLIGHT,
        limit: LIMIT,
    };
    let (paid, payee) = match server {
        Server::Mppx => {
            let shop = MppxServer::start(&node).await;
            (pay(program, &task(&shop.url("/short"))).await, RECIPIENT.address)
        }
        Server::Gate => {
            let shop = Shop::start(Kind::Durable, &rpc)?;
            (pay(program, &task(&shop.url())).await, Kind::Durable.recipient())
        }
    };
    audit(&node, paid, purse.address, payee).await
}

/// Holds the answers against the chain.
async fn audit(node: &Anvil, paid: Paid, payer: Address, payee: Address) -> Outcome<Found> {
    let mut transactions = BTreeSet::new();
    let mut moved = 0;
    for transfer in node.memo_transfers(None).await {
        if transfer.from == payer && transfer.to == payee {
            transactions.insert(transfer.transaction);
            moved += i128::try_from(transfer.amount)?;
        }
    }
    let mut named = BTreeSet::new();
    for receipt in &paid.receipts {
        named.insert(Receipt::parse(receipt.as_bytes())?.reference().to_owned());
    }
    let answers = i128::try_from(paid.receipts.len())? + i128::from(paid.warm);
    Ok(Found {
        duplicates: paid.receipts.len().saturating_sub(named.len()),
        astray: i128::try_from(transactions.len())? - answers,
        money: moved - answers * i128::try_from(CENT)?,
        paid,
    })
}

impl Found {
    fn failed(error: &(dyn std::error::Error + Send + Sync)) -> Self {
        Found { paid: Paid::failed(error), duplicates: 0, astray: 0, money: 0 }
    }

    fn rate(&self) -> f64 {
        u32::try_from(self.paid.receipts.len()).map_or(f64::NAN, f64::from) / self.paid.wall * 1e3
    }
}

fn add(section: Section, found: &[Found; 4], server: Server, number: usize) -> Section {
    let mut table = Table::new([
        "client",
        "paid",
        "failed",
        "not begun in time",
        "answers for a payment used before",
        "payments without an answer",
        "base units beyond the price",
        "payments/s",
        "of ours",
        "median ms",
        "CPU ms",
        "peak MiB",
    ]);
    let [ours, peers @ ..] = found.each_ref().map(Found::rate);
    for (name, found) in NAMES.iter().zip(found) {
        let Paid { latencies, failures, cpu, peak, .. } = &found.paid;
        let payments = u32::try_from(latencies.len()).map_or(f64::NAN, f64::from);
        table.row([
            (*name).to_owned(),
            latencies.len().to_string(),
            failures.len().to_string(),
            number.saturating_sub(latencies.len() + failures.len()).to_string(),
            found.duplicates.to_string(),
            found.astray.to_string(),
            found.money.to_string(),
            figure(found.rate()),
            figure(found.rate() / ours),
            figure(Samples::new(latencies.iter().copied()).median()),
            figure(cpu / payments),
            figure(peak / 1024.0),
        ]);
    }
    let section =
        section.table(table).prose(explain(found.each_ref().map(|found| found.paid.failures.first())));
    let [found, ..] = found;
    let fastest = peers.into_iter().fold(f64::NAN, f64::max);
    let [sound, rate] = server.aims();
    section
        .goal(soundness(sound, found, number).against_it(LATE))
        .goal(Goal::at_least(rate, ours / fastest, 1.0).against_it(BOUND))
}

impl Server {
    fn aims(self) -> [&'static str; 2] {
        match self {
            Server::Mppx => [
                "mppx: all of our payments succeed, each is made once, and the chain holds their price to the base unit",
                "mppx: ours makes no fewer payments a second than any peer: rate, of the best one's",
            ],
            Server::Gate => [
                "gate: all of our payments succeed, each is made once, and the chain holds their price to the base unit",
                "gate: ours makes no fewer payments a second than any peer: rate, of the best one's",
            ],
        }
    }
}

fn soundness(aim: &'static str, found: &Found, number: usize) -> Goal {
    let Found { paid, duplicates, astray, money } = found;
    let (answers, failures) = (paid.receipts.len(), paid.failures.len());
    Goal::new(
        aim,
        format!(
            "{answers} of {number} paid, {failures} failed, {duplicates} used before, {astray} without an answer, \
             {money} base units beyond"
        ),
        answers == number && failures == 0 && *duplicates == 0 && *astray == 0 && *money == 0,
    )
}

const LATE: &str = "\
What fails here was signed in time and reached the node too late: the server was behind by more than the payment was valid.
Ours says that the outcome is unknown, and signs no second payment; the other SDKs pay again.";

const BOUND: &str = "\
What bounds the rate is the server and its node, on the same two processors, and not the client.";

const WHAT: &str = "\
from one account that each client has to itself, on a node and a server that nobody else uses. After 25 seconds a client begins no more. What it was answered is held against the chain: how many transactions of its
account paid the server, and how much.";
