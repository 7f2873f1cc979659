//! Which route has the tools that a request asks for, and how it is told of them.

use serde_json::{Map, Value, json};

use crate::serve::error::ApiError;

/// A route, and what tells it of the tools.
pub(super) struct Tools {
    pub(super) route: &'static str,
    pub(super) fields: Map<String, Value>,
}

/// Takes the tools out of a request.
pub(super) fn read(asked: &mut Map<String, Value>) -> Result<Tools, ApiError> {
    let (tools, choice) = (asked.remove("tools"), asked.remove("tool_choice"));
    let parallel = asked.remove("parallel_tool_calls");
    let tools = match tools {
        None => Vec::new(),
        Some(Value::Array(tools)) => tools,
        Some(_) => return Err(ApiError::bad_request("tools", "tools must be an array")),
    };
    // Whoever wants none of them used needs no route that has them.
    let (none, others) = (choice.as_ref().is_some_and(|choice| choice == "none"), Map::new());
    let of = |wanted: Kind| tools.iter().filter(move |tool| kind(tool) == Some(wanted));
    if let Some(tool) = tools.iter().find(|tool| kind(tool).is_none()) {
        let name = tool.get("type").and_then(Value::as_str).unwrap_or("without a type");
        let message = format!("the tool {name} is not to be had; {SERVED}");
        return Err(ApiError::bad_request("tools", message));
    }
    let has = |wanted| of(wanted).next().is_some();
    let kinds = (has(Kind::Code), has(Kind::Web), has(Kind::X), has(Kind::Function));
    match kinds {
        _ if none => Ok(Tools { route: CHAT, fields: others }),
        (false, false, false, false) => Ok(Tools { route: CHAT, fields: others }),
        (false, false, false, true) => Ok(Tools { route: CHAT, fields: functions(&tools, choice, parallel) }),
        (true, _, _, false) => {
            let more: Vec<Value> =
                tools.iter().filter(|tool| kind(tool) != Some(Kind::Code)).cloned().collect();
            let fields = if more.is_empty() { others } else { one("tools", more.into()) };
            Ok(Tools { route: "/grok/code-execution", fields })
        }
        (false, true, false, false) => {
            Ok(Tools { route: "/grok/web-search", fields: domains(of(Kind::Web))? })
        }
        (false, false, true, false) => {
            match of(Kind::X).find_map(|tool| tool.as_object()?.keys().find(|key| *key != "type")) {
                None => Ok(Tools { route: "/grok/x-search", fields: others }),
                Some(key) => Err(ApiError::bad_request("tools", format!("x_search takes no {key} here"))),
            }
        }
        _ => Err(ApiError::bad_request("tools", format!("these tools are not to be had together; {SERVED}"))),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Web,
    X,
    Function,
}

fn kind(tool: &Value) -> Option<Kind> {
    match tool.get("type")?.as_str()? {
        "code_interpreter" | "code_execution" => Some(Kind::Code),
        "x_search" => Some(Kind::X),
        "function" => Some(Kind::Function),
        name if name.starts_with("web_search") => Some(Kind::Web),
        _ => None,
    }
}

/// Functions as chat takes them.
fn functions(tools: &[Value], choice: Option<Value>, parallel: Option<Value>) -> Map<String, Value> {
    let tools = tools.iter().map(|tool| {
        let mut function = tool.as_object().cloned().unwrap_or_default();
        function.remove("type");
        function.retain(|_, value| !value.is_null());
        json!({"type": "function", "function": function})
    });
    let mut fields = one("tools", tools.collect());
    if let Some(choice) = choice {
        let name = choice.get("name").cloned();
        let choice = name.map_or(choice, |name| json!({"type": "function", "function": {"name": name}}));
        fields.insert("tool_choice".to_owned(), choice);
    }
    fields.extend(parallel.map(|parallel| ("parallel_tool_calls".to_owned(), parallel)));
    fields
}

/// The domains to search, or to leave out.
fn domains<'a>(tools: impl Iterator<Item = &'a Value>) -> Result<Map<String, Value>, ApiError> {
    let mut found = Map::new();
    for tool in tools {
        let filters = tool.get("filters").unwrap_or(tool);
        for name in [ALLOWED, "excluded_domains"] {
            let Some(domains) = filters.get(name).and_then(Value::as_array) else { continue };
            if domains.len() > MOST_DOMAINS {
                let message = format!("a search takes at most {MOST_DOMAINS} domains");
                return Err(ApiError::bad_request("tools", message));
            }
            if !domains.is_empty() {
                found.insert(name.to_owned(), domains.clone().into());
            }
        }
    }
    match found.len() {
        0 => Ok(Map::new()),
        1 => Ok(one("search_parameters", Value::Object(found))),
        _ => Err(ApiError::bad_request("tools", "a search's domains are either all allowed or all excluded")),
    }
}

fn one(name: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), value)])
}

pub(super) const CHAT: &str = "/grok/chat";
const ALLOWED: &str = "allowed_domains";
const MOST_DOMAINS: usize = 5;
const SERVED: &str = "one of web_search and x_search is, or code_interpreter with or without them, or functions of yours alone";
