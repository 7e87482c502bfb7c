//! Carries out what a session wants of the node.

use std::sync::Arc;

use realtime_core::{
    outbound::{Owed, Start},
    session::{Input, Refreshed, Run, SubscribeOutcome},
};
use realtime_ports::{SubscribeError, WebSocketConnection};
use realtime_schema::{Connection, Role, Stream, TokenInfo, UnsubscribedReason};

use super::{history, hooks, pending::Outcome, publishing, resuming};
use crate::{
    node::Node,
    outbound::Outbound,
    subscriptions::{Join, JoinRequest, Joining},
};

/// Does what the session asks for.
pub(super) fn run(
    node: &Arc<Node>,
    connection: &mut Arc<Connection>,
    outbound: &Arc<Outbound>,
    command: Run,
) -> Outcome {
    let me = connection.id;
    match command {
        Run::Subscribe { topic, origin, since, id } => {
            let has_gap = |since| resuming::notify_without_history(node, connection, outbound, &topic, since);
            let start = since.as_ref().filter(|since| !has_gap(since)).map_or(Start::Live, Start::after);
            let request = JoinRequest { topic, origin, start, owed: id.map(Owed::Ack) };
            match node.subscriptions.join(me, request) {
                Joining::Now(joined) => Outcome::Now(subscribed(joined)),
                Joining::Later(joining) => Outcome::Later(Box::pin(async move { Some(subscribed(joining.await)) })),
            }
        }
        Run::Unsubscribe { topic } => {
            node.subscriptions.leave(me, &topic, None);
            Outcome::Now(Input::Unsubscribed)
        }
        Run::History { request, if_received } => {
            let outcome = history::read(node, connection, &request, if_received);
            Outcome::Now(Input::HistoryRead { request, outcome })
        }
        Run::Resume(request) => {
            let resuming = resuming::resume(node.clone(), connection.clone(), outbound.clone(), *request);
            Outcome::Later(Box::pin(async move { Some(Input::Resumed(resuming.await)) }))
        }
        Run::Release { reason } => {
            outbound.look(|queue| queue.release_held(&reason));
            Outcome::Nothing
        }
        Run::Presence(command) => {
            let socket: Arc<dyn WebSocketConnection> = outbound.clone();
            let answered = node.presence.command(me, &socket, *command);
            Outcome::Later(Box::pin(async move {
                // It is closed, and nothing is sent.
                let _ = answered.await;
                Some(Input::PresenceAnswered)
            }))
        }
        Run::EndPresence { topic, revoked } => {
            node.presence.end(me, &topic, revoked);
            Outcome::Nothing
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
        Run::Reauthorize { refreshed, topics } => {
            let (node, connection) = (node.clone(), connection.clone());
            Outcome::Later(Box::pin(async move {
                let denied = node.authorizations.denied(connection, topics).await;
                Some(Input::Reauthorized { refreshed, denied })
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
            let refreshed = regrant(node, connection, outbound, roles, token);
            let (subscriptions, watched) = (node.subscriptions.of(me), node.presence.watched(me));
            Outcome::Now(Input::Regranted { refreshed, subscriptions, watched })
        }
        Run::Revoke { refreshed, topics } => {
            let (node, outbound) = (node.clone(), outbound.clone());
            Outcome::Later(Box::pin(async move {
                for topic in topics {
                    outbound.room().await;
                    node.subscriptions.leave(me, &topic, Some(UnsubscribedReason::Revoked));
                }
                Some(Input::Revoked { refreshed })
            }))
        }
        other => {
            debug_assert!(false, "{other:?} is not carried out");
            Outcome::Nothing
        }
    }
}

/// Puts what a new token says on the record.
fn regrant(
    node: &Node,
    connection: &mut Arc<Connection>,
    outbound: &Arc<Outbound>,
    roles: Vec<Role>,
    token: Option<Box<TokenInfo>>,
) -> Refreshed {
    let me = connection.id;
    let socket: Arc<dyn WebSocketConnection> = outbound.clone();
    let (old, new) = (connection.roles.clone(), roles.clone());
    let (updated, gained) =
        node.subscriptions.change_roles(&socket, &old, &new, || node.connections.refresh(me, roles, token));
    if let Some(updated) = updated {
        *connection = updated;
    }
    // Revoked after it was verified, and before it was on the record.
    if let Some(closing) = node.revocations.closing(connection) {
        node.connections.disconnect(me, closing);
    }
    let streams = gained.into_iter().map(|(role, position)| (Stream::Role(role), position)).collect();
    Refreshed { roles: connection.roles.clone(), streams, ticket: resuming::new_ticket(node, connection) }
}

fn subscribed(joined: Result<Join, SubscribeError>) -> Input {
    let outcome = match joined {
        Ok(Join { catching_up: true, .. }) => SubscribeOutcome::CatchingUp,
        Ok(_) => SubscribeOutcome::Subscribed,
        Err(SubscribeError::NotConnected) => SubscribeOutcome::NotConnected,
        Err(SubscribeError::LimitExceeded { limit }) => SubscribeOutcome::LimitExceeded { limit },
        Err(_) => SubscribeOutcome::Unavailable,
    };
    Input::Subscribed(outcome)
}
