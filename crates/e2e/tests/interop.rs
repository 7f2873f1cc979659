//! Our gate on a real node, paid in every mode by the published client and by ours: what each answer says, who has what
//! afterwards, to the base unit.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::net::SocketAddr;
use std::time::Duration;

use alloy_primitives::{Address, B256};
use axum::Router;
use axum::routing::any;
use e2e::{
    Anvil, CHAIN_ID, Customer, Mined, Mode, MppxClient, PATH_USD, PAYER, Postgres, RECIPIENT,
    SECOND_SPLIT_RECIPIENT, SPLIT_RECIPIENT, SPONSOR,
};
use mpp_core::payee::Sponsor;
use mpp_core::tempo::{LocalSigner, Modes};
use mpp_core::{Amount, Policy, Receipt, Transfer};
use mpp_gate::store::SqlStore;
use mpp_gate::{Charge, Cost, Gate, Node, Payee, Secret, Sponsorship};
use mpp_http::chain::Rpc;
use mpp_http::ledger::State;

const CENT: u128 = 10_000;
const DOLLAR: u128 = 1_000_000;

#[tokio::test]
async fn pulled() {
    let shop = Shop::open().await;
    for buyer in [Buyer::Published(Some(Mode::Pull)), Buyer::Ours] {
        for route in ["/pull", "/any"] {
            let mined = shop.buy(buyer, route, CENT).await;
            assert_eq!((mined.from, mined.fee_payer), (PAYER.address, PAYER.address));
            assert_eq!(shop.moved().await, [CENT + mined.fee, 0, CENT, 0, 0], "{buyer:?} {route}");
        }
    }
}

#[tokio::test]
async fn pushed() {
    let shop = Shop::open().await;
    for (buyer, route) in [
        (Buyer::Published(Some(Mode::Push)), "/push"),
        (Buyer::Published(Some(Mode::Push)), "/any"),
        (Buyer::Ours, "/push"),
    ] {
        let mined = shop.buy(buyer, route, CENT).await;
        assert_eq!((mined.from, mined.fee_payer), (PAYER.address, PAYER.address));
        assert_eq!(shop.moved().await, [CENT + mined.fee, 0, CENT, 0, 0], "{buyer:?} {route}");
    }
}

#[tokio::test]
async fn sponsored() {
    let shop = Shop::open().await;
    for buyer in [Buyer::Published(None), Buyer::Ours] {
        let mined = shop.buy(buyer, "/sponsored", CENT).await;
        assert_eq!((mined.from, mined.fee_payer), (PAYER.address, SPONSOR.address));
        assert_eq!(shop.moved().await, [CENT, mined.fee, CENT, 0, 0], "{buyer:?}");
    }
}

#[tokio::test]
async fn split() {
    let shop = Shop::open().await;
    for buyer in [Buyer::Published(None), Buyer::Ours] {
        let mined = shop.buy(buyer, "/splits", DOLLAR).await;
        assert_eq!(shop.moved().await, [DOLLAR + mined.fee, 0, 700_000, 100_000, 200_000], "{buyer:?}");
        let mined = shop.buy(buyer, "/sponsored-splits", DOLLAR).await;
        assert_eq!(shop.moved().await, [DOLLAR, mined.fee, 700_000, 100_000, 200_000], "{buyer:?}");
    }
    let marked = shop.node.memo_transfers(Some(B256::repeat_byte(0x11))).await;
    assert_eq!(marked.len(), 4);
    assert!(marked.iter().all(|it| (it.to, it.amount) == (SECOND_SPLIT_RECIPIENT.address, 200_000)));
}

#[tokio::test]
async fn proved() {
    let shop = Shop::open().await;
    for buyer in [Buyer::Published(None), Buyer::Ours] {
        let (receipt, body) = shop.ask(buyer, "/zero").await;
        assert_eq!((receipt.hash(), receipt.amount(), body.as_str()), (None, Some(Amount::ZERO), "a pear"));
        assert_eq!(receipt.payer(), Some(PAYER.address));
        assert_eq!(shop.moved().await, [0; 5], "{buyer:?}");
    }
}

#[tokio::test]
async fn failed_and_refunded_by_a_gate_without_a_database() {
    refunds(Shop::open().await).await;
}

#[tokio::test]
async fn failed_and_refunded_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqlStore::sqlite(folder.path().join("sales.sqlite")).await.unwrap();
    refunds(Shop::keeping(|gate| gate.durable(secret(), store)).await).await;
}

#[tokio::test]
async fn failed_and_refunded_on_postgresql() {
    let store = SqlStore::postgres(&Postgres::shared().await.database().await).await.unwrap();
    refunds(Shop::keeping(|gate| gate.durable(secret(), store)).await).await;
}

fn secret() -> Secret {
    Secret::new(vec![7; 32]).unwrap()
}

/// A payment that bought nothing comes back, once, and its page says so.
async fn refunds(shop: Shop) {
    let error = shop.customer().get(&shop.url("/rotten")).await.unwrap_err();
    let payment = error.payment().unwrap();
    let paid = shop.node.transaction(payment.hash().unwrap()).await.unwrap();
    assert!(paid.succeeded);
    let status = shop.refunded(payment.hash().unwrap()).await;
    let refund: B256 = status["refund"]["transaction"].as_str().unwrap().parse().unwrap();
    let refund = shop.node.transaction(refund).await.unwrap();
    assert_eq!((refund.succeeded, refund.from), (true, OPERATOR.address));
    // The payee has the cent, the operator gave one: the payer lost his fee, and nothing else.
    assert_eq!(shop.moved().await, [paid.fee, 0, CENT, 0, 0]);
    let memo = mpp_core::payee::Refund::memo(&payment.hash().unwrap().to_string());
    let found = shop.node.memo_transfers(Some(memo)).await;
    assert_eq!(found.len(), 1);
    assert_eq!((found.first().unwrap().to, found.first().unwrap().amount), (PAYER.address, CENT));
}

/// Who pays.
#[derive(Clone, Copy, Debug)]
enum Buyer {
    Published(Option<Mode>),
    Ours,
}

/// Pays refunds.
const OPERATOR: e2e::Account = e2e::OTHER_PAYER;

/// A fruit shop on a node of its own, and what everybody had when it was last looked at.
struct Shop {
    node: Anvil,
    address: SocketAddr,
    held: tokio::sync::Mutex<[u128; 5]>,
}

impl Shop {
    async fn open() -> Self {
        Shop::keeping(|gate| gate).await
    }

    /// One whose bad fruit is sold by a gate of its own kind.
    async fn keeping(kind: impl FnOnce(Gate) -> Gate) -> Self {
        let node = Anvil::start(CHAIN_ID).await;
        let chain = Node::connect(&node.url()).await.unwrap();
        let cent = Charge::new(Amount::from_base_units(CENT)).description("a pear");
        let dollar = Charge::new(Amount::from_base_units(DOLLAR)).splits(vec![
            Transfer { to: SPLIT_RECIPIENT.address, amount: Amount::from_base_units(100_000), memo: None },
            Transfer {
                to: SECOND_SPLIT_RECIPIENT.address,
                amount: Amount::from_base_units(200_000),
                memo: Some(B256::repeat_byte(0x11)),
            },
        ]);
        let gate = |charge: &Charge, modes: Modes| {
            let payee =
                Payee { realm: "pears.test".to_owned(), currency: PATH_USD, recipient: RECIPIENT.address };
            let charge = charge.clone();
            let gate = Gate::new(payee, chain.clone(), move |_: &_, _: &_| Cost::Charge(charge.clone()));
            gate.unwrap().modes(modes).operator(LocalSigner::from_hex(OPERATOR.key).unwrap())
        };
        let sponsor = || {
            let signer = LocalSigner::from_hex(SPONSOR.key).unwrap();
            Sponsorship::new(Sponsor::new(signer, PATH_USD))
        };
        let rotten = kind(gate(&cent, Modes::Pull));
        let upkeep = rotten.clone();
        tokio::spawn(async move { upkeep.maintain().await });
        let pear = || any(|| async { "a pear" });
        let bad = axum::http::StatusCode::BAD_GATEWAY;
        let router = Router::new()
            .route("/pull", pear().layer(gate(&cent, Modes::Pull)))
            .route("/push", pear().layer(gate(&cent, Modes::Push)))
            .route("/any", pear().layer(gate(&cent, Modes::Both)))
            .route("/sponsored", pear().layer(gate(&cent, Modes::Both).sponsorship(sponsor())))
            .route("/splits", pear().layer(gate(&dollar, Modes::Both)))
            .route("/sponsored-splits", pear().layer(gate(&dollar, Modes::Pull).sponsorship(sponsor())))
            .route("/zero", pear().layer(gate(&Charge::new(Amount::ZERO), Modes::Pull)))
            .route("/payments/{reference}", axum::routing::get_service(rotten.status()))
            .route("/rotten", any(move || async move { (bad, "a worm") }).layer(rotten));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let shop = Shop { node, address, held: tokio::sync::Mutex::default() };
        let held = shop.holdings().await;
        *shop.held.lock().await = held;
        shop
    }

    fn url(&self, route: &str) -> String {
        format!("http://{}{route}", self.address)
    }

    fn customer(&self) -> Customer {
        let policy = Policy::new(CHAIN_ID, [PATH_USD], Amount::from_base_units(DOLLAR)).push(true);
        let policy = policy.realms(["pears.test"]);
        let rpc = Rpc::new(&self.node.url()).unwrap();
        Customer::new(PAYER.key, policy).with(|client| client.rpc(rpc))
    }

    /// What is bought, and its receipt.
    async fn ask(&self, buyer: Buyer, route: &str) -> (Receipt, String) {
        match buyer {
            Buyer::Published(mode) => {
                let client = MppxClient::new(&self.node, &PAYER);
                let client = mode.into_iter().fold(client, MppxClient::mode);
                let answer = client.get(&self.url(route)).await.unwrap();
                assert_eq!(answer.status, 200, "{route}: {}", answer.body);
                (Receipt::parse(answer.receipt.unwrap().as_bytes()).unwrap(), answer.body)
            }
            Buyer::Ours => {
                let mut answer = self.customer().get(&self.url(route)).await.unwrap();
                let body = String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap();
                let payment = answer.payment().unwrap();
                assert_eq!(payment.state(), State::Delivered, "{route}: {payment:?}");
                (payment.receipt().unwrap().clone(), body)
            }
        }
    }

    /// Buys with success; the receipt says what was paid by whom, and its transaction is on the chain.
    async fn buy(&self, buyer: Buyer, route: &str, price: u128) -> Mined {
        let (receipt, body) = self.ask(buyer, route).await;
        assert_eq!(body, "a pear");
        assert_eq!(receipt.amount(), Some(Amount::from_base_units(price)));
        assert_eq!((receipt.currency(), receipt.payer()), (Some(PATH_USD), Some(PAYER.address)));
        let mined = self.node.transaction(receipt.hash().unwrap()).await.unwrap();
        assert!(mined.succeeded && mined.fee > 0);
        mined
    }

    /// What a payment's page says once it is refunded.
    async fn refunded(&self, hash: B256) -> serde_json::Value {
        for _ in 0..200 {
            let url = self.url(&format!("/payments/{hash}"));
            let page = self.customer().get(&url).await.unwrap().bytes().await.unwrap();
            let page: serde_json::Value = serde_json::from_slice(&page).unwrap();
            if page["state"] == "refunded" {
                return page;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it was not refunded within 10 s");
    }

    /// What payer and sponsor lost, and what the recipient and the two of the splits got, since this was asked last.
    async fn moved(&self) -> [u128; 5] {
        let now = self.holdings().await;
        let before = std::mem::replace(&mut *self.held.lock().await, now);
        let [payer, sponsor, recipients @ ..] =
            [0, 1, 2, 3, 4].map(|who: usize| now.get(who).unwrap().abs_diff(*before.get(who).unwrap()));
        let [first, second, third] = recipients;
        [payer, sponsor, first, second, third]
    }

    async fn holdings(&self) -> [u128; 5] {
        let of = |owner: Address| self.node.balance_of(PATH_USD, owner);
        [
            of(PAYER.address).await,
            of(SPONSOR.address).await,
            of(RECIPIENT.address).await,
            of(SPLIT_RECIPIENT.address).await,
            of(SECOND_SPLIT_RECIPIENT.address).await,
        ]
    }
}
