//! Those who pay: each call is paid for anew only when the gate says that it was not paid, and comes back with what it
//! has when the connection breaks, soon, late or never.

use std::time::Duration;

use e2e::bare::{self, Answer, Connection};
use mpp_core::tempo::{LocalSigner, SignedPayment};
use tokio::sync::OwnedSemaphorePermit;

use crate::dice;

/// What somebody wants once.
pub(crate) struct Call {
    pub(crate) body: String,
    /// Everything that was signed for it.
    pub(crate) payments: Vec<SignedPayment>,
    /// Whether a connection broke, and the payer came back.
    pub(crate) returned: bool,
    pub(crate) end: End,
    key: LocalSigner,
    /// With it, another payment is no second one.
    idempotency: Option<String>,
    leaves: bool,
}

/// How it ended, as the payer sees it.
pub(crate) enum End {
    Answered(Answer),
    /// With a promise of the money.
    Failed,
    /// It was not made, and he has not paid.
    NotPaid,
    /// The connection broke, and the payer went away.
    Left,
}

/// What an answer to a credential means.
enum Meaning {
    Over(End),
    /// The payment was not made.
    PayAnew,
    /// Nobody knows yet.
    ComeAgain,
}

impl Call {
    pub(crate) fn new(number: u64, key: LocalSigner) -> Self {
        Self {
            body: number.to_string(),
            payments: Vec::new(),
            returned: false,
            end: End::Left,
            key,
            idempotency: (dice(2) == 0).then(|| format!("key {number}")),
            leaves: dice(5) == 0,
        }
    }

    /// Makes it, to the end or until the payer has had enough. The turn is the next payer's as soon as a connection broke.
    pub(crate) async fn make(mut self, ports: Vec<u16>, turn: OwnedSemaphorePermit) -> Self {
        let mut turn = Some(turn);
        self.sign(&ports).await;
        loop {
            let Ok(answer) = self.send(self.payments.last().unwrap(), &ports).await else {
                drop(turn.take());
                if self.leaves {
                    return self;
                }
                self.returned = true;
                tokio::time::sleep(Duration::from_millis(dice(6000))).await;
                if self.idempotency.is_some() && dice(3) == 0 {
                    self.sign(&ports).await;
                }
                continue;
            };
            match self.read(answer) {
                Meaning::Over(end) => return Self { end, ..self },
                Meaning::PayAnew => self.sign(&ports).await,
                Meaning::ComeAgain => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        }
    }

    /// Comes back when all is quiet, with everything that was ever signed for it: nothing is signed anew. What was not
    /// used before, and has not expired, may buy what another payment did not.
    pub(crate) async fn come_back(&mut self, ports: &[u16]) {
        let left = matches!(self.end, End::Left);
        for payment in &self.payments {
            let answer = self.send(payment, ports).await.unwrap();
            match (self.read(answer.clone()), &self.end) {
                (Meaning::Over(end), End::Left | End::NotPaid)
                | (Meaning::Over(end @ End::Answered(_)), End::Failed) => {
                    self.end = end;
                    self.returned = true;
                }
                (Meaning::Over(End::Answered(_)), End::Answered(before)) => {
                    assert_eq!(of_value(&answer), of_value(before), "call {} has two answers", self.body);
                }
                (Meaning::PayAnew, End::Left) => self.end = End::NotPaid,
                // One that was given back, or not made, before another.
                (Meaning::PayAnew | Meaning::Over(End::Failed), _) => {}
                _ => panic!("call {}: {answer:?}", self.body),
            }
        }
        assert!(!left || !matches!(self.end, End::Left));
    }

    /// Has another challenge, and signs it.
    async fn sign(&mut self, ports: &[u16]) {
        loop {
            match Connection::to(any(ports)).post("/", &self.body, &[]).await {
                Ok(answer) if answer.status == 402 => {
                    if let Ok(payment) = bare::pay(&self.key, answer.challenge(), &self.body) {
                        return self.payments.push(payment);
                    }
                }
                Ok(answer) => assert_eq!(answer.status, 503, "{answer:?}"),
                Err(_) => {}
            }
            tokio::time::sleep(Duration::from_millis(dice(200))).await;
        }
    }

    /// Which payment an answered call was charged for.
    pub(crate) fn reference(&self) -> Option<String> {
        match &self.end {
            End::Answered(answer) => Some(answer.receipt()?.reference().to_owned()),
            _ => None,
        }
    }

    async fn send(
        &self,
        payment: &SignedPayment,
        ports: &[u16],
    ) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let credential = payment.credential().header_value();
        let mut fields = vec![("authorization", credential.as_str())];
        fields.extend(self.idempotency.as_deref().map(|key| ("idempotency-key", key)));
        Connection::to(any(ports)).post("/", &self.body, &fields).await
    }

    fn read(&self, answer: Answer) -> Meaning {
        let detail = answer.member("detail").unwrap_or_default();
        match answer.status.as_u16() {
            200 => {
                let reference = answer.receipt().unwrap().reference().to_owned();
                let ours = |payment: &&SignedPayment| payment.hash().unwrap().to_string() == reference;
                let payment = self.payments.iter().find(ours).expect("the receipt of this call");
                answer.receipt().unwrap().check(payment).unwrap();
                assert!(answer.body.ends_with(format!("for {}", self.body).as_bytes()), "{answer:?}");
                Meaning::Over(End::Answered(answer))
            }
            402 => Meaning::PayAnew,
            409 if detail.contains("was not made") || detail.contains("pay anew") => Meaning::PayAnew,
            409 => Meaning::ComeAgain,
            _ if answer.member("refund").is_some() => Meaning::Over(End::Failed),
            500..=503 => Meaning::ComeAgain,
            _ => panic!("{answer:?}"),
        }
    }
}

/// What must be the same however often it is asked for; the receipt says when it was made out.
fn of_value(answer: &Answer) -> (&bytes::Bytes, Option<String>) {
    (&answer.body, answer.receipt().map(|receipt| receipt.reference().to_owned()))
}

fn any(ports: &[u16]) -> u16 {
    let at = usize::try_from(dice(u64::try_from(ports.len()).unwrap())).unwrap();
    ports[at]
}
