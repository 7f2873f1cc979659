//! One attack as data: what the server does, what its customer allows, and how the call has to end.

use std::ops::RangeInclusive;

use bytes::Bytes;
use e2e::{CHAIN_ID, Heard, PATH_USD, Reply};
use http::request::Builder;
use mpp_core::exchange::{NotPaid, Reason};
use mpp_core::{Amount, Policy};
use mpp_http::ledger::State;
use mpp_http::{Client, Error, Failure, Money, Payment};

use crate::demand::{CENT, plain, required};
use crate::h2_server::{self, Play};

/// A server that cheats, a customer who meets it once, and what is expected of the meeting.
pub(crate) struct Attack {
    pub(crate) name: String,
    pub(crate) site: Site,
    pub(crate) policy: Policy,
    pub(crate) client: Box<dyn FnOnce(Client) -> Client + Send>,
    /// Whether the customer has a node to broadcast on.
    pub(crate) pushes: bool,
    pub(crate) request: Box<dyn FnOnce(Builder) -> Builder + Send>,
    pub(crate) body: &'static str,
    pub(crate) expected: Expected,
}

/// What is attacked from.
pub(crate) enum Site {
    /// HTTP/1.1 in the clear. Connections from number `deaf_from` on are closed unheard.
    Plain { script: Script, deaf_from: usize },
    /// HTTP/2 over TLS under this host name; the certificate is for `localhost`.
    Secure { script: h2_server::Script, host: &'static str },
}

/// Answers a request, knowing where an accomplice listens.
pub(crate) type Script = Box<dyn Fn(&Heard, &str) -> Reply + Send + Sync>;

/// How a call has to end.
pub(crate) struct Expected {
    pub(crate) signatures: usize,
    /// How many different credentials leave.
    pub(crate) credentials: usize,
    /// How often they leave, all together.
    pub(crate) sent: RangeInclusive<usize>,
    /// What one credential that is out costs at most, without the fee.
    pub(crate) price: Amount,
    /// The verdict; more than one where the order of two packets decides.
    pub(crate) money: Vec<Money>,
    /// The body of a paid answer.
    pub(crate) delivers: Bytes,
    pub(crate) ends: Box<dyn Fn(&Ending) -> bool + Send>,
}

/// How a call ended.
pub(crate) type Ending = Result<Answer, Error>;

/// An answer, its body read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) payment: Option<Payment>,
    pub(crate) body: Bytes,
}

impl Attack {
    /// A server that does as `script` says from the start.
    pub(crate) fn on(
        name: impl Into<String>,
        script: impl Fn(&Heard, &str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::at(name, Site::Plain { script: Box::new(script), deaf_from: usize::MAX })
    }

    /// A server that demands a cent of whoever has not paid, each time anew, and then does as `script` says.
    pub(crate) fn once_paid(
        name: impl Into<String>,
        script: impl Fn(&Heard) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::on(name, move |heard, _| match heard.credential() {
            Some(_) => script(heard),
            None => required(&[plain()]),
        })
    }

    /// A server that asks for payment in these `WWW-Authenticate` fields, and keeps its word.
    pub(crate) fn asking(name: impl Into<String>, fields: &[impl AsRef<[u8]>]) -> Self {
        Self::unpaid(name, required(fields))
    }

    /// A server that gives this to whoever has not paid, and else keeps its word.
    pub(crate) fn unpaid(name: impl Into<String>, reply: Reply) -> Self {
        Self::on(name, move |heard, _| match heard.credential() {
            Some(_) => Reply::new(200, &[], "bought"),
            None => reply.clone(),
        })
    }

    /// A server that speaks HTTP/2, and does as `script` says from the start.
    pub(crate) fn over_h2(
        name: impl Into<String>,
        script: impl Fn(&Heard) -> Play + Send + Sync + 'static,
    ) -> Self {
        Self::at(name, Site::Secure { script: Box::new(script), host: "localhost" })
    }

    fn at(name: impl Into<String>, site: Site) -> Self {
        Self {
            name: name.into(),
            site,
            policy: Policy::new(CHAIN_ID, [PATH_USD], CENT),
            client: Box::new(|client| client),
            pushes: false,
            request: Box::new(|request| request),
            body: "",
            expected: Expected {
                signatures: 0,
                credentials: 0,
                sent: 0..=0,
                price: CENT,
                money: Vec::new(),
                delivers: Bytes::from_static(b"bought"),
                ends: Box::new(|_| false),
            },
        }
    }

    /// Connections from this one on, counted from 0, are closed unheard.
    pub(crate) fn deaf_from(mut self, connection: usize) -> Self {
        if let Site::Plain { deaf_from, .. } = &mut self.site {
            *deaf_from = connection;
        }
        self
    }

    /// The customer knows the server by this name.
    pub(crate) fn at_host(mut self, name: &'static str) -> Self {
        if let Site::Secure { host, .. } = &mut self.site {
            *host = name;
        }
        self
    }

    pub(crate) fn policy(self, change: impl FnOnce(Policy) -> Policy) -> Self {
        Self { policy: change(self.policy), ..self }
    }

    pub(crate) fn client(self, change: impl FnOnce(Client) -> Client + Send + 'static) -> Self {
        Self { client: Box::new(change), ..self }
    }

    /// The customer broadcasts what has to be pushed.
    pub(crate) fn pushes(self) -> Self {
        Self { pushes: true, ..self }.policy(|policy| policy.push(true))
    }

    pub(crate) fn request(self, change: impl FnOnce(Builder) -> Builder + Send + 'static) -> Self {
        Self { request: Box::new(change), ..self }
    }

    /// The customer's request is a POST.
    pub(crate) fn post(self) -> Self {
        Self { body: r#"{"prompt":"factorial of 50"}"#, ..self }
            .request(|request| request.method(http::Method::POST).header("content-type", "application/json"))
    }

    /// Every offer is refused, for reasons like this.
    pub(crate) fn ends_refused(self, why: impl Fn(&Reason) -> bool + Send + 'static) -> Self {
        self.ends_unsigned(move |ending| match ending {
            Err(Error::NotPaid { reason: NotPaid::Refused(reasons), .. }) => {
                !reasons.is_empty() && reasons.iter().all(&why)
            }
            _ => false,
        })
    }

    /// There is nothing to pay.
    pub(crate) fn ends_without_an_offer(self) -> Self {
        self.ends_unsigned(|ending| {
            matches!(ending, Err(Error::NotPaid { reason: NotPaid::NoChallenge, .. }))
        })
    }

    /// The unpaid request fails like this.
    pub(crate) fn ends_unanswered(self, how: impl Fn(&Failure) -> bool + Send + 'static) -> Self {
        self.ends_unsigned(move |ending| matches!(ending, Err(Error::Unpaid(failure)) if how(failure)))
    }

    /// The unpaid answer is the caller's to look at.
    pub(crate) fn ends_handed_back(self, status: u16) -> Self {
        self.ends_unsigned(
            move |ending| matches!(ending, Ok(answer) if answer.status == status && answer.payment.is_none()),
        )
    }

    /// One credential, one answer, and of the payment this can be said.
    pub(crate) fn ends_paid(self, how: impl Fn(&Payment) -> bool + Send + 'static) -> Self {
        let delivered = move |payment: &Payment| payment.state() == State::Delivered && how(payment);
        self.ends_signed(&[Money::Paid], Result::is_ok).with_payment(delivered)
    }

    /// One credential, and nobody can say what became of it, for a failure like this.
    pub(crate) fn ends_unknown(self, how: impl Fn(&Failure) -> bool + Send + 'static) -> Self {
        self.ends_signed(&[Money::Unknown], move |ending| lost(ending, &how))
    }

    /// One credential, taken, and no whole answer, for a failure like this.
    pub(crate) fn ends_paid_and_lost(self, how: impl Fn(&Failure) -> bool + Send + 'static) -> Self {
        self.ends_signed(&[Money::Paid], move |ending| lost(ending, &how))
    }

    /// One signature that never left.
    pub(crate) fn ends_unsent(self) -> Self {
        let unsent =
            |failure: &Failure| matches!(failure, Failure::Transport(error) if !error.may_have_been_sent());
        let mut unsent = self.ends_signed(&[Money::NotMoved], move |ending| lost(ending, unsent));
        unsent.expected.credentials = 0;
        unsent
    }

    /// One signature; the rest is said.
    pub(crate) fn ends_signed(
        mut self,
        money: &[Money],
        ends: impl Fn(&Ending) -> bool + Send + 'static,
    ) -> Self {
        self.expected = Expected {
            signatures: 1,
            credentials: 1,
            sent: 1..=1,
            money: money.to_vec(),
            ends: Box::new(ends),
            ..self.expected
        };
        self
    }

    /// No signature.
    pub(crate) fn ends_unsigned(mut self, ends: impl Fn(&Ending) -> bool + Send + 'static) -> Self {
        self.expected.money = vec![Money::NotMoved];
        self.expected.ends = Box::new(ends);
        self
    }

    /// And of the payment this can be said.
    pub(crate) fn with_payment(mut self, is: impl Fn(&Payment) -> bool + Send + 'static) -> Self {
        let ends = self.expected.ends;
        let paid = move |ending: &Ending| match ending {
            Ok(answer) => answer.payment.as_ref().is_some_and(&is),
            Err(error) => error.payment().is_some_and(&is),
        };
        self.expected.ends = Box::new(move |ending| ends(ending) && paid(ending));
        self
    }

    /// The connection broke, so the same credential is sent once more.
    pub(crate) fn sent_twice(mut self) -> Self {
        self.expected.sent = 2..=2;
        self
    }

    /// Whether the connection broke is for the order of two packets to decide.
    pub(crate) fn sent_once_or_twice(mut self) -> Self {
        self.expected.sent = 1..=2;
        self
    }

    /// A credential that is out costs its payer nothing without somebody else's signature, or at all.
    pub(crate) fn costs_nothing(mut self) -> Self {
        self.expected.price = Amount::ZERO;
        self
    }

    /// The paid answer has another body than `bought`.
    pub(crate) fn delivers(mut self, body: impl Into<Bytes>) -> Self {
        self.expected.delivers = body.into();
        self
    }
}

fn lost(ending: &Ending, how: impl Fn(&Failure) -> bool) -> bool {
    matches!(ending, Err(Error::AfterSigning { failure, .. }) if how(failure))
}

/// The connection broke or talked nonsense.
pub(crate) fn broken(failure: &Failure) -> bool {
    matches!(failure, Failure::Transport(error) if error.may_have_been_sent())
}

/// The server answered this.
pub(crate) fn answered(status: u16) -> impl Fn(&Failure) -> bool + Send {
    move |failure| matches!(failure, Failure::Status { status: got, .. } if *got == status)
}

/// Time ran out.
pub(crate) fn late(failure: &Failure) -> bool {
    matches!(failure, Failure::Timeout { .. })
}

/// The payee confirmed it by a receipt.
pub(crate) fn confirmed(payment: &Payment) -> bool {
    payment.receipt().is_some()
}

/// Success without a word about a receipt.
pub(crate) fn accepted(payment: &Payment) -> bool {
    payment.receipt().is_none() && payment.failure().is_none()
}
