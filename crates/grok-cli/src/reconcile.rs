//! `reconcile`: nodes are asked what became of every open payment, and what they say for good is written down.

use mpp_core::tempo::{MAINNET, MODERATO};
use mpp_http::Payment;
use mpp_http::chain::Rpc;
use mpp_http::ledger::State;
use mpp_http::reconcile::{Open, Reconciled, reconcile as settle};
use serde_json::json;

use crate::args::{self, LimitArgs};
use crate::books::Books;
use crate::failure::{Failure, SUCCESS, UNKNOWN, chain};
use crate::output::{self, instant};
use crate::payment::fee_of_failed;

/// Settles what can be settled.
pub(crate) async fn reconcile(args: &args::Reconcile) -> Result<u8, Failure> {
    let books = Books::look(&args.ledger, &LimitArgs::default()).await?;
    let given = args.rpc.as_deref().map(node).transpose()?.or(books.rpc.clone());
    let Reconciled { mut settled, mut open } = match &given {
        Some(node) => settle(&*books.ledger, Some(node)).await?,
        None => ask_public_nodes(&books).await?,
    };
    settled.sort_by_key(Payment::id);
    open.sort_by_key(|(payment, _)| payment.id());
    let printed = if args.json {
        output::print_json(&json!({
            "settled": settled.iter().map(Payment::evidence).collect::<Vec<_>>(),
            "open": open.iter().map(|(payment, open)| json!({
                "payment": payment.evidence(),
                "code": code(open),
                "reason": reason(payment, open),
                "until": until(open),
            })).collect::<Vec<_>>(),
        }))
    } else {
        let lines = settled.iter().map(last_word);
        let lines = lines.chain(open.iter().map(|(payment, open)| {
            format!("#{} {}, open: {}", payment.id(), payment.state().name(), reason(payment, open))
        }));
        let summary = format!("{} settled, {} open", settled.len(), open.len());
        output::print_text(&lines.chain([summary]).collect::<Vec<_>>().join("\n"))
    };
    // Whoever takes an open payment for none pays again, printed or not.
    let code = if open.is_empty() { SUCCESS } else { UNKNOWN };
    output::printed(printed, None).map_err(|failure| Failure { code: failure.code.max(code), ..failure })?;
    Ok(code)
}

/// Asks Tempo's own nodes, each about its chain and only if there is something to ask.
async fn ask_public_nodes(books: &Books) -> Result<Reconciled, Failure> {
    let mut all = settle(&*books.ledger, None).await?;
    for (chain_id, url) in PUBLIC_NODES {
        let theirs = |(payment, open): &(Payment, Open)| {
            payment.quote().chain_id == chain_id && matches!(open, Open::NoNode)
        };
        if !all.open.iter().any(theirs) {
            continue;
        }
        let Reconciled { settled, open } = settle(&*books.ledger, Some(&node(url)?)).await?;
        all.open.retain(|it| !theirs(it));
        all.settled.extend(settled);
        let known: Vec<_> = all.open.iter().map(|(payment, _)| payment.id()).collect();
        all.open.extend(open.into_iter().filter(|(payment, _)| !known.contains(&payment.id())));
    }
    Ok(all)
}

/// Tempo's own node of a chain.
pub(crate) fn public_node(chain_id: u64) -> Option<&'static str> {
    PUBLIC_NODES.iter().find(|(id, _)| *id == chain_id).map(|(_, url)| *url)
}

fn node(url: &str) -> Result<Rpc, Failure> {
    Rpc::new(url).map_err(|error| Failure::usage(error.to_string()))
}

fn last_word(payment: &Payment) -> String {
    let (id, state) = (payment.id(), payment.state().name());
    let Some(settled) = payment.settled() else { return format!("#{id} {state}") };
    let hash = settled.hash.map_or("no transaction".to_owned(), |hash| shortened(&hash.to_string()));
    let cost = match fee_of_failed(payment) {
        Some(fee) => format!("it failed on chain and its fee of ${fee} is gone, {hash}"),
        None => format!("${} + ${} fee, {hash}", settled.amount, settled.fee),
    };
    let claim = match payment.state() {
        State::Paid | State::PaidUndelivered => {
            format!("; grok-mpp evidence {id} prints what can be shown to claim it back")
        }
        _ => String::new(),
    };
    format!("#{id} {state}: {cost}{claim}")
}

/// `0x1234abcd…ef56`, enough to find it by.
fn shortened(hash: &str) -> String {
    match (hash.get(..8), hash.get(hash.len().saturating_sub(4)..)) {
        (Some(start), Some(end)) => format!("{start}…{end}"),
        _ => hash.to_owned(),
    }
}

/// Why a payment is still open, for people, and what can be done about it.
fn reason(payment: &Payment, open: &Open) -> String {
    let chain_id = payment.quote().chain_id;
    match open {
        Open::NoNode if chain_id == SANDBOX => format!(
            "its chain {chain_id} was a sandbox's and ended with it, so that nothing can tell; if it was a node's, give \
             that with --rpc"
        ),
        Open::NoNode => format!("only a node of chain {chain_id} can tell; give one with --rpc"),
        Open::MayStillHappen { .. } => {
            let until = until(open).map_or(String::new(), |until| format!(" until {}", instant(until)));
            format!("not on the chain, and it may still happen{until}")
        }
        Open::Failed(error) => chain(error),
        other => other.to_string(),
    }
}

/// Why a payment is still open, for programs.
fn code(open: &Open) -> &'static str {
    match open {
        Open::UnderWay => "under_way",
        Open::MayStillHappen { .. } => "may_still_happen",
        Open::OtherChain { .. } => "other_chain",
        Open::NoNode => "no_node",
        Open::NotAsked => "not_asked",
        _ => "failed",
    }
}

/// The Unix second from which on it can no longer happen, if that is why it is open and there is one.
fn until(open: &Open) -> Option<u64> {
    match open {
        Open::MayStillHappen { until } => Some(*until).filter(|until| *until < u64::MAX),
        _ => None,
    }
}

/// Where to ask about payments of chains that everybody shares.
const PUBLIC_NODES: [(u64, &str); 2] =
    [(MAINNET, "https://rpc.tempo.xyz"), (MODERATO, "https://rpc.moderato.tempo.xyz")];
/// The chain of local nodes, and of sandboxes without one.
const SANDBOX: u64 = 31337;
