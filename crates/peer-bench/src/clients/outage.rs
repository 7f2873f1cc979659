//! Paid requests while the payer's node is down: who still pays.

use std::time::Duration;

use e2e::{Anvil, CHAIN_ID, MppxServer};
use tokio::net::TcpListener;

use super::peer::{NAMES, Paid, Purse, Task, explain, pay, programs};
use crate::Outcome;
use crate::bench::Bench;
use crate::report::{Goal, Section, Table};

pub(crate) const TITLE: &str = "A paid request while the payer's node is down";

const NUMBER: usize = 10;

pub(crate) fn run(bench: &Bench) -> Outcome<Section> {
    let programs = programs(bench);
    let found = bench.block_on(async {
        let node = Anvil::start(CHAIN_ID).await;
        let server = MppxServer::start(&node).await;
        let rpc = format!("http://{}", TcpListener::bind("127.0.0.1:0").await?.local_addr()?);
        let mut found = Vec::new();
        for program in &programs {
            let purse = Purse::new(&node).await?;
            let (url, limit) = (server.url("/short"), Duration::from_secs(15));
            let task = Task {
                url: &url,
                rpc: &rpc,
                key: &purse.key,
                warm_up: 0,
                number: NUMBER,
                in_flight: 1,
                limit,
            };
            found.push(pay(program, &task).await);
        }
        Outcome::Ok(found)
    })?;
    let found: [Paid; 4] = found.try_into().map_err(|_| "not one of each client")?;
    let mut table = Table::new(["client", "paid", "failed"]);
    for (name, paid) in NAMES.iter().zip(&found) {
        table.row([(*name).to_owned(), paid.receipts.len().to_string(), paid.failures.len().to_string()]);
    }
    let [ours, ..] = &found;
    Ok(Section::new(TITLE)
        .prose(WHAT)
        .table(table)
        .prose(explain(found.each_ref().map(|paid| paid.failures.first())))
        .goal(Goal::new(
            "ours pays every time",
            format!("{} of {NUMBER}", ours.receipts.len()),
            ours.receipts.len() == NUMBER,
        )))
}

const WHAT: &str = "\
The same clients, set the same, but nothing listens where their node should be; the server's own node is up.";
