//! Carries out what a session wants of the world, and the application's hooks. The only place that calls ports on
//! a client's behalf.

use std::{future::Future, sync::Arc, time::Duration};

use realtime_core::{
    codec::decode,
    connection::ConnectionUpdate,
    session::{Input, Run, SubscribeOutcome},
};
use realtime_ports::{HookError, SubscribeError, WebSocketConnection};
use realtime_schema::{CloseCode, Connection, Control, Origin, Unsubscribed, UnsubscribedReason};

use crate::{connection::Boxed, metrics::add, outbound::Outbound, service::Inner};

/// Something under way for a connection; its outcome is an input to the session, if it has one.
pub(crate) type Pending = Boxed<Option<Input>>;

/// When the outcome of a command comes.
pub(crate) enum Outcome {
    /// At once.
    Now(Input),
    /// When this is done.
    Later(Pending),
    /// Never: it has none.
    Nothing,
}

/// Does what the session asks for.
pub(crate) fn run(
    inner: &Arc<Inner>,
    connection: &mut Arc<Connection>,
    outbound: &Arc<Outbound>,
    command: Run,
) -> Outcome {
    let me = connection.id;
    match command {
        Run::Subscribe { id, topic } => {
            let outcome = match inner.pubsub.subscribe(me, &topic, Origin::Client) {
                Ok(_) => SubscribeOutcome::Done,
                Err(SubscribeError::NotConnected) => SubscribeOutcome::NotConnected,
                Err(SubscribeError::LimitExceeded { limit }) => SubscribeOutcome::LimitExceeded { limit },
            };
            Outcome::Now(Input::Subscribed { id, outcome })
        }
        Run::Unsubscribe { id, topic } => {
            inner.pubsub.unsubscribe(me, &topic);
            Outcome::Now(Input::Unsubscribed { id })
        }
        Run::Verify { id, token } => {
            let inner = inner.clone();
            Outcome::Later(Box::pin(async move {
                let outcome = Box::new(inner.verified(&token).await);
                Some(Input::Verified { id, outcome, wall: inner.clock.now() })
            }))
        }
        Run::Regrant { id, roles } => {
            let change = ConnectionUpdate { roles: Some(roles), metadata: None };
            if let Some(updated) = inner.registry.update(me, change) {
                *connection = updated;
            }
            let (roles, subscriptions) = (connection.roles.clone(), inner.pubsub.subscriptions(me));
            Outcome::Now(Input::Regranted { id, roles, subscriptions })
        }
        Run::Revoke { topic } => {
            if inner.pubsub.unsubscribe(me, &topic) {
                let told = Control::Unsubscribed(Unsubscribed { topic, reason: UnsubscribedReason::Revoked });
                let _ = outbound.send(&inner.control(&told));
            }
            Outcome::Nothing
        }
    }
}

/// A text as the session takes it.
pub(crate) fn text(text: &str) -> Input {
    Input::Text(decode(text))
}

/// The hook of a connection that was opened, if the application has hooks.
pub(crate) fn opened(inner: &Arc<Inner>, connection: &Arc<Connection>) -> Option<Pending> {
    let handler = inner.handler.clone()?;
    let (inner, connection) = (inner.clone(), connection.clone());
    Some(Box::pin(async move {
        hook(&inner, "on_open", &connection, handler.on_open(connection.clone())).await;
        None
    }))
}

/// The hook of a message, after which the message is acted on.
pub(crate) fn message(inner: &Arc<Inner>, connection: &Arc<Connection>, message: String) -> Pending {
    let (inner, connection) = (inner.clone(), connection.clone());
    Box::pin(async move {
        if let Some(handler) = &inner.handler {
            hook(&inner, "on_message", &connection, handler.on_message(connection.clone(), &message)).await;
        }
        Some(text(&message))
    })
}

/// The hook of a connection that is over.
pub(crate) async fn closed(inner: &Inner, connection: &Arc<Connection>, code: Option<CloseCode>) {
    if let Some(handler) = &inner.handler {
        Box::pin(hook(inner, "on_close", connection, handler.on_close(connection.clone(), code))).await;
    }
}

/// Waits for a hook, but not too long; its failure is logged and drops nothing.
async fn hook(
    inner: &Inner,
    name: &'static str,
    connection: &Connection,
    running: impl Future<Output = Result<(), HookError>>,
) {
    let patience: Duration = inner.settings.hook_timeout;
    let problem = match tokio::time::timeout(patience, running).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("took longer than {patience:?}"),
    };
    add(&inner.metrics.hook_errors_total, 1);
    tracing::warn!(hook = name, connection = %connection.id, problem, "a hook failed");
}
