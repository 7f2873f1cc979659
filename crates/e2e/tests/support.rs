//! The test support tested: the node, the funding, and the published client paying the published server.

use std::net::TcpStream;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use alloy_primitives::{B256, address};
use e2e::{Anvil, Mined, Mode, MppxClient, MppxServer, PATH_USD, PAYER, Postgres, SPONSOR, Shop};
use serde_json::{Value, json};

const CENT: u128 = 10_000;
const DOLLAR: u128 = 1_000_000;

#[tokio::test]
async fn node_keeps_the_present_and_funds_to_the_base_unit() {
    let node = Anvil::shared().await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(node.latest_timestamp().await.abs_diff(now) <= 2);

    let fresh = address!("00000000000000000000000000000000000f00d5");
    assert_eq!(node.balance_of(PATH_USD, fresh).await, 0);
    tokio::join!(node.fund(fresh, 41_000), node.fund(fresh, 1), node.fund(fresh, CENT));
    assert_eq!(node.balance_of(PATH_USD, fresh).await, 51_001);
}

#[tokio::test]
async fn refused_call_shows_the_nodes_error() {
    let error = Anvil::shared().await.rpc("eth_sendRawTransaction", json!(["0x76c0"])).await.unwrap_err();
    assert!(error["message"].is_string(), "{error}");
    assert_eq!(Anvil::shared().await.transaction(B256::repeat_byte(1)).await, None);
}

#[tokio::test]
async fn dropped_node_and_server_are_gone() {
    let node = Anvil::start(42431).await;
    let shop = MppxServer::start(&node).await;
    let addresses = [node.url(), shop.url("")].map(|url| url.trim_start_matches("http://").to_owned());
    for address in &addresses {
        TcpStream::connect(address).unwrap();
    }
    drop((node, shop));
    for address in &addresses {
        TcpStream::connect(address).unwrap_err();
    }
}

#[tokio::test]
async fn databases_of_a_server_are_separate() {
    let server = Postgres::shared().await;
    let [first, second] = [server.database().await, server.database().await];
    psql(&first, "CREATE TABLE fruit (name TEXT); INSERT INTO fruit VALUES ('äpple')").unwrap();
    assert_eq!(psql(&first, "SELECT name FROM fruit").unwrap(), "äpple");
    let error = psql(&second, "SELECT name FROM fruit").unwrap_err();
    assert!(error.contains("\"fruit\" does not exist"), "{error}");
}

#[tokio::test]
async fn database_wants_its_password() {
    let database = Postgres::shared().await.database().await;
    assert_eq!(psql(&database, "SELECT 1").unwrap(), "1");
    let error = psql(&database.replace("//postgres:", "//postgres:not-"), "SELECT 1").unwrap_err();
    assert!(error.contains("password authentication failed"), "{error}");
}

#[tokio::test]
async fn stopped_database_refuses_and_comes_back_with_its_rows() {
    let mut server = Postgres::start_with(&["fsync = off"]).await;
    let database = server.database().await;
    psql(&database, "CREATE TABLE kept (n BIGINT); INSERT INTO kept VALUES (7)").unwrap();
    assert_eq!(psql(&database, "SHOW fsync").unwrap(), "off");
    server.stop();
    let error = psql(&database, "SELECT n FROM kept").unwrap_err();
    assert!(error.contains("Connection refused"), "{error}");
    server.restart();
    assert_eq!(psql(&database, "SELECT n FROM kept").unwrap(), "7");
    drop(server);
    psql(&database, "SELECT 1").unwrap_err();
}

#[tokio::test]
async fn pull_and_push_cost_the_payer_price_and_fee() {
    let scene = Scene::start().await;
    let mut spent = 0;
    for (mode, route) in [(Mode::Pull, "/pull"), (Mode::Push, "/push")] {
        let mined = scene.buy(MppxClient::new(&scene.node, &PAYER).mode(mode), route).await;
        assert_eq!((mined.from, mined.fee_payer), (PAYER.address, PAYER.address));
        spent += CENT + mined.fee;
        assert_eq!(scene.payer_spent().await, spent);
    }
    assert_eq!(scene.received().await, [2 * CENT, 0, 0]);
}

#[tokio::test]
async fn sponsored_charge_costs_the_payer_the_price_alone() {
    let scene = Scene::start().await;
    let mined = scene.buy(MppxClient::new(&scene.node, &PAYER), "/sponsored").await;
    assert_eq!((mined.from, mined.fee_payer), (PAYER.address, SPONSOR.address));
    assert_eq!(scene.payer_spent().await, CENT);
    assert_eq!(scene.sponsor_spent().await, mined.fee);
    assert_eq!(scene.received().await, [CENT, 0, 0]);
}

#[tokio::test]
async fn splits_reach_every_recipient() {
    let scene = Scene::start().await;
    let mined = scene.buy(MppxClient::new(&scene.node, &PAYER), "/splits").await;
    assert_eq!(scene.payer_spent().await, DOLLAR + mined.fee);
    assert_eq!(scene.received().await, [700_000, 100_000, 200_000]);

    let marked = scene.node.memo_transfers(Some(B256::repeat_byte(0x11))).await;
    assert_eq!(marked.len(), 1);
    assert_eq!((marked[0].token, marked[0].from, marked[0].amount), (PATH_USD, PAYER.address, 200_000));
    assert_eq!(marked[0].to, scene.shop.split_recipients[1]);
    let attributed = scene.node.memo_transfers(None).await;
    assert!(
        attributed.iter().any(|transfer| transfer.to == scene.shop.recipient && transfer.amount == 700_000)
    );
    assert!(attributed.iter().all(|transfer| transfer.transaction == marked[0].transaction));
}

#[tokio::test]
async fn proof_of_identity_moves_nothing() {
    let scene = Scene::start().await;
    let answer = MppxClient::new(&scene.node, &PAYER).get(&scene.server.url("/zero")).await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.reference.unwrap().parse::<B256>().is_err(), "a proof has no transaction");
    assert_eq!(scene.payer_spent().await, 0);
    assert_eq!(scene.received().await, [0, 0, 0]);
}

#[tokio::test]
async fn client_that_gives_up_says_why_and_pays_nothing() {
    let scene = Scene::start().await;
    let puller = MppxClient::new(&scene.node, &PAYER).mode(Mode::Pull);
    let error = puller.get(&scene.server.url("/push")).await.unwrap_err();
    assert!(error.contains("pull"), "{error}");
    assert_eq!(puller.get(&scene.server.url("/absent")).await.unwrap().status, 404);
    assert_eq!(scene.payer_spent().await, 0);
}

#[tokio::test]
async fn other_routes_are_paid_and_a_body_arrives() {
    let scene = Scene::start().await;
    let client = MppxClient::new(&scene.node, &PAYER);
    for route in ["/any", "/short", "/scoped", "/sponsored-splits"] {
        let answer = client.post(&scene.server.url(route), &json!({ "fruit": "äpple" })).await.unwrap();
        assert_eq!(answer.status, 200, "{route}");
        assert!(answer.receipt.is_some());
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body, json!({ "route": route, "method": "POST", "body": r#"{"fruit":"äpple"}"# }));
    }
    assert_eq!(scene.received().await, [3 * CENT + 900_000, 100_000, 0]);
}

/// A node and a shop that nobody else pays, with the balances they began with.
struct Scene {
    node: Anvil,
    server: MppxServer,
    shop: Shop,
    payer: u128,
    sponsor: u128,
    recipients: [u128; 3],
}

impl Scene {
    async fn start() -> Self {
        let node = Anvil::start(42431).await;
        let shop = Shop::default();
        let server = MppxServer::open(&node, shop.clone()).await;
        let mut scene = Self { node, server, shop, payer: 0, sponsor: 0, recipients: [0; 3] };
        scene.payer = scene.node.balance_of(PATH_USD, PAYER.address).await;
        scene.sponsor = scene.node.balance_of(PATH_USD, SPONSOR.address).await;
        scene.recipients = scene.recipients().await;
        scene
    }

    /// Buys with success and finds the receipt's transaction on the chain.
    async fn buy(&self, client: MppxClient, route: &str) -> Mined {
        let answer = client.get(&self.server.url(route)).await.expect("the client gave up");
        assert_eq!(answer.status, 200);
        let hash = answer.reference.and_then(|hash| hash.parse().ok()).expect("the receipt names no hash");
        let mined = self.node.transaction(hash).await.expect("the receipt's transaction is not on the chain");
        assert!(mined.succeeded && mined.fee > 0);
        mined
    }

    async fn payer_spent(&self) -> u128 {
        self.payer - self.node.balance_of(PATH_USD, PAYER.address).await
    }

    async fn sponsor_spent(&self) -> u128 {
        self.sponsor - self.node.balance_of(PATH_USD, SPONSOR.address).await
    }

    async fn received(&self) -> [u128; 3] {
        let [shop, first, second] = self.recipients().await;
        [shop - self.recipients[0], first - self.recipients[1], second - self.recipients[2]]
    }

    /// What the shop and its two split recipients hold.
    async fn recipients(&self) -> [u128; 3] {
        let [first, second] = self.shop.split_recipients;
        let node = &self.node;
        let of = |owner| node.balance_of(PATH_USD, owner);
        [of(self.shop.recipient).await, of(first).await, of(second).await]
    }
}

/// What psql prints for `sql`, or its complaint.
fn psql(database: &str, sql: &str) -> Result<String, String> {
    let run = Command::new("psql").args(["-XAtq", "-c", sql, database]).output().expect("psql runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("psql speaks UTF-8").trim_end().to_owned();
    if run.status.success() { Ok(text(run.stdout)) } else { Err(text(run.stderr)) }
}
