//! The service that is asked, and the wallet that pays it: the public one, another one, or a sandbox on this machine.

use grok_gateway::sandbox::{Sandbox, SandboxOptions};
use grok_mpp::Grok;
use mpp_core::tempo::{LocalSigner, PATH_USD, USDC_E};
use mpp_core::{Amount, Policy};
use mpp_http::Client;

use crate::args;
use crate::failure::{Failure, chain};
use crate::report;
use crate::wallet;

/// A service to ask.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) grok: Grok,
    sandbox: Option<Sandbox>,
}

impl Service {
    /// Makes ready to ask, and, if it `pays`, to pay.
    pub(crate) async fn start(args: &args::Service, pays: bool) -> Result<Self, Failure> {
        // A quote signs nothing, and a sandbox's own ledger takes play money: neither needs a wallet.
        let play_money = args.sandbox && args.rpc.is_none();
        let signer = match pays && !play_money {
            true => wallet::load(args.key_file.as_deref())?,
            false => wallet::throw_away()?,
        };
        if !args.sandbox {
            let tokens = [PATH_USD, USDC_E];
            let policy = Policy::new(args.chain_id, tokens, args.max_cost);
            return Ok(Service { grok: grok(args, signer, policy, &args.base_url), sandbox: None });
        }
        let options = SandboxOptions {
            port: args.sandbox_port,
            rpc: args.rpc.clone(),
            fund: vec![(signer.address(), PLAY_MONEY)],
            ..SandboxOptions::default()
        };
        let sandbox = Sandbox::start(options).await.map_err(|error| Failure::unpaid(chain(&error)))?;
        let policy = Policy::new(sandbox.chain_id(), [sandbox.token()], args.max_cost);
        Ok(Service { grok: grok(args, signer, policy, sandbox.base_url()), sandbox: Some(sandbox) })
    }

    /// Ends the sandbox, if there is one.
    pub(crate) async fn stop(self) {
        if let Some(sandbox) = self.sandbox {
            sandbox.shutdown().await;
        }
    }
}

fn grok(args: &args::Service, signer: LocalSigner, policy: Policy, base_url: &str) -> Grok {
    let client = Client::new(signer, policy).paid_timeout(args.timeout);
    let client = client.record(|payment| report::sending(payment).map_err(Into::into));
    Grok::with_client(client).base_url(base_url)
}

/// A hundred dollars that are none.
const PLAY_MONEY: Amount = Amount::from_base_units(100_000_000);
