//! Shops of ours and of the published Rust SDK, each in a process of its own so that its CPU and memory are its own: this
//! program, started again.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use e2e::{OTHER_PAYER, PATH_USD, SPLIT_RECIPIENT, SPONSOR};
use mpp::server::axum::{ChargeChallenger, ChargeConfig, MppCharge, WithReceipt};
use mpp::server::{Mpp, TempoConfig, tempo};
use mpp_core::Amount;
use mpp_core::tempo::Address;
use mpp_gate::store::SqlStore;
use mpp_gate::{Charge, Cost, Gate, Node, Payee, Secret};
use tempfile::TempDir;

use super::payer::CENT;
use crate::Outcome;

/// The argument that makes this program a shop.
pub(crate) const COMMAND: &str = "serve";

/// The clients whose memory is measured send large bodies.
const BODY_LIMIT: usize = 256 << 20;

/// Who sells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A gate that keeps its sales in SQLite.
    Durable,
    /// A gate that keeps them in memory, as the others do.
    Memory,
    /// The published Rust SDK on axum.
    Mpp,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Durable, Kind::Memory, Kind::Mpp];

    fn name(self) -> &'static str {
        match self {
            Kind::Durable => "durable",
            Kind::Memory => "memory",
            Kind::Mpp => "mpp",
        }
    }

    /// Who is paid.
    pub(crate) fn recipient(self) -> Address {
        match self {
            Kind::Durable => SPLIT_RECIPIENT.address,
            Kind::Memory => OTHER_PAYER.address,
            Kind::Mpp => SPONSOR.address,
        }
    }
}

/// A running shop, stopped when dropped.
pub(crate) struct Shop {
    child: Child,
    port: u16,
    _sales: TempDir,
}

impl Shop {
    pub(crate) fn start(kind: Kind, node: &str) -> Outcome<Self> {
        let sales = tempfile::tempdir()?;
        let mut child = Command::new(std::env::current_exe()?)
            .args([COMMAND, kind.name(), node])
            .arg(sales.path().join("sales.sqlite"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let output = child.stdout.take().ok_or("no standard output")?;
        BufReader::new(output).read_line(&mut line)?;
        let port = line.trim().parse().map_err(|_| format!("the shop of {} did not open", kind.name()))?;
        Ok(Shop { child, port, _sales: sales })
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

/// Sells apples until standard input ends, if these are the arguments of a shop; the first line says on which port.
pub(crate) fn serve(arguments: &[String]) -> Option<Outcome<()>> {
    let [command, kind, node, sales] = arguments else { return None };
    let kind = Kind::ALL.into_iter().find(|known| command == COMMAND && kind == known.name())?;
    e2e::harness::end_with_parent();
    Some(open(kind, node, sales.as_ref()))
}

fn open(kind: Kind, node: &str, sales: &Path) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let router = match kind {
            Kind::Durable => {
                let secret = Secret::new(vec![7; 32]).ok_or("the secret is too short")?;
                let gate = gate(kind, node).await?.durable(secret, SqlStore::sqlite(sales).await?);
                behind(gate)
            }
            Kind::Memory => behind(gate(kind, node).await?),
            Kind::Mpp => published(kind, node)?,
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
        Ok(axum::serve(listener, router).await?)
    })
}

async fn gate(kind: Kind, node: &str) -> Outcome<Gate> {
    let payee = Payee { realm: "shop.test".to_owned(), currency: PATH_USD, recipient: kind.recipient() };
    let price =
        |_: &_, _: &_| Cost::Charge(Charge::new(Amount::from_base_units(CENT)).description("one apple"));
    // The published Python client signs for as long as it may, and the node's hardfork takes half a minute at most.
    let gate = Gate::new(payee, Node::connect(node).await?, price)?;
    Ok(gate.validity(Duration::from_secs(20)).body_limit(BODY_LIMIT))
}

fn behind(gate: Gate) -> Router {
    let maintained = gate.clone();
    tokio::spawn(async move { maintained.maintain().await });
    Router::new().route("/pull", get(give).post(give).route_layer(gate))
}

async fn give() -> &'static str {
    "an apple"
}

/// As its documentation has it: an extractor, and its default store, which is in memory.
fn published(kind: Kind, node: &str) -> Outcome<Router> {
    let config = tempo(TempoConfig { recipient: &kind.recipient().to_string() })
        .rpc_url(node)
        .chain_id(e2e::CHAIN_ID)
        .currencies([PATH_USD.to_string()])
        .realm("shop.test")
        .secret_key("a secret of this test server, 32 bytes or more");
    let seller: Arc<dyn ChargeChallenger> = Arc::new(Mpp::create(config)?);
    Ok(Router::new().route("/pull", get(apple)).with_state(seller))
}

async fn apple(paid: MppCharge<OneCent>) -> WithReceipt<&'static str> {
    WithReceipt { receipt: paid.receipt, body: "an apple" }
}

struct OneCent;

impl ChargeConfig for OneCent {
    fn amount() -> &'static str {
        "0.01"
    }

    fn description() -> Option<&'static str> {
        Some("one apple")
    }
}
