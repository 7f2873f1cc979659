//! JSON from outside, as a tree whose objects have no key twice: two readers can never see two different amounts.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// A JSON value that borrows its strings where it can. Depth is bounded by serde_json (128 levels).
pub(crate) enum Json<'a> {
    /// `null`, `true` and `false`.
    Null,
    Bool(bool),
    /// A number without sign, fraction or exponent.
    Integer(u64),
    /// Any other number; nothing in the protocol uses one.
    OtherNumber,
    String(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    Object(Object<'a>),
}

/// A JSON object in the order it was written.
#[derive(Default)]
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

/// Reads one JSON object and nothing behind it.
pub(crate) fn object(bytes: &[u8]) -> Result<Object<'_>, &'static str> {
    // Looked through once, not string by string.
    let text = std::str::from_utf8(bytes).map_err(|_| "is not JSON")?;
    match serde_json::from_str(text) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(_) => Err("is not a JSON object"),
        Err(fault) if fault.is_data() => Err("has a key twice"),
        Err(_) => Err("is not JSON"),
    }
}

impl<'a> Object<'a> {
    /// The member called `key`; `null` counts as absent.
    pub(crate) fn get(&self, key: &str) -> Option<&Json<'a>> {
        let (_, value) = self.0.iter().find(|(name, _)| name == key)?;
        (!matches!(value, Json::Null)).then_some(value)
    }

    /// The string called `key`, if there is a member of that name.
    pub(crate) fn string(&self, key: &'static str) -> Result<Option<&str>, WrongType> {
        match self.get(key) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err(WrongType(key, "must be a string")),
        }
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &(Cow<'a, str>, Json<'a>)> {
        self.0.iter()
    }
}

/// A member with a value of another type: its name, and what it must be.
pub(crate) struct WrongType(pub(crate) &'static str, pub(crate) &'static str);

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Json<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON without duplicate keys")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Json::Integer(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Json::OtherNumber)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Json::OtherNumber)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Json::String(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Json::String(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut members: Vec<(Cow<'de, str>, Json<'de>)> = Vec::new();
        while let Some(Json::String(key)) = access.next_key()? {
            members.push((key, access.next_value()?));
        }
        let mut keys: Vec<&str> = members.iter().map(|(key, _)| key.as_ref()).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(A::Error::custom("duplicate key"));
        }
        Ok(Json::Object(Object(members)))
    }
}
