//! A response told in events: the service's own as they come, or, made of what else it sends, the same.

use grok_mpp::Event;
use grok_mpp::answer::Answer;
use serde_json::{Map, Value, json};

use super::Wanted;
use super::object::{complete, complete_item, response};

/// Tells a response.
#[derive(Debug)]
pub(in crate::serve) struct Teller {
    wanted: Wanted,
    id: String,
    /// Of the next event.
    number: u64,
    /// Whether the service's own events are passed on, so that nothing is left to tell.
    passed: bool,
    /// Whether a message has begun that is made of text as it comes.
    begun: bool,
}

impl Teller {
    pub(in crate::serve) fn new(wanted: Wanted, id: &str) -> Self {
        Teller { wanted, id: id.to_owned(), number: 0, passed: false, begun: false }
    }

    /// What an event is to the client.
    pub(in crate::serve) fn event(&mut self, event: &Event) -> String {
        let kind = event.raw().get("type").and_then(Value::as_str).unwrap_or_default();
        match event.raw() {
            Value::Object(members) if kind.starts_with("response.") => {
                self.passed = true;
                self.pass(kind, members.clone())
            }
            _ if event.raw().get("output").is_some() || event.text().is_empty() => String::new(),
            // The service answers whole, and there is more than text to tell of it.
            raw if raw.pointer("/choices/0/message").is_some() || raw.get("data").is_some() => String::new(),
            _ => {
                let begun = self.begin_message();
                let delta = self.text_event(
                    "delta",
                    json!({"delta": event.text(), "logprobs": []}),
                    &self.message_id(),
                    0,
                    0,
                );
                begun + &delta
            }
        }
    }

    /// What is left to tell once the answer is whole.
    pub(in crate::serve) fn end(&mut self, answer: &Answer) -> String {
        if self.passed {
            return String::new();
        }
        let mut whole = response(answer, &self.wanted, &self.id);
        let mut told = self.begin();
        let mut items = whole.get("output").and_then(Value::as_array).cloned().unwrap_or_default();
        for (place, item) in items.iter_mut().enumerate() {
            let streamed = self.begun && place == 0;
            if streamed && let Some(item) = item.as_object_mut() {
                item.insert("id".to_owned(), self.message_id().into());
            }
            told.push_str(&self.item(item, place, streamed));
        }
        if let Some(whole) = whole.as_object_mut() {
            whole.insert("output".to_owned(), items.into());
        }
        let kind = match whole.get("status").and_then(Value::as_str) {
            Some("incomplete") => "response.incomplete",
            _ => "response.completed",
        };
        told + &self.tell(kind, json!({ "response": whole }))
    }

    /// The event that takes the place of the rest of an answer.
    pub(in crate::serve) fn error(&mut self, error: &Value) -> String {
        let member = |name: &str| error.get(name).cloned().unwrap_or_default();
        // By `error` the official clients know that this is the end; the others are the API's own.
        let members = json!({"code": member("code"), "message": member("message"), "param": member("param"), "error": error});
        self.tell("error", members)
    }

    /// The service's own event, with what it has to have.
    fn pass(&mut self, kind: &str, mut members: Map<String, Value>) -> String {
        if let Some(Value::Object(whole)) = members.get_mut("response") {
            complete(whole, &self.wanted, &self.id);
        }
        let place =
            members.get("output_index").and_then(Value::as_u64).and_then(|at| usize::try_from(at).ok());
        if let Some(item) = members.get_mut("item").filter(|_| kind.ends_with("output_item.done")) {
            complete_item(item, &self.id, place.unwrap_or_default());
        }
        // Some call it so.
        let kind = if kind == "response.done" { "response.completed" } else { kind };
        self.tell(kind, Value::Object(members))
    }

    /// The first events, unless they were told.
    fn begin(&mut self) -> String {
        if self.number > 0 {
            return String::new();
        }
        let mut empty = Map::new();
        complete(&mut empty, &self.wanted, &self.id);
        let begun = json!({ "response": empty });
        self.tell("response.created", begun.clone()) + &self.tell("response.in_progress", begun)
    }

    fn begin_message(&mut self) -> String {
        if std::mem::replace(&mut self.begun, true) {
            return String::new();
        }
        let begun = self.begin();
        let message = json!({"id": self.message_id(), "type": "message", "role": "assistant", "status": "in_progress",
            "content": []});
        let added = self.tell("response.output_item.added", json!({"output_index": 0, "item": message}));
        begun + &added + &self.part_event("added", &empty_part(), &self.message_id(), 0, 0)
    }

    fn message_id(&self) -> String {
        format!("msg_{}", self.id.trim_start_matches("resp_"))
    }

    /// An item that is whole; of one that was streamed, what comes after its text.
    fn item(&mut self, item: &Value, place: usize, streamed: bool) -> String {
        let id = item.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut told = String::new();
        if !streamed {
            let mut begun = item.clone();
            if let Some(begun) = begun.as_object_mut() {
                for (name, value) in
                    [("status", json!("in_progress")), ("content", json!([])), ("arguments", json!(""))]
                {
                    begun.entry(name).and_modify(|it| *it = value);
                }
            }
            told += &self.tell("response.output_item.added", json!({"output_index": place, "item": begun}));
        }
        for (at, part) in item.get("content").and_then(Value::as_array).into_iter().flatten().enumerate() {
            let text = part.get("text").cloned().unwrap_or_default();
            if !streamed {
                told += &self.part_event("added", &empty_part(), &id, place, at);
                told += &self.text_event("delta", json!({"delta": text, "logprobs": []}), &id, place, at);
            }
            told += &self.text_event("done", json!({"text": text, "logprobs": []}), &id, place, at);
            told += &self.part_event("done", part, &id, place, at);
        }
        if let Some(arguments) = item.get("arguments").filter(|_| is_function_call(item)) {
            let at = |value: Value| json!({"item_id": id, "output_index": place, "delta": value});
            told += &self.tell("response.function_call_arguments.delta", at(arguments.clone()));
            let done = json!({"item_id": id, "output_index": place, "arguments": arguments, "name": item.get("name")});
            told += &self.tell("response.function_call_arguments.done", done);
        }
        told + &self.tell("response.output_item.done", json!({"output_index": place, "item": item}))
    }

    fn part_event(&mut self, what: &str, part: &Value, id: &str, place: usize, at: usize) -> String {
        let told = json!({"item_id": id, "output_index": place, "content_index": at, "part": part});
        self.tell(&format!("response.content_part.{what}"), told)
    }

    fn text_event(&mut self, what: &str, mut told: Value, id: &str, place: usize, at: usize) -> String {
        if let Some(told) = told.as_object_mut() {
            told.insert("item_id".to_owned(), id.into());
            told.insert("output_index".to_owned(), place.into());
            told.insert("content_index".to_owned(), at.into());
        }
        self.tell(&format!("response.output_text.{what}"), told)
    }

    /// One event, with its name and number.
    fn tell(&mut self, kind: &str, mut members: Value) -> String {
        if let Some(members) = members.as_object_mut() {
            members.insert("type".to_owned(), kind.into());
            members.insert("sequence_number".to_owned(), self.number.into());
        }
        self.number = self.number.saturating_add(1);
        format!("event: {kind}\ndata: {members}\n\n")
    }
}

fn empty_part() -> Value {
    json!({"type": "output_text", "text": "", "annotations": []})
}

fn is_function_call(item: &Value) -> bool {
    item.get("type").is_some_and(|kind| kind == "function_call")
}
