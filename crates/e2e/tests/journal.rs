//! What a call tells its ledger when something is in the way: the ledger, the signer, or a caller who has no patience.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use e2e::books::Terms;
use e2e::{CHAIN_ID, Customer, Heard, PATH_USD, PAYER, Reply, ScriptedServer, Then};
use mpp_core::error::SignerError;
use mpp_core::tempo::{Address, SignFuture, Signer, Unsigned};
use mpp_core::{Amount, Policy};
use mpp_http::ledger::{
    Budget, Currency, Ledger, LedgerError, LedgerFuture, MemoryLedger, Scope, Slots, SqlLedger, State, Step,
    Window,
};
use mpp_http::{Error, Money, Payment};
use tokio::time::timeout;

const CENT: Amount = Amount::from_base_units(10_000);

#[tokio::test]
async fn step_that_the_ledger_missed_is_told_with_the_next() {
    type Script = fn(&Heard) -> Reply;
    let whole: Script = |heard| Reply::new(200, &[("payment-receipt", &heard.receipt().encode())], "bought");
    let cut: Script = |heard| {
        let receipt = heard.receipt().encode();
        let head = format!("HTTP/1.1 200 So\r\npayment-receipt: {receipt}\r\ncontent-length: 9\r\n\r\nhalf");
        Reply::raw(head).then(Then::Close)
    };
    for (script, state) in [(whole, State::Delivered), (cut, State::PaidUndelivered)] {
        let memory = Arc::new(MemoryLedger::new());
        // The second step is what the head of the answer says.
        let distracted = Distracted { ledger: Arc::clone(&memory), misses: 2, heard: AtomicUsize::new(0) };
        let (server, customer) = (shop(script).await, customer().with(|client| client.ledger(distracted)));
        let mut answer = customer.get(&server.url("/")).await.unwrap();
        assert_eq!(memory.payment(1).await.unwrap().unwrap().state(), State::Sent, "it missed nothing");
        assert_eq!(
            (answer.payment().unwrap().state(), answer.payment().unwrap().money()),
            (State::Paid, Money::Paid)
        );
        let read = answer.bytes().await;
        assert_eq!(read.is_ok(), state == State::Delivered);
        let kept = memory.payment(1).await.unwrap().unwrap();
        assert_eq!((kept.state(), kept.money(), kept.receipt().is_some()), (state, Money::Paid, true));
        assert_eq!(answer.payment(), Some(&kept));
        assert_eq!(kept.evidence()["answer"]["status"], 200);
    }
}

#[tokio::test]
async fn money_set_aside_for_a_signature_that_never_came_is_given_back() {
    let (server, memory) = (shop(|_| Reply::new(200, &[], "bought")).await, Arc::new(MemoryLedger::new()));
    let unable = Customer::with_signer(NoSigner(false), policy()).with(|it| it.ledger(Arc::clone(&memory)));
    assert!(matches!(unable.get(&server.url("/")).await.unwrap_err(), Error::Signer(_)));
    assert_given_back(&memory, 1).await;

    // And when the caller does not wait for it.
    let silent = Customer::with_signer(NoSigner(true), policy()).with(|it| it.ledger(Arc::clone(&memory)));
    {
        let url = server.url("/");
        let call = silent.get(&url);
        tokio::pin!(call);
        while memory.payment(2).await.unwrap().is_none() {
            assert!(timeout(Duration::from_millis(1), &mut call).await.is_err(), "nobody signs");
        }
        assert_eq!(memory.payment(2).await.unwrap().unwrap().state(), State::Reserved);
    }
    while memory.payment(2).await.unwrap().unwrap().state() == State::Reserved {
        tokio::task::yield_now().await;
    }
    assert_given_back(&memory, 2).await;
    assert_eq!(server.heard().iter().filter(|heard| heard.credential().is_some()).count(), 0);
}

#[tokio::test]
async fn clients_without_a_ledger_share_the_budget_of_their_process() {
    let server = shop(|_| Reply::new(200, &[], "bought")).await;
    // Other tests of this process pay as well, from ledgers of their own.
    let room = Budget::new().per(Window::Process, Amount::from_base_units(35_000 + 34_999));
    let buy = async || {
        let customer = customer().with(|client| client.budget(room.clone()));
        customer.get(&server.url("/")).await.map(drop)
    };
    buy().await.unwrap();
    let refused = buy().await.unwrap_err();
    assert!(matches!(&refused, Error::OverBudget(over) if over.spent.base_units() == 35_000), "{refused:?}");
}

#[tokio::test]
async fn body_that_was_read_is_not_empty_the_second_time() {
    let server = shop(|_| Reply::new(200, &[], "bought")).await;
    let customer = customer().with(|client| client.ledger(MemoryLedger::new()));
    let mut answer = customer.get(&server.url("/")).await.unwrap();
    assert_eq!(answer.bytes().await.unwrap(), "bought");
    let error = answer.bytes().await.unwrap_err();
    assert_eq!((error.money(), error.payment().unwrap().state()), (Money::Paid, State::Delivered));
}

#[tokio::test]
async fn new_ledger_is_opened_by_many_at_once() {
    for _ in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let opened: Vec<_> = (0..10)
            .map(|_| {
                let path = folder.path().join("ledger.sqlite");
                // On any thread.
                tokio::spawn(async move { SqlLedger::sqlite(path).await.map(drop) })
            })
            .collect();
        for opened in opened {
            opened.await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn challenge_of_what_takes_most_room_is_written_down_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = SqlLedger::sqlite(folder.path().join("ledger.sqlite")).await.unwrap();
    for realm in ["\t".repeat(30_000), "\"".repeat(30_000), "é".repeat(15_000), "\u{1f600}".repeat(7500)] {
        let terms = Terms { realm: format!("r{realm}"), ..Terms::cent(1_800_000_000) };
        let attempt = terms.attempt();
        let kept = ledger.reserve(attempt.payment.clone(), &Budget::new()).await.unwrap();
        let moved = ledger.advance(kept.id(), attempt.sent(), 0).await.unwrap();
        assert_eq!(moved.challenge(), attempt.payment.challenge());
    }
    assert_eq!(ledger.payments(None, 9, true).await.unwrap().len(), 4);
}

async fn assert_given_back(memory: &MemoryLedger, id: u64) {
    let kept = memory.payment(id).await.unwrap().unwrap();
    assert_eq!((kept.state(), kept.money(), kept.counted()), (State::NotPaid, Money::NotMoved, Amount::ZERO));
}

/// A server that asks for a cent, and does as `script` says once it is paid.
async fn shop(script: impl Fn(&Heard) -> Reply + Send + Sync + 'static) -> ScriptedServer {
    ScriptedServer::start(move |heard| match heard.credential() {
        None => Reply::payment_required(&e2e::demand(CENT, None, 300)),
        Some(_) => script(heard),
    })
    .await
}

fn policy() -> Policy {
    Policy::new(CHAIN_ID, [PATH_USD], CENT)
}

fn customer() -> Customer {
    Customer::new(PAYER.key, policy())
}

/// Refuses to sign, or never answers.
struct NoSigner(bool);

impl Signer for NoSigner {
    fn address(&self) -> Address {
        PAYER.address
    }

    fn sign<'a>(&'a self, _: &'a Unsigned) -> SignFuture<'a> {
        match self.0 {
            true => Box::pin(std::future::pending()),
            false => Box::pin(std::future::ready(Err(SignerError::new("out of ink")))),
        }
    }
}

/// Does not hear one step, counted from 1.
struct Distracted {
    ledger: Arc<MemoryLedger>,
    misses: usize,
    heard: AtomicUsize,
}

impl Ledger for Distracted {
    fn reserve<'a>(&'a self, payment: Payment, budget: &'a Budget) -> LedgerFuture<'a, Payment> {
        self.ledger.reserve(payment, budget)
    }

    fn advance(&self, id: u64, step: Step, now: u64) -> LedgerFuture<'_, Payment> {
        match self.heard.fetch_add(1, Ordering::SeqCst) + 1 == self.misses {
            true => Box::pin(std::future::ready(Err(LedgerError::Missing { id }))),
            false => self.ledger.advance(id, step, now),
        }
    }

    fn payment(&self, id: u64) -> LedgerFuture<'_, Option<Payment>> {
        self.ledger.payment(id)
    }

    fn payments(&self, before: Option<u64>, most: u32, open: bool) -> LedgerFuture<'_, Vec<Payment>> {
        self.ledger.payments(before, most, open)
    }

    fn spent(&self, currency: Currency, scope: Scope, slots: Slots) -> LedgerFuture<'_, Amount> {
        self.ledger.spent(currency, scope, slots)
    }
}
