//! A run that is killed after its credential left, on a real Tempo node: what the commands say afterwards is what the chain
//! says.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use e2e::{Account, Anvil, CHAIN_ID, OTHER_PAYER, PATH_USD, PAYER};
use mpp_core::tempo::B256;
use serde_json::Value;

use crate::support::{Home, assert_ended, stdout};

#[tokio::test]
async fn run_killed_while_the_service_works_is_paid_and_not_delivered() {
    let (home, node) = (Home::new(), Anvil::shared().await);
    let before = node.balance_of(PATH_USD, PAYER.address).await;
    let hash = run_and_kill(&home, &PAYER, async |hash| {
        while node.transaction(hash).await.is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(kept(&home)["state"], "sent");
    assert!(stdout(&home.run(&["history"])).contains(" sent "));

    let reconciled = home.run(&["reconcile", "--rpc", &node.url()]);
    assert_ended(&reconciled, 0, "");
    assert!(stdout(&reconciled).ends_with("\n1 settled, 0 open\n"), "{}", stdout(&reconciled));
    let evidence = kept(&home);
    assert_eq!([&evidence["state"], &evidence["money"]], ["paid", "paid"]);
    assert_eq!(evidence["chain"]["transaction"], hash.to_string());
    let units =
        |name: &str| evidence["chain"][name].as_str().expect("units").parse::<u128>().expect("a number");
    let after = node.balance_of(PATH_USD, PAYER.address).await;
    assert_eq!(units("amount") + units("fee"), before - after);
}

#[tokio::test]
async fn run_killed_as_the_credential_leaves_is_told_as_the_chain_has_it() {
    let (home, node) = (Home::new(), Anvil::shared().await);
    let before = node.balance_of(PATH_USD, OTHER_PAYER.address).await;
    let hash = run_and_kill(&home, &OTHER_PAYER, async |_| {}).await;
    assert_eq!([&kept(&home)["state"], &kept(&home)["money"]], ["sent", "unknown"]);
    // Open for as long as it may yet happen, and no longer.
    while home.run(&["reconcile", "--rpc", &node.url()]).status.code() != Some(0) {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    let spent = before - node.balance_of(PATH_USD, OTHER_PAYER.address).await;
    let happened = node.transaction(hash).await.is_some();
    assert_eq!((spent > 0, kept(&home)["money"] == "paid"), (happened, happened), "{}", kept(&home));
}

/// Runs a prompt that takes long in the sandbox on the node, and kills it once the payment of the hash that it prints has
/// left and `then` is over.
async fn run_and_kill(home: &Home, payer: &Account, then: impl AsyncFnOnce(B256)) -> B256 {
    let node = Anvil::shared().await;
    assert_eq!(node.chain_id(), CHAIN_ID);
    let mut child = home
        .grok_mpp()
        .args(["run", "--sandbox", "--rpc", &node.url(), "A while: `import time; time.sleep(20)`"])
        .env("GROK_MPP_PRIVATE_KEY", payer.key)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let mut lines = lines.map(|line| line.expect("a line"));
    let paying = lines.find(|line| line.starts_with("paying")).expect("it pays");
    let hash = paying.split_whitespace().find_map(|word| word.parse().ok()).expect("a hash");
    then(hash).await;
    child.kill().expect("killed");
    child.wait().expect("ended");
    hash
}

/// What the ledger holds of the only payment.
fn kept(home: &Home) -> Value {
    home.json(&["evidence", "1"])
}
