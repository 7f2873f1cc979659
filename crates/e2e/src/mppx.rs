//! The published MPP server and client (mppx), on a node of ours.

use std::process::Stdio;

use alloy_primitives::Address;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::peer::Peer;
use crate::{Account, Anvil, RECIPIENT, SECOND_SPLIT_RECIPIENT, SPLIT_RECIPIENT, SPONSOR, install};

/// Whom a [`MppxServer`] collects money for.
///
/// Tests that share a node and check balances give each shop addresses of its own.
#[derive(Clone, Debug)]
pub struct Shop {
    /// The realm its challenges name.
    pub realm: String,
    /// Who is paid.
    pub recipient: Address,
    /// Who receives the splits: 0.1 dollars, and on `/splits` also 0.2 dollars with a memo of `0x11` bytes.
    pub split_recipients: [Address; 2],
}

impl Default for Shop {
    fn default() -> Self {
        Self {
            realm: "shop.test".to_owned(),
            recipient: RECIPIENT.address,
            split_recipients: [SPLIT_RECIPIENT.address, SECOND_SPLIT_RECIPIENT.address],
        }
    }
}

/// A running server, stopped when dropped.
///
/// `/pull`, `/push`, `/any`, `/short`, `/scoped` and `/sponsored` cost one cent of pathUSD, `/splits` and
/// `/sponsored-splits` a dollar, `/zero` a proof of identity. A paid answer is `{"route", "method", "body"}`.
#[derive(Debug)]
pub struct MppxServer {
    peer: Peer,
}

impl MppxServer {
    /// A server with the default [`Shop`].
    pub async fn start(node: &Anvil) -> Self {
        Self::open(node, Shop::default()).await
    }

    /// A server for this shop; [`SPONSOR`] pays the fees of its sponsored charges.
    pub async fn open(node: &Anvil, shop: Shop) -> Self {
        let options = json!({
            "rpc": node.url(),
            "chainId": node.chain_id(),
            "realm": shop.realm,
            "recipient": shop.recipient.to_string(),
            "splitRecipients": shop.split_recipients.map(|address| address.to_string()),
            "sponsorKey": SPONSOR.key,
        });
        Self { peer: Peer::start("mppx-server.mjs", options).await }
    }

    /// The address of a route, which starts with `/`.
    pub fn url(&self, route: &str) -> String {
        format!("http://127.0.0.1:{}{route}", self.peer.port)
    }

    /// The id of the server's process.
    pub fn process_id(&self) -> u32 {
        self.peer.process_id()
    }
}

/// Who sends a payment's transaction.
#[derive(Clone, Copy, Debug)]
pub enum Mode {
    /// The server, from the credential.
    Pull,
    /// The client, before it shows the hash.
    Push,
}

/// The published client with one account; each request is a process of its own.
#[derive(Clone, Debug)]
pub struct MppxClient {
    rpc: String,
    chain_id: u64,
    key: &'static str,
    mode: Option<Mode>,
}

impl MppxClient {
    /// A client that pays from `account` in the mode it chooses itself.
    pub fn new(node: &Anvil, account: &Account) -> Self {
        Self { rpc: node.url(), chain_id: node.chain_id(), key: account.key, mode: None }
    }

    /// The same client, in this mode only.
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        Self { mode: Some(mode), ..self }
    }

    /// Sends a GET and pays for it if asked to.
    ///
    /// # Errors
    /// The client's own message when it gave up.
    pub async fn get(&self, url: &str) -> Result<Answer, String> {
        self.request("GET", url, None).await
    }

    /// Sends a POST of JSON and pays for it if asked to.
    ///
    /// # Errors
    /// The client's own message when it gave up.
    pub async fn post(&self, url: &str, body: &Value) -> Result<Answer, String> {
        self.request("POST", url, Some(body.to_string())).await
    }

    async fn request(&self, method: &str, url: &str, body: Option<String>) -> Result<Answer, String> {
        let mode = self.mode.map(|mode| match mode {
            Mode::Pull => "pull",
            Mode::Push => "push",
        });
        let options = json!({
            "rpc": self.rpc, "chainId": self.chain_id, "key": self.key, "mode": mode,
            "url": url, "method": method, "body": body,
        });
        let folder = tokio::task::spawn_blocking(install::folder).await.expect("the peers are installed");
        let mut child = Command::new("node")
            .args(["mppx-client.mjs", &options.to_string()])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node runs");
        // Waiting for the output would close this end of its standard input, and the client would end too soon.
        let _lifeline = child.stdin.take();
        let output = child.wait_with_output().await.expect("node ends");
        let outcome = serde_json::from_slice(&output.stdout).expect("the client prints its outcome as JSON");
        Answer::from_outcome(&outcome)
    }
}

/// What a server answered in the end, whatever the status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body as text.
    pub body: String,
    /// The `Payment-Receipt` header as it came.
    pub receipt: Option<String>,
    /// The receipt's reference: a transaction hash, or a challenge id for a proof.
    pub reference: Option<String>,
}

impl Answer {
    fn from_outcome(outcome: &Value) -> Result<Self, String> {
        let text = |name| outcome.get(name).and_then(Value::as_str).map(str::to_owned);
        if let Some(error) = text("error") {
            return Err(error);
        }
        let status =
            outcome.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
        Ok(Self {
            status: status.expect("an outcome has a status"),
            body: text("body").expect("an outcome has a body"),
            receipt: text("receipt"),
            reference: text("reference"),
        })
    }
}
