//! The account keychain, where an account says on chain whose keys may sign for it and how much they may spend.

use alloy_primitives::{Address, U256, address, hex};
use serde_json::json;

use crate::token::PATH_USD;
use crate::{Account, Anvil};

/// Its address.
const KEYCHAIN: Address = address!("aaaaaaaa00000000000000000000000000000000");

impl Anvil {
    /// Has `account` authorise `key` to spend this many base units of pathUSD, until `expiry` in Unix seconds.
    pub async fn authorize_key(&self, account: &Account, key: Address, limit: u128, expiry: u64) {
        let restrictions = [U256::from(expiry), U256::ONE, U256::from(0xa0), U256::ONE, U256::from(0x120)];
        let limits = [U256::ONE, word(PATH_USD), U256::from(limit), U256::ZERO];
        let head = [word(key), U256::ZERO, U256::from(0x60)];
        // authorizeKey(address,uint8,(uint64,bool,(address,uint256,uint64)[],bool,(address,(bytes4,address[])[])[]))
        let input = call("980a6025", &[&head[..], &restrictions, &limits, &[U256::ZERO]].concat());
        self.order(account.address, KEYCHAIN, input).await;
    }

    /// Has `account` let `key` spend this many base units of pathUSD from now on.
    pub async fn limit_key(&self, account: &Account, key: Address, limit: u128) {
        // updateSpendingLimit(address,address,uint256)
        let input = call("cbbb4480", &[word(key), word(PATH_USD), U256::from(limit)]);
        self.order(account.address, KEYCHAIN, input).await;
    }

    /// Has `account` take its authorisation of `key` back.
    pub async fn revoke_key(&self, account: &Account, key: Address) {
        // revokeKey(address)
        self.order(account.address, KEYCHAIN, call("5ae7ab32", &[word(key)])).await;
    }

    /// What `key` may still spend of `account`'s pathUSD, in base units.
    pub async fn left_of(&self, account: &Account, key: Address) -> u128 {
        // getRemainingLimitWithPeriod(address,address,address)
        let input = call("a7f72cab", &[word(account.address), word(key), word(PATH_USD)]);
        let call = json!({ "to": KEYCHAIN.to_string(), "data": input });
        let answer = self.ask("eth_call", json!([call, "latest"])).await;
        let words = hex::decode(answer.as_str().expect("hexadecimal")).expect("hexadecimal");
        let [left, _] = words.as_chunks::<32>().0 else { panic!("not two words: {answer}") };
        U256::from_be_bytes(*left).try_into().expect("no more than all there is")
    }
}

fn word(address: Address) -> U256 {
    address.into_word().into()
}

fn call(selector: &str, arguments: &[U256]) -> String {
    let arguments: Vec<String> = arguments.iter().map(|word| format!("{word:064x}")).collect();
    format!("0x{selector}{}", arguments.concat())
}
