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

/// What a lane comes to.
#[derive(Default)]
pub(crate) struct Sums {
    pub(crate) paid: usize,
    pub(crate) served: usize,
    pub(crate) servable: usize,
    pub(crate) refunded: usize,
    /// By the database and by the chain: what came in.
    pub(crate) received: [u128; 2],
    /// By both: what went out again, without fees.
    pub(crate) returned: [u128; 2],
}

/// Compares everything with everything.
pub(crate) async fn audit(lane: &Lane, node: &Anvil, calls: &[Call], funds: u128) -> Sums {
    let place = format!("lane {}", lane.number);
    let transfers = node.memo_transfers(None).await;
    let paid: Vec<_> = transfers.iter().filter(|transfer| transfer.to == lane.recipient).collect();
    let refunds: Vec<_> = transfers.iter().filter(|transfer| transfer.from == lane.operator).collect();
    let sales = sales(&lane.store).await;
    let by_reference: HashMap<&str, &Sale> =
        sales.iter().map(|sale| (sale.reference.as_str(), sale)).collect();
    assert_eq!(by_reference.len(), sales.len(), "{place}: a payment has two sales");

    // 1. Every payment on chain is one sale's, and every sale's payment is on chain.
    for transfer in &paid {
        let reference = transfer.transaction.to_string();
        let sale = by_reference.get(&*reference);
        let sale = sale.unwrap_or_else(|| panic!("{place}: payment {reference} belongs to no sale"));
        assert_eq!((transfer.amount, transfer.from, transfer.token), (sale.amount, sale.payer, PATH_USD));
    }
    let mut references: Vec<_> = paid.iter().map(|transfer| transfer.transaction).collect();
    references.sort();
    references.dedup();
    assert_eq!(references.len(), paid.len(), "{place}: a transaction pays twice");
    let on_chain = |sale: &Sale| references.iter().any(|reference| reference.to_string() == sale.reference);
    let unpaid = sales.iter().find(|sale| !on_chain(sale));
    assert!(
        unpaid.is_none(),
        "{place}: {} is {}, and not paid",
        unpaid.unwrap().reference,
        unpaid.unwrap().state
    );

    // 2. What was given back was given back once, and nothing else was.
    for sale in &sales {
        let memo = Refund::memo(&sale.reference);
        let made: Vec<&&MemoTransfer> = refunds.iter().filter(|refund| refund.memo == memo).collect();
        let Sale { reference, state, .. } = sale;
        let due = usize::from(state == "refunded");
        assert_eq!(made.len(), due, "{place}: {reference} is {state} and was refunded {} times", made.len());
        for refund in made {
            assert_eq!((refund.to, refund.amount, refund.token), (sale.payer, sale.amount, PATH_USD));
            assert_eq!(sale.refund, Some(refund.transaction.to_string()), "{place}");
        }
    }

    // 3. The sums.
    let of_state = |state: &str| sales.iter().filter(|sale| sale.state == state).collect::<Vec<_>>();
    let [served, servable, refunded] = ["served", "servable", "refunded"].map(of_state);
    assert_eq!(
        served.len() + servable.len() + refunded.len(),
        sales.len(),
        "{place}: something is still due"
    );
    let mut fees = 0;
    for refund in &refunds {
        fees += node.transaction(refund.transaction).await.unwrap().fee;
    }
    let spent = funds - node.balance_of(PATH_USD, lane.operator).await;
    let sum = |sales: &[&Sale]| sales.iter().map(|sale| sale.amount).sum::<u128>();
    let received = [sum(&sales.iter().collect::<Vec<_>>()), node.balance_of(PATH_USD, lane.recipient).await];
    let returned = [sum(&refunded), spent - fees];
    assert_eq!(received[0], received[1], "{place}: received, by database and by chain");
    assert_eq!(returned[0], returned[1], "{place}: given back, by database and by chain");

    let mut charged = 0;
    for call in calls {
        charged += check(call, &by_reference, &place);
    }
    assert_eq!(charged, served.len() + servable.len(), "{place}: somebody else was charged");
    Sums {
        paid: paid.len(),
        served: served.len(),
        servable: servable.len(),
        refunded: refunded.len(),
        received,
        returned,
    }
}

/// How often a call was charged for and not refunded, which is once at most, and what its payer was told is so.
fn check(call: &Call, sales: &HashMap<&str, &Sale>, place: &str) -> usize {
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
    charged.len()
}
