//! What went wrong, in the shape of OpenAI's API: a status, an error object, and whether a client may ask again by itself.
//!
//! Its official clients do so on 408, 409, 429, every 5xx and a lost connection. Once a payment may have moved they are told
//! not to, by a status that nobody repeats and by the header that they heed.

use std::fmt;

use axum::http::{HeaderValue, StatusCode};
use grok_mpp::Error as CallError;
use mpp_http::{Error as HttpError, Money, Payment};
use serde_json::{Value, json};

use super::head::{self, MONEY, SHOULD_RETRY};
use super::record::Reply;
use crate::failure::{Failure, REFUSED, USAGE};
use crate::payment::fee_of_failed;

/// A request that is not answered as it was asked.
#[derive(Clone, Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    kind: &'static str,
    code: String,
    param: Option<&'static str>,
    message: String,
    /// Whether asking again by itself may help, and cannot pay twice.
    again: bool,
    payment: Option<Box<Payment>>,
    /// Where the money is, if no payment says so.
    money: Money,
}

impl ApiError {
    /// The client's mistake, or something that is not sold; nothing was sent.
    pub(super) fn bad_request(param: &'static str, message: impl Into<String>) -> Self {
        let error = ApiError::new(StatusCode::BAD_REQUEST, "invalid_value", message);
        ApiError { param: Some(param).filter(|param| !param.is_empty()), ..error }
    }

    /// Anything else that is known before something was sent.
    pub(super) fn new(status: StatusCode, code: impl Into<String>, message: impl Into<String>) -> Self {
        let kind = match status {
            StatusCode::UNAUTHORIZED => "authentication_error",
            StatusCode::FORBIDDEN => "permission_error",
            status if status.is_server_error() => "api_error",
            _ => "invalid_request_error",
        };
        ApiError {
            status,
            kind,
            code: code.into(),
            param: None,
            message: message.into(),
            again: false,
            payment: None,
            money: Money::NotMoved,
        }
    }

    /// Nothing more is bought here.
    pub(super) fn stopping(message: &str) -> Self {
        ApiError { again: true, ..ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", message) }
    }

    /// An answer was paid for that holds nothing of what was asked.
    pub(super) fn nothing_in_it(what: &str, payment: Option<&Payment>) -> Self {
        let message = match payment {
            Some(payment) => format!(
                "{} dollars were paid, but the answer holds no {what}; payment #{}: grok-mpp evidence {} prints what \
                 can be shown to claim it back",
                payment.quote().amount,
                payment.id(),
                payment.id(),
            ),
            None => format!("the answer holds no {what}"),
        };
        let error = ApiError::new(StatusCode::FAILED_DEPENDENCY, "paid_undelivered", message);
        ApiError { kind: "api_error", payment: payment.cloned().map(Box::new), ..error }
    }

    /// The same was paid for by a process that ended before its answer was heard.
    pub(super) fn paid_before(payment: Payment) -> Self {
        let message = format!(
            "the same request was paid for by payment #{id} minutes ago, and its answer is not here, so it was not paid \
             again; grok-mpp evidence {id} prints what is known. Asked anew, not tried again, it is paid anew",
            id = payment.id()
        );
        let error = ApiError::new(StatusCode::FAILED_DEPENDENCY, "paid_undelivered", message);
        ApiError { kind: "api_error", payment: Some(Box::new(payment)), ..error }
    }

    /// A call that was stopped; what became of its payment is in the ledger.
    pub(super) fn stopped() -> Self {
        let message =
            "the call was stopped, and it is unknown whether it was paid; grok-mpp history lists it";
        let error = ApiError::new(StatusCode::FAILED_DEPENDENCY, "payment_outcome_unknown", message);
        ApiError { money: Money::Unknown, ..error }
    }

    /// A call that failed, and its payment as far as it is known by now.
    pub(super) fn of_call(error: &CallError, payment: Option<Payment>) -> Self {
        let failure = Failure::call(error, payment.clone()).of_a_run();
        let of = |status, code: &str| ApiError::new(status, code, failure.message.clone());
        let told = match payment.as_ref().map_or(Money::NotMoved, Payment::money) {
            Money::Paid => lost(of(StatusCode::FAILED_DEPENDENCY, "paid_undelivered"), payment.as_ref()),
            Money::Unknown => {
                lost(of(StatusCode::FAILED_DEPENDENCY, "payment_outcome_unknown"), payment.as_ref())
            }
            Money::NotMoved => match error {
                // A fee that is gone would be gone once more.
                _ if let Some(payment) = &payment => {
                    let again = fee_of_failed(payment).is_none();
                    ApiError { again, ..of(StatusCode::BAD_GATEWAY, "payment_not_made") }
                }
                _ if failure.code == USAGE => of(StatusCode::BAD_REQUEST, "invalid_value"),
                CallError::Http(HttpError::OverBudget(_)) => ApiError {
                    kind: INSUFFICIENT_QUOTA,
                    ..of(StatusCode::TOO_MANY_REQUESTS, "budget_exceeded")
                },
                _ if failure.code == REFUSED => ApiError {
                    kind: INSUFFICIENT_QUOTA,
                    ..of(StatusCode::PAYMENT_REQUIRED, "refused_by_policy")
                },
                CallError::Refused { status, said } => {
                    let code = said.as_ref().and_then(|said| said.code.clone());
                    refused(*status, code.as_deref(), of)
                }
                CallError::Http(HttpError::Unpaid(_)) => {
                    ApiError { again: true, ..of(StatusCode::BAD_GATEWAY, "service_unreachable") }
                }
                CallError::Http(HttpError::NotPaid { .. }) => of(StatusCode::BAD_GATEWAY, "no_payable_offer"),
                _ => of(StatusCode::BAD_GATEWAY, "failed"),
            },
        };
        ApiError { payment: payment.map(Box::new), ..told }
    }

    /// Whether money moved, or may have, if only a fee.
    pub(super) fn cost_something(&self) -> bool {
        let payment = self.payment.as_deref();
        payment.is_some_and(|payment| payment.money() != Money::NotMoved || fee_of_failed(payment).is_some())
    }

    /// The object that says what went wrong.
    pub(super) fn value(&self) -> Value {
        let mut value =
            json!({"message": self.message, "type": self.kind, "param": self.param, "code": self.code});
        if let (Some(value), Some(payment)) = (value.as_object_mut(), &self.payment) {
            value.insert("payment".to_owned(), head::payment_value(payment));
        }
        value
    }

    /// The error as an answer.
    pub(super) fn reply(&self) -> Reply {
        let payment = self.payment.as_deref();
        let money = payment.map_or(self.money, Payment::money);
        let mut headers = payment.map(head::payment).unwrap_or_default();
        headers.insert(MONEY, HeaderValue::from_static(money.name()));
        if !self.again {
            headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        Reply::json(self.status, headers, &json!({ "error": self.value() }))
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

/// What there is to say of a payment without an answer.
fn lost(error: ApiError, payment: Option<&Payment>) -> ApiError {
    let Some(payment) = payment else { return error };
    let id = payment.id();
    let then = match payment.money() {
        Money::Unknown => {
            format!("grok-mpp reconcile finds out what became of payment #{id}; do not ask again before")
        }
        _ => format!("payment #{id}: grok-mpp evidence {id} prints what can be shown to claim it back"),
    };
    ApiError { kind: "api_error", message: format!("{}; {then}", error.message), ..error }
}

/// What the service says of a request before any payment: the client's mistakes stay such, all else is a bad gateway.
fn refused(status: StatusCode, code: Option<&str>, of: impl Fn(StatusCode, &str) -> ApiError) -> ApiError {
    match status {
        StatusCode::TOO_MANY_REQUESTS => {
            ApiError { kind: "rate_limit_error", again: true, ..of(status, code.unwrap_or("rate_limited")) }
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::METHOD_NOT_ALLOWED => {
            of(StatusCode::BAD_GATEWAY, code.unwrap_or("refused_by_service"))
        }
        status if status.is_client_error() => {
            of(StatusCode::BAD_REQUEST, code.unwrap_or("refused_by_service"))
        }
        status => {
            let again = status != StatusCode::NOT_IMPLEMENTED;
            ApiError { again, ..of(StatusCode::BAD_GATEWAY, code.unwrap_or("service_failed")) }
        }
    }
}

const INSUFFICIENT_QUOTA: &str = "insufficient_quota";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_without_a_payment_says_whether_money_moved_all_the_same() {
        let money = |error: ApiError| error.reply().headers[MONEY].clone();
        assert_eq!(money(ApiError::bad_request("", "")), "not_moved");
        assert_eq!(money(ApiError::stopping("")), "not_moved");
        assert_eq!(money(ApiError::stopped()), "unknown");
    }
}
