//! What the gate's database says, what the chain says, and what the payers were told: all three agree to the unit.

use std::collections::HashMap;

use e2e::{Anvil, MemoTransfer, PATH_USD};
use mpp_core::payee::Refund;
use mpp_core::tempo::Address;
use sqlx::{AnyConnection, Connection as _, Row as _};

use crate::customer::{Call, End};
use crate::{Lane, price};

/// A row of the database.
pub(crate) struct Sale {
    pub(crate) challenge: String,
    pub(crate) state: String,
    reference: String,
    payer: Address,
    amount: u128,
    refund: Option<String>,
}

/// All sales of a database; none if nobody has made it yet.
pub(crate) async fn sales(store: &str) -> Vec<Sale> {
    sqlx::any::install_default_drivers();
    let url = if store.starts_with("postgres:") { store.to_owned() } else { format!("sqlite:{store}") };
    let Ok(mut database) = AnyConnection::connect(&url).await else { return Vec::new() };
    let rows = sqlx::query("SELECT * FROM sales").fetch_all(&mut database).await.unwrap_or_default();
    let _ = database.close().await;
    let sale = |row: &sqlx::any::AnyRow| Sale {
        challenge: row.get("challenge_id"),
        state: row.get("state"),
        reference: row.get("reference"),
        payer: row.get::<String, _>("payer").parse().unwrap(),
        amount: row.get::<String, _>("amount").parse().unwrap(),
        refund: row.get("refund_hash"),
    };
    rows.iter().map(sale).collect()
}

/// The books of a lane when nothing is due any more.
pub(crate) struct Books {
    place: String,
    sales: Vec<Sale>,
    /// What came in, by the chain.
    paid: Vec<MemoTransfer>,
    /// What went out.
    refunds: Vec<MemoTransfer>,
}

impl Books {
    /// Compares everything with everything: how many sales there are, were served, can be, and were refunded; then what
    /// came in by the database and by the chain, and what went out again by both, fees aside.
    pub(crate) async fn audit(lane: &Lane, node: &Anvil, calls: &[Call], funds: u128) -> [u128; 8] {
        let (mut paid, mut refunds) = (Vec::new(), Vec::new());
        for transfer in node.memo_transfers(None).await {
            match transfer {
                transfer if transfer.to == lane.recipient => paid.push(transfer),
                transfer if transfer.from == lane.operator => refunds.push(transfer),
                _ => {}
            }
        }
        let books =
            Self { place: format!("lane {}", lane.number), sales: sales(&lane.store).await, paid, refunds };
        books.payments_are_sales();
        books.refunds_are_due();
        books.customers_agree(calls);

        let mut fees = 0;
        for refund in &books.refunds {
            fees += node.transaction(refund.transaction).await.unwrap().fee;
        }
        let received = node.balance_of(PATH_USD, lane.recipient).await;
        let returned = funds - node.balance_of(PATH_USD, lane.operator).await - fees;
        let ([served, _], [servable, _]) = (books.sum("served"), books.sum("servable"));
        let (all, refunded) = (books.sum(""), books.sum("refunded"));
        let place = &books.place;
        assert_eq!(served + servable + refunded[0], all[0], "{place}: something is still due");
        assert_eq!(all[1], received, "{place}: received, by database and by chain");
        assert_eq!(refunded[1], returned, "{place}: given back, by database and by chain");
        [all[0], served, servable, refunded[0], all[1], received, refunded[1], returned]
    }

    /// How many sales are in a state, or in any, and for how much.
    fn sum(&self, state: &str) -> [u128; 2] {
        let of_state = self.sales.iter().filter(|sale| state.is_empty() || sale.state == state);
        of_state.fold([0, 0], |[count, amount], sale| [count + 1, amount + sale.amount])
    }

    /// Every payment on chain is one sale's, and every sale's is on chain.
    fn payments_are_sales(&self) {
        let place = &self.place;
        let mut sales: HashMap<&str, &Sale> = HashMap::new();
        for sale in &self.sales {
            assert!(sales.insert(&sale.reference, sale).is_none(), "{place}: a payment has two sales");
        }
        for transfer in &self.paid {
            let reference = transfer.transaction.to_string();
            let sale = sales.remove(&*reference);
            let sale = sale.unwrap_or_else(|| panic!("{place}: payment {reference} belongs to no sale"));
            assert_eq!((transfer.amount, transfer.from, transfer.token), (sale.amount, sale.payer, PATH_USD));
        }
        let left: Vec<_> = sales.values().map(|sale| (&sale.reference, &sale.state)).collect();
        assert!(left.is_empty(), "{place}: not paid on chain: {left:?}");
    }

    /// What had to be given back was given back once, and nothing else was.
    fn refunds_are_due(&self) {
        for Sale { reference, state, payer, amount, refund, .. } in &self.sales {
            let memo = Refund::memo(reference);
            let made: Vec<_> = self.refunds.iter().filter(|refund| refund.memo == memo).collect();
            let (due, times) = (usize::from(state == "refunded"), made.len());
            assert_eq!(times, due, "{}: {reference} is {state} and was refunded {times} times", self.place);
            for made in made {
                assert_eq!((made.to, made.amount, made.token), (*payer, *amount, PATH_USD));
                assert_eq!(refund.as_deref(), Some(&*made.transaction.to_string()), "{}", self.place);
            }
        }
    }

    /// Nobody was charged twice, or for what somebody else wanted.
    fn customers_agree(&self, calls: &[Call]) {
        let sales: HashMap<&str, &Sale> = self.sales.iter().map(|sale| (&*sale.reference, sale)).collect();
        let charged: u128 = calls.iter().map(|call| check(call, &sales, &self.place)).sum();
        let kept = self.sum("")[0] - self.sum("refunded")[0];
        assert_eq!(charged, kept, "{}: somebody else was charged", self.place);
    }
}

/// How often a call was charged for and not refunded, which is once at most, and what its payer was told is so.
fn check(call: &Call, sales: &HashMap<&str, &Sale>, place: &str) -> u128 {
    let of_call = call.payments.iter().filter_map(|payment| sales.get(&*payment.hash().unwrap().to_string()));
    let of_call: Vec<_> = of_call.collect();
    let charged: Vec<_> = of_call.iter().filter(|sale| sale.state != "refunded").collect();
    assert!(of_call.iter().all(|sale| sale.amount == price(call.body.parse().unwrap())));
    assert!(charged.len() <= 1, "{place}: call {} was charged twice", call.body);
    let states: Vec<&str> = charged.iter().map(|sale| sale.state.as_str()).collect();
    let place = format!("{place}: call {}", call.body);
    match &call.end {
        End::Answered(_) => {
            assert_eq!(states, ["served"], "{place} was answered");
            assert_eq!(call.reference().as_deref(), Some(charged[0].reference.as_str()), "{place}");
        }
        End::Failed => assert!(states.is_empty() && !of_call.is_empty(), "{place} failed, and is {states:?}"),
        End::NotPaid => assert!(of_call.is_empty(), "{place} was told that it is not paid"),
        End::Left => {}
    }
    u128::from(!charged.is_empty())
}
