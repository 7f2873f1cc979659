//! Payments to write down, and every kind of ledger to write them in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mpp_core::payee::Offer;
use mpp_core::tempo::{Address, LocalSigner, SignedPayment};
use mpp_core::{Amount, Approval, Challenge, ChargeRequest, Policy, Receipt, Transfer};
use mpp_http::Payment;
use mpp_http::ledger::{Answer, Ledger, MemoryLedger, Signed, SqlLedger, Step};
use tempfile::TempDir;

use crate::{CHAIN_ID, PATH_USD, PAYER, Postgres, RECIPIENT};

/// A payment that was approved and signed, and is not written down yet.
#[derive(Debug)]
pub struct Attempt {
    /// What to reserve.
    pub payment: Payment,
    signed: SignedPayment,
}

/// What is paid for.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Who asks.
    pub realm: String,
    /// The price, in base units.
    pub amount: u128,
    /// In which token.
    pub token: Address,
    /// Who gets how much of it beside the main recipient.
    pub split: Option<(Address, u128)>,
    /// When, in Unix seconds.
    pub now: u64,
}

impl Terms {
    /// A cent for `shop.test`.
    pub fn cent(now: u64) -> Self {
        Terms { realm: "shop.test".into(), amount: 10_000, token: PATH_USD, split: None, now }
    }

    /// Has it approved.
    pub fn approved(&self) -> (Payment, Approval) {
        let request =
            http::Request::post("https://shop.test/a?key=secret").body("a body".into()).expect(FINE);
        let amount = Amount::from_base_units(self.amount);
        let mut charge = ChargeRequest::new(amount, self.token, RECIPIENT.address, CHAIN_ID);
        if let Some((to, amount)) = self.split {
            let share = Transfer { to, amount: Amount::from_base_units(amount), memo: None };
            charge = charge.split(vec![share]).expect(FINE);
        }
        let offer = Offer {
            realm: &self.realm,
            request: &charge,
            expires_at: Some(self.now + 300),
            digest: None,
            description: None,
            opaque: [].into(),
        };
        let challenge = Challenge::issue(b"a secret", &offer).expect(FINE);
        let policy = Policy::new(CHAIN_ID, [self.token], amount).realms([self.realm.clone()]);
        let approval = policy.approve(challenge, b"a body", self.now).expect(FINE);
        (Payment::new(&request, &approval, PAYER.address, self.now), approval)
    }

    /// Has it approved and signed; no two are the same payment.
    pub fn attempt(&self) -> Attempt {
        let (payment, approval) = self.approved();
        let unsigned = approval.prepare(PAYER.address, self.now, salt());
        let signature = LocalSigner::from_hex(PAYER.key).expect(FINE).sign(&unsigned);
        Attempt { payment, signed: unsigned.signed(&signature) }
    }
}

impl Attempt {
    /// What was signed.
    pub fn transaction(&self) -> Option<&bytes::Bytes> {
        self.signed.transaction().map(|transaction| &transaction.raw().0)
    }

    /// It is about to leave.
    pub fn sent(&self) -> Step {
        Step::Sent(Signed::new(&self.signed, self.payment.reserved_at()))
    }

    /// A success came back, with a receipt.
    pub fn answered(&self) -> Step {
        let at = self.payment.reserved_at();
        let receipt = self.signed.hash().map(|hash| Receipt::new(hash.to_string(), at, None));
        let answer = Answer { at, status: Some(200), body_digest: None };
        Step::Answered { answer, receipt, failure: None }
    }
}

/// A ledger, and what has to stay there as long as it is used.
#[expect(missing_debug_implementations, reason = "a ledger of any kind has none")]
pub struct Store {
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    _folder: Option<TempDir>,
}

impl Store {
    /// One in memory.
    pub async fn memory() -> Self {
        Store { ledger: Arc::new(MemoryLedger::new()), _folder: None }
    }

    /// One in a new file.
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect(FINE);
        // A name with whatever means something in a URL.
        let ledger = SqlLedger::sqlite(folder.path().join("a 100%41?b#c.sqlite")).await.expect(FINE);
        Store { ledger: Arc::new(ledger), _folder: Some(folder) }
    }

    /// One in a new database of a real server.
    pub async fn postgres() -> Self {
        let url = Postgres::shared().await.database().await;
        Store { ledger: Arc::new(SqlLedger::postgres(&url).await.expect(FINE)), _folder: None }
    }
}

/// No two salts are the same.
fn salt() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

const FINE: &str = "what is made up here is well-formed";
