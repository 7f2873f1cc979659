//! One call of a payer to a server that acts at random, and one to an honest server afterwards; then what is the matter with
//! how they went.

use std::collections::BTreeSet;
use std::future::Future as _;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, UNIX_EPOCH};

use e2e::{Anvil, CHAIN_ID, Customer, Heard, PATH_USD, PAYER, Reply, ScriptedServer};
use mpp_core::tempo::Fees;
use mpp_core::{Amount, Credential, Policy};
use mpp_http::ledger::{Budget, Currency, Ledger as _, MemoryLedger, State, Window};
use mpp_http::{Error, Failure, Money, Payment};
use proptest::prelude::*;

use crate::act::{Act, Said, acts};
use crate::cash::{cash_in, credentials, credentials_among};
use crate::demand::{CENT, plain, required};
use crate::thief;

/// A customer who pays a cent at most.
pub(crate) fn customer() -> Customer {
    Customer::new(PAYER.key, Policy::new(CHAIN_ID, [PATH_USD], CENT).realms(["shop.test"]))
}

/// A server, its customer's request, and whether what it hears is broadcast.
#[derive(Clone, Debug)]
pub(crate) struct Meeting {
    /// What it does with each request, with the last for all further ones.
    acts: Vec<Act>,
    post: bool,
    cashes_in: bool,
}

pub(crate) fn meetings() -> impl Strategy<Value = Meeting> {
    (acts(), any::<bool>(), any::<bool>()).prop_map(|(acts, post, cashes_in)| Meeting {
        acts,
        post,
        cashes_in,
    })
}

/// What is left of a meeting: the payer's ledger, and the price and fee that the chain took from him.
pub(crate) struct Left {
    pub(crate) ledger: Arc<MemoryLedger>,
    pub(crate) mined: Option<(Amount, Amount)>,
}

/// What the server made of a credential when it heard it.
#[derive(Debug)]
struct Note {
    credential: Credential,
    /// The payer's books at that time.
    books: Vec<Payment>,
    said: Said,
}

/// How a call ended: what was paid for, its body read.
type Ending = Result<Option<Payment>, Error>;

/// Everything seen of one call.
#[derive(Debug)]
struct Seen {
    ending: Ending,
    signatures: usize,
    /// Whether each request that left carried a credential, and which.
    sent: Vec<Option<String>>,
    heard: Vec<Heard>,
    notes: Vec<Note>,
    /// The books afterwards, and what they count.
    books: Vec<Payment>,
    counted: Amount,
    mined: Option<(Amount, Amount)>,
    /// What the payer has less than before.
    gone: u128,
}

impl Meeting {
    /// Has `customer` call its server.
    ///
    /// # Errors
    /// What is the matter.
    pub(crate) async fn take_place(&self, node: &Anvil, customer: &Customer) -> Result<Left, String> {
        let ledger = Arc::new(MemoryLedger::new());
        let (server, notes) = self.server(Arc::clone(&ledger)).await;
        let timeout = match self.acts.iter().any(Act::is_silent) {
            true => Duration::from_millis(300),
            false => PATIENCE,
        };
        let customer = customer.clone().with(|client| {
            let client = client.ledger(Arc::clone(&ledger));
            client.unpaid_timeout(timeout).paid_timeout(timeout)
        });
        let (signatures, sent) = (customer.signatures(), customer.sent().len());
        let before = node.balance_of(PATH_USD, PAYER.address).await;
        let ending = call(&customer, &server.url("/"), self.post).await;

        let heard = server.heard();
        let notes = std::mem::take(&mut *notes.lock().unwrap_or_else(PoisonError::into_inner));
        let mined = if self.cashes_in { cash(node, &notes).await } else { None };
        let after = node.balance_of(PATH_USD, PAYER.address).await;
        let sent = customer.sent().split_off(sent);
        let seen = Seen {
            ending,
            signatures: customer.signatures() - signatures,
            sent: sent.iter().map(|sent| credentials_among(&sent.headers).pop()).collect(),
            heard,
            notes,
            books: books(&ledger),
            counted: counted(&ledger).await,
            mined,
            gone: before - after,
        };
        let mut faults = seen.faults(self);
        faults.extend(seen.faults_of_a_second_call(&customer).await);
        match faults.is_empty() {
            true => Ok(Left { ledger, mined }),
            false => Err(format!("{}; {seen:?}", faults.join(", "))),
        }
    }

    fn is_untidy(&self) -> bool {
        self.acts.iter().any(Act::is_untidy)
    }

    async fn server(&self, ledger: Arc<MemoryLedger>) -> (ScriptedServer, Arc<Mutex<Vec<Note>>>) {
        let notes = Arc::new(Mutex::new(Vec::new()));
        let (pen, acts, same) = (Arc::clone(&notes), self.acts.clone(), plain());
        let next = AtomicUsize::new(0);
        let server = ScriptedServer::start(move |heard| {
            let act = acts.get(next.fetch_add(1, Ordering::SeqCst)).or(acts.last()).expect("an act");
            let (reply, said) = act.answer(heard, &same);
            if let Some(credential) = heard.credential() {
                let note = Note { credential, books: books(&ledger), said };
                pen.lock().unwrap_or_else(PoisonError::into_inner).push(note);
            }
            reply
        });
        (server.await, notes)
    }
}

impl Seen {
    /// What is not as it must be.
    fn faults(&self, meeting: &Meeting) -> Vec<String> {
        let claims = [self.claims_of_signing(), self.claims_of_books(), self.claims_of_money(meeting)];
        let faults = claims.into_iter().flatten().filter(|(holds, _)| !holds);
        faults.map(|(_, fault)| fault.to_owned()).collect()
    }

    /// One signature, one credential, which nobody hears of before it is written down.
    fn claims_of_signing(&self) -> Vec<(bool, &'static str)> {
        let sent: Vec<_> = self.sent.iter().flatten().collect();
        let distinct: BTreeSet<_> = sent.iter().copied().collect();
        let recorded = |note: &Note| match &note.books[..] {
            [payment] => payment.state() == State::Sent && is_of(payment, &note.credential),
            _ => false,
        };
        let known = |heard: &Heard| credentials(heard).iter().all(|credential| distinct.contains(credential));
        vec![
            (self.signatures <= 1, "signed twice"),
            (distinct.len() <= self.signatures, "sent two credentials"),
            (sent.len() <= 2 && self.sent.len() - sent.len() == 1, "sent too often"),
            (self.heard.iter().all(known), "heard another credential than was sent"),
            (self.notes.iter().all(recorded), "heard of what was not written down as sent"),
        ]
    }

    /// The ledger holds what the caller is told, and the budget counts it.
    fn claims_of_books(&self) -> Vec<(bool, &'static str)> {
        let told = self.payment();
        let states: &[State] = match told.map(Payment::money) {
            None => &[],
            Some(Money::Unknown) => &[State::Unknown],
            Some(Money::Paid) => &[State::Delivered, State::PaidUndelivered],
            Some(Money::NotMoved) if told.is_some_and(is_proof) => &State::ALL,
            Some(Money::NotMoved) => &[State::NotPaid],
        };
        let counted = match (self.money(), told) {
            (Money::Unknown | Money::Paid, Some(told)) => {
                told.quote().amount.checked_add(told.quote().fee_ceiling)
            }
            _ => Some(Amount::ZERO),
        };
        vec![
            (self.books.iter().eq(told), "the books hold something else than the caller is told"),
            (self.books.len() == self.signatures, "the books hold more or less than was signed"),
            (told.is_none_or(|told| states.contains(&told.state())), "the state does not fit the verdict"),
            (Some(self.counted) == counted, "the budget counts something else"),
        ]
    }

    /// What the chain took, and what the verdict is worth.
    fn claims_of_money(&self, meeting: &Meeting) -> Vec<(bool, &'static str)> {
        let cashable = self.notes.iter().any(|note| thief::transaction(&note.credential).is_some());
        let quote = self.payment().map(Payment::quote);
        let agreed = |(amount, fee): (Amount, Amount)| {
            quote.is_some_and(|quote| amount == quote.amount && amount <= CENT && fee <= quote.fee_ceiling)
        };
        let taken = self.mined.map_or(0, |(amount, fee)| amount.base_units() + fee.base_units());
        let verdict = match self.money() {
            Money::NotMoved => !cashable,
            Money::Unknown => self.may_be(meeting, Money::Unknown),
            // What was said before it was asked for is the payee's word, and no sign that it heard.
            Money::Paid => (cashable || meeting.is_untidy()) && self.may_be(meeting, Money::Paid),
        };
        vec![
            (self.gone == taken, "more or less is gone than was heard"),
            (self.mined.is_none_or(agreed), "something else was taken than was agreed to"),
            (self.mined.is_some() == (cashable && meeting.cashes_in), "what was signed could not happen"),
            (verdict, "the verdict is wrong"),
        ]
    }

    /// Whether the verdict on a credential that left may be this.
    fn may_be(&self, meeting: &Meeting, money: Money) -> bool {
        let late = matches!(&self.ending, Err(Error::AfterSigning { failure: Failure::Timeout { .. }, .. }));
        // Of several answers to one credential the last is taken, the others did not come.
        let last = self.notes.last().map_or(Said::Nothing, |note| note.said);
        let said = match last {
            Said::Receipt | Said::Success => Money::Paid,
            Said::Failure | Said::Nothing => Money::Unknown,
        };
        money == said || meeting.is_untidy() || (late && money == Money::Unknown)
    }

    /// With a budget for one payment: what is gone, or may be, leaves no room for a second.
    async fn faults_of_a_second_call(&self, customer: &Customer) -> Option<String> {
        let honest = ScriptedServer::start(|heard| match heard.credential() {
            None => required(&[plain()]),
            Some(_) => Reply::new(200, &[], "bought"),
        });
        let honest = honest.await;
        let customer = customer
            .clone()
            .with(|client| client.budget(budget()).unpaid_timeout(PATIENCE).paid_timeout(PATIENCE));
        let before = customer.signatures();
        let ending = call(&customer, &honest.url("/"), false).await;
        let signed = customer.signatures() - before;
        let holds = match self.money() {
            Money::NotMoved => signed == 1 && matches!(ending, Ok(Some(_))),
            Money::Unknown | Money::Paid => signed == 0 && matches!(ending, Err(Error::OverBudget(_))),
        };
        (!holds).then(|| format!("a second call made {signed} signatures and ended with {ending:?}"))
    }

    fn payment(&self) -> Option<&Payment> {
        match &self.ending {
            Ok(payment) => payment.as_ref(),
            Err(error) => error.payment(),
        }
    }

    fn money(&self) -> Money {
        self.payment().map_or(Money::NotMoved, Payment::money)
    }
}

/// One call, its answer read to the end.
async fn call(customer: &Customer, url: &str, post: bool) -> Ending {
    let mut answer = if post { customer.post(url, "{}").await? } else { customer.get(url).await? };
    answer.bytes().await?;
    Ok(answer.payment().cloned())
}

/// Has what was heard mined: price and fee, as the payer bears them.
async fn cash(node: &Anvil, notes: &[Note]) -> Option<(Amount, Amount)> {
    let raws: BTreeSet<_> = notes.iter().filter_map(|note| thief::transaction(&note.credential)).collect();
    let mut taken = None;
    for raw in &raws {
        let before = node.balance_of(PATH_USD, PAYER.address).await;
        let mined =
            cash_in(node, raw).await.filter(|mined| mined.succeeded && mined.from == PAYER.address)?;
        let gone = before - node.balance_of(PATH_USD, PAYER.address).await;
        let fee = if mined.fee_payer == PAYER.address { mined.fee } else { 0 };
        taken = Some((Amount::from_base_units(gone - fee), Amount::from_base_units(fee)));
    }
    taken
}

/// Whether a payment was written down as what this credential holds.
fn is_of(payment: &Payment, credential: &Credential) -> bool {
    let recorded = payment.transaction();
    payment.challenge() == credential.challenge()
        && match credential.payload() {
            mpp_core::tempo::Payload::Transaction(raw) => recorded.is_some_and(|known| known[..] == raw[..]),
            _ => recorded.is_none() && is_proof(payment),
        }
}

fn is_proof(payment: &Payment) -> bool {
    payment.quote().amount.is_zero()
}

/// Every payment in a ledger that never makes its reader wait.
fn books(ledger: &MemoryLedger) -> Vec<Payment> {
    match pin!(ledger.payments(None, 9, false)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(payments) => payments.expect("a ledger in memory does not fail"),
        Poll::Pending => panic!("a ledger in memory does not wait"),
    }
}

async fn counted(ledger: &MemoryLedger) -> Amount {
    let currency = Currency { chain_id: CHAIN_ID, token: PATH_USD };
    let now = UNIX_EPOCH.elapsed().expect("it is after 1970").as_secs();
    let standing = budget().standing(ledger, currency, now).await.expect("a ledger in memory does not fail");
    standing.first().expect("one limit").spent
}

/// Room for one payment of the highest price, and for none beside the smallest.
fn budget() -> Budget {
    let most = CENT.checked_add(fee_ceiling()).expect("a few cents");
    Budget::new().per(Window::Month, most)
}

fn fee_ceiling() -> Amount {
    Fees::default().ceiling(2)
}

/// Longer than any answer takes that comes.
const PATIENCE: Duration = Duration::from_secs(20);
