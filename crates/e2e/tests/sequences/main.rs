//! A payer meets servers that do anything at random, on real sockets and the real chain. Whatever they do, a call signs
//! once at most, writes down what it signed before anybody hears of it, costs no more than the one payment, and says of it
//! what the chain says; and no later call spends what it has spent, or may have.
//!
//! `SEQUENCES` in the environment changes how many servers there are, `PROPTEST_RNG_SEED` which. One that does harm is shrunk
//! to the least that does, and its seed is kept in `proptest-regressions`.

mod act;
#[path = "../attacks/cash.rs"]
#[expect(dead_code, reason = "an attack looks at more")]
mod cash;
#[path = "../attacks/demand.rs"]
#[expect(dead_code, reason = "an attack asks for more")]
mod demand;
mod meeting;
mod thief;

use std::cell::RefCell;

use e2e::{Anvil, PATH_USD, PAYER};
use mpp_http::chain::Rpc;
use mpp_http::ledger::Ledger as _;
use mpp_http::reconcile::reconcile;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::json;

use meeting::{Left, Meeting, customer, meetings};

#[test]
fn no_sequence_of_answers_costs_more_than_one_payment_or_is_misjudged() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let node = runtime.block_on(Anvil::shared());
    let before = runtime.block_on(node.balance_of(PATH_USD, PAYER.address));
    let (customer, left) = (customer(), RefCell::new(Vec::new()));
    let cases = std::env::var("SEQUENCES").map_or(CASES, |cases| cases.parse().expect("a number"));
    let config = Config { cases, source_file: Some(file!()), ..Config::default() };
    let ended = TestRunner::new(config).run(&meetings(), |meeting: Meeting| {
        let left_over = runtime.block_on(meeting.take_place(node, &customer));
        left.borrow_mut().push(left_over.map_err(TestCaseError::fail)?);
        Ok(())
    });
    ended.unwrap_or_else(|harm| panic!("{harm}"));
    runtime.block_on(settle(node, &left.into_inner(), before));
}

/// Once no payment can happen any more, every ledger says what the chain says, and all together say what is gone.
async fn settle(node: &Anvil, left: &[Left], before: u128) {
    node.rpc("evm_increaseTime", json!([60])).await.expect("a later time");
    node.rpc("evm_mine", json!([])).await.expect("a block");
    let rpc = Rpc::new(&node.url()).expect("a node").margin(1);
    let mut spent = 0;
    for Left { ledger, mined } in left {
        let open = reconcile(&**ledger, Some(&rpc)).await.expect("a ledger and a node").open;
        assert!(open.is_empty(), "{open:?}");
        let payments = ledger.payments(None, 9, false).await.expect("a ledger");
        let settled = payments.iter().filter_map(|payment| payment.settled());
        let said: Vec<_> = settled.filter(|it| !it.amount.is_zero()).map(|it| (it.amount, it.fee)).collect();
        let seen: Vec<_> = mined.iter().copied().collect();
        assert_eq!(said, seen, "{payments:?}");
        spent += mined.map_or(0, |(amount, fee)| amount.base_units() + fee.base_units());
    }
    assert_eq!(spent, before - node.balance_of(PATH_USD, PAYER.address).await);
}

/// How many servers are met unless it is said.
const CASES: u32 = 500;
