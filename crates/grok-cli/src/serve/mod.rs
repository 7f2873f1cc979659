//! `serve`: an endpoint on this machine that speaks OpenAI's API and pays for what is asked of it.
//!
//! In reading order: the command, who may connect and ask, a request as an order, the answers there are, one that is bought,
//! what each path asks for and answers, and what goes wrong.

mod buy;
mod calls;
mod chat;
mod door;
mod error;
mod form;
mod guard;
mod head;
mod images;
mod listener;
mod models;
mod order;
mod record;
mod responses;
mod shop;
mod speech;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::args;
use crate::failure::{Failure, SUCCESS, UNKNOWN};
use crate::output::{self, note};
use crate::service::Service;
use crate::terminal::told_to_end;
use crate::token::Token;
use door::Door;
use guard::Guard;
use shop::{Shop, Total};

/// Serves until it is told to stop.
pub(crate) async fn serve(args: &args::Serve) -> Result<u8, Failure> {
    let guard = Guard::new(Token::read(args.token_file.as_deref(), guard::VARIABLE)?, args.listen.ip())?;
    let taken = |error| {
        let place = args.listen;
        Failure::unpaid(format!("cannot listen on {place}; name another place with --listen: {error}"))
    };
    let listener = TcpListener::bind(args.listen).await.map_err(taken)?;
    let address = listener.local_addr().map_err(taken)?;
    let service =
        Service::start(&args.service, &args.ledger.config, Some((&args.ledger, &args.limits))).await?;
    let max_cost = service.max_cost;
    let shop = Arc::new(Shop::new(service, guard));
    let door = Door::new(Arc::clone(&shop), args.at_once);

    let _ = output::print_text(&format!("http://{address}/v1"));
    let _ = note(&format!("listening    http://{address}/v1, at most ${max_cost} a call; ctrl-c stops"));
    let connections = listener::listen(listener, door.router(), told_to_end()).await;
    let _ = note("stopping     once what is paid for is answered; ctrl-c once more does not wait");
    let ended = async {
        let connections = tokio::spawn(connections);
        door.close().await;
        // Whoever does not read his answer is not waited for any longer.
        let _ = tokio::time::timeout(LAST_ANSWERS, connections).await;
    };
    let waited = tokio::select! {
        () = ended => true,
        () = told_to_end() => false,
    };
    let total = shop.total();
    let _ = note(&summary(total, waited));
    drop(door);
    if let Some(shop) = Arc::into_inner(shop) {
        shop.stop().await;
    }
    Ok(if waited && total.unknown == 0 { SUCCESS } else { UNKNOWN })
}

/// What was spent, for people.
fn summary(total: Total, waited: bool) -> String {
    let mut text = match total.payments {
        0 => "spent        nothing".to_owned(),
        1 => format!("spent        ${} in 1 payment, fees not included", total.paid),
        several => format!("spent        ${} in {several} payments, fees not included", total.paid),
    };
    if total.lost > 0 {
        text.push_str(&format!("; {} of them brought no answer: grok-mpp history lists them", total.lost));
    }
    if total.unknown > 0 {
        let (count, feared) = (total.unknown, total.feared);
        text.push_str(&format!(
            "; of {count} it is unknown, and ${feared} more may be spent: grok-mpp reconcile finds out"
        ));
    }
    if !waited {
        text.push_str("; what was still under way is in the ledger: grok-mpp reconcile finds out");
    }
    text
}

/// How long the last answers have to be read.
const LAST_ANSWERS: Duration = Duration::from_secs(10);
