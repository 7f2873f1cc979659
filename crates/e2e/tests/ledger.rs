//! One suite for every ledger: in memory, in an SQLite file, in a real PostgreSQL. What they keep, what they count, and
//! that they agree with each other.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

use e2e::books::{Attempt, Store, Terms};
use e2e::{CHAIN_ID, PATH_USD, RECIPIENT, SPLIT_RECIPIENT};
use mpp_core::Amount;
use mpp_core::tempo::{Address, USDC_E};
use mpp_http::ledger::{
    Answer, Budget, Currency, Ledger, LedgerError, Settled, SqlLedger, State, Step, Window,
};
use mpp_http::{Money, Payment};

/// A cent and the fee ceiling of one transfer, in base units.
const COUNTED: u128 = 10_000 + 25_000;
const NOW: u64 = 1_800_000_000;
const HERE: Currency = Currency { chain_id: CHAIN_ID, token: PATH_USD };

/// Each claim, for each kind of ledger.
macro_rules! each_store {
    ($($claim:ident)*) => {
        mod memory { $(#[tokio::test] async fn $claim() { super::$claim(&*super::Store::memory().await.ledger).await })* }
        mod sqlite { $(#[tokio::test] async fn $claim() { super::$claim(&*super::Store::sqlite().await.ledger).await })* }
        mod postgres { $(#[tokio::test] async fn $claim() { super::$claim(&*super::Store::postgres().await.ledger).await })* }
    };
}

each_store! {
    what_is_written_is_read_back
    payments_come_newest_first_and_by_pages
    limit_takes_the_last_unit_and_no_more
    windows_roll_and_never_let_more_through
    realms_and_recipients_count_on_their_own
    each_token_counts_on_its_own
    unknown_counts_until_the_chain_speaks
    payment_given_up_is_never_sent
    clock_behind_the_newest_payment_is_refused
    hundred_at_once_do_not_overshoot
    agrees_with_the_ledger_in_memory
}

async fn what_is_written_is_read_back(store: &dyn Ledger) {
    let attempt = Terms { split: Some((SPLIT_RECIPIENT.address, 1)), ..Terms::cent(NOW) }.attempt();
    let kept = store.reserve(attempt.payment.clone(), &Budget::new()).await.unwrap();
    assert_eq!((kept.id(), kept.state(), kept.money()), (1, State::Reserved, Money::NotMoved));
    assert_eq!(kept.request(), ("POST", "https://shop.test/a"));
    let settled = Settled { at: NOW + 9, hash: None, amount: units(10_000), fee: units(29) };
    let delivered = Step::Delivered { body_digest: "sha-256=:digest:".into() };
    for step in [attempt.sent(), attempt.answered(), delivered, Step::Settled(settled)] {
        let moved = store.advance(1, step, NOW).await.unwrap();
        assert_eq!(store.payment(1).await.unwrap().unwrap(), moved);
        assert_eq!(moved.transaction(), attempt.transaction());
    }
    let kept = store.payment(1).await.unwrap().unwrap();
    assert_eq!((kept.state(), kept.counted()), (State::Delivered, units(10_029)));
    assert_eq!(kept.receipt().unwrap().hash(), kept.hash());
    assert!(kept.memo().is_some() && kept.valid_before() == Some(NOW + 25));
    assert_eq!(store.payment(2).await.unwrap(), None);
    let error = store.advance(2, attempt.sent(), NOW).await.unwrap_err();
    assert!(matches!(error, LedgerError::Missing { id: 2 }), "{error}");
}

async fn payments_come_newest_first_and_by_pages(store: &dyn Ledger) {
    for _ in 0..5 {
        store.reserve(Terms::cent(NOW).attempt().payment, &Budget::new()).await.unwrap();
    }
    let ids = async |before, most, open| -> Vec<u64> {
        store.payments(before, most, open).await.unwrap().iter().map(Payment::id).collect()
    };
    assert_eq!(ids(None, 9, false).await, [5, 4, 3, 2, 1]);
    assert_eq!(ids(Some(4), 2, false).await, [3, 2]);
    store.advance(4, Step::NotSent { failure: "no".into() }, NOW).await.unwrap();
    assert_eq!(ids(None, 2, true).await, [5, 3]);
}

async fn limit_takes_the_last_unit_and_no_more(store: &dyn Ledger) {
    for window in [Window::Call, Window::Process, Window::Hour, Window::Day, Window::Month] {
        let spent = standing(store, window, NOW).await;
        let exact = |more: u128| Budget::new().per(window, units(spent + COUNTED + more));
        let refused =
            if window == Window::Call { Budget::new().per(window, units(COUNTED - 1)) } else { exact(0) };
        store.reserve(Terms::cent(NOW).attempt().payment, &exact(0)).await.unwrap();
        let error = store.reserve(Terms::cent(NOW).attempt().payment, &refused).await.unwrap_err();
        let LedgerError::OverBudget(over) = error else { panic!("{error}") };
        assert_eq!((over.limit.window, over.asked), (window, units(COUNTED)));
        assert_eq!(over.spent, units(if window == Window::Call { 0 } else { spent + COUNTED }));
    }
    assert_eq!(store.payments(None, 9, false).await.unwrap().len(), 5, "a refused payment is no record");
    assert_eq!(standing(store, Window::Process, NOW).await, 5 * COUNTED);
}

async fn windows_roll_and_never_let_more_through(store: &dyn Ledger) {
    store.reserve(Terms::cent(NOW).attempt().payment, &Budget::new()).await.unwrap();
    for (window, length, slot) in
        [(Window::Hour, 3600, 60), (Window::Day, 86_400, 3600), (Window::Month, 30 * 86_400, 86_400)]
    {
        assert_eq!(standing(store, window, NOW + length - 1).await, COUNTED, "{window:?}");
        assert_eq!(standing(store, window, NOW + length + slot).await, 0, "{window:?}");
        assert_eq!(
            standing(store, window, NOW - 10_000_000).await,
            COUNTED,
            "a clock set back frees nothing"
        );
    }
    assert_eq!(standing(store, Window::Process, NOW + 1_000_000_000).await, COUNTED);
}

async fn realms_and_recipients_count_on_their_own(store: &dyn Ledger) {
    let long = "r".repeat(4000);
    let terms = |realm: &str| Terms {
        realm: realm.into(),
        split: Some((SPLIT_RECIPIENT.address, 3000)),
        ..Terms::cent(NOW)
    };
    let budget = |realm: &str| {
        Budget::new()
            .realm(realm, Window::Day, units(COUNTED_SPLIT))
            .recipient(SPLIT_RECIPIENT.address, Window::Month, units(9000))
            .recipient(RECIPIENT.address, Window::Hour, units(21_000))
            .recipient(Address::ZERO, Window::Hour, units(0))
    };
    for (realm, taken) in
        [("one.test", true), ("one.test", false), (&*long, true), (&*long, false), ("two.test", true)]
    {
        let reserved = store.reserve(terms(realm).attempt().payment, &budget(realm)).await;
        assert_eq!(reserved.is_ok(), taken, "{reserved:?}");
    }
    // The recipients have had their three shares, whatever the realm.
    for (budget, asked, spent) in [
        (Budget::new().recipient(SPLIT_RECIPIENT.address, Window::Month, units(11_999)), 3000, 9000),
        (Budget::new().recipient(RECIPIENT.address, Window::Hour, units(27_999)), 7000, 21_000),
    ] {
        let error = store.reserve(terms("four.test").attempt().payment, &budget).await.unwrap_err();
        let LedgerError::OverBudget(over) = error else { panic!("{error}") };
        assert_eq!((over.spent, over.asked), (units(spent), units(asked)));
        assert_eq!([over.limit], budget.limits());
    }
}

/// Two transfers may take more in fees.
const COUNTED_SPLIT: u128 = 10_000 + 32_500;

async fn each_token_counts_on_its_own(store: &dyn Ledger) {
    let budget = Budget::new().per(Window::Day, units(COUNTED));
    for (token, taken) in [(PATH_USD, true), (USDC_E, true), (PATH_USD, false), (USDC_E, false)] {
        let terms = Terms { token, ..Terms::cent(NOW) };
        assert_eq!(store.reserve(terms.attempt().payment, &budget).await.is_ok(), taken);
    }
}

async fn unknown_counts_until_the_chain_speaks(store: &dyn Ledger) {
    let failed = || Step::Failed { answer: None, receipt: None, failure: "cut".into() };
    let landed = |amount, fee| Settled { at: NOW, hash: None, amount: units(amount), fee: units(fee) };
    // What happens after sending, and what is counted in the end.
    let ends: [(Vec<Step>, u128, State, Money); 7] = [
        (vec![failed()], COUNTED, State::Unknown, Money::Unknown),
        (vec![], COUNTED, State::Sent, Money::Unknown),
        (vec![failed(), Step::Settled(landed(10_000, 29))], 10_029, State::PaidUndelivered, Money::Paid),
        (vec![failed(), Step::Settled(landed(0, 0))], 0, State::NotPaid, Money::NotMoved),
        (vec![failed(), Step::Settled(landed(0, 31))], 31, State::NotPaid, Money::NotMoved),
        (vec![Step::Settled(landed(10_000, 29))], 10_029, State::Paid, Money::Paid),
        (vec![Step::NotSent { failure: "refused".into() }], 0, State::NotPaid, Money::NotMoved),
    ];
    let mut total = 0;
    for (id, (steps, counted, state, money)) in (1..).zip(ends) {
        let attempt = Terms::cent(NOW).attempt();
        store.reserve(attempt.payment.clone(), &Budget::new()).await.unwrap();
        let mut kept = store.advance(id, attempt.sent(), NOW).await.unwrap();
        for step in steps {
            kept = store.advance(id, step, NOW).await.unwrap();
        }
        assert_eq!((kept.state(), kept.money()), (state, money));
        total += counted;
        for window in [Window::Process, Window::Hour, Window::Day, Window::Month] {
            assert_eq!(standing(store, window, NOW).await, total, "{window:?} after {kept:?}");
        }
    }
    // The chain does not change its mind.
    let kept = store.advance(3, Step::Settled(landed(0, 0)), NOW).await.unwrap();
    assert_eq!((kept.money(), kept.counted()), (Money::Paid, units(10_029)));
    assert_eq!(standing(store, Window::Day, NOW).await, total);
}

async fn payment_given_up_is_never_sent(store: &dyn Ledger) {
    let attempt = Terms::cent(NOW).attempt();
    store.reserve(attempt.payment.clone(), &Budget::new()).await.unwrap();
    store.advance(1, Step::GivenUp, NOW).await.unwrap();
    let error = store.advance(1, attempt.sent(), NOW).await.unwrap_err();
    assert!(matches!(error, LedgerError::Closed { id: 1, state: State::NotPaid }), "{error}");
    assert_eq!(store.payment(1).await.unwrap().unwrap().transaction(), None);
    assert_eq!(standing(store, Window::Day, NOW).await, 0);

    let attempt = Terms::cent(NOW).attempt();
    store.reserve(attempt.payment.clone(), &Budget::new()).await.unwrap();
    store.advance(2, attempt.sent(), NOW).await.unwrap();
    let error = store.advance(2, attempt.sent(), NOW).await.unwrap_err();
    assert!(matches!(error, LedgerError::Closed { id: 2, state: State::Sent }), "{error}");
    // And one that was sent is not given up.
    let kept = store.advance(2, Step::GivenUp, NOW).await.unwrap();
    assert_eq!((kept.state(), kept.money()), (State::Sent, Money::Unknown));
}

async fn clock_behind_the_newest_payment_is_refused(store: &dyn Ledger) {
    let at = async |now| store.reserve(Terms::cent(now).attempt().payment, &Budget::new()).await;
    at(NOW).await.unwrap();
    assert_eq!(at(NOW - 600).await.unwrap().reserved_at(), NOW, "time in a ledger does not run backwards");
    let error = at(NOW - 601).await.unwrap_err();
    assert!(
        matches!(error, LedgerError::Clock { now, newest } if (now, newest) == (NOW - 601, NOW)),
        "{error}"
    );
    assert_eq!(store.payments(None, 9, false).await.unwrap().len(), 2);
    assert_eq!(at(NOW + 10_000_000).await.unwrap().reserved_at(), NOW + 10_000_000);
}

async fn hundred_at_once_do_not_overshoot(store: &dyn Ledger) {
    let budget = Budget::new().per(Window::Hour, units(40 * COUNTED + COUNTED - 1));
    let attempts: Vec<Attempt> = (0..100).map(|_| Terms::cent(NOW).attempt()).collect();
    let mut calls: Vec<_> =
        attempts.iter().map(|attempt| Box::pin(store.reserve(attempt.payment.clone(), &budget))).collect();
    let mut taken = 0;
    // All are begun before any is waited for.
    std::future::poll_fn(|context| {
        calls.retain_mut(|call| match call.as_mut().poll(context) {
            std::task::Poll::Ready(done) => {
                taken += usize::from(done.is_ok());
                false
            }
            std::task::Poll::Pending => true,
        });
        if calls.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    assert_eq!((taken, standing(store, Window::Hour, NOW).await), (40, 40 * COUNTED));
}

/// The same two thousand steps, drawn from a fixed row of numbers, make the same payments and totals.
async fn agrees_with_the_ledger_in_memory(store: &dyn Ledger) {
    let memory = mpp_http::ledger::MemoryLedger::new();
    let budget =
        Budget::new().per(Window::Hour, units(30 * COUNTED)).realm("2.test", Window::Day, units(4 * COUNTED));
    let mut numbers = 1_u64;
    let mut draw = |below: u64| {
        numbers = numbers.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (numbers >> 33) % below
    };
    let mut attempts = Vec::new();
    let (mut now, mut ranks) = (NOW, Vec::new());
    for _ in 0..400 {
        now += draw(200);
        let terms = Terms { realm: format!("{}.test", draw(4)), ..Terms::cent(now) };
        let attempt = terms.attempt();
        let (here, there) = (
            store.reserve(attempt.payment.clone(), &budget).await,
            memory.reserve(attempt.payment.clone(), &budget).await,
        );
        assert_eq!(format!("{here:?}"), format!("{there:?}"));
        if here.is_ok() {
            attempts.push(attempt);
            ranks.push(State::Reserved);
        }
        for _ in 0..4 {
            let index = usize::try_from(draw(u64::try_from(attempts.len()).unwrap())).unwrap();
            let id = u64::try_from(index).unwrap() + 1;
            let landed =
                Settled { at: now, hash: None, amount: units(10_000 * u128::from(draw(2))), fee: units(29) };
            let answer = Answer { at: now, status: Some(500), body_digest: None };
            let step = match draw(7) {
                0 => attempts[index].sent(),
                1 => attempts[index].answered(),
                2 => Step::Delivered { body_digest: "d".into() },
                3 => Step::Failed { answer: Some(answer), receipt: None, failure: "cut".into() },
                4 => Step::Settled(landed),
                5 => Step::GivenUp,
                _ => Step::NotSent { failure: "no".into() },
            };
            // What no client does: nothing but being sent or given up follows on being reserved.
            let first = matches!(step, Step::Sent(_) | Step::NotSent { .. } | Step::GivenUp);
            if ranks[index] == State::Reserved && !first {
                continue;
            }
            let (here, there) =
                (store.advance(id, step.clone(), now).await, memory.advance(id, step, now).await);
            assert_eq!(format!("{here:?}"), format!("{there:?}"));
            if let Ok(moved) = here {
                assert!(moved.state() >= ranks[index], "{moved:?} moved back from {:?}", ranks[index]);
                ranks[index] = moved.state();
            }
        }
        let (here, there) = (
            budget.standing(store, HERE, now).await.unwrap(),
            budget.standing(&memory, HERE, now).await.unwrap(),
        );
        assert_eq!(here, there);
    }
    assert!(attempts.len() > 100, "only {} payments were allowed", attempts.len());
    assert_eq!(
        store.payments(None, 1000, false).await.unwrap(),
        memory.payments(None, 1000, false).await.unwrap()
    );
    assert_eq!(
        store.payments(None, 1000, true).await.unwrap(),
        memory.payments(None, 1000, true).await.unwrap()
    );
}

#[tokio::test]
async fn process_has_its_own_budget_per_process_and_shares_all_others() {
    const NAME: &str = "process_has_its_own_budget_per_process_and_shares_all_others";
    let buy = async |path: &std::ffi::OsStr| {
        let store = SqlLedger::sqlite(path).await.unwrap();
        store.reserve(Terms::cent(NOW).attempt().payment, &Budget::new()).await.unwrap();
        (standing(&store, Window::Process, NOW).await, standing(&store, Window::Day, NOW).await)
    };
    if let Some(path) = std::env::var_os("SHARED_LEDGER") {
        return assert_eq!(buy(&path).await, (COUNTED, 2 * COUNTED));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    assert_eq!(buy(path.as_os_str()).await, (COUNTED, COUNTED));
    let mut other = std::process::Command::new(std::env::current_exe().unwrap());
    let output = other.args(["--exact", NAME]).env("SHARED_LEDGER", &path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn memory_forgets_what_is_done_with_and_nothing_else() {
    let memory = mpp_http::ledger::MemoryLedger::new();
    let (payment, _) = Terms::cent(NOW).approved();
    for id in 1..=10_002 {
        memory.reserve(payment.clone(), &Budget::new()).await.unwrap();
        if id > 1 {
            memory.advance(id, Step::GivenUp, NOW).await.unwrap();
        }
    }
    assert!(memory.payment(1).await.unwrap().is_some(), "it is open");
    assert_eq!(memory.payment(2).await.unwrap(), None);
    assert_eq!(memory.payments(None, 20_000, false).await.unwrap().len(), 10_000);
    assert_eq!(standing(&memory, Window::Day, NOW).await, COUNTED);
}

/// What counts in a window, in base units.
async fn standing(store: &dyn Ledger, window: Window, now: u64) -> u128 {
    let budget = Budget::new().per(window, units(0));
    budget.standing(store, HERE, now).await.unwrap()[0].spent.base_units()
}

fn units(units: u128) -> Amount {
    Amount::from_base_units(units)
}
