//! `wallet address`, `wallet balance` and `wallet fund`: whose money it is, how much, and how it gets more.

use std::io::{self, IsTerminal as _};

use mpp_core::Amount;
use mpp_core::tempo::{Address, KeyStatus, MAINNET, MODERATO, PATH_USD, USDC_E};
use mpp_http::chain::{Rpc, RpcError};
use qrcodegen::{QrCode, QrCodeEcc};
use serde_json::{Value, json};

use crate::args::{BalanceArgs, FundArgs, ShowArgs};
use crate::config::Config;
use crate::failure::{Failure, chain};
use crate::output::{self, base_units, chain_name, instant};
use crate::reconcile::public_node;
use crate::terminal::{Look, look};

/// Prints the address.
pub(super) async fn address(args: &ShowArgs) -> Result<(), Failure> {
    let address = super::address(&args.wallet, &args.config.read()?).await?;
    let printed = if args.json {
        output::print_json(&json!({ "address": address }))
    } else {
        output::print_text(&address.to_string())
    };
    output::printed(printed, None)
}

/// Asks a node how much of each dollar there is.
pub(super) async fn balance(args: &BalanceArgs) -> Result<(), Failure> {
    let config = args.show.config.read()?;
    let address = super::address(&args.show.wallet, &config).await?;
    let chain_id = config.chain_id(args.chain_id);
    let node = node(args.rpc.as_deref(), &config, chain_id)?;
    let mut balances = Vec::new();
    for (name, token) in tokens(chain_id) {
        balances.push((name, token, asked(&node, chain_id, token, address).await?));
    }
    let key = access_key(args, &node, chain_id, &config).await?;
    let printed = if args.show.json {
        output::print_json(&json!({
            "address": address,
            "chain_id": chain_id,
            "access_key": key.as_ref().map(AccessKeyStatus::as_json),
            "tokens": balances.iter().map(|(name, token, balance)| json!({
                "name": name,
                "token": token,
                "balance": base_units(*balance),
                "dollars": balance.to_string(),
            })).collect::<Vec<_>>(),
        }))
    } else {
        let lines = balances.iter().map(|(name, _, balance)| format!("{name:<12} ${balance}"));
        let wallet = format!("wallet       {address}");
        let chain = format!("chain        {}", chain_name(chain_id));
        let key = key.iter().flat_map(AccessKeyStatus::lines);
        let lines = [wallet, chain].into_iter().chain(lines).chain(key);
        output::print_text(&lines.collect::<Vec<_>>().join("\n"))
    };
    output::printed(printed, None)
}

/// What an access key may still do.
struct AccessKeyStatus {
    key: Address,
    /// By token.
    statuses: Vec<(&'static str, KeyStatus)>,
}

impl AccessKeyStatus {
    fn lines(&self) -> Vec<String> {
        let told = self.statuses.iter().map(|(name, status)| match status {
            KeyStatus::Authorized { limit: Some(limit), .. } => {
                format!("left         ${} of {name} for the key", limit.remaining)
            }
            KeyStatus::Authorized { limit: None, .. } => {
                format!("left         no limit of {name} for the key")
            }
            KeyStatus::Revoked => "left         nothing: the key was revoked".to_owned(),
            _ => "left         nothing: the account has not authorised the key".to_owned(),
        });
        let end = self.statuses.iter().find_map(|(_, status)| match status {
            KeyStatus::Authorized { expires_at, .. } => {
                Some(format!("until        {}", instant(*expires_at)))
            }
            _ => None,
        });
        let key = format!("access key   {}", self.key);
        let mut lines: Vec<_> = [key].into_iter().chain(told).chain(end).collect();
        // Of a key that may do nothing, once is enough.
        lines.dedup();
        lines
    }

    fn as_json(&self) -> Value {
        let tokens = self.statuses.iter().map(|(name, status)| {
            let (state, expires_at, limit) = match status {
                KeyStatus::Authorized { expires_at, limit } => ("authorized", Some(*expires_at), *limit),
                KeyStatus::Revoked => ("revoked", None, None),
                _ => ("unknown", None, None),
            };
            let left = limit.map(|limit| base_units(limit.remaining));
            json!({ "name": name, "state": state, "expires_at": expires_at, "left": left })
        });
        json!({ "address": self.key, "tokens": tokens.collect::<Vec<_>>() })
    }
}

/// What the chain says of the wallet's key, where it is an access key.
async fn access_key(
    args: &BalanceArgs,
    node: &Rpc,
    chain_id: u64,
    config: &Config,
) -> Result<Option<AccessKeyStatus>, Failure> {
    let Some(account) = super::root_account(&args.show.wallet, config) else { return Ok(None) };
    let signer = super::load(&args.show.wallet, config).await?;
    let Some(key) = signer.access_key() else { return Ok(None) };
    let mut statuses = Vec::new();
    for (name, token) in tokens(chain_id) {
        let status = node.access_key(account, key, token).await;
        statuses.push((name, status.map_err(|error| Failure::unpaid(chain(&error)))?));
    }
    Ok(Some(AccessKeyStatus { key, statuses }))
}

/// Prints the address, also as a terminal's picture of it, and how dollars get there.
pub(super) async fn fund(args: &FundArgs) -> Result<(), Failure> {
    let config = args.show.config.read()?;
    let address = super::address(&args.show.wallet, &config).await?;
    let chain_id = config.chain_id(args.chain_id);
    let how = how(chain_id, address);
    let printed = if args.show.json {
        output::print_json(&json!({ "address": address, "chain_id": chain_id, "how": how }))
    } else {
        output::print_text(&address.to_string()).and_then(|()| match io::stdout().is_terminal() {
            true => picture(&address.to_string()),
            false => Ok(()),
        })
    };
    if !args.show.json {
        let _ = how.lines().try_for_each(output::note);
    }
    output::printed(printed, None)
}

/// The node to ask: the one that was named, or a public one.
fn node(named: Option<&str>, config: &Config, chain_id: u64) -> Result<Rpc, Failure> {
    if let Some(url) = named {
        return Rpc::new(url).map_err(|error| Failure::usage(error.to_string()));
    }
    match (&config.rpc, public_node(chain_id)) {
        (Some(rpc), _) => Ok(rpc.clone()),
        (None, Some(url)) => Rpc::new(url).map_err(|error| Failure::usage(error.to_string())),
        (None, None) => Err(Failure::usage(format!(
            "no public node of chain {chain_id} is known; give one with --rpc URL"
        ))),
    }
}

/// The dollars of a chain that can be paid with.
fn tokens(chain_id: u64) -> Vec<(&'static str, Address)> {
    let mut tokens = vec![("pathUSD", PATH_USD)];
    if chain_id == MAINNET {
        tokens.push(("USDC.e", USDC_E));
    }
    tokens
}

async fn asked(node: &Rpc, chain_id: u64, token: Address, owner: Address) -> Result<Amount, Failure> {
    node.balance_of(chain_id, token, owner).await.map_err(|error| match error {
        RpcError::Chain { asked, node } => Failure::usage(format!(
            "the node is on chain {node}, not on {asked}; give another with --rpc, or its chain with --chain-id"
        )),
        error => Failure::unpaid(chain(&error)),
    })
}

fn how(chain_id: u64, address: Address) -> String {
    match chain_id {
        MAINNET => format!(
            "Send dollars to this address on Tempo mainnet, chain {MAINNET}:\n  \
             pathUSD  {PATH_USD}\n  \
             USDC.e   {USDC_E}\n\
             What is sent on another chain does not arrive. Fees are paid in the same dollars.\n\
             Send no more than you could lose with this machine."
        ),
        MODERATO => format!(
            "Tempo gives play money on its testnet, chain {MODERATO}, to whoever asks:\n  \
             at https://docs.tempo.xyz/quickstart/faucet, or by\n  \
             cast rpc tempo_fundAddress {address} --rpc-url https://rpc.moderato.tempo.xyz"
        ),
        other => format!("Send pathUSD to this address on chain {other}:\n  pathUSD  {PATH_USD}"),
    }
}

/// A QR code, two rows of it to a line of text: black on white whatever the terminal's colours are, or, where colour is not
/// wanted, in its own, taken for light on dark.
fn picture(text: &str) -> io::Result<()> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).map_err(io::Error::other)?;
    let (from, to) = (-MARGIN, code.size().saturating_add(MARGIN));
    let styled = look(&io::stdout()) == Look::Styled;
    let drawn = |x, y| code.get_module(x, y) == styled;
    let lines = (from..to).step_by(2).map(|y| {
        let blocks = (from..to).map(|x| match (drawn(x, y), drawn(x, y.saturating_add(1))) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        });
        let blocks: String = blocks.collect();
        if styled { format!("\u{1b}[38;5;16;48;5;231m{blocks}\u{1b}[0m") } else { blocks }
    });
    output::print_raw(&lines.collect::<Vec<_>>().join("\n"))
}

/// The white around a code that its readers need, in squares.
const MARGIN: i32 = 4;
