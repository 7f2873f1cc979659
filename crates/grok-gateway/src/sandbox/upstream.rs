//! The sandbox as an upstream: which of its parts answers which route, and what it refuses before payment.

use std::fmt;

use axum::http::StatusCode;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::code::{UpstreamError, code_execution};
use super::prompt::{PromptError, program};
use super::runner::{Limits, Python};
use super::{chat, events, picture, search, speech};
use crate::answer::{Answer, Refusal};
use crate::catalog::Route;
use crate::request::Order;
use crate::upstream::{AnswerFuture, Upstream, is_taken_by_xai};

/// The upstream: Python on this machine, and no model. Whoever pays has his program run by it, so what it sells is worth
/// no money.
pub struct Runner {
    python: Python,
    limits: Limits,
    /// One permit a program; who comes later waits.
    places: Semaphore,
}

impl Runner {
    /// One that runs programs by `python`, four at once.
    #[must_use]
    pub fn new(python: Python) -> Self {
        Runner { python, limits: Limits::default(), places: Semaphore::new(PROGRAMS_AT_ONCE) }
    }

    async fn run(&self, body: &Value) -> Result<Value, Refusal> {
        // The only error is a closed semaphore, and nobody closes this one.
        let _place = self.places.acquire().await.ok();
        code_execution(&self.python, body, &self.limits).await.map_err(|error| match error {
            UpstreamError::Prompt(error) => no_program(error),
            UpstreamError::Run(error) => failed(&error).outage(),
        })
    }
}

impl fmt::Debug for Runner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Runner").finish_non_exhaustive()
    }
}

impl Upstream for Runner {
    fn offers(&self, _: Route) -> Result<(), Refusal> {
        Ok(())
    }

    fn check(&self, order: &Order) -> Result<(), Refusal> {
        // It stands in for Grok.
        is_taken_by_xai(order)?;
        match order.route() {
            Route::CodeExecution => program(order.body()).map(drop).map_err(no_program),
            Route::Chat => chat::calls(order.body()).map(drop),
            Route::Speech => speech::check(order.body()),
            _ => Ok(()),
        }
    }

    fn answer<'a>(&'a self, order: &'a Order) -> AnswerFuture<'a> {
        Box::pin(async {
            let (route, body) = (order.route(), order.body());
            let answer = match route {
                Route::CodeExecution => self.run(body).await?,
                Route::Chat => chat::completion(body)?,
                Route::WebSearch | Route::XSearch => search::found(route, body),
                Route::ImageGenerate | Route::ImageEdit => {
                    picture::pictures(body).map_err(|error| failed(&error))?
                }
                Route::Speech => speech::spoken(body),
            };
            Ok(match order.streams() {
                false => Answer::Whole(answer),
                true if route == Route::Chat => {
                    // As xAI is asked: unless the payer will not have it.
                    let usage = body.pointer("/stream_options/include_usage") != Some(&Value::Bool(false));
                    Answer::Events(events::chunks(&answer, usage))
                }
                true => Answer::Events(events::events(&answer)),
            })
        })
    }
}

fn no_program(error: PromptError) -> Refusal {
    Refusal::bad_request("no_program", error.to_string())
}

fn failed(error: &dyn std::error::Error) -> Refusal {
    let message = match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    };
    Refusal::new(StatusCode::BAD_GATEWAY, "upstream_failed", message)
}

/// As many as a small machine runs side by side; each may take a gigabyte.
const PROGRAMS_AT_ONCE: usize = 4;
