//! One order, bought: what the service answers is written down as it comes, for whoever reads it. It goes on to its end
//! whether anybody reads or not.

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use grok_mpp::answer::Answer;
use grok_mpp::{AnswerStream, Error as CallError, Event};
use mpp_http::Payment;
use serde_json::{Map, Value};

use super::error::ApiError;
use super::order::{Order, Shape};
use super::record::{Recorder, Reply};
use super::shop::Shop;
use super::{chat, head, images, responses};

/// Buys `order` and writes down what comes of it; `id` names the answer unless the service does.
pub(super) async fn buy(shop: &Shop, order: Order, id: &str, record: Recorder) {
    let Order { route, mut body, shape } = order;
    let teller = match Teller::new(&shape, id) {
        Some(teller) if shop.streams(route).await => {
            body.insert("stream".to_owned(), true.into());
            return match shop.grok().raw(route, body).stream().await {
                Ok(answer) => told(shop, answer, teller, &record).await,
                Err(error) => record_failure(shop, &error, &record).await,
            };
        }
        teller => teller,
    };
    let answer = match shop.grok().raw(route, body).send().await {
        Ok(answer) => answer,
        Err(error) => return record_failure(shop, &error, &record).await,
    };
    match teller {
        Some(mut teller) => {
            begin(answer.payment(), &record);
            record.add(teller.end(&answer));
            record.finish(true, true);
        }
        None => record.answer(whole(&answer, &shape, id), true),
    }
    shop.paid(answer.payment()).await;
}

/// A whole answer in the shape that is wanted.
fn whole(answer: &Answer, shape: &Shape, id: &str) -> Reply {
    let headers = answer.payment().map(head::payment).unwrap_or_default();
    let json = |value: &Value| Reply::json(StatusCode::OK, headers.clone(), value);
    let nothing = |what| ApiError::nothing_in_it(what, answer.payment()).reply();
    match shape {
        Shape::Chat(wanted) => json(&chat::completion(answer, &wanted.model, id)),
        Shape::Response(wanted) => json(&responses::response(answer, wanted, id)),
        Shape::Images => images::list(answer).map_or_else(|| nothing("picture"), |list| json(&list)),
        Shape::Sound(kind) => match answer.audio() {
            Some(audio) => {
                let kind = audio.content_type.as_deref().unwrap_or(kind);
                Reply::new(StatusCode::OK, headers.clone(), kind, audio.bytes.clone())
            }
            None => nothing("sound"),
        },
    }
}

fn begin(payment: Option<&Payment>, record: &Recorder) {
    let mut headers: HeaderMap = payment.map(head::payment).unwrap_or_default();
    headers.insert("cache-control", HeaderValue::from_static("no-cache"));
    record.begin(Reply::new(StatusCode::OK, headers, "text/event-stream", ""));
}

/// An answer that comes piece by piece.
async fn told(shop: &Shop, mut answer: AnswerStream, mut teller: Teller, record: &Recorder) {
    begin(answer.payment(), record);
    let error = loop {
        match answer.next().await {
            Ok(Some(event)) => record.add(teller.event(&event)),
            Ok(None) => {
                record.add(teller.end(&answer.so_far()));
                record.finish(true, true);
                return shop.paid(answer.payment()).await;
            }
            Err(error) => break error,
        }
    };
    let error = shop.failed(&error).await;
    record.add(teller.error(&error.value()));
    record.finish(false, error.cost_something());
}

async fn record_failure(shop: &Shop, error: &CallError, record: &Recorder) {
    let error = shop.failed(error).await;
    record.answer(error.reply(), error.cost_something());
}

/// Tells an answer in events.
enum Teller {
    Chat(chat::Teller),
    Response(responses::Teller),
}

impl Teller {
    /// None for who wants the answer whole.
    fn new(shape: &Shape, id: &str) -> Option<Self> {
        match shape {
            Shape::Chat(wanted) if wanted.stream => Some(Teller::Chat(chat::Teller::new(wanted.clone(), id))),
            Shape::Response(wanted) if wanted.stream => {
                Some(Teller::Response(responses::Teller::new(wanted.clone(), id)))
            }
            _ => None,
        }
    }

    fn event(&mut self, event: &Event) -> String {
        match self {
            Teller::Chat(teller) => teller.event(event),
            Teller::Response(teller) => teller.event(event),
        }
    }

    fn end(&mut self, answer: &Answer) -> String {
        match self {
            Teller::Chat(teller) => teller.end(answer),
            Teller::Response(teller) => teller.end(answer),
        }
    }

    fn error(&mut self, error: &Value) -> String {
        match self {
            // The official clients take it for what it is by its member `error`.
            Teller::Chat(_) => {
                let error = Map::from_iter([("error".to_owned(), error.clone())]);
                format!("data: {}\n\n", Value::Object(error))
            }
            Teller::Response(teller) => teller.error(error),
        }
    }
}
