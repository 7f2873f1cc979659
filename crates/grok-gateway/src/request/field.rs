//! One field of a request: what is let through, and the same rule as a JSON schema and as a sentence.

use serde_json::{Map, Value, json};

use crate::answer::Refusal;

/// A field that is checked before payment.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) kind: Kind,
}

/// What a field may hold. Bounds are inclusive; lengths are in characters.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A model of the grok-4 family, the only one with tools on the server.
    Family,
    Text {
        longest: usize,
    },
    Number(i8, i8),
    Whole(u64, u64),
    OneOf(&'static [&'static str]),
    /// Chat messages.
    Messages,
    List,
    Boolean,
    Object,
    /// A stop sequence, or up to four.
    Stop,
    /// Search parameters, with domains to look at or to leave out.
    Domains,
    /// An image by URL or data URI, alone or as `{"url":…}`.
    Picture,
    /// A language tag, or `auto`.
    Language,
    /// An audio codec, alone or as `{"codec":…}`.
    AudioFormat,
}

impl Field {
    pub(crate) const fn required(name: &'static str, kind: Kind) -> Self {
        Field { name, required: true, kind }
    }

    pub(crate) const fn optional(name: &'static str, kind: Kind) -> Self {
        Field { name, required: false, kind }
    }

    /// Checks the field where it is given; `null` counts as not given.
    pub(crate) fn check(&self, body: &Value) -> Result<(), Refusal> {
        let well = match body.get(self.name).filter(|value| !value.is_null()) {
            Some(value) => self.kind.allows(value),
            None => !self.required,
        };
        if well {
            return Ok(());
        }
        let message = format!("{} must be {}", self.name, self.kind.rule());
        Err(Refusal::bad_request(format!("invalid_{}", self.name), message))
    }
}

impl Kind {
    fn allows(&self, value: &Value) -> bool {
        let text =
            |longest: usize| value.as_str().is_some_and(|text| (1..=longest).contains(&text.chars().count()));
        match self {
            Kind::Family => value.as_str().is_some_and(in_family),
            Kind::Text { longest } => text(*longest),
            Kind::Number(low, high) => {
                value.as_f64().is_some_and(|number| (f64::from(*low)..=f64::from(*high)).contains(&number))
            }
            Kind::Whole(low, high) => value.as_u64().is_some_and(|number| (*low..=*high).contains(&number)),
            Kind::OneOf(names) => value.as_str().is_some_and(|name| names.contains(&name)),
            Kind::Messages => {
                value.as_array().is_some_and(|list| !list.is_empty() && list.iter().all(is_message))
            }
            Kind::List => value.is_array(),
            Kind::Boolean => value.is_boolean(),
            Kind::Object => value.is_object(),
            Kind::Stop => text(usize::MAX) || value.as_array().is_some_and(|list| texts(list, 4)),
            Kind::Domains => value.as_object().is_some_and(are_domains),
            Kind::Picture => inner(value, "url").is_some_and(is_picture),
            Kind::Language => value.as_str().is_some_and(is_language),
            Kind::AudioFormat => inner(value, "codec").is_some_and(|codec| CODECS.contains(&codec)),
        }
    }

    /// What comes after "must be".
    fn rule(&self) -> String {
        match self {
            Kind::Family => format!("one of the {FAMILY} family, such as {FAMILY}.3"),
            Kind::Text { longest } => format!("a text of 1 to {longest} characters"),
            Kind::Number(low, high) => format!("a number from {low} to {high}"),
            Kind::Whole(low, u64::MAX) => format!("a whole number of at least {low}"),
            Kind::Whole(low, high) => format!("a whole number from {low} to {high}"),
            Kind::OneOf(names) => format!("one of {}", names.join(", ")),
            Kind::Messages => {
                "an array of at least one object with a role and a content, which is a text or an \
                 array of parts; a content may be missing beside tool_calls"
                    .to_owned()
            }
            Kind::List => "an array".to_owned(),
            Kind::Boolean => "true or false".to_owned(),
            Kind::Object => "an object".to_owned(),
            Kind::Stop => "a text, or an array of at most 4".to_owned(),
            Kind::Domains => {
                "an object with allowed_domains or excluded_domains, not both, of at most 5 names".to_owned()
            }
            Kind::Picture => {
                "the http(s) URL or the data:image/ URI of an image, alone or as {\"url\":…}".to_owned()
            }
            Kind::Language => "a language tag such as en or pt-BR, or auto".to_owned(),
            Kind::AudioFormat => format!("one of {}, alone or as {{\"codec\":…}}", CODECS.join(", ")),
        }
    }

    pub(crate) fn schema(&self) -> Value {
        let alone = |name: &str, schema: Value| {
            let object = json!({"type": "object", "required": [name], "properties": {name: schema.clone()}});
            json!({"anyOf": [schema, object]})
        };
        let mut schema = match self {
            Kind::Family => json!({"type": "string", "pattern": "^grok-4([.-]|$)", "examples": ["grok-4.3"]}),
            Kind::Text { longest } => json!({"type": "string", "minLength": 1, "maxLength": longest}),
            Kind::Number(low, high) => json!({"type": "number", "minimum": low, "maximum": high}),
            Kind::Whole(low, u64::MAX) => json!({"type": "integer", "minimum": low}),
            Kind::Whole(low, high) => json!({"type": "integer", "minimum": low, "maximum": high}),
            Kind::OneOf(names) => json!({"type": "string", "enum": names}),
            Kind::Messages => json!({"type": "array", "minItems": 1, "items": {
                "type": "object",
                "required": ["role"],
                "anyOf": [{"required": ["content"]}, {"required": [CALLS]}],
                "properties": {
                    "role": {"type": "string"},
                    "content": {"type": ["string", "array", "null"], "items": {"type": "object"}},
                    CALLS: {"type": ["array", "null"], "items": {"type": "object"}},
                },
            }}),
            Kind::List => json!({"type": "array"}),
            Kind::Boolean => json!({"type": "boolean"}),
            Kind::Object => json!({"type": "object"}),
            Kind::Stop => {
                json!({"type": ["string", "array"], "minLength": 1, "maxItems": 4, "items": some_text()})
            }
            Kind::Domains => {
                let names = json!({"type": "array", "maxItems": 5, "items": some_text()});
                json!({
                    "type": "object",
                    "properties": {ALLOWED: names, EXCLUDED: names},
                    "not": {"required": [ALLOWED, EXCLUDED]},
                })
            }
            Kind::Picture => alone("url", json!({"type": "string", "pattern": "^(https?://|data:image/)."})),
            Kind::Language => json!({
                "type": "string",
                "pattern": "^[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8}){0,4}$",
                "examples": ["en", "auto"],
            }),
            Kind::AudioFormat => alone("codec", json!({"type": "string", "enum": CODECS})),
        };
        if let Some(members) = schema.as_object_mut() {
            members.insert("description".to_owned(), format!("Must be {}.", self.rule()).into());
        }
        schema
    }

    /// Whether what it holds is read by the model, and counts as prompt.
    pub(crate) fn is_prompt(&self) -> bool {
        matches!(self, Kind::Messages | Kind::List)
    }
}

/// What a field holds, alone or in an object's member of that name.
pub(crate) fn inner<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.as_str().or_else(|| value.get(member)?.as_str())
}

/// Whether the id is `grok-4` itself or a version or variant of it; `grok-40` would be another family.
fn in_family(model: &str) -> bool {
    model.strip_prefix(FAMILY).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
}

fn is_message(message: &Value) -> bool {
    let objects = |list: &Vec<Value>| list.iter().all(Value::is_object);
    let content = message.get("content").map(|content| match content {
        Value::String(_) | Value::Null => true,
        Value::Array(parts) => objects(parts),
        _ => false,
    });
    let calls = message.get(CALLS).map(|calls| calls.is_null() || calls.as_array().is_some_and(objects));
    // Who asks for tools need not say anything, and many clients leave out what is null.
    let held = [content, calls];
    let whole = held.contains(&Some(true)) && !held.contains(&Some(false));
    whole && message.get("role").is_some_and(Value::is_string)
}

fn texts(list: &[Value], most: usize) -> bool {
    list.len() <= most && list.iter().all(|text| text.as_str().is_some_and(|text| !text.is_empty()))
}

fn are_domains(parameters: &Map<String, Value>) -> bool {
    let (allowed, excluded) = (parameters.get(ALLOWED), parameters.get(EXCLUDED));
    let names = |value: &Value| value.as_array().is_some_and(|list| texts(list, 5));
    (allowed.is_none() || excluded.is_none()) && allowed.into_iter().chain(excluded).all(names)
}

fn is_picture(url: &str) -> bool {
    let starts = ["https://", "http://", "data:image/"];
    starts.iter().any(|start| url.strip_prefix(start).is_some_and(|rest| !rest.is_empty()))
}

fn some_text() -> Value {
    json!({"type": "string", "minLength": 1})
}

/// The outline of a tag of RFC 5646, of at most five subtags.
fn is_language(tag: &str) -> bool {
    let subtag =
        |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    tag.split('-').count() <= 5 && tag.split('-').all(subtag)
}

const FAMILY: &str = "grok-4";
const CALLS: &str = "tool_calls";
const ALLOWED: &str = "allowed_domains";
const EXCLUDED: &str = "excluded_domains";
const CODECS: [&str; 5] = ["mp3", "wav", "pcm", "mulaw", "alaw"];
