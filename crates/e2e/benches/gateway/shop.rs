//! A shop behind a gate, in a process of its own so that its CPU and memory are its own: this program, started again.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use alloy_primitives::Address;
use axum::Router;
use axum::routing::get;
use e2e::{PATH_USD, SPLIT_RECIPIENT};
use mpp_core::Amount;
use mpp_gate::chain::Chain;
use mpp_gate::store::SqlStore;
use mpp_gate::{Charge, Cost, Gate, Node, Payee, Secret};
use tempfile::TempDir;

use crate::Outcome;
use crate::payer::CENT;

/// The argument that makes this program a shop.
pub(crate) const COMMAND: &str = "serve";
/// Who is paid.
pub(crate) const RECIPIENT: Address = SPLIT_RECIPIENT.address;

/// A running shop, stopped when dropped.
pub(crate) struct Shop {
    child: Child,
    port: u16,
    _sales: TempDir,
}

impl Shop {
    pub(crate) fn start(node: &str) -> Outcome<Self> {
        let sales = tempfile::tempdir()?;
        let mut child = Command::new(std::env::current_exe()?)
            .args([COMMAND, node])
            .arg(sales.path().join("sales.sqlite"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let output = child.stdout.take().ok_or("no standard output")?;
        BufReader::new(output).read_line(&mut line)?;
        Ok(Shop { child, port: line.trim().parse()?, _sales: sales })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/pull", self.port)
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Sells apples until standard input ends; the first line says on which port.
pub(crate) fn serve(node: &str, sales: &Path) -> Outcome<()> {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let gate = gate(Node::connect(node).await?, sales).await?;
        let maintained = gate.clone();
        tokio::spawn(async move { maintained.maintain().await });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
        Ok(axum::serve(listener, router(gate)).await?)
    })
}

pub(crate) async fn gate(chain: impl Chain + 'static, sales: &Path) -> Outcome<Gate> {
    let payee = Payee { realm: "shop.test".to_owned(), currency: PATH_USD, recipient: RECIPIENT };
    let price =
        |_: &_, _: &_| Cost::Charge(Charge::new(Amount::from_base_units(CENT)).description("one apple"));
    let secret = Secret::new(vec![7; 32]).ok_or("the secret is too short")?;
    Ok(Gate::new(payee, chain, price)?.durable(secret, SqlStore::sqlite(sales).await?))
}

pub(crate) fn router(gate: Gate) -> Router {
    Router::new().route("/pull", get(async || "an apple").route_layer(gate))
}
