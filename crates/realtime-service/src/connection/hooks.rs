//! The application's hooks into the life of a connection.

use std::{future::Future, sync::Arc};

use realtime_core::{codec::decode, session::Input};
use realtime_ports::HookError;
use realtime_schema::{CloseCode, Connection};

use super::effects::Pending;
use crate::{metrics::add, node::Node};

/// The hook of a connection that was opened, if the application has hooks.
pub(super) fn opened(node: &Arc<Node>, connection: &Arc<Connection>) -> Option<Pending> {
    let handler = node.handler.clone()?;
    let (node, connection) = (node.clone(), connection.clone());
    Some(Box::pin(async move {
        run(&node, "on_open", &connection, handler.on_open(connection.clone())).await;
        None
    }))
}

/// The hook of a message, after which the message is acted on.
pub(super) fn message(node: &Arc<Node>, connection: &Arc<Connection>, message: String) -> Pending {
    let (node, connection) = (node.clone(), connection.clone());
    Box::pin(async move {
        if let Some(handler) = &node.handler {
            run(&node, "on_message", &connection, handler.on_message(connection.clone(), &message)).await;
        }
        Some(Input::Text(decode(&message)))
    })
}

/// The hook of a connection that has ended.
pub(super) async fn closed(node: &Node, connection: &Arc<Connection>, code: Option<CloseCode>) {
    if let Some(handler) = &node.handler {
        Box::pin(run(node, "on_close", connection, handler.on_close(connection.clone(), code))).await;
    }
}

/// Waits for a hook, at most `hook_timeout`; its failure is logged and drops nothing.
async fn run(
    node: &Node,
    name: &'static str,
    connection: &Connection,
    hook: impl Future<Output = Result<(), HookError>>,
) {
    let hook_timeout = node.settings.load().hook_timeout;
    let problem = match tokio::time::timeout(hook_timeout, hook).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("took longer than {hook_timeout:?}"),
    };
    add(&node.metrics.hook_errors_total, 1);
    tracing::warn!(hook = name, connection = %connection.id, problem, "a hook failed");
}
