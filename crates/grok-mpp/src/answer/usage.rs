//! What an answer consumed, as the service counts it.

use std::collections::BTreeMap;

use serde_json::Value;

/// What the answer consumed, in the service's own count; every figure is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Tokens of the request.
    pub input_tokens: Option<u64>,
    /// Tokens generated, usually with the hidden reasoning among them.
    pub output_tokens: Option<u64>,
    /// Input and output tokens together.
    pub total_tokens: Option<u64>,
    /// Hidden reasoning tokens.
    pub reasoning_tokens: Option<u64>,
    /// Number of tool calls made on the server.
    pub tool_calls: Option<u64>,
    /// The same by kind of tool, such as `code_interpreter_calls`.
    pub tool_calls_by_kind: BTreeMap<String, u64>,
    /// What the upstream model charged for the call, not what was paid for it; 10^10 ticks are one US dollar.
    pub cost_ticks: Option<u64>,
}

impl Usage {
    pub(super) fn read(usage: &Value) -> Option<Self> {
        let usage = usage.is_object().then_some(usage)?;
        let number = |key| usage.get(key).and_then(Value::as_u64);
        let reasoning =
            |details| usage.get(details).and_then(|d| d.get("reasoning_tokens")).and_then(Value::as_u64);
        let by_kind = usage.get("server_side_tool_usage_details").and_then(Value::as_object);
        let by_kind =
            by_kind.into_iter().flatten().filter_map(|(kind, count)| Some((kind.clone(), count.as_u64()?)));
        Some(Self {
            input_tokens: number("input_tokens").or_else(|| number("prompt_tokens")),
            output_tokens: number("output_tokens").or_else(|| number("completion_tokens")),
            total_tokens: number("total_tokens"),
            reasoning_tokens: reasoning("output_tokens_details")
                .or_else(|| reasoning("completion_tokens_details")),
            tool_calls: number("num_server_side_tools_used"),
            tool_calls_by_kind: by_kind.collect(),
            cost_ticks: number("cost_in_usd_ticks"),
        })
    }
}
