//! The load: so many requests at once on connections that are kept, each begun when the one before is done.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use e2e::{CHAIN_ID, PATH_USD, SECOND_SPLIT_RECIPIENT};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use mpp_core::payee::Offer;
use mpp_core::{Amount, Challenge, ChargeRequest, Receipt};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::payer::{CENT, Payer, now};
use super::process;
use crate::Outcome;
use crate::stats::Samples;

/// What is loaded.
pub(crate) struct Server {
    pub(crate) process: u32,
    node_process: u32,
    address: SocketAddr,
    path: String,
    sold: AtomicU32,
}

impl Server {
    pub(crate) fn new(url: &str, process: u32, node_process: u32) -> Outcome<Self> {
        let url: Uri = url.parse()?;
        let address = url.authority().ok_or("no host")?.as_str().parse()?;
        Ok(Server { process, node_process, address, path: url.path().to_owned(), sold: AtomicU32::new(0) })
    }

    /// How many of all its answers had a receipt.
    pub(crate) fn sold(&self) -> u32 {
        self.sold.load(Ordering::Relaxed)
    }
}

/// What is done over and over.
#[derive(Clone, Copy)]
pub(crate) enum Errand {
    /// Asks for a challenge.
    Unpaid,
    /// Asks, signs, and asks again with the payment.
    Paid,
    /// Has a node try a payment and make it.
    Bare,
}

/// How long one errand took: its last request, and all of it.
struct Times {
    last: Duration,
    whole: Duration,
}

/// What came of one load.
#[derive(Default)]
pub(crate) struct Load {
    times: Vec<Times>,
    failures: Vec<String>,
    took: Duration,
    server_cpu: Duration,
    node_cpu: Duration,
}

impl Load {
    fn done(&self) -> u32 {
        u32::try_from(self.times.len()).unwrap_or(u32::MAX)
    }

    /// Errands done a second.
    pub(crate) fn rate(&self) -> f64 {
        f64::from(self.done()) / self.took.as_secs_f64()
    }
}

/// What came of several loads of one server.
#[derive(Default)]
pub(crate) struct Loads(Vec<Load>);

impl Loads {
    pub(crate) fn push(&mut self, load: Load) {
        self.0.push(load);
    }

    pub(crate) fn done(&self) -> u32 {
        self.0.iter().map(Load::done).sum()
    }

    /// Errands done a second, of each load.
    pub(crate) fn rates(&self) -> Samples {
        Samples::new(self.0.iter().map(Load::rate))
    }

    /// How many times as many errands a second as `other` did in the same round.
    pub(crate) fn times_those_of(&self, other: &Loads) -> Samples {
        Samples::new(self.0.iter().zip(&other.0).map(|(one, other)| one.rate() / other.rate()))
    }

    /// The server's CPU time for an errand.
    pub(crate) fn server_cpu(&self) -> Duration {
        self.0.iter().map(|load| load.server_cpu).sum::<Duration>() / self.done().max(1)
    }

    /// The node's CPU time for an errand.
    pub(crate) fn node_cpu(&self) -> Duration {
        self.0.iter().map(|load| load.node_cpu).sum::<Duration>() / self.done().max(1)
    }

    /// How long the last requests took, in milliseconds.
    pub(crate) fn last(&self) -> Samples {
        self.milliseconds(|times| times.last)
    }

    /// How long whole errands took, in milliseconds.
    pub(crate) fn whole(&self) -> Samples {
        self.milliseconds(|times| times.whole)
    }

    fn milliseconds(&self, of: fn(&Times) -> Duration) -> Samples {
        let times = self.0.iter().flat_map(|load| &load.times);
        Samples::new(times.map(|times| of(times).as_secs_f64() * 1e3))
    }

    pub(crate) fn failures(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|load| &load.failures).map(String::as_str)
    }
}

/// Runs `number` errands, `in_flight` at a time.
pub(crate) async fn run(
    server: &Server,
    errand: Errand,
    payer: &Arc<Payer>,
    in_flight: u32,
    number: u32,
) -> Outcome<Load> {
    let mut load = Load::default();
    let mut connections = Vec::new();
    for _ in 0..in_flight {
        connections.push(Connection::open(server.address).await?);
    }
    let left = Arc::new(AtomicU32::new(number));
    let (server_cpu, node_cpu) =
        (process::cpu_time(server.process)?, process::cpu_time(server.node_process)?);
    let begun = Instant::now();
    let workers = connections.into_iter().map(|connection| {
        let (path, payer, left) = (server.path.clone(), Arc::clone(payer), Arc::clone(&left));
        tokio::spawn(work(connection, path, errand, payer, left))
    });
    let workers: Vec<_> = workers.collect();
    let mut outcomes = Vec::new();
    for worker in workers {
        outcomes.extend(worker.await?);
    }
    load.took = begun.elapsed();
    load.server_cpu = process::cpu_time(server.process)?.saturating_sub(server_cpu);
    load.node_cpu = process::cpu_time(server.node_process)?.saturating_sub(node_cpu);
    for outcome in outcomes {
        match outcome {
            Ok(times) => load.times.push(times),
            Err(error) => load.failures.push(error.to_string()),
        }
    }
    if matches!(errand, Errand::Paid) {
        server.sold.fetch_add(load.done(), Ordering::Relaxed);
    }
    Ok(load)
}

async fn work(
    mut connection: Connection,
    path: String,
    errand: Errand,
    payer: Arc<Payer>,
    left: Arc<AtomicU32>,
) -> Vec<Outcome<Times>> {
    let mut outcomes = Vec::new();
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        outcomes.push(match errand {
            Errand::Unpaid => connection.ask(&path).await.map(|(_, times)| times),
            Errand::Paid => connection.buy(&path, &payer).await,
            Errand::Bare => connection.settle(&payer).await,
        });
    }
    outcomes
}

/// A connection to one server.
struct Connection {
    address: SocketAddr,
    requests: SendRequest<Full<Bytes>>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Connection { address, requests })
    }

    async fn send(&mut self, request: http::request::Builder, body: String) -> Outcome<Response<Bytes>> {
        self.requests.ready().await?;
        let request = request.header("host", self.address.to_string()).body(Full::new(body.into()))?;
        let (head, body) = self.requests.send_request(request).await?.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    }

    async fn ask(&mut self, path: &str) -> Outcome<(Response<Bytes>, Times)> {
        let begun = Instant::now();
        let answer = self.send(Request::get(path), String::new()).await?;
        let whole = begun.elapsed();
        expect(StatusCode::PAYMENT_REQUIRED, &answer)?;
        Ok((answer, Times { last: whole, whole }))
    }

    async fn buy(&mut self, path: &str, payer: &Payer) -> Outcome<Times> {
        let begun = Instant::now();
        let (asked, _) = self.ask(path).await?;
        let payment = payer.pay(asked.headers())?;
        let credential = payment.credential().header_value();
        let paid = Instant::now();
        let answer = self.send(Request::get(path).header("authorization", credential), String::new()).await?;
        let times = Times { last: paid.elapsed(), whole: begun.elapsed() };
        expect(StatusCode::OK, &answer)?;
        let receipt = answer.headers().get("payment-receipt").ok_or("no receipt")?;
        Receipt::parse(receipt.as_bytes())?.check(&payment)?;
        Ok(times)
    }

    /// What every server asks a node for: a simulation, and the transaction.
    async fn settle(&mut self, payer: &Payer) -> Outcome<Times> {
        let amount = Amount::from_base_units(CENT);
        let charge = ChargeRequest::new(amount, PATH_USD, SECOND_SPLIT_RECIPIENT.address, CHAIN_ID);
        let expires_at = Some(now()? + 60);
        let (digest, description, opaque) = (None, None, Default::default());
        let offer = Offer { realm: "node.test", request: &charge, expires_at, digest, description, opaque };
        let unsigned = payer.prepare(Challenge::issue(&[7; 32], &offer)?)?;
        let calls = unsigned.transaction().ok_or("no transaction")?.calls.iter();
        let calls: Vec<Value> = calls.map(|call| json!({"to": call.to, "input": call.input})).collect();
        let payment = payer.sign(unsigned);
        let transaction = payment.transaction().ok_or("no transaction")?;
        let begun = Instant::now();
        self.call("eth_call", json!([{"from": payment.payer(), "calls": calls}, "latest"])).await?;
        let simulated = Instant::now();
        let receipt = self.call("eth_sendRawTransactionSync", json!([transaction.raw()])).await?;
        let times = Times { last: simulated.elapsed(), whole: begun.elapsed() };
        match receipt.get("status").and_then(Value::as_str) {
            Some("0x1") => Ok(times),
            _ => Err(format!("the node answered {receipt}").into()),
        }
    }

    async fn call(&mut self, method: &str, params: Value) -> Outcome<Value> {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let request = Request::post("/").header("content-type", "application/json");
        let answer = self.send(request, call.to_string()).await?;
        let mut answer: Value = serde_json::from_slice(answer.body())?;
        match answer.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => Err(format!("the node refused {method}: {answer}").into()),
        }
    }
}

fn expect(status: StatusCode, answer: &Response<Bytes>) -> Outcome<()> {
    match answer.status() == status {
        true => Ok(()),
        false => {
            let body = String::from_utf8_lossy(answer.body());
            Err(format!("{} instead of {status}: {body}", answer.status()).into())
        }
    }
}
