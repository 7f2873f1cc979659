//! Standard input and output as a transport that ends well: once the client has closed its end, answers that were paid for
//! are still written before it is over.

use std::collections::HashSet;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use rmcp::RoleServer;
use rmcp::model::{ClientNotification, JsonRpcMessage, RequestId};
use rmcp::service::{RxJsonRpcMessage, ServerInitializeError, TxJsonRpcMessage, serve_server};
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::{StdioReader, StdioWriter, Transport, stdio_pipes};
use tokio::time::Instant;

use super::{Desk, Server};
use crate::failure::Failure;
use crate::output::note;
use crate::terminal::told_to_end;

/// Serves the one client there is.
pub(super) async fn serve(desk: &Arc<Desk>) -> Result<(), Failure> {
    if io::stdin().is_terminal() {
        let _ =
            note("waiting      for an MCP client on standard input, which a host connects; ctrl-D ends it");
    }
    let (input, output) = stdio_pipes();
    let transport = Patient {
        inner: AsyncRwTransport::new_server(input, output),
        desk: Arc::clone(desk),
        unanswered: HashSet::new(),
        over: None,
    };
    let serving = async {
        match serve_server(Server(Arc::clone(desk)), transport).await {
            Ok(running) => drop(running.waiting().await),
            Err(ServerInitializeError::ConnectionClosed(_)) => {}
            Err(error) => return Err(Failure::unpaid(format!("no client that speaks MCP: {error}"))),
        }
        Ok(())
    };
    tokio::pin!(serving);
    tokio::select! {
        served = &mut serving => served,
        () = told_to_end() => {
            desk.finish().await;
            Ok(())
        }
    }
}

struct Patient {
    inner: AsyncRwTransport<RoleServer, StdioReader, StdioWriter>,
    desk: Arc<Desk>,
    /// Requests that the client waits for.
    unanswered: HashSet<RequestId>,
    /// When to stop waiting for answers, once the client has closed its end.
    over: Option<Instant>,
}

impl Transport<RoleServer> for Patient {
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        match &message {
            JsonRpcMessage::Response(response) => self.unanswered.remove(&response.id),
            JsonRpcMessage::Error(error) => error.id.as_ref().is_some_and(|id| self.unanswered.remove(id)),
            _ => false,
        };
        self.inner.send(message)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        let over = match self.over {
            Some(over) => over,
            None => match self.inner.receive().await {
                Some(message) => {
                    self.heard(&message);
                    return Some(message);
                }
                None => {
                    self.desk.closing.cancel();
                    *self.over.insert(Instant::now() + self.desk.patience)
                }
            },
        };
        // Called anew after every message sent, the last answer among them.
        if !self.unanswered.is_empty() {
            tokio::time::sleep_until(over).await;
        }
        None
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        self.inner.close().await
    }
}

impl Patient {
    fn heard(&mut self, message: &RxJsonRpcMessage<RoleServer>) {
        match message {
            JsonRpcMessage::Request(request) => {
                self.unanswered.insert(request.id.clone());
            }
            JsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) = &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    self.unanswered.remove(id);
                }
            }
            _ => {}
        }
    }
}
