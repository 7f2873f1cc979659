//! `mcp`: the tools of an MCP server, bought from the wallet of whoever started it. Standard output carries the protocol
//! alone.
//!
//! In reading order: the tools, the arguments of a call, the call, what it came to; the transports.

mod budget;
mod call;
mod http;
mod order;
mod report;
mod schema;
mod stdio;
mod tools;

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ErrorData, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::args;
use crate::failure::Failure;
use crate::service::Service;
use crate::terminal::told_to_end;
use order::Order;

/// Serves until the client is gone or a signal comes.
pub(crate) async fn mcp(args: &args::Mcp) -> Result<(), Failure> {
    let listener = match args.http {
        Some(address) => Some(http::Listener::open(address, args.token_file.as_deref()).await?),
        None => None,
    };
    let service =
        Service::start(&args.service, &args.ledger.config, Some((&args.ledger, &args.limits))).await?;
    let desk = Arc::new(Desk {
        service,
        calls: TaskTracker::new(),
        closing: CancellationToken::new(),
        over: CancellationToken::new(),
        patience: args.service.timeout.saturating_add(MARGIN),
    });
    let served = match listener {
        Some(listener) => listener.serve(&desk).await,
        None => stdio::serve(&desk).await,
    };
    desk.finish().await;
    if let Some(desk) = Arc::into_inner(desk) {
        desk.service.close(()).await;
    }
    served
}

/// What all clients share.
struct Desk {
    service: Service,
    /// What the end waits for: calls that have paid, whoever reads their answers, and answers that are being read.
    calls: TaskTracker,
    /// From here on nothing is paid any more.
    closing: CancellationToken,
    /// From here on nothing is waited for any more.
    over: CancellationToken,
    /// The longest that a paid call can take.
    patience: Duration,
}

impl Desk {
    /// Stops what has not paid yet, and waits for what has, unless a signal says that this takes too long.
    async fn finish(&self) {
        self.closing.cancel();
        self.calls.close();
        tokio::select! {
            _ = tokio::time::timeout(self.patience, self.calls.wait()) => {}
            () = told_to_end() => {}
            () = self.over.cancelled() => {}
        }
        self.over.cancel();
    }
}

/// What one client talks to.
#[derive(Clone)]
struct Server(Arc<Desk>);

impl Server {
    async fn call(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        match tool {
            tools::BUDGET => return Ok(budget::budget(&self.0, &arguments).await),
            tools::QUOTE => return Ok(self.quote(arguments).await),
            _ => {}
        }
        match Order::read(tool, arguments) {
            None => Err(ErrorData::invalid_params(format!("there is no tool {tool:?}"), None)),
            Some(Err(why)) => Ok(report::error(format!("Nothing was paid: {why}."))),
            Some(Ok(order)) => Ok(call::buy(&self.0, order, context).await),
        }
    }

    async fn quote(&self, mut arguments: Map<String, Value>) -> CallToolResult {
        let (tool, inner) = (arguments.remove("tool"), arguments.remove("arguments"));
        let (Some(Value::String(tool)), Some(Value::Object(inner))) = (tool, inner) else {
            return report::error(
                "Nothing was paid: quote takes the name of a tool and, as an object, the arguments of its call.",
            );
        };
        let order = match Order::read(&tool, inner) {
            None => {
                return report::error(format!("Nothing was paid: {tool:?} is no tool that costs anything."));
            }
            Some(Err(why)) => return report::error(format!("Nothing was paid: {why}.")),
            Some(Ok(order)) => order,
        };
        let grok =
            self.0.service.for_call(order.most, |_| Err(std::io::Error::other("a quote pays nothing")));
        match order.quote(&grok).await {
            Ok(quoted) => report::quote(quoted.as_ref()),
            Err(error) => report::failure(&Failure::call(&error, None), ""),
        }
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(
                Implementation::new("grok-mpp", env!("CARGO_PKG_VERSION")).with_title("Grok, paid per call"),
            )
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools::all(self.0.service.max_cost)))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        Ok(self.call(&request.name, arguments, &context).await?.into())
    }
}

const INSTRUCTIONS: &str = "These tools buy answers of xAI's Grok with the user's money, a few cents or less a call. Ask \
    quote for a price and budget for what is left; both pay nothing. An error begins with what became of the money.";

/// How much longer than its paid request a call may take: the unpaid request, the signature, the ledger.
const MARGIN: Duration = Duration::from_secs(60);
