//! An answer that comes piece by piece: the events of a chat completion or of a response in, their text as it comes and
//! at last the whole answer out. One that ends before its last event was paid for and not delivered, which is an error
//! that holds the payment, and so the ledger has it.

use std::collections::BTreeMap;

use mpp_http::{Payment, Response};
use serde_json::{Map, Value, json};

use crate::answer::json::{list, owned, text};
use crate::answer::{Answer, Execution, ServiceError};
use crate::error::Error;
use crate::sse::Events;

/// An answer on its way. Dropping it leaves a payment without its answer.
#[derive(Debug)]
pub struct AnswerStream {
    response: Response,
    reading: Reading,
    events: Events,
    answer: Assembly,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// The service does not stream: all of it comes at once.
    Whole,
    Events,
    /// The body has ended, but not all of its events were looked at.
    LastEvents,
    /// There is nothing more, and the ledger knows.
    Over,
}

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    raw: Value,
    text: String,
}

impl Event {
    /// The text that it adds to the answer; often none.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A program that has run by now.
    #[must_use]
    pub fn execution(&self) -> Option<Execution> {
        let ended = text(&self.raw, "type") == Some("response.output_item.done");
        Execution::read(self.raw.get("item").filter(|_| ended)?)
    }

    /// The event as it came; of a service that does not stream, its whole answer.
    #[must_use]
    pub fn raw(&self) -> &Value {
        &self.raw
    }
}

impl AnswerStream {
    pub(crate) fn new(response: Response) -> Self {
        let kind = response.headers().get(http::header::CONTENT_TYPE);
        let streams = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let reading = if streams { Reading::Events } else { Reading::Whole };
        AnswerStream { response, reading, events: Events::default(), answer: Assembly::default() }
    }

    /// What was paid for it; `None` when it is free.
    #[must_use]
    pub fn payment(&self) -> Option<&Payment> {
        self.response.payment()
    }

    /// Waits for the next event; `None` when the answer is whole.
    ///
    /// # Errors
    /// When the answer breaks off, or the service tells of an error in it. What had come till then is
    /// [`so_far`](AnswerStream::so_far).
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            match (self.reading, self.events.next()) {
                (Reading::Over, _) => return Ok(None),
                (Reading::Whole, _) => return self.whole().await.map(Some),
                (_, Some(data)) => {
                    if let Some(event) = self.take(data).await? {
                        return Ok(Some(event));
                    }
                }
                (Reading::LastEvents, None) => {
                    self.reading = Reading::Over;
                    return Err(self.response.cut_short("its last event").await.into());
                }
                (Reading::Events, None) => self.read().await?,
            }
        }
    }

    /// Waits for the rest, and hands out the whole answer.
    ///
    /// # Errors
    /// As [`next`](AnswerStream::next).
    pub async fn finish(mut self) -> Result<Answer, Error> {
        while self.next().await?.is_some() {}
        Ok(self.so_far())
    }

    /// The answer as far as it has come.
    #[must_use]
    pub fn so_far(&self) -> Answer {
        Answer::read(self.answer.value()).paid_by(self.payment().cloned().map(Box::new))
    }

    async fn whole(&mut self) -> Result<Event, Error> {
        self.reading = Reading::Over;
        let body = self.response.bytes().await?;
        let answer = Answer::parse(&body).map_err(|reason| {
            let payment = self.payment().cloned().map(Box::new);
            Error::Unreadable { payment, reason, body }
        })?;
        let event = Event { raw: answer.raw().clone(), text: answer.text().to_owned() };
        self.answer.ended = Some(event.raw.clone());
        Ok(event)
    }

    async fn read(&mut self) -> Result<(), Error> {
        match self.response.chunk().await {
            Ok(Some(bytes)) => self.events.push(&bytes),
            Ok(None) => {
                self.events.end();
                self.reading = Reading::LastEvents;
            }
            Err(error) => {
                self.reading = Reading::Over;
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Looks at an event. What is no JSON is passed over.
    async fn take(&mut self, data: Vec<u8>) -> Result<Option<Event>, Error> {
        let raw = serde_json::from_slice::<Value>(&data).unwrap_or_default();
        if let Some(said) = told_error(&raw) {
            self.reading = Reading::Over;
            let error = self.response.cut_short("its last event, as the service told of an error").await;
            let (status, said) = (self.response.status(), Some(said));
            return Err(match error.payment().cloned().map(Box::new) {
                Some(payment) => Error::Failed { payment, status, said, body: data.into() },
                None => Error::Refused { status, said },
            });
        }
        let text = self.answer.add(&raw);
        if data == b"[DONE]" || self.answer.ended.is_some() {
            self.reading = Reading::Over;
            self.response.delivered().await;
        }
        Ok(Some(Event { raw, text }).filter(|event| !event.raw.is_null()))
    }
}

/// The answer that the events make.
#[derive(Debug, Default)]
struct Assembly {
    /// The whole response, which its last event holds.
    ended: Option<Value>,
    /// The items of a response that are whole.
    items: Vec<Value>,
    /// What the text of a response is so far.
    text: String,
    /// The members of a chat completion beside its choices.
    head: Map<String, Value>,
    choices: BTreeMap<u64, Choice>,
}

/// One of the answers of a chat completion.
#[derive(Debug, Default)]
struct Choice {
    content: String,
    reasoning: String,
    tool_calls: BTreeMap<u64, ToolCall>,
    finish: Option<String>,
}

#[derive(Debug, Default)]
struct ToolCall {
    id: String,
    name: String,
    arguments: String,
}

impl Assembly {
    /// Takes an event, and tells what it adds to the text.
    fn add(&mut self, event: &Value) -> String {
        match text(event, "type") {
            Some("response.output_text.delta") => {
                let delta = owned(event, "delta").unwrap_or_default();
                self.text.push_str(&delta);
                return delta;
            }
            Some("response.output_item.done") => self.items.extend(event.get("item").cloned()),
            Some(kind) if ENDS.contains(&kind) => self.ended = event.get("response").cloned(),
            _ => {}
        }
        for name in ["id", "model", "created", "usage", "citations"] {
            if let Some(value) = event.get(name).filter(|value| !value.is_null()) {
                self.head.insert(name.to_owned(), value.clone());
            }
        }
        list(event, "choices").iter().map(|choice| self.add_choice(choice)).collect()
    }

    fn add_choice(&mut self, told: &Value) -> String {
        let index = told.get("index").and_then(Value::as_u64).unwrap_or_default();
        if index >= MOST {
            return String::new();
        }
        let choice = self.choices.entry(index).or_default();
        choice.finish = owned(told, "finish_reason").or(choice.finish.take());
        let Some(delta) = told.get("delta").or_else(|| told.get("message")) else { return String::new() };
        choice.reasoning.push_str(text(delta, "reasoning_content").unwrap_or_default());
        for (place, told) in (0..).zip(list(delta, "tool_calls")) {
            let place = told.get("index").and_then(Value::as_u64).unwrap_or(place);
            if place >= MOST {
                continue;
            }
            let call = choice.tool_calls.entry(place).or_default();
            let function = told.get("function").unwrap_or(&Value::Null);
            call.id.push_str(text(told, "id").unwrap_or_default());
            call.name.push_str(text(function, "name").unwrap_or_default());
            call.arguments.push_str(text(function, "arguments").unwrap_or_default());
        }
        let content = text(delta, "content").unwrap_or_default();
        choice.content.push_str(content);
        // The text of an answer is that of its first choice.
        if index == 0 { content.to_owned() } else { String::new() }
    }

    /// The answer so far, in the shape that it would have had at once.
    fn value(&self) -> Value {
        if let Some(ended) = &self.ended {
            let mut whole = ended.clone();
            let listed =
                whole.get("output").is_some_and(|items| items.as_array().is_some_and(|it| !it.is_empty()));
            if let (Value::Object(members), false) = (&mut whole, listed || self.items.is_empty()) {
                members.insert("output".to_owned(), self.items.clone().into());
            }
            return whole;
        }
        let mut body = self.head.clone();
        if self.choices.is_empty() {
            let said = json!({"type": "message", "role": "assistant", "content": self.text});
            let message = Some(said).filter(|_| !self.items.iter().any(is_message) && !self.text.is_empty());
            body.insert("output".to_owned(), self.items.iter().cloned().chain(message).collect());
        } else {
            body.insert("object".to_owned(), "chat.completion".into());
            body.insert("choices".to_owned(), self.choices.iter().map(Choice::value).collect());
        }
        Value::Object(body)
    }
}

impl Choice {
    fn value((index, choice): (&u64, &Self)) -> Value {
        let mut message = json!({"role": "assistant", "content": choice.content});
        if let Value::Object(members) = &mut message {
            if !choice.reasoning.is_empty() {
                members.insert("reasoning_content".to_owned(), choice.reasoning.as_str().into());
            }
            let calls = choice.tool_calls.values().map(|ToolCall { id, name, arguments }| {
                json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
            });
            if !choice.tool_calls.is_empty() {
                members.insert("tool_calls".to_owned(), calls.collect());
            }
        }
        json!({"index": index, "message": message, "finish_reason": choice.finish})
    }
}

fn is_message(item: &Value) -> bool {
    text(item, "type") == Some("message")
}

/// The error that an event tells of.
fn told_error(event: &Value) -> Option<ServiceError> {
    let kind = text(event, "type").unwrap_or_default();
    let told = event.get("error").is_some_and(|error| !error.is_null());
    if !told && !FAILURES.contains(&kind) {
        return None;
    }
    let inner = event.get("response").unwrap_or(event);
    Some(ServiceError::find(inner).unwrap_or_else(|| ServiceError::told(inner)))
}

/// The events that end a response, under all names that are in use.
const ENDS: [&str; 3] = ["response.completed", "response.done", "response.incomplete"];
const FAILURES: [&str; 2] = ["error", "response.failed"];
/// Most answers to one request, as the service makes them, and most calls of functions in one.
const MOST: u64 = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_no_more_choices_and_calls_than_the_service_makes() {
        let mut answer = Assembly::default();
        for index in [0, MOST - 1, MOST, u64::MAX] {
            let calls = json!([{"index": index, "id": "c", "function": {"name": "f", "arguments": "{}"}}]);
            let choice = json!({"index": index, "delta": {"content": "x", "tool_calls": calls}});
            answer.add(&json!({"choices": [choice]}));
        }
        let value = answer.value();
        let choices = list(&value, "choices");
        assert_eq!(choices.len(), 2, "{value}");
        assert!(choices.iter().all(|choice| list(&choice["message"], "tool_calls").len() == 1), "{value}");
    }
}
