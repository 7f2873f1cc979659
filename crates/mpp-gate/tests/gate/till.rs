//! A chain that does as a test says, and remembers what it was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use alloy_primitives::{Address, B256};
use mpp_core::Amount;
use mpp_core::payee::{ProblemType, TransferLog};
use mpp_core::tempo::Transaction;
use mpp_gate::chain::{Chain, ChainError, ChainFuture, Found, Outgoing};
use tokio::sync::{Semaphore, mpsc};

use crate::support::CHAIN;

/// Settles as it is told and remembers what.
#[derive(Clone)]
pub(crate) struct Till {
    drawer: Arc<Mutex<Drawer>>,
    /// Every transaction takes a permit, once it has been sent and before there is an answer.
    pub(crate) door: Arc<Semaphore>,
}

/// What a till knows, and what it says.
pub(crate) struct Drawer {
    /// To what is tried out.
    pub(crate) trial: Mood,
    /// To what is sent.
    pub(crate) sending: Mood,
    /// To who asks what became of something, how much there is, or whether it is open.
    pub(crate) closed: bool,
    /// Whether what is not on the chain cannot get there any more.
    pub(crate) over: bool,
    pub(crate) balance: u128,
    /// What happened.
    pub(crate) chain: HashMap<B256, Found>,
    /// What was sent, in order.
    pub(crate) sent: Vec<Outgoing>,
    /// What was asked for, in order.
    pub(crate) asked: Vec<B256>,
    pub(crate) probed: usize,
    /// How often something was tried out.
    pub(crate) tried: usize,
    /// Where the answers to that come from, if they are held back.
    trials: Option<Arc<Trials>>,
}

type Trial = Result<(), ProblemType>;
type Trials = tokio::sync::Mutex<mpsc::UnboundedReceiver<Trial>>;

#[derive(Clone, Copy)]
pub(crate) enum Mood {
    Takes,
    Refuses(ProblemType),
    IsClosed,
    /// Does nothing and does not say so.
    DoesNotAnswer,
    /// Does it and does not say so.
    TakesSilently,
}

impl Default for Till {
    fn default() -> Self {
        let drawer = Drawer {
            trial: Mood::Takes,
            sending: Mood::Takes,
            closed: false,
            over: false,
            balance: u128::MAX,
            chain: HashMap::new(),
            sent: Vec::new(),
            asked: Vec::new(),
            probed: 0,
            tried: 0,
            trials: None,
        };
        Till { drawer: Arc::new(Mutex::new(drawer)), door: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)) }
    }
}

impl Till {
    pub(crate) fn open(&self) -> MutexGuard<'_, Drawer> {
        self.drawer.lock().unwrap()
    }

    pub(crate) fn set(&self, sending: Mood) {
        self.open().sending = sending;
    }

    /// Everything that was sent so far, by its hash.
    pub(crate) fn sent(&self) -> Vec<B256> {
        self.open().sent.iter().map(|sent| sent.hash).collect()
    }

    /// Nothing is answered any more until the door is opened again.
    pub(crate) fn shut(&self) {
        self.door.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn unlock(&self) {
        self.door.add_permits(1000);
    }

    /// Whoever tries something out waits for what the test says, one after the other.
    pub(crate) fn hold_trials(&self) -> mpsc::UnboundedSender<Trial> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.open().trials = Some(Arc::new(tokio::sync::Mutex::new(receiver)));
        sender
    }

    async fn try_out(&self) -> Result<(), ChainError> {
        let (mood, trials) = {
            let mut drawer = self.open();
            drawer.tried += 1;
            (drawer.trial, drawer.trials.clone())
        };
        let Some(trials) = trials else { return mood.says() };
        match trials.lock().await.recv().await.unwrap() {
            Ok(()) => Ok(()),
            Err(kind) => Mood::Refuses(kind).says(),
        }
    }

    async fn take(&self, payment: &Outgoing) -> Result<(), ChainError> {
        // Lets every other request run before this one is done.
        tokio::task::yield_now().await;
        let mood = {
            let mut drawer = self.open();
            let mood = drawer.sending;
            match mood {
                Mood::Takes | Mood::TakesSilently => {
                    drawer.chain.insert(payment.hash, Found::Done(Vec::new()));
                    drawer.sent.push(payment.clone());
                }
                Mood::DoesNotAnswer => drawer.sent.push(payment.clone()),
                Mood::Refuses(_) | Mood::IsClosed => {}
            }
            mood
        };
        self.door.acquire().await.unwrap().forget();
        mood.says()
    }
}

impl Mood {
    fn says(self) -> Result<(), ChainError> {
        match self {
            Mood::Takes => Ok(()),
            Mood::Refuses(kind) => Err(ChainError::Refused { kind, source: "no such money".into() }),
            Mood::IsClosed => Err(ChainError::Unavailable { source: "closed".into() }),
            Mood::DoesNotAnswer | Mood::TakesSilently => {
                Err(ChainError::Unknown { source: "no answer".into() })
            }
        }
    }
}

impl Drawer {
    /// A pushed payment, and what it logged.
    pub(crate) fn mine(&mut self, hash: B256, logs: Vec<TransferLog>) {
        self.chain.insert(hash, Found::Done(logs));
    }

    fn unless_closed<T>(&self, value: T) -> Result<T, ChainError> {
        if self.closed { Err(Mood::IsClosed.says().unwrap_err()) } else { Ok(value) }
    }
}

fn ready<'a, T: Send + 'a>(answer: Result<T, ChainError>) -> ChainFuture<'a, T> {
    Box::pin(std::future::ready(answer))
}

impl Chain for Till {
    fn chain_id(&self) -> u64 {
        CHAIN
    }

    fn simulate<'a>(&'a self, _: Address, _: &'a Transaction) -> ChainFuture<'a, ()> {
        Box::pin(self.try_out())
    }

    fn send<'a>(&'a self, transaction: &'a Outgoing) -> ChainFuture<'a, ()> {
        Box::pin(self.take(transaction))
    }

    fn find(&self, hash: B256, _: Option<u64>) -> ChainFuture<'_, Found> {
        let mut drawer = self.open();
        drawer.asked.push(hash);
        let absent = if drawer.over { Found::Never } else { Found::NotYet };
        ready(drawer.unless_closed(drawer.chain.get(&hash).cloned().unwrap_or(absent)))
    }

    fn balance(&self, _: Address, _: Address) -> ChainFuture<'_, Amount> {
        let drawer = self.open();
        ready(drawer.unless_closed(Amount::from_base_units(drawer.balance)))
    }

    fn probe(&self) -> ChainFuture<'_, ()> {
        let mut drawer = self.open();
        drawer.probed += 1;
        ready(drawer.unless_closed(()))
    }
}
