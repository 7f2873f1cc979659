//! A node of one's own with every server on it: a node takes longer the more it has mined, so that what is compared is
//! asked of one as young.

use std::sync::Arc;

use e2e::{Anvil, CHAIN_ID, MppxServer, PATH_USD, RECIPIENT};

use super::load::{self, Errand, Load, Server};
use super::payer::{CENT, Payer};
use super::process;
use super::shop::{Kind, Shop};
use crate::Outcome;

/// What the servers are called, in the order in which a scene has them.
pub(crate) const NAMES: [&str; 4] = ["this gate, SQLite", "this gate, memory", "mpp, memory", "mppx, memory"];

pub(crate) struct Scene {
    node: Anvil,
    _shops: ([Shop; 3], MppxServer),
    pub(crate) servers: [Server; 4],
    /// The node itself, asked for what a server has to ask it for.
    pub(crate) alone: Server,
    payer: Arc<Payer>,
    /// What the payees held at the start.
    held: [u128; 4],
}

/// What is known of a server after all scenes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Account {
    /// The most memory, in KiB.
    pub(crate) idle: u32,
    pub(crate) peak: u32,
    /// Cents on chain.
    pub(crate) paid: u128,
    /// Answers with a receipt.
    pub(crate) sold: u32,
}

impl Scene {
    pub(crate) async fn open(accounts: &mut [Account; 4]) -> Outcome<Self> {
        let node = Anvil::start(CHAIN_ID).await;
        let start = |kind| Shop::start(kind, &node.url());
        let shops = [start(Kind::Durable)?, start(Kind::Memory)?, start(Kind::Mpp)?];
        let mppx = MppxServer::start(&node).await;
        let node_process = node.process_id();
        let server = |url: &str, process| Server::new(url, process, node_process);
        let [durable, memory, mpp] = &shops;
        let servers = [
            server(&durable.url(), durable.process_id())?,
            server(&memory.url(), memory.process_id())?,
            server(&mpp.url(), mpp.process_id())?,
            server(&mppx.url("/pull"), mppx.process_id())?,
        ];
        let alone = server(&node.url(), node_process)?;
        for (server, account) in servers.iter().zip(accounts) {
            account.idle = process::memory(server.process)?.resident.max(account.idle);
        }
        let held = balances(&node).await;
        let scene =
            Scene { node, _shops: (shops, mppx), servers, alone, payer: Arc::new(Payer::new()?), held };
        // The last server's code is compiled as it runs.
        for server in &scene.servers {
            scene.load(server, Errand::Unpaid, 64, 1_000).await?;
            scene.load(server, Errand::Paid, 8, 40).await?;
        }
        Ok(scene)
    }

    pub(crate) async fn load(
        &self,
        server: &Server,
        errand: Errand,
        in_flight: u32,
        number: u32,
    ) -> Outcome<Load> {
        load::run(server, errand, &self.payer, in_flight, number).await
    }

    pub(crate) async fn close(self, accounts: &mut [Account; 4]) -> Outcome<()> {
        let earned = balances(&self.node).await;
        let money = self.held.iter().zip(earned);
        for ((account, server), (held, earned)) in accounts.iter_mut().zip(&self.servers).zip(money) {
            account.peak = process::memory(server.process)?.peak.max(account.peak);
            account.paid += (earned - held) / CENT;
            account.sold += server.sold();
        }
        Ok(())
    }
}

async fn balances(node: &Anvil) -> [u128; 4] {
    let of = |owner| node.balance_of(PATH_USD, owner);
    [
        of(Kind::Durable.recipient()).await,
        of(Kind::Memory.recipient()).await,
        of(Kind::Mpp.recipient()).await,
        of(RECIPIENT.address).await,
    ]
}
