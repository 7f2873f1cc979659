//! The service that is asked, and what pays it: the public one, another one, or a sandbox on this machine.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use grok_gateway::sandbox::{Sandbox, SandboxOptions};
use grok_mpp::Grok;
use mpp_core::tempo::{Address, PATH_USD, Signer, USDC_E};
use mpp_core::{Amount, Decision, Policy};
use mpp_http::chain::Rpc;
use mpp_http::ledger::{Ledger as _, Settled, Standing, Step};
use mpp_http::reconcile::{ReconcileError, watch};
use mpp_http::{Client, Money, Payment};

use crate::args::{ConfigArgs, LedgerArgs, LimitArgs, Purchase, ServiceArgs};
use crate::books::{Books, now};
use crate::failure::{Failure, chain};
use crate::output;
use crate::payment;
use crate::reconcile::public_node;
use crate::terminal::wait;
use crate::wallet;

/// A service to ask.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) grok: Grok,
    /// Nothing for who only asks for a price.
    pub(crate) books: Option<Books>,
    /// The most that an answer may cost.
    pub(crate) max_cost: Amount,
    client: Client,
    base_url: String,
    sandbox: Option<Sandbox>,
    node: Option<Rpc>,
    /// The payment that the latest call sent.
    sent: Arc<Mutex<Option<Payment>>>,
    /// What may be paid without anybody being asked; nothing is whatever the limits allow.
    agreed: Arc<Mutex<Option<Amount>>>,
}

impl Service {
    /// Makes ready to ask, and, if there is somewhere to write payments down, to pay.
    pub(crate) async fn start(
        args: &ServiceArgs,
        config: &ConfigArgs,
        books: Option<(&LedgerArgs, &LimitArgs)>,
    ) -> Result<Self, Failure> {
        let config = config.read()?;
        // A quote signs nothing, and a sandbox's own ledger takes play money: neither needs a wallet.
        let play_money = args.sandbox && args.rpc.is_none();
        let signer = match books.is_some() && !play_money {
            true => wallet::load(&args.wallet, &config).await?,
            false => wallet::throw_away()?,
        };
        let payer = signer.address();
        let books = match books {
            Some((books, limits)) => Some(Books::open(books, limits).await?),
            None => None,
        };
        let sandbox = if args.sandbox { Some(sandbox(args, payer).await?) } else { None };
        let configured = books.as_ref().and_then(|books| books.rpc.clone()).filter(|_| !args.sandbox);
        let node = match &args.rpc {
            Some(url) => Some(Rpc::new(url).map_err(|error| Failure::usage(error.to_string()))?),
            None => configured,
        };
        // What an access key may spend, a node has to say.
        let limits = match (signer.access_key(), &node, public_node(config.chain_id(args.chain_id))) {
            (None, ..) => None,
            (Some(_), Some(node), _) => Some(node.clone()),
            (Some(_), None, Some(url)) if !args.sandbox => Rpc::new(url).ok(),
            (Some(_), None, _) => None,
        };
        let max_cost = config.max_cost(args.max_cost);
        let (base_url, policy) = match &sandbox {
            Some(sandbox) => {
                (sandbox.base_url(), Policy::new(sandbox.chain_id(), [sandbox.token()], max_cost))
            }
            None => (
                config.base_url(args.base_url.as_deref()),
                Policy::new(config.chain_id(args.chain_id), [PATH_USD, USDC_E], max_cost),
            ),
        };
        let (sent, agreed) = (Arc::default(), Arc::<Mutex<Option<Amount>>>::default());
        let limit = Arc::clone(&agreed);
        let policy = policy.ask(move |quote| match *lock(&limit) {
            Some(agreed) if quote.amount > agreed => Decision::Decline,
            _ => Decision::Approve,
        });
        let client = client(args, signer, policy, books.as_ref(), Arc::clone(&sent));
        let client = limits.into_iter().fold(client, Client::rpc);
        let base_url = base_url.to_owned();
        let grok = Grok::with_client(client.clone()).base_url(&base_url);
        Ok(Service { grok, books, max_cost, client, base_url, sandbox, node, sent, agreed })
    }

    /// Makes ready to do what a command is told that buys.
    pub(crate) async fn open(args: &Purchase) -> Result<Self, Failure> {
        let books = Some((&args.ledger, &args.limits)).filter(|_| !args.dry_run);
        Service::start(&args.service, &args.ledger.config, books).await
    }

    /// Refuses from now on to pay more than this, whatever the limits allow.
    pub(crate) fn at_most(&self, amount: Amount) {
        *lock(&self.agreed) = Some(amount);
    }

    /// Begins the next call: what was sent till now is not its payment.
    pub(crate) fn next_call(&self) {
        *lock(&self.sent) = None;
    }

    /// The payment that the latest call sent, as far as the ledger knows it.
    pub(crate) async fn sent(&self) -> Option<Payment> {
        let sent = lock(&self.sent).clone()?;
        if let Some(played) = self.played(&sent).await {
            return Some(played);
        }
        let known = self.books.as_ref()?.ledger.payment(sent.id()).await;
        known.ok().flatten().or(Some(sent))
    }

    /// The service for one of many calls: `announce` is told of its payment before that leaves, and may stop it, `most`
    /// can only lower the cap. A node, if there is one, is asked in the background what the payment took.
    pub(crate) fn for_call(
        &self,
        most: Option<Amount>,
        announce: impl Fn(&Payment) -> io::Result<()> + Send + Sync + 'static,
    ) -> Grok {
        let client = self.client.clone().announce(move |payment| announce(payment).map_err(Into::into));
        let client = self.node.iter().fold(client, |client, node| client.rpc(node.clone()));
        let client = most.into_iter().fold(client, Client::at_most);
        Grok::with_client(client).base_url(&self.base_url)
    }

    /// A payment as the chain has it, as far as it says. A sandbox's own ledger knows at once; a node is waited for when
    /// it is unknown what became of the payment, and otherwise asked once, for the fee.
    pub(crate) async fn settled(&self, payment: Payment) -> Payment {
        let Some(books) = &self.books else { return payment };
        if let Some(played) = self.played(&payment).await {
            return played;
        }
        let Some(node) = self.node.as_ref().filter(|_| payment.settled().is_none()) else { return payment };
        let asked = if payment.money() == Money::Unknown {
            let _ = payment::waiting(&payment);
            watch(&*books.ledger, node, payment.id()).await
        } else {
            ask_once(books, node, &payment).await
        };
        asked.unwrap_or_else(|error| {
            let _ = output::note(&format!("no word from the chain: {}", chain(&error)));
            payment
        })
    }

    /// A payment that was made, with its fee if there is a node and it says so at once.
    pub(crate) async fn with_fee(&self, payment: Payment) -> Payment {
        if let Some(played) = self.played(&payment).await {
            return played;
        }
        let (Some(books), Some(node)) = (&self.books, &self.node) else { return payment };
        match tokio::time::timeout(A_MOMENT, ask_once(books, node, &payment)).await {
            Ok(Ok(known)) => known,
            _ => payment,
        }
    }

    /// What a payment leaves of the limits it counts against, if the ledger says.
    pub(crate) async fn left(&self, payment: Option<&Payment>) -> Vec<Standing> {
        let (Some(books), Some(payment)) = (&self.books, payment) else { return Vec::new() };
        books.left(payment).await.unwrap_or_else(|error| {
            let _ = output::note(&format!("cannot tell what is left: {}", chain(&error)));
            Vec::new()
        })
    }

    /// A payment that the sandbox's own ledger made, with what it took.
    async fn played(&self, payment: &Payment) -> Option<Payment> {
        let (books, fee) = (self.books.as_ref()?, self.sandbox.as_ref()?.fee(payment.hash()?)?);
        let settled = Settled { at: now(), hash: payment.hash(), amount: payment.quote().amount, fee };
        books.ledger.advance(payment.id(), Step::Settled(settled), now()).await.ok()
    }

    /// Closes the ledger and ends the sandbox, if there are any, and hands the outcome through. A second ctrl-C does not wait
    /// for the sandbox.
    pub(crate) async fn close<T>(self, outcome: T) -> T {
        if let Some(books) = &self.books {
            books.ledger.close().await;
        }
        if let Some(sandbox) = self.sandbox {
            wait("stopping the sandbox", sandbox.shutdown()).await;
        }
        outcome
    }
}

/// A payment as the chain has it now, which may be as it was.
async fn ask_once(books: &Books, node: &Rpc, payment: &Payment) -> Result<Payment, ReconcileError> {
    match node.find(payment, now()).await.map_err(ReconcileError::Node)? {
        Some(settled) => Ok(books.ledger.advance(payment.id(), Step::Settled(settled), now()).await?),
        None => Ok(payment.clone()),
    }
}

async fn sandbox(args: &ServiceArgs, payer: Address) -> Result<Sandbox, Failure> {
    let options = SandboxOptions {
        port: args.sandbox_port,
        rpc: args.rpc.clone(),
        fund: vec![(payer, PLAY_MONEY)],
        ..SandboxOptions::default()
    };
    Sandbox::start(options).await.map_err(|error| Failure::unpaid(chain(&error)))
}

fn client(
    args: &ServiceArgs,
    signer: Arc<dyn Signer>,
    policy: Policy,
    books: Option<&Books>,
    sent: Arc<Mutex<Option<Payment>>>,
) -> Client {
    let client = Client::new(signer, policy).paid_timeout(args.timeout);
    match books {
        Some(books) => {
            client.ledger(books.ledger.clone()).budget(books.budget.clone()).announce(move |payment| {
                *lock(&sent) = Some(payment.clone());
                payment::sending(payment).map_err(Into::into)
            })
        }
        None => client,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For a node to say what a fee was, while an answer waits.
const A_MOMENT: Duration = Duration::from_secs(3);
/// A hundred dollars that are none.
const PLAY_MONEY: Amount = Amount::from_base_units(100_000_000);
