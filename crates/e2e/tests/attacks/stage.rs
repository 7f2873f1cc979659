//! Where an attack takes place: a fresh purse on the real chain, the hostile server and its accomplice, one call; then
//! whoever heard a credential cashes it in, and the purse is counted.

use std::collections::BTreeSet;
use std::error::Error;
use std::time::{Duration, UNIX_EPOCH};

use alloy_primitives::keccak256;
use e2e::{Anvil, Customer, Heard, Mined, PATH_USD, ScriptedServer};
use mpp_http::chain::Rpc;
use mpp_http::{Client, Money, Payment};
use tokio::time::timeout;

use crate::attack::{Answer, Attack, Ending, Expected, Site};
use crate::cash::{SCHEME, cash_in, credentials, credentials_among, pushed, transactions};
use crate::demand::{plain, required};
use crate::h2_server::SecureServer;

/// What became of an attack.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) signatures: usize,
    pub(crate) distinct: usize,
    pub(crate) sent: usize,
    /// What left the purse, in base units.
    pub(crate) left: u128,
    /// The most that may leave it.
    pub(crate) bound: u128,
    pub(crate) verdict: String,
    /// What is not as expected.
    pub(crate) faults: Vec<String>,
}

/// Everything seen of one call.
struct Seen {
    ending: Ending,
    signatures: usize,
    /// How often the server was asked without a credential.
    unpaid: usize,
    /// Field values of credentials, as often as they left.
    sent: Vec<String>,
    heard: Vec<Heard>,
    overheard: Vec<Heard>,
    mined: Vec<Mined>,
    /// How many transactions anybody could have cashed in, or were broadcast by their payer.
    cashable: usize,
    left: u128,
    ended_at: u64,
}

/// Stages one attack.
pub(crate) async fn run(attack: Attack) -> Row {
    let Attack { name, site, policy, client, pushes, request, body, expected } = attack;
    let accomplice = ScriptedServer::start(|_| required(&[plain()])).await;
    let server = Server::start(site, accomplice.url("/stolen")).await;
    let node = Anvil::shared().await;
    let rpc = pushes.then(|| Rpc::new(&node.url()).expect("a node"));
    let customer = Customer::new(&keccak256(&name).to_string(), policy).with(client);
    let customer = customer.with(|client| rpc.into_iter().fold(client, Client::rpc));
    node.fund(customer.address(), PURSE).await;

    let request = request(http::Request::get(server.url())).body(body.into()).expect("a request");
    let call = async {
        let mut answer = customer.client().send(request).await?;
        let body = answer.bytes().await?;
        Ok(Answer { status: answer.status().as_u16(), payment: answer.payment().cloned(), body })
    };
    let Ok(ending) = timeout(PATIENCE, call).await else { return Row::failed(name, "it never ended") };

    let ended_at = UNIX_EPOCH.elapsed().expect("it is after 1970").as_secs();
    let (heard, overheard) = (server.heard(), accomplice.heard());
    let tried: Vec<_> = customer.sent().iter().flat_map(|sent| credentials_among(&sent.headers)).collect();
    let arrived: Vec<_> = heard.iter().chain(&overheard).flat_map(credentials).collect();
    // What was sent into a connection that broke may have arrived all the same.
    let sent = if expected.credentials == 0 || arrived.len() > tried.len() { &arrived } else { &tried };
    let cashable = transactions(sent.iter().chain(&arrived));
    let mut mined = Vec::new();
    for raw in &cashable {
        mined.extend(cash_in(node, raw).await);
    }
    let pushed = pushed(sent.iter().chain(&arrived));
    for hash in &pushed {
        mined.extend(node.transaction(*hash).await);
    }
    let unpaid = customer.sent().len() - tried.len();
    let seen = Seen {
        ending,
        signatures: customer.signatures(),
        unpaid: unpaid.max(heard.iter().filter(|heard| credentials(heard).is_empty()).count()),
        sent: sent.clone(),
        heard,
        overheard,
        mined,
        cashable: cashable.len() + pushed.len(),
        left: PURSE.abs_diff(node.balance_of(PATH_USD, customer.address()).await),
        ended_at,
    };
    seen.judge(name, &expected)
}

impl Seen {
    fn judge(self, name: String, expected: &Expected) -> Row {
        let price = expected.price.base_units();
        let fee = self.mined.iter().map(|mined| mined.fee).max().unwrap_or_default();
        let bound = if expected.credentials == 0 || price == 0 { 0 } else { price + fee };
        let claims = [self.claims(expected, bound), self.claims_of_words(expected)];
        let faults = claims.into_iter().flatten().filter(|(holds, _)| !holds).map(|(_, fault)| fault);
        Row {
            name,
            signatures: self.signatures,
            distinct: self.distinct(),
            sent: self.sent.len(),
            left: self.left,
            bound,
            verdict: verdict(&self.ending),
            faults: faults.map(|fault| mpp_core::printable(&fault, 1000)).collect(),
        }
    }

    /// What must hold of what was made, sent and lost, and what else is the matter.
    fn claims(&self, expected: &Expected, bound: u128) -> Vec<(bool, String)> {
        let Expected { signatures, credentials, sent, money, price, .. } = expected;
        let all_mined = price.is_zero() || self.cashable == self.mined.len();
        let mined_well = self.mined.iter().all(|mined| mined.succeeded);
        vec![
            (self.signatures == *signatures, format!("{signatures} signatures were expected")),
            (self.distinct() == *credentials, format!("{credentials} credentials were expected")),
            (
                *credentials == 0 || sent.contains(&self.sent.len()),
                format!("{sent:?} sendings were expected"),
            ),
            (self.unpaid == 1, format!("it was asked for {} times", self.unpaid)),
            (self.left <= bound, format!("more than {bound} units left")),
            (self.left == bound, format!("{bound} units were expected to leave")),
            (all_mined && mined_well, format!("what was signed could not happen: {:?}", self.mined)),
            (money.contains(&paid_money(&self.ending)), format!("{money:?} was expected")),
            ((expected.ends)(&self.ending), format!("it ended with {:?}", self.ending)),
            (self.overheard.is_empty(), format!("the accomplice heard {:?}", self.overheard)),
            (is_same_request(&self.heard), format!("the paid request is another: {:?}", self.heard)),
        ]
    }

    /// What must hold of what the caller is given and told.
    fn claims_of_words(&self, expected: &Expected) -> Vec<(bool, String)> {
        let payment = payment(&self.ending);
        let end = payment.and_then(Payment::valid_before).unwrap_or_default();
        let said = said(&self.ending);
        let is_shown = |value: &String| said.contains(value.trim_start_matches(SCHEME));
        vec![
            (is_delivered(&self.ending, expected), "another body was delivered".to_owned()),
            (end <= self.ended_at + MAX_VALIDITY, format!("it is valid until {end}")),
            (payment.is_some() == (self.signatures > 0), "a signature is not told of".to_owned()),
            (payment.is_none_or(is_traceable), format!("untraceable: {payment:?}")),
            (!self.sent.iter().any(is_shown), format!("a credential is shown: {said}")),
        ]
    }

    fn distinct(&self) -> usize {
        self.sent.iter().collect::<BTreeSet<_>>().len()
    }
}

impl Row {
    pub(crate) fn failed(name: String, why: &str) -> Self {
        let faults = vec![why.to_owned()];
        Row { name, signatures: 0, distinct: 0, sent: 0, left: 0, bound: 0, verdict: String::new(), faults }
    }
}

/// The hostile server, of either kind.
enum Server {
    Plain(ScriptedServer),
    Secure(SecureServer, &'static str),
}

impl Server {
    async fn start(site: Site, elsewhere: String) -> Self {
        match site {
            Site::Plain { script, deaf_from } => {
                let server = ScriptedServer::start(move |heard| script(heard, &elsewhere)).await;
                Server::Plain(server.deaf_from(deaf_from))
            }
            Site::Secure { script, host } => Server::Secure(SecureServer::start(script).await, host),
        }
    }

    fn url(&self) -> String {
        match self {
            Server::Plain(server) => server.url("/"),
            Server::Secure(server, host) => format!("https://{host}:{}/", server.port()),
        }
    }

    fn heard(&self) -> Vec<Heard> {
        match self {
            Server::Plain(server) => server.heard(),
            Server::Secure(server, _) => server.heard(),
        }
    }
}

/// Whether every paid request is the unpaid one and a credential, a POST with an idempotency key as well, and whether
/// two of them differ in nothing.
fn is_same_request(heard: &[Heard]) -> bool {
    let own_lines = |heard: &Heard| {
        let credentials = credentials(heard);
        let is_key = |line: &str| heard.method() == "POST" && line.starts_with("idempotency-key: ");
        let is_added =
            |line: &str| is_key(line) || credentials.iter().any(|value| line.ends_with(value.as_str()));
        let own = heard.head.lines().filter(|line| !is_added(line));
        (own.map(str::to_owned).collect::<BTreeSet<_>>(), heard.body.clone())
    };
    let (paid, unpaid): (Vec<_>, Vec<_>) = heard.iter().partition(|heard| !credentials(heard).is_empty());
    let all_alike =
        heard.iter().all(|one| heard.first().is_none_or(|first| own_lines(one) == own_lines(first)));
    let paid_alike = paid.iter().all(|one| paid.first().is_none_or(|first| one.head == first.head));
    all_alike && paid_alike && unpaid.iter().all(|one| one.header("idempotency-key").is_none())
}

fn is_delivered(ending: &Ending, expected: &Expected) -> bool {
    match ending {
        Ok(Answer { payment: Some(_), status, body }) => {
            (200..300).contains(status) && body == &expected.delivers
        }
        _ => true,
    }
}

/// Whether the chain can be asked what became of it.
fn is_traceable(payment: &Payment) -> bool {
    let hash = payment.hash().is_some() || payment.quote().sponsored;
    let found = hash && payment.memo().is_some() && payment.valid_before().is_some();
    let receipt = payment.receipt().is_none() || payment.money() != Money::Unknown;
    (found || payment.quote().amount.is_zero()) && receipt
}

fn payment(ending: &Ending) -> Option<&Payment> {
    match ending {
        Ok(answer) => answer.payment.as_ref(),
        Err(error) => error.payment(),
    }
}

fn paid_money(ending: &Ending) -> Money {
    payment(ending).map_or(Money::NotMoved, Payment::money)
}

fn verdict(ending: &Ending) -> String {
    let money = match paid_money(ending) {
        Money::NotMoved => "not moved",
        Money::Unknown => "unknown",
        Money::Paid => "paid",
    };
    let how = match ending {
        Ok(Answer { payment: Some(_), .. }) => "delivered".to_owned(),
        Ok(answer) => format!("{} handed back", answer.status),
        Err(error) => error.source().map_or(error.to_string(), ToString::to_string),
    };
    format!("{money}: {how}")
}

/// What is printed, logged and written down: an error with its causes, and the payment.
fn said(ending: &Ending) -> String {
    let mut said =
        payment(ending).map(|payment| format!("{payment:?} {}", payment.evidence())).unwrap_or_default();
    let mut cause = ending.as_ref().err().map(|error| -> &dyn Error { error });
    while let Some(error) = cause {
        said += &format!("{error}\n");
        cause = error.source();
    }
    said
}

/// What every payer has, in base units.
const PURSE: u128 = 1_000_000;
/// Longer than any attack may hold a call up.
const PATIENCE: Duration = Duration::from_secs(30);
/// How far into the future a payment may be signed, in seconds.
const MAX_VALIDITY: u64 = 25;
