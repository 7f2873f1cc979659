//! Paid requests one after the other, to a server and a node on this machine: the time of each, and the client's CPU.

use std::time::Duration;

use e2e::{Anvil, CHAIN_ID, MppxServer};

use super::peer::{NAMES, Paid, Programs, Purse, Task, explain, pay, programs};
use crate::Outcome;
use crate::bench::Bench;
use crate::report::{Goal, Section, Table, figure};
use crate::stats::Samples;

pub(crate) const TITLE: &str = "A paid request";

/// What came of one client's payments in all rounds.
#[derive(Default)]
struct Found {
    latencies: Vec<f64>,
    /// CPU time of a payment, of each round.
    cpu: Vec<f64>,
    peak: f64,
    failures: Vec<String>,
}

pub(crate) fn run(bench: &Bench) -> Outcome<Section> {
    let programs = programs(bench);
    let (rounds, warm_up, number) = (bench.times(8, 1), bench.times(12, 3), bench.times(20, 5));
    let mut found: [Found; 4] = Default::default();
    bench.block_on(async {
        for round in 0..rounds {
            measure(&programs, round, warm_up, number, &mut found).await?;
        }
        Outcome::Ok(())
    })?;
    Ok(report(&found, rounds, number))
}

/// One round: a node takes longer the more it has mined, so each has a young one, and the clients take turns in being
/// the first.
async fn measure(
    programs: &Programs,
    round: usize,
    warm_up: usize,
    number: usize,
    found: &mut [Found; 4],
) -> Outcome<()> {
    let node = Anvil::start(CHAIN_ID).await;
    let server = MppxServer::start(&node).await;
    let (url, rpc) = (server.url("/short"), node.url());
    let mut turns: Vec<_> = programs.iter().zip(found).collect();
    // The server's code is compiled as it runs; whoever came first would wait for that.
    let [ours, ..] = programs;
    let mut before = Found::default();
    turns.rotate_left(round % NAMES.len());
    for (program, found) in std::iter::once((ours, &mut before)).chain(turns) {
        let purse = Purse::new(&node).await?;
        let limit = Duration::from_secs(30);
        let task = Task { url: &url, rpc: &rpc, key: &purse.key, warm_up, number, in_flight: 1, limit };
        found.add(pay(program, &task).await);
    }
    Ok(())
}

impl Found {
    fn add(&mut self, paid: Paid) {
        if let Ok(answers @ 1..) = u32::try_from(paid.latencies.len()) {
            self.cpu.push(paid.cpu / f64::from(answers));
        }
        self.latencies.extend(paid.latencies);
        self.peak = self.peak.max(paid.peak);
        self.failures.extend(paid.failures);
    }
}

fn report(found: &[Found; 4], rounds: usize, number: usize) -> Section {
    let times = found.each_ref().map(|found| Samples::new(found.latencies.iter().copied()));
    let cpu = found.each_ref().map(|found| Samples::new(found.cpu.iter().copied()));
    let [ours, peers @ ..] = times.each_ref().map(Samples::median);
    let [our_cpu, mpp_cpu, ..] = cpu.each_ref().map(Samples::median);
    let mut table = Table::new([
        "client",
        "paid",
        "failed",
        "median ms",
        "quartiles ms",
        "of ours",
        "CPU ms",
        "quartiles ms",
        "of ours",
        "peak MiB",
    ]);
    for ((name, found), (times, cpu)) in NAMES.iter().zip(found).zip(times.iter().zip(&cpu)) {
        table.row([
            (*name).to_owned(),
            found.latencies.len().to_string(),
            found.failures.len().to_string(),
            figure(times.median()),
            times.spread(),
            figure(times.median() / ours),
            figure(cpu.median()),
            cpu.spread(),
            figure(cpu.median() / our_cpu),
            figure(found.peak / 1024.0),
        ]);
    }
    let fastest = peers.into_iter().fold(f64::NAN, f64::min);
    Section::new(TITLE)
        .prose(WHAT)
        .prose(format!(
            "{rounds} rounds of {number} measured payments of each client, each round on a new node."
        ))
        .table(table)
        .prose(explain(found.each_ref().map(|found| found.failures.first())))
        .goal(
            Goal::at_most(
                "ours takes no longer than the fastest peer: time, of that one's",
                ours / fastest,
                1.0,
            )
            .against_it(TIME),
        )
        .goal(
            Goal::at_most("our CPU is at most a third of mpp's: part of it", our_cpu / mpp_cpu, 1.0 / 3.0)
                .against_it(CPU),
        )
}

const TIME: &str = "\
Nearly all of the time is the server's and the node's; a client's own part is its CPU, in the table.";

const CPU: &str = "\
Of a payment's CPU most goes to the system's calls for the two requests that both clients make, and to the signature. What mpp
does besides is one request of its node.";

const WHAT: &str = "\
Each client buys the same page from the same server (mppx) on the same node, all on this machine: a GET, its 402, a signature,
the GET with the credential, and the server's own two calls of the node, which are most of the time. A client is a process of
its own, which has made some payments before it is measured and keeps its connections. Times are of a paid request, from the
call to the end of the body; CPU is the client's, user and system, for one of them.

What was set: ours has a cap, a chain and a token, and keeps its ledger in memory, all of which it has to. mpp: `Fetch` with a
`TempoProvider` whose chain, token and cap are pinned, which saves it a call; built in release like ours, with the same
dependencies where they share any. mppx: `Mppx.create` with `tempo.charge` on a viem client, its chain pinned. pympp:
`PaymentTransport` with `tempo.charge`, chain, token and cap pinned. Challenges expire after 20 seconds, as pympp would
otherwise sign for 60, which the chain's hardfork that the node runs (T4) does not take.";
