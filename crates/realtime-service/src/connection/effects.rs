//! Carries out what a session wants of the node.

use std::sync::Arc;

use realtime_core::session::{Input, Run, SubscribeOutcome};
use realtime_ports::{SubscribeError, WebSocketConnection};
use realtime_schema::{Connection, Control, Unsubscribed, UnsubscribedReason};

use super::{hooks, pending::Pending, publishing};
use crate::{node::Node, outbound::Outbound, subscriptions::Joining};

/// When the outcome of a command comes.
pub(super) enum Outcome {
    /// At once.
    Now(Input),
    /// When this is done.
    Later(Pending),
    /// Never: it has none.
    Nothing,
}

/// Does what the session asks for.
pub(super) fn run(
    node: &Arc<Node>,
    connection: &mut Arc<Connection>,
    outbound: &Arc<Outbound>,
    command: Run,
) -> Outcome {
    let me = connection.id;
    match command {
        Run::Subscribe { topic, origin } => match node.subscriptions.join(me, &topic, origin) {
            Joining::Now(joined) => Outcome::Now(subscribed(joined)),
            Joining::Later(joining) => Outcome::Later(Box::pin(async move { Some(subscribed(joining.await)) })),
        },
        Run::Unsubscribe { topic } => {
            node.subscriptions.leave(me, &topic);
            Outcome::Now(Input::Unsubscribed)
        }
        Run::Hook(message) => Outcome::Later(hooks::message(node, connection, message)),
        Run::Publish { publication, only_subscribers } => {
            publishing::publish(node, connection, *publication, only_subscribers)
        }
        Run::Authorize(authorizing) => {
            let (node, connection) = (node.clone(), connection.clone());
            Outcome::Later(Box::pin(async move {
                let outcome = node.authorizations.ask(connection, authorizing.request.clone()).await;
                Some(Input::Authorized { authorizing, outcome })
            }))
        }
        Run::Reauthorize { roles, topics } => {
            let (node, connection) = (node.clone(), connection.clone());
            Outcome::Later(Box::pin(async move {
                let denied = node.authorizations.denied(connection, topics).await;
                Some(Input::Reauthorized { roles, denied })
            }))
        }
        Run::Verify { token } => {
            let (node, connection) = (node.clone(), connection.clone());
            Outcome::Later(Box::pin(async move {
                let outcome = Box::new(node.admissions.refreshed(&token, &connection).await);
                Some(Input::Verified { outcome, wall: node.clock.now() })
            }))
        }
        Run::Regrant { roles, token } => {
            if let Some(updated) = node.connections.refresh(me, roles, token) {
                *connection = updated;
            }
            // Revoked after it was verified, and before it was on the record.
            if let Some(closing) = node.revocations.closing(connection) {
                node.connections.disconnect(me, closing);
            }
            let (roles, subscriptions) = (connection.roles.clone(), node.subscriptions.of(me));
            Outcome::Now(Input::Regranted { roles, subscriptions })
        }
        Run::Revoke { topic } => {
            if node.subscriptions.leave(me, &topic) {
                let notice = Control::Unsubscribed(Unsubscribed { topic, reason: UnsubscribedReason::Revoked });
                let _ = outbound.send(&node.control.encode(&notice));
            }
            Outcome::Nothing
        }
        other => {
            debug_assert!(false, "{other:?} is not carried out");
            Outcome::Nothing
        }
    }
}

fn subscribed(joined: Result<bool, SubscribeError>) -> Input {
    let outcome = match joined {
        Ok(_) => SubscribeOutcome::Subscribed,
        Err(SubscribeError::NotConnected) => SubscribeOutcome::NotConnected,
        Err(SubscribeError::LimitExceeded { limit }) => SubscribeOutcome::LimitExceeded { limit },
        Err(_) => SubscribeOutcome::Unavailable,
    };
    Input::Subscribed(outcome)
}
