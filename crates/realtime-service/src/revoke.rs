//! Refuses a user or tokens from now on, and closes the connections that they have.

use std::{sync::Arc, time::Duration};

use realtime_core::revocation::{Target, Wanted};
use realtime_ports::{Record, RevokeError, Selection};
use realtime_schema::{
    Closing, Connection, ConnectionId, Revocation, RevocationId, RevocationRequest, Revoked, Timestamp, UserId,
};

use crate::node::Node;

/// Carries out what a backend or an application requests.
pub(crate) async fn revoke(node: &Node, request: RevocationRequest) -> Result<Revoked, RevokeError> {
    let now = node.clock.now();
    let Wanted { target, until, reason } = Wanted::read(request, now).map_err(RevokeError::Invalid)?;
    let until = until.unwrap_or_else(|| default_end(node, &target, now));
    refuse(node, &target, until, reason, None).await
}

/// Closes a connection, and refuses its token, or its user if the token has no `jti`. `None` if it is unknown.
pub(crate) async fn block_connection(
    node: &Node,
    id: ConnectionId,
    block_for: Duration,
    closing: Closing,
) -> Result<Option<Revoked>, RevokeError> {
    let Some(connection) = node.connections.record(id) else { return Ok(None) };
    let jti = connection.token.as_ref().and_then(|token| token.jti.clone());
    let target = jti.map_or_else(|| Target::User(connection.user.clone()), Target::Token);
    block(node, &target, block_for, closing).await.map(Some)
}

/// Closes a user's connections, and refuses the user.
pub(crate) async fn block_user(
    node: &Node,
    user: UserId,
    block_for: Duration,
    closing: Closing,
) -> Result<Revoked, RevokeError> {
    block(node, &Target::User(user), block_for, closing).await
}

async fn block(node: &Node, target: &Target, block_for: Duration, closing: Closing) -> Result<Revoked, RevokeError> {
    let until = node.clock.now().after(block_for);
    refuse(node, target, until, closing.reason.clone(), Some(closing)).await
}

/// Adds the revocation, then closes the connections that it matches. In this order: one that is made meanwhile is either
/// found here, or finds the revocation when it has been registered.
async fn refuse(
    node: &Node,
    target: &Target,
    until: Timestamp,
    reason: String,
    closing: Option<Closing>,
) -> Result<Revoked, RevokeError> {
    let closing = closing.unwrap_or_else(|| Closing::new(target.refusal_reason().close(), reason.as_str()));
    let revocation = node.revocations.add(target.clone(), until, reason)?;
    let mut disconnected = 0;
    for connection in matching(node, target) {
        disconnected += u64::from(node.connections.disconnect(connection.id, closing.clone()));
    }
    tracing::info!(revocation = %revocation.id, until = %revocation.until, disconnected, "revoked");
    store(node, Record::Revoked(revocation.clone())).await?;
    Ok(Revoked { revocation, disconnected })
}

/// Ends a revocation; returns it if it had not ended.
pub(crate) async fn remove(node: &Node, id: RevocationId) -> Result<Option<Revocation>, RevokeError> {
    let removed = node.revocations.remove(id);
    if removed.is_some() {
        store(node, Record::RevocationRemoved(id)).await?;
    }
    Ok(removed)
}

async fn store(node: &Node, record: Record) -> Result<(), RevokeError> {
    match &node.journal {
        Some(journal) => journal.store(vec![record]).await.map_err(RevokeError::Store),
        None => Ok(()),
    }
}

/// The end of a revocation that names none: when the token expires, if a connection has it, else after
/// `revocations.duration`.
fn default_end(node: &Node, target: &Target, now: Timestamp) -> Timestamp {
    let settings = node.settings.load();
    let policy = &settings.admission.policy;
    let known = match target {
        Target::Token(_) if !policy.allow_expired => {
            let tokens = matching(node, target).into_iter().filter_map(|connection| connection.token.clone());
            tokens.filter_map(|token| token.exp).max()
        }
        _ => None,
    };
    let end =
        known.map(|exp| Timestamp::from_millis(exp.saturating_add_unsigned(policy.leeway_s).saturating_mul(1000)));
    end.filter(|end| *end > now).unwrap_or_else(|| now.after(settings.revocations.duration))
}

/// The connections whose token or user `target` is.
fn matching(node: &Node, target: &Target) -> Vec<Arc<Connection>> {
    let selection = match target {
        Target::User(user) | Target::IssuedBefore { user: Some(user), .. } => Selection::User(user.clone()),
        Target::Token(_) | Target::IssuedBefore { user: None, .. } => Selection::All,
    };
    node.connections.select(&selection, |connection| target.matches(&connection.into()))
}
