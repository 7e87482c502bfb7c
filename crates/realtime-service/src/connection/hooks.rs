//! The application's hooks into the life of a connection.

use std::{future::Future, sync::Arc};

use realtime_core::{
    client_message::{ClientMessage, Handled},
    session::{HookFailure, Input},
};
use realtime_ports::{HookContext, HookError, SubscribeError};
use realtime_schema::{CloseCode, Closing, Connection, ConnectionId, Origin, Topic};

use super::pending::Pending;
use crate::{
    metrics::add,
    node::{Hooks, Node},
    outbound::Outbound,
};

fn context(hooks: &Hooks, node: &Arc<Node>, connection: &Arc<Connection>) -> HookContext {
    HookContext::new((hooks.service)(node.clone()), connection.clone())
}

/// Subscribes a connection that was opened to what the application gave it, and calls the application's hook.
pub(super) fn opened(
    node: &Arc<Node>,
    connection: &Arc<Connection>,
    outbound: &Arc<Outbound>,
    given: Vec<Topic>,
) -> Option<Pending> {
    let hooks = node.hooks.as_ref()?;
    let (handler, context) = (hooks.handler.clone(), context(hooks, node, connection));
    let (node, connection, outbound) = (node.clone(), connection.clone(), outbound.clone());
    Some(Box::pin(async move {
        subscribe(&node, connection.id, &outbound, given).await;
        let _ = run(&node, "on_open", &connection, handler.on_open(context)).await;
        None
    }))
}

/// Subscribes a connection to the topics that the application gave it. One that can't have them all is closed, so that
/// its client reconnects and misses nothing.
async fn subscribe(node: &Node, id: ConnectionId, outbound: &Outbound, given: Vec<Topic>) {
    for topic in given {
        outbound.room().await;
        match node.subscriptions.subscribe(id, &topic, Origin::Server).await {
            Ok(_) => {}
            Err(SubscribeError::NotConnected) => return,
            Err(error) => {
                add(&node.metrics.hook_errors_total, 1);
                tracing::warn!(connection = %id, %topic, %error, "a topic that the application gave could not be subscribed to");
                let reason = "a subscription could not be made; connect again";
                node.connections.disconnect(id, Closing::new(CloseCode::SERVER_FAULT, reason));
                return;
            }
        }
    }
}

/// The hook of a message, which may answer it.
pub(super) fn message(node: &Arc<Node>, connection: &Arc<Connection>, message: Box<ClientMessage>) -> Pending {
    let (node, connection) = (node.clone(), connection.clone());
    Box::pin(async move {
        let handled = match &node.hooks {
            Some(hooks) => {
                let context = context(hooks, &node, &connection);
                let hook = async {
                    let handled = hooks.handler.on_message(context, &message).await?;
                    within_limit(&node, &handled)?;
                    Ok(handled)
                };
                run(&node, "on_message", &connection, hook).await
            }
            None => Ok(Handled::Pass),
        };
        Some(Input::Handled { message, handled })
    })
}

/// Refuses a result that is larger than a publication may be.
fn within_limit(node: &Node, handled: &Handled) -> Result<(), HookError> {
    let limit = node.settings.load().publishing.max_bytes;
    match handled {
        Handled::Ack(result) if result.as_str().len() > limit => {
            let size = result.as_str().len();
            Err(format!("the result is {size} bytes; limits.max_publish_bytes is {limit}").into())
        }
        _ => Ok(()),
    }
}

/// The hook of a connection that has ended.
pub(super) async fn closed(node: &Arc<Node>, connection: &Arc<Connection>, code: Option<CloseCode>) {
    if let Some(hooks) = &node.hooks {
        let context = context(hooks, node, connection);
        let _ = Box::pin(run(node, "on_close", connection, hooks.handler.on_close(context, code))).await;
    }
}

/// Waits for a hook, at most `hook_timeout`. A failure is counted and logged, and does not close the connection.
async fn run<T>(
    node: &Node,
    name: &'static str,
    connection: &Connection,
    hook: impl Future<Output = Result<T, HookError>>,
) -> Result<T, HookFailure> {
    let hook_timeout = node.settings.load().hook_timeout;
    let (failure, problem) = match tokio::time::timeout(hook_timeout, hook).await {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(error)) => (HookFailure::Failed, error.to_string()),
        Err(_) => (HookFailure::TimedOut, format!("took longer than {hook_timeout:?}")),
    };
    add(&node.metrics.hook_errors_total, 1);
    tracing::warn!(hook = name, connection = %connection.id, problem, "a hook failed");
    Err(failure)
}
