//! Paid requests over a distance: how often each client goes to the server and to its node, and how long that takes.

use std::collections::BTreeSet;
use std::time::Duration;

use e2e::{Anvil, CHAIN_ID, MppxServer};
use serde_json::Value;

use super::peer::{Client, NAMES, Paid, Programs, Purse, Task, explain, programs};
use super::proxy::Proxy;
use crate::Outcome;
use crate::bench::Bench;
use crate::report::{Goal, Section, Table, figure};
use crate::stats::Samples;

pub(crate) const TITLE: &str = "A paid request over a distance";

const DELAY: Duration = Duration::from_millis(50);

#[derive(Default)]
struct Found {
    latencies: Vec<f64>,
    failures: Vec<String>,
    /// Requests of the measured payments.
    server: usize,
    node: usize,
    methods: BTreeSet<String>,
}

pub(crate) fn run(bench: &Bench) -> Outcome<Section> {
    let programs = programs(bench);
    let (rounds, warm_up, number) = (bench.times(4, 1), bench.times(6, 2), bench.times(10, 4));
    let mut found: [Found; 4] = Default::default();
    bench.block_on(async {
        for round in 0..rounds {
            measure(&programs, round, warm_up, number, &mut found).await?;
        }
        Outcome::Ok(())
    })?;
    Ok(report(&found))
}

/// One round on a young node.
async fn measure(
    programs: &Programs,
    round: usize,
    warm_up: usize,
    number: usize,
    found: &mut [Found; 4],
) -> Outcome<()> {
    let node = Anvil::start(CHAIN_ID).await;
    let server = MppxServer::start(&node).await;
    let proxy = async |url: String| Proxy::start(url.trim_start_matches("http://").parse()?, DELAY).await;
    let (to_server, to_node) = (proxy(server.url("")).await?, proxy(node.url()).await?);
    let mut turns: Vec<_> = programs.iter().zip(found).collect();
    turns.rotate_left(round % NAMES.len());
    for (program, found) in turns {
        let purse = Purse::new(&node).await?;
        let (url, rpc, limit) = (to_server.url("/short"), to_node.url(""), Duration::from_secs(30));
        let task = Task { url: &url, rpc: &rpc, key: &purse.key, warm_up, number, in_flight: 1, limit };
        let paid = async {
            let client = Client::start(program, &task).await?;
            drop((to_server.requests(), to_node.requests()));
            client.pay().await
        };
        let paid = paid.await.unwrap_or_else(|error| Paid::failed(&*error));
        let calls = to_node.requests();
        found.server += to_server.requests().len();
        found.node += calls.len();
        found.methods.extend(calls.iter().flat_map(|call| methods(call)));
        found.latencies.extend(paid.latencies);
        found.failures.extend(paid.failures);
    }
    Ok(())
}

/// The methods of a JSON-RPC call, or of a list of them.
fn methods(call: &[u8]) -> Vec<String> {
    let calls = match serde_json::from_slice(call) {
        Ok(Value::Array(calls)) => calls,
        Ok(call) => vec![call],
        Err(_) => Vec::new(),
    };
    calls.iter().filter_map(|call| call.get("method")?.as_str()).map(str::to_owned).collect()
}

fn report(found: &[Found; 4]) -> Section {
    let times = found.each_ref().map(|found| Samples::new(found.latencies.iter().copied()));
    let [ours, ..] = times.each_ref().map(Samples::median);
    let mut table = Table::new([
        "client",
        "paid",
        "failed",
        "requests to the server, a payment",
        "to the node",
        "what it asks the node",
        "median ms",
        "quartiles ms",
        "of ours",
    ]);
    for ((name, found), times) in NAMES.iter().zip(found).zip(&times) {
        let payment = |requests| figure(count(requests) / count(found.latencies.len()));
        let methods: Vec<_> = found.methods.iter().map(|method| format!("`{method}`")).collect();
        table.row([
            (*name).to_owned(),
            found.latencies.len().to_string(),
            found.failures.len().to_string(),
            payment(found.server),
            payment(found.node),
            methods.join(" "),
            figure(times.median()),
            times.spread(),
            figure(times.median() / ours),
        ]);
    }
    let [ours, ..] = found;
    let payments = ours.latencies.len();
    let aim = "ours goes to the server twice a payment, and to no node";
    Section::new(TITLE)
        .prose(WHAT)
        .table(table)
        .prose(explain(found.each_ref().map(|found| found.failures.first())))
        .goal(Goal::new(
            aim,
            format!("{} and {} for {payments} payments", ours.server, ours.node),
            payments > 0 && ours.failures.is_empty() && ours.server == 2 * payments && ours.node == 0,
        ))
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::NAN, f64::from)
}

const WHAT: &str = "\
The same clients, set the same, with a proxy between them and the server and between them and their node, which lets each
request wait 50 ms more for its answer and counts it. New connections wait for nothing, which favours clients that open
many. The server is next to its node as before.";
