//! The service's description of itself, `GET /openapi.json`: read, and compared with what is known here, as what is known
//! was gathered from outside and may be out of date.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::answer::AnswerError;
use crate::answer::json::list;
use crate::call::known;

/// What a service says it sells.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Schema {
    /// The document as it came.
    pub raw: Value,
    /// The routes that are paid for, such as `/grok/chat`, with what the service says they cost.
    pub routes: Vec<(String, Option<String>)>,
    /// What differs from what is known here; nothing of it keeps a call from working.
    pub differences: Vec<Difference>,
}

/// Something that a service does otherwise than is known here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// A route is not offered.
    Missing {
        /// The route.
        route: String,
    },
    /// A route is offered that nothing here asks for.
    New {
        /// The route.
        route: String,
    },
    /// A field is required that has no setting here.
    Requires {
        /// The route.
        route: String,
        /// The field.
        field: String,
    },
    /// A field is taken that has no setting here.
    Takes {
        /// The route.
        route: String,
        /// The field.
        field: String,
    },
    /// A field that has a setting here is not mentioned.
    Ignores {
        /// The route.
        route: String,
        /// The field.
        field: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Missing { route } => write!(formatter, "{route} is not offered"),
            Difference::New { route } => write!(formatter, "{route} is offered and not known here"),
            Difference::Requires { route, field } => {
                write!(formatter, "{route} requires the field {field}, which is not known here")
            }
            Difference::Takes { route, field } => {
                write!(formatter, "{route} takes the field {field}, which has to be given as an extra one")
            }
            Difference::Ignores { route, field } => {
                write!(formatter, "{route} does not mention the field {field}")
            }
        }
    }
}

impl Schema {
    /// Reads an OpenAPI document.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, AnswerError> {
        let raw = crate::answer::json::parse(body)?;
        let paths = raw.get("paths").and_then(Value::as_object);
        let Some(paths) = paths else { return Err(AnswerError::NotASchema) };
        let mut routes = Vec::new();
        let mut differences = Vec::new();
        for (route, path) in paths {
            let Some(operation) = path.get("post").filter(|operation| operation.is_object()) else {
                continue;
            };
            routes.push((route.clone(), price(operation)));
            match known().into_iter().find(|(known, _)| known == route) {
                Some((_, fields)) => compare(route, &raw, operation, fields, &mut differences),
                None => differences.push(Difference::New { route: route.clone() }),
            }
        }
        // One that is there may take no POST.
        let is_missing = |route: &String| routes.iter().all(|(offered, _)| offered != route);
        let missing = known().into_iter().map(|(route, _)| route).filter(is_missing);
        differences.extend(missing.map(|route| Difference::Missing { route }));
        Ok(Schema { raw, routes, differences })
    }
}

/// What the document says of an operation's price, in its own words.
fn price(operation: &Value) -> Option<String> {
    let info = operation.get("x-payment-info")?;
    let text = |key| info.get(key).and_then(Value::as_str).map(str::to_owned);
    text("description").or_else(|| text("amount")).or_else(|| text("price"))
}

fn compare(
    route: &str,
    document: &Value,
    operation: &Value,
    fields: &[&str],
    differences: &mut Vec<Difference>,
) {
    let schema = operation.pointer("/requestBody/content/application~1json/schema").unwrap_or(&Value::Null);
    let schema = resolve(document, schema);
    let Some(declared) = schema.get("properties").and_then(Value::as_object) else { return };
    let required: BTreeSet<&str> = list(schema, "required").iter().filter_map(Value::as_str).collect();
    let own = |field: &str| (route.to_owned(), field.to_owned());
    for field in declared.keys().filter(|field| !fields.contains(&field.as_str())) {
        let (route, field) = own(field);
        differences.push(match required.contains(field.as_str()) {
            true => Difference::Requires { route, field },
            false => Difference::Takes { route, field },
        });
    }
    for field in fields.iter().filter(|field| !declared.contains_key(**field)) {
        let (route, field) = own(field);
        differences.push(Difference::Ignores { route, field });
    }
}

/// What a schema is that may be named elsewhere in the document.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let place = schema.get("$ref").and_then(Value::as_str).and_then(|place| place.strip_prefix('#'));
    place.and_then(|place| document.pointer(place)).unwrap_or(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_that_takes_no_post_is_not_offered() {
        let chat = Difference::Missing { route: "/grok/chat".to_owned() };
        for (path, is_offered) in
            [("{\"post\":{}}", true), ("{\"post\":null}", false), ("{\"get\":{}}", false)]
        {
            let document = format!("{{\"paths\":{{\"/grok/chat\":{path}}}}}");
            let schema = Schema::parse(document.as_bytes()).expect("a document");
            assert_eq!(!schema.routes.is_empty(), is_offered, "{document}");
            assert_eq!(!schema.differences.contains(&chat), is_offered, "{document}");
        }
    }
}
