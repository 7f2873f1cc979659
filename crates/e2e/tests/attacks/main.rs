//! What hostile servers can do to a payer: one row an attack, each on real sockets and with a purse of its own on the
//! real chain. A row says how many signatures were made, how many credentials left, what left the purse once everybody
//! who heard a credential had cashed it in, and what the client says became of the money. It fails when more left than
//! the price and fee of the one payment that was agreed to, and when anything else is not as expected.
//!
//! Takes what any test takes: a part of a name as a filter, `--exact`, `--skip`, `--list`.

mod answers;
mod attack;
mod cash;
mod connections;
mod demand;
mod fields;
mod h2_server;
mod messages;
mod receipts;
mod redirects;
mod stage;
mod streams;
mod terms;

use std::process::{Command, ExitCode};
use std::sync::Arc;

use e2e::harness;
use tokio::sync::Semaphore;

use attack::Attack;
use stage::Row;

fn main() -> ExitCode {
    let Some(attacks) = harness::select(all(), |attack| &attack.name) else { return ExitCode::SUCCESS };
    if !attacks.is_empty() && std::env::var_os(h2_server::FOLDER).is_none() {
        return trusting_a_certificate();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let rows = runtime.expect("a runtime").block_on(run(attacks));
    let failed = rows.iter().filter(|row| !row.faults.is_empty()).count();
    if !rows.is_empty() {
        harness::print(table(&rows));
    }
    harness::end(rows.len() - failed, failed)
}

fn all() -> Vec<Attack> {
    let groups = [
        terms::attacks(),
        fields::attacks(),
        redirects::attacks(),
        connections::attacks(),
        messages::attacks(),
        answers::attacks(),
        receipts::attacks(),
        streams::attacks(),
    ];
    groups.into_iter().flatten().collect()
}

/// Only a process of its own can have another environment, and only there is another certificate trusted.
fn trusting_a_certificate() -> ExitCode {
    let folder = tempfile::tempdir().expect("a folder");
    h2_server::write_certificate(folder.path());
    let mut child = Command::new(std::env::current_exe().expect("the path of this program"));
    child.args(std::env::args_os().skip(1));
    child.env("SSL_CERT_FILE", folder.path().join(h2_server::CERTIFICATE)).env_remove("SSL_CERT_DIR");
    let status = child.env(h2_server::FOLDER, folder.path()).status().expect("this program runs");
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn run(attacks: Vec<Attack>) -> Vec<Row> {
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    let rows = attacks.into_iter().map(|attack| {
        let (name, at_once) = (attack.name.clone(), Arc::clone(&at_once));
        let row = tokio::spawn(async move {
            let _turn = at_once.acquire().await;
            stage::run(attack).await
        });
        (name, row)
    });
    let mut done = Vec::new();
    for (name, row) in rows.collect::<Vec<_>>() {
        done.push(row.await.unwrap_or_else(|panic| Row::failed(name, &panic.to_string())));
    }
    done
}

/// The rows as lines, and below each what is wrong with it.
fn table(rows: &[Row]) -> Vec<String> {
    let width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or_default();
    let mut lines = vec![format!(
        "{:width$} | signatures | credentials (distinct / sent) | units left      | verdict",
        "attack"
    )];
    for row in rows {
        let credentials = format!("{} / {}", row.distinct, row.sent);
        let left = format!("{} of {}", row.left, row.bound);
        let verdict = mpp_core::printable(&row.verdict, 100);
        let Row { name, signatures, .. } = row;
        lines.push(format!("{name:width$} | {signatures:10} | {credentials:29} | {left:15} | {verdict}"));
        lines.extend(row.faults.iter().map(|fault| format!("    FAILED: {fault}")));
    }
    lines
}

/// How many attacks run at a time.
const AT_ONCE: usize = 8;
