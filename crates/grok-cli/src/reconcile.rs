//! `reconcile`: nodes are asked what became of every open payment, and what they say for good is written down.

use mpp_core::tempo::{MAINNET, MODERATO};
use mpp_http::Payment;
use mpp_http::chain::Rpc;
use mpp_http::ledger::{Open, Reconciled, reconcile as settle};
use serde_json::json;

use crate::args;
use crate::books::Books;
use crate::failure::{Failure, NO_MONEY_MOVED, SUCCESS, UNKNOWN, chain};
use crate::history::shortened;
use crate::output::{self, instant};

/// Settles what can be settled.
pub(crate) async fn reconcile(args: &args::Reconcile) -> Result<u8, Failure> {
    let books = Books::open(&args.books, &args::Limits::default()).await?;
    let Reconciled { mut settled, mut open } = match args.rpc.as_ref().or(books.rpc.as_ref()) {
        Some(url) => settle(&*books.ledger, Some(&node(url)?)).await?,
        None => ask_public_nodes(&books).await?,
    };
    settled.sort_by_key(Payment::id);
    open.sort_by_key(|(payment, _)| payment.id());
    let printed = if args.json {
        output::print_json(&json!({
            "settled": settled.iter().map(Payment::evidence).collect::<Vec<_>>(),
            "open": open.iter().map(|(payment, open)| json!({
                "payment": payment.evidence(),
                "reason": reason(payment, open),
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
    output::printed(printed, None)?;
    let unasked = open.iter().any(|(_, open)| matches!(open, Open::Failed(_) | Open::NotAsked));
    Ok(match open.is_empty() {
        true => SUCCESS,
        false if unasked => NO_MONEY_MOVED,
        false => UNKNOWN,
    })
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

fn node(url: &str) -> Result<Rpc, Failure> {
    Rpc::new(url).map_err(|error| Failure::usage(error.to_string()))
}

fn last_word(payment: &Payment) -> String {
    let cost = payment.settled().map_or(String::new(), |settled| {
        let hash = settled.hash.map_or("no transaction".to_owned(), |hash| shortened(&hash.to_string()));
        format!(" ${} + ${} fee, {hash}", settled.amount, settled.fee)
    });
    format!("#{} {}{cost}", payment.id(), payment.state().name())
}

/// Why a payment is still open, and what can be done about it.
fn reason(payment: &Payment, open: &Open) -> String {
    let chain_id = payment.quote().chain_id;
    match open {
        Open::NoNode if chain_id == SANDBOX => format!(
            "its chain {chain_id} was a sandbox's and ended with it, so that nothing can tell; if it was a node's, give \
             that with --rpc"
        ),
        Open::NoNode => format!("only a node of chain {chain_id} can tell; give one with --rpc"),
        Open::MayStillHappen { until } => {
            format!("not on the chain, and it may still happen until {}", instant(*until))
        }
        Open::Failed(error) => chain(error),
        other => other.to_string(),
    }
}

/// Where to ask about payments of chains that everybody shares.
const PUBLIC_NODES: [(u64, &str); 2] =
    [(MAINNET, "https://rpc.tempo.xyz"), (MODERATO, "https://rpc.moderato.tempo.xyz")];
/// The chain of local nodes, and of sandboxes without one.
const SANDBOX: u64 = 31337;
