//! One call that pays: bought in a task of its own, so that whatever the client does, a payment that has left is waited for
//! and the ledger learns what became of it. The client is told how far it is, and can stop it until it pays.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use grok_mpp::Error;
use grok_mpp::answer::Answer;
use mpp_core::error::Refusal;
use mpp_core::exchange::{NotPaid, Reason};
use mpp_http::Payment;
use rmcp::model::{CallToolResult, ProgressNotificationParam, ProgressToken};
use rmcp::service::RequestContext;
use rmcp::{Peer, RoleServer};
use tokio::sync::watch;
use tokio::task::JoinError;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::Desk;
use super::order::Order;
use super::report;
use crate::failure::Failure;
use crate::output;
use crate::payment;

/// How far a call is. Whoever moves it on first, the payment or who stops it, has decided.
#[derive(Clone)]
enum Stage {
    Asking,
    Paying(
        Box<Payment>,
        #[expect(dead_code, reason = "the end of the server waits for it")] TaskTrackerToken,
    ),
    Stopped,
}

/// Buys what is ordered, unless the client or the end of the server stops it before it pays.
pub(super) async fn buy(
    desk: &Arc<Desk>,
    order: Order,
    context: &RequestContext<RoleServer>,
) -> CallToolResult {
    let (stage, mut seen) = watch::channel(Stage::Asking);
    let stage = Arc::new(stage);
    let grok = desk.service.for_call(order.most, announce(Arc::clone(desk), Arc::clone(&stage)));
    let pictures = order.is_for_pictures();
    let mut call = tokio::spawn(async move { order.send(&grok).await });
    let mut progress = Progress::new(context);
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            Ok(()) = seen.changed() => {
                let paying = seen.borrow_and_update().clone();
                progress.moved(&paying).await;
            }
            ended = &mut call => return told(desk, pictures, ended).await,
            // Nobody reads the result of a call that was cancelled.
            () = context.ct.cancelled() => return match stop(&stage) {
                Stage::Paying(paying, _) => {
                    let id = paying.id();
                    let _ = output::note(&format!("cancelled    #{id} is paid already, and its answer waited for"));
                    report::error("Cancelled after it was paid.")
                }
                _ => report::error(STOPPED),
            },
            () = desk.closing.cancelled() => return match stop(&stage) {
                Stage::Paying(..) => told(desk, pictures, call.await).await,
                _ => {
                    // Money that was set aside is given back, if it does not take long.
                    let _ = timeout(A_WHILE, call).await;
                    report::error(STOPPED)
                }
            },
            _ = tick.tick() => progress.waits().await,
        }
    }
}

/// Lets a payment leave unless the call was stopped.
fn announce(
    desk: Arc<Desk>,
    stage: Arc<watch::Sender<Stage>>,
) -> impl Fn(&Payment) -> io::Result<()> + Send + Sync + 'static {
    move |paying| {
        let asking = |stage: &mut Stage| {
            let asking = matches!(stage, Stage::Asking) && !desk.closing.is_cancelled();
            if asking {
                *stage = Stage::Paying(Box::new(paying.clone()), desk.calls.token());
            }
            asking
        };
        if !stage.send_if_modified(asking) {
            return Err(io::Error::other("the call was cancelled"));
        }
        // The ledger has it; a host that reads no standard error stops nothing.
        let _ = payment::sending(paying);
        Ok(())
    }
}

/// Stops a call that has not paid yet, and says how far it is.
fn stop(stage: &watch::Sender<Stage>) -> Stage {
    let mut stands = Stage::Stopped;
    stage.send_if_modified(|stage| {
        if let Stage::Asking = stage {
            *stage = Stage::Stopped;
        }
        stands = stage.clone();
        false
    });
    stands
}

/// What a call came to.
async fn told(
    desk: &Desk,
    pictures: bool,
    ended: Result<Result<Answer, Error>, JoinError>,
) -> CallToolResult {
    let ended = match ended {
        Ok(ended) => ended,
        Err(error) => {
            return report::error(format!("The call broke: {error}. Call budget before you repeat it."));
        }
    };
    match &ended {
        Ok(answer) => {
            let payment = match answer.payment() {
                Some(payment) => Some(desk.service.with_fee(payment.clone()).await),
                None => None,
            };
            let left = desk.service.left(payment.as_ref()).await;
            report::answer(answer, pictures, payment.as_ref(), &left)
        }
        Err(error) => {
            let left = desk.service.left(error.payment()).await;
            let failure = Failure { left, ..Failure::call(error, error.payment().cloned()) };
            report::failure(&failure, &advice(error, desk))
        }
    }
}

/// What to do about a refusal.
fn advice(error: &Error, desk: &Desk) -> String {
    match error {
        Error::Http(mpp_http::Error::OverBudget(_)) => {
            "Call budget to see what is left, then ask for less, wait, or ask the user to raise the limit."
                .to_owned()
        }
        Error::Http(mpp_http::Error::NotPaid { reason: NotPaid::Refused(reasons), .. })
            if reasons.iter().any(|reason| matches!(reason, Reason::Policy(Refusal::OverCap { .. }))) =>
        {
            format!(
                "Ask for less, such as by a lower max_tokens, or allow more by max_cost_usd, up to the configured cap of \
                 ${}, which only the user can raise.",
                desk.service.max_cost
            )
        }
        _ => String::new(),
    }
}

/// What a client is told while it waits, if it asked for it.
struct Progress<'a> {
    peer: &'a Peer<RoleServer>,
    token: Option<ProgressToken>,
    /// Notifications so far: each has to count more than the last.
    count: u32,
    paid: Option<Instant>,
}

impl<'a> Progress<'a> {
    fn new(context: &'a RequestContext<RoleServer>) -> Self {
        Progress { peer: &context.peer, token: context.meta.get_progress_token(), count: 0, paid: None }
    }

    async fn moved(&mut self, stage: &Stage) {
        if let Stage::Paying(payment, _) = stage {
            self.paid = Some(Instant::now());
            self.tell(format!("paying ${} as #{}", payment.quote().amount, payment.id())).await;
        }
    }

    async fn waits(&mut self) {
        match self.paid {
            None => self.tell("asking the price".to_owned()).await,
            Some(paid) => {
                self.tell(format!("paid, and waiting for {} s", paid.elapsed().as_secs())).await;
            }
        }
    }

    /// A client that cannot be told is not told.
    async fn tell(&mut self, message: String) {
        let Some(token) = &self.token else { return };
        self.count = self.count.saturating_add(1);
        let progress = ProgressNotificationParam::new(token.clone(), self.count.into());
        let _ = self.peer.notify_progress(progress.with_message(message)).await;
    }
}

const STOPPED: &str = "Nothing was paid: the call was stopped before.";
/// For the ledger to hear of a call that was stopped.
const A_WHILE: Duration = Duration::from_secs(1);
/// Between two notifications while nothing happens.
const EVERY: Duration = Duration::from_secs(5);
