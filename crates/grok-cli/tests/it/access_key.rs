//! A wallet that holds an access key: its limit, which the chain keeps, on a real node.

use std::process::Output;

use e2e::{Anvil, PATH_USD, SPLIT_RECIPIENT};
use serde_json::Value;

use crate::support::{Home, KEY, PROMPT, assert_ended, stdout};

#[tokio::test]
async fn an_access_key_pays_within_its_limit_and_signs_nothing_beyond() {
    let (home, node) = (Home::new(), Anvil::shared().await);
    node.fund(SPLIT_RECIPIENT.address, 1_000_000).await;
    let key = mpp_core::tempo::LocalSigner::from_hex(KEY).expect("a key").address();
    let account = SPLIT_RECIPIENT.address.to_string();
    let asked = |command: &[&str]| -> Output {
        let arguments = ["--rpc", &node.url(), "--root-account", &account];
        home.grok_mpp().args(command).args(arguments).output().expect("starts")
    };
    let balance = || -> Value {
        let output = asked(&["wallet", "balance", "--json", "--chain-id", "31337"]);
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    assert_eq!(balance()["access_key"]["tokens"][0]["state"], "unknown");
    let run = ["run", "--sandbox", "--json", PROMPT];
    assert_ended(&asked(&run), 3, "is not authorised by the account that pays");

    // Room for one answer and the most its fee may be, and not for two.
    node.authorize_key(&SPLIT_RECIPIENT, key, 35_000, u64::MAX).await;
    let before = node.balance_of(PATH_USD, SPLIT_RECIPIENT.address).await;
    let output = asked(&run);
    assert_ended(&output, 0, "");
    let object: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(object["payment"]["payer"].as_str().map(str::to_lowercase), Some(account.to_lowercase()));
    let taken = before - node.balance_of(PATH_USD, SPLIT_RECIPIENT.address).await;
    let left = 35_000 - taken;
    assert_eq!(balance()["access_key"]["tokens"][0]["left"], left.to_string());
    assert_eq!(node.left_of(&SPLIT_RECIPIENT, key).await, left);

    assert_ended(&asked(&run), 3, &format!("may spend 0.0{left} dollars more"));
    assert_eq!(node.left_of(&SPLIT_RECIPIENT, key).await, left);
    let shown = stdout(&asked(&["wallet", "balance", "--chain-id", "31337"]));
    assert!(shown.contains(&format!("left         $0.0{left} of pathUSD for the key")), "{shown}");
    assert!(!home.json(&["history", "--json"]).to_string().contains("not_paid"), "nothing was set aside");
}
