//! One credential, sent ten thousand times over 64 connections to two processes of one gate that share a PostgreSQL
//! database, on a real chain: it is settled once and served once, and everybody gets that answer. Prints a table.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it prints a table, and a panic is how it fails"
)]

use std::collections::HashSet;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::Router;
use axum::http::request::Parts;
use axum::routing::post;
use bytes::Bytes;
use e2e::bare::{self, Answer, Connection};
use e2e::{Anvil, PATH_USD, Postgres, harness};
use mpp_core::Amount;
use mpp_core::tempo::{Address, LocalSigner, SignedPayment};
use mpp_gate::store::SqlStore;
use mpp_gate::{Charge, Cost, Gate, Node, Payee, Secret};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

const SENT: usize = 10_000;
const CONNECTIONS: usize = 64;
const PRICE: u128 = 10_000;
/// What the payer has.
const FUNDS: u128 = 1_000_000;

const HEAD: &str = "credential | sent | 200 | 409 | 402 | settlements | executions | seconds | requests/s";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, database, rpc, recipient] = &arguments[..]
        && mode == "sell"
    {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        harness::end_with_parent();
        runtime.block_on(sell(database, rpc, recipient.parse().unwrap()));
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let runtime = &runtime;
    let tests = [
        ("a_payment_buys_one_answer", Test::Paid),
        ("a_proof_buys_one_answer", Test::Proof),
        ("a_payment_for_another_request_buys_nothing", Test::Another),
    ];
    harness::run(HEAD, tests.map(|(name, test)| (name, move || runtime.block_on(replay(test)))))
}

/// One of the two: prints its port and sells.
async fn sell(database: &str, rpc: &str, recipient: Address) {
    let payee = Payee { realm: "shop.test".to_owned(), currency: PATH_USD, recipient };
    let price = |request: &Parts, _: &Bytes| {
        let price = if request.uri.path() == "/proof" { 0 } else { PRICE };
        Cost::Charge(Charge::new(Amount::from_base_units(price)))
    };
    let gate = Gate::new(payee, Node::connect(rpc).await.unwrap(), price).unwrap();
    let secret = Secret::new(vec![7; 32]).unwrap();
    let gate = gate.durable(secret, SqlStore::postgres(database).await.unwrap());
    let maintained = gate.clone();
    tokio::spawn(async move { maintained.maintain().await });

    let executed = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&executed);
    let answer = move |body: String| {
        let number = executed.fetch_add(1, Ordering::SeqCst) + 1;
        let process = std::process::id();
        std::future::ready(format!("answer {number} of process {process} to {body}"))
    };
    let shop = Router::new().route("/paid", post(answer.clone())).route("/proof", post(answer));
    let count = move || std::future::ready(counted.load(Ordering::SeqCst).to_string());
    let shop = shop.layer(gate).route("/executed", post(count));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    axum::serve(listener, shop).await.unwrap();
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Test {
    Paid,
    Proof,
    Another,
}

async fn replay(test: Test) {
    let scene = Scene::open().await;
    let (name, target) = match test {
        Test::Paid => ("for this request", "/paid"),
        Test::Proof => ("a proof", "/proof"),
        Test::Another => ("for another request", "/paid"),
    };
    let payment = scene.pay(target, "one").await;
    let body = if test == Test::Another { "two" } else { "one" };
    let begun = Instant::now();
    let heard = scene.send(&payment, target, body).await;
    let took = begun.elapsed().as_secs_f64();

    let count = |status: u16| heard.iter().filter(|heard| heard.answer.status == status).count();
    let (sold, waiting, refused) = (count(200), count(409), count(402));
    let settled = scene.settlements(&payment).await;
    let executed = scene.executed().await;
    let speed = f64::from(u32::try_from(SENT).unwrap()) / took;
    println!(
        "{name} | {} | {sold} | {waiting} | {refused} | {settled} | {executed} | {took:.1} | {speed:.0}",
        heard.len()
    );
    assert_eq!(heard.len(), SENT);
    if test == Test::Another {
        assert_eq!((refused, settled, executed), (SENT, 0, 0));
        return;
    }
    assert_eq!(
        sold + waiting,
        SENT,
        "{:?}",
        heard.iter().find(|heard| heard.answer.status.is_server_error())
    );
    assert_eq!((settled, executed), (usize::from(test == Test::Paid), 1));
    let answers = heard.iter().filter(|heard| heard.answer.status == 200);
    let same: HashSet<_> = answers.map(|heard| (&heard.answer.body, text(&heard.answer))).collect();
    assert_eq!(same.len(), 1, "{same:?}");
    let one = heard.iter().find(|heard| heard.answer.status == 200).unwrap();
    match payment.hash() {
        Some(_) => one.answer.receipt().unwrap().check(&payment).unwrap(),
        None => assert_eq!(one.answer.receipt().unwrap().reference(), payment.challenge().id()),
    }
    // Who asks after the first has his answer need not wait.
    let first = heard.iter().filter(|heard| heard.answer.status == 200).map(|heard| heard.ended).min();
    let late = heard.iter().find(|heard| heard.answer.status == 409 && Some(heard.begun) > first);
    assert!(late.is_none(), "{late:?}");
}

/// The receipt as it was sent.
fn text(answer: &Answer) -> Option<&str> {
    answer.headers.get("payment-receipt")?.to_str().ok()
}

/// Two processes of one gate, who is paid there, and a payer.
struct Scene {
    node: &'static Anvil,
    shops: Vec<(Child, u16)>,
    recipient: Address,
    key: LocalSigner,
}

#[derive(Debug)]
struct Heard {
    begun: Instant,
    ended: Instant,
    answer: Answer,
}

impl Scene {
    async fn open() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let node = Anvil::shared().await;
        let database = Postgres::shared().await.database().await;
        let recipient = Address::left_padding_from(&(0xfa11_0000 + number).to_be_bytes());
        let key = LocalSigner::from_hex(&format!("0x{:064x}", 0xfee1_0000 + number)).unwrap();
        node.fund(key.address(), FUNDS).await;
        let mut shops = Vec::new();
        for _ in 0..2 {
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(["sell", &database, &node.url(), &recipient.to_string()]);
            child.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
            let mut child = child.spawn().unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            shops.push((child, lines.next_line().await.unwrap().unwrap().parse().unwrap()));
        }
        Self { node, shops, recipient, key }
    }

    fn ports(&self) -> impl Iterator<Item = u16> + Clone {
        self.shops.iter().map(|(_, port)| *port)
    }

    /// A payment that nobody was sent.
    async fn pay(&self, target: &str, body: &str) -> SignedPayment {
        let mut connection = Connection::to(self.ports().next().unwrap());
        let answer = connection.post(target, body, &[]).await.unwrap();
        bare::pay(&self.key, answer.challenge(), body).unwrap()
    }

    /// Sends one credential again and again, to both processes.
    async fn send(&self, payment: &SignedPayment, target: &'static str, body: &'static str) -> Vec<Heard> {
        let credential = payment.credential().header_value();
        let left = Arc::new(AtomicU64::new(u64::try_from(SENT).unwrap()));
        let mut connections = JoinSet::new();
        for port in self.ports().cycle().take(CONNECTIONS) {
            let (credential, left) = (credential.clone(), Arc::clone(&left));
            connections.spawn(async move {
                let (mut connection, mut heard) = (Connection::to(port), Vec::new());
                let next = |left: u64| left.checked_sub(1);
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok() {
                    let begun = Instant::now();
                    let sent = connection.post(target, body, &[("authorization", &credential)]).await;
                    heard.push(Heard { begun, answer: sent.unwrap(), ended: Instant::now() });
                }
                heard
            });
        }
        connections.join_all().await.into_iter().flatten().collect()
    }

    /// How often money moved; what payer and payee have says the same.
    async fn settlements(&self, payment: &SignedPayment) -> usize {
        let transfers = self.node.memo_transfers(None).await;
        let transfers: Vec<_> = transfers.iter().filter(|transfer| transfer.to == self.recipient).collect();
        let mut left = FUNDS;
        for transfer in &transfers {
            assert_eq!((Some(transfer.transaction), transfer.amount), (payment.hash(), PRICE));
            left -= PRICE + self.node.transaction(transfer.transaction).await.unwrap().fee;
        }
        let received = PRICE * u128::try_from(transfers.len()).unwrap();
        assert_eq!(self.node.balance_of(PATH_USD, self.recipient).await, received);
        assert_eq!(self.node.balance_of(PATH_USD, self.key.address()).await, left);
        transfers.len()
    }

    /// How often the service behind the gate was called, by both.
    async fn executed(&self) -> u64 {
        let mut executed = 0;
        for port in self.ports() {
            let answer = Connection::to(port).post("/executed", "", &[]).await.unwrap();
            executed += std::str::from_utf8(&answer.body).unwrap().parse::<u64>().unwrap();
        }
        executed
    }
}
