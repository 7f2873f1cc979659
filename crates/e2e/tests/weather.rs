//! The examples that sell and buy the weather, on a real node: the guide on reusing the core stands on them.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[expect(dead_code, reason = "its `main`")]
#[path = "../../../examples/buy_weather.rs"]
mod buy_weather;
#[expect(dead_code, reason = "its `main`")]
#[path = "../../../examples/sell_weather.rs"]
mod sell_weather;

use std::time::Duration;

use bytes::Bytes;
use e2e::{Anvil, CHAIN_ID, OTHER_PAYER, PATH_USD, PAYER, RECIPIENT, SPONSOR};
use mpp_core::Policy;
use mpp_core::tempo::{Address, LocalSigner};
use mpp_http::ledger::State;
use mpp_http::{Client, Error, Money};
use tempfile::TempDir;

/// What the shop asks, in base units.
const PRICE: u128 = 5_000;

#[tokio::test]
async fn weather_is_bought_by_the_core_on_any_http_client() {
    let shop = Shop::open().await;
    let (url, folder) = (shop.url("paris"), shop.folder.path().join("payments.txt"));
    let bought = tokio::task::spawn_blocking(move || {
        let mut journal = std::fs::File::create_new(&folder).unwrap();
        let signer = LocalSigner::from_hex(PAYER.key).unwrap();
        let body = buy_weather::buy(&url, &signer, &policy(), &mut journal).unwrap();
        (body, std::fs::read_to_string(folder).unwrap())
    });
    let (body, journal) = bought.await.unwrap();
    assert_eq!(body, "rain, 9 °C\n");
    let [payment, outcome] = journal.lines().collect::<Vec<_>>()[..] else { panic!("{journal}") };
    assert!(payment.starts_with("$0.005 by Some(0x") && outcome.starts_with("  paid at 20"), "{journal}");
    let hash = payment.split(['(', ')']).nth(1).unwrap();
    assert!(shop.node.transaction(hash.parse().unwrap()).await.unwrap().succeeded);
    assert_eq!(shop.earned().await, PRICE);
}

#[tokio::test]
async fn weather_is_bought_by_the_client_in_three_lines_and_refunded_where_there_is_none() {
    let shop = Shop::open().await;
    let client = Client::new(LocalSigner::from_hex(OTHER_PAYER.key).unwrap(), policy());
    let get = |city| http::Request::get(shop.url(city)).body(Bytes::new()).unwrap();
    let mut answer = client.send(get("rome")).await.unwrap();
    assert_eq!(answer.bytes().await.unwrap(), "sun, 21 °C\n");
    assert_eq!(answer.payment().unwrap().state(), State::Delivered);
    assert_eq!(shop.earned().await, PRICE);

    let before = holds(&shop.node, OTHER_PAYER.address).await;
    let error = client.send(get("atlantis")).await.unwrap_err();
    let Error::AfterSigning { payment, .. } = &error else { panic!("{error:?}") };
    assert_eq!(error.money(), Money::Unknown, "a failure says nothing of the money");
    let fee = shop.node.transaction(payment.hash().unwrap()).await.expect("it was taken").fee;
    // Given back whole by the operator; the fee stays gone.
    let refunded = async {
        while holds(&shop.node, OTHER_PAYER.address).await != before - fee {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), refunded).await.expect("it is given back");
}

/// The example's shop, on a node and a port of its own.
struct Shop {
    node: Anvil,
    port: u16,
    before: u128,
    folder: TempDir,
}

impl Shop {
    async fn open() -> Self {
        let node = Anvil::start(CHAIN_ID).await;
        let folder = TempDir::new().unwrap();
        let operator = LocalSigner::from_hex(SPONSOR.key).unwrap();
        let sales = folder.path().join("weather.sqlite");
        let shop = sell_weather::shop(&node.url(), RECIPIENT.address, operator, &sales).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move { axum::serve(listener, shop).await });
        let before = holds(&node, RECIPIENT.address).await;
        Self { node, port, before, folder }
    }

    fn url(&self, city: &str) -> String {
        format!("http://127.0.0.1:{}/{city}", self.port)
    }

    async fn earned(&self) -> u128 {
        holds(&self.node, RECIPIENT.address).await - self.before
    }
}

async fn holds(node: &Anvil, owner: Address) -> u128 {
    node.balance_of(PATH_USD, owner).await
}

fn policy() -> Policy {
    Policy::new(CHAIN_ID, [PATH_USD], "0.01".parse().unwrap()).realms(["weather.example"])
}
