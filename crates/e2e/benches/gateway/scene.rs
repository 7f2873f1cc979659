//! A node of one's own with both servers on it: a node takes longer the more it has mined, so that what is compared is
//! asked of one as young.

use std::sync::Arc;

use e2e::{Anvil, CHAIN_ID, MppxServer, PATH_USD, RECIPIENT};

use crate::load::{self, Errand, Load, Server};
use crate::payer::{CENT, Payer};
use crate::shop::Shop;
use crate::{Outcome, process, shop};

pub(crate) struct Scene {
    node: Anvil,
    _shops: (Shop, MppxServer),
    /// This gate, mppx, and the node itself, asked for what a server has to ask it for.
    pub(crate) servers: [Server; 3],
    payer: Arc<Payer>,
    /// What the payees of the two held.
    held: [u128; 2],
}

/// What is known of this gate and of mppx after all scenes: the most memory, and money.
#[derive(Default)]
pub(crate) struct Accounts {
    pub(crate) idle: [u32; 2],
    pub(crate) busy: [u32; 2],
    pub(crate) peak: [u32; 2],
    /// Cents on chain.
    pub(crate) paid: [u128; 2],
    /// Answers with a receipt.
    pub(crate) sold: [u32; 2],
}

impl Scene {
    pub(crate) async fn open(accounts: &mut Accounts) -> Outcome<Self> {
        let node = Anvil::start(CHAIN_ID).await;
        let shops = (Shop::start(&node.url())?, MppxServer::start(&node).await);
        let node_process = node.process_id();
        let server = |name, url: &str, process| Server::new(name, url, process, node_process);
        let servers = [
            server("this gate", &shops.0.url(), shops.0.process_id())?,
            server("mppx", &shops.1.url("/pull"), shops.1.process_id())?,
            server("node alone", &node.url(), node_process)?,
        ];
        for (server, idle) in servers.iter().zip(&mut accounts.idle) {
            *idle = process::memory(server.process)?.resident.max(*idle);
        }
        let held = balances(&node).await;
        let scene = Scene { node, _shops: shops, servers, payer: Arc::new(Payer::new()?), held };
        // The other server's code is compiled as it runs.
        for server in scene.servers.iter().take(2) {
            scene.load(server, Errand::Unpaid, 64, 1_000, &mut Load::default()).await?;
            scene.load(server, Errand::Paid, 8, 40, &mut Load::default()).await?;
        }
        Ok(scene)
    }

    pub(crate) async fn load(
        &self,
        server: &Server,
        errand: Errand,
        in_flight: u32,
        number: u32,
        load: &mut Load,
    ) -> Outcome<()> {
        load::run(server, errand, &self.payer, in_flight, number, load).await
    }

    pub(crate) async fn close(self, accounts: &mut Accounts) -> Outcome<()> {
        let earned = balances(&self.node).await;
        for (index, server) in self.servers.iter().take(2).enumerate() {
            let memory = process::memory(server.process)?;
            most(&mut accounts.busy, index, memory.resident);
            most(&mut accounts.peak, index, memory.peak);
        }
        for (paid, (now, before)) in accounts.paid.iter_mut().zip(earned.iter().zip(self.held)) {
            *paid += (now - before) / CENT;
        }
        for (sold, server) in accounts.sold.iter_mut().zip(&self.servers) {
            *sold += server.sold();
        }
        Ok(())
    }
}

fn most(found: &mut [u32; 2], index: usize, kibibytes: u32) {
    if let Some(found) = found.get_mut(index) {
        *found = kibibytes.max(*found);
    }
}

async fn balances(node: &Anvil) -> [u128; 2] {
    let of = |owner| node.balance_of(PATH_USD, owner);
    [of(shop::RECIPIENT).await, of(RECIPIENT.address).await]
}
