//! What a node says of an access key before anything is reserved or signed with it.

use std::time::Duration;

use mpp_core::Quote;
use mpp_core::tempo::{ACCOUNT_KEYCHAIN, Address, KeyStatus, Signer};
use serde_json::{Value, json};

use crate::chain::{Rpc, RpcError};
use crate::error::Error;
use crate::journal::now;
use crate::response::Deadline;

impl Rpc {
    /// What the chain knows of `key`, which is to sign for `account`, and what of `token` it may still spend.
    ///
    /// # Errors
    /// When the node does not answer, or answers nonsense.
    pub async fn access_key(
        &self,
        account: Address,
        key: Address,
        token: Address,
    ) -> Result<KeyStatus, RpcError> {
        let [of_key, of_limit] = KeyStatus::calls(account, key, token);
        let key = bytes(&self.eth_call(ACCOUNT_KEYCHAIN, &of_key).await?);
        let limit = bytes(&self.eth_call(ACCOUNT_KEYCHAIN, &of_limit).await?);
        key.zip(limit)
            .and_then(|(key, limit)| KeyStatus::decode(&key, &limit))
            .ok_or(RpcError::Answer("access key"))
    }

    async fn eth_call(&self, to: Address, input: &[u8]) -> Result<Value, RpcError> {
        let input: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        self.call("eth_call", json!([{ "to": to, "input": format!("0x{input}") }, "latest"])).await
    }
}

/// Refuses what the chain would not let the signer's access key pay. A node that does not say in time stops nothing: the
/// chain holds the key to its limits all the same.
pub(crate) async fn check(rpc: Option<&Rpc>, signer: &dyn Signer, quote: &Quote) -> Result<(), Error> {
    let (Some(rpc), Some(key)) = (rpc, signer.access_key()) else { return Ok(()) };
    let asked = Deadline::after(PATIENCE).limit(async {
        rpc.check_chain(quote.chain_id).await?;
        rpc.access_key(signer.address(), key, quote.token).await
    });
    let status = match asked.await.map_err(RpcError::Unanswered).flatten() {
        Ok(status) => status,
        Err(error) => {
            tracing::warn!(%key, %error, "the node did not say what the access key may spend");
            return Ok(());
        }
    };
    let checked = status.check(quote.amount, quote.fee_ceiling, now());
    checked.map_err(|refusal| Error::AccessKey { key, refusal })
}

fn bytes(answer: &Value) -> Option<Vec<u8>> {
    let (digits, []) = answer.as_str()?.strip_prefix("0x")?.as_bytes().as_chunks::<2>() else { return None };
    let byte = |digits: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    digits.iter().map(byte).collect()
}

/// How long a payment waits for a node's word on the access key.
const PATIENCE: Duration = Duration::from_secs(5);
