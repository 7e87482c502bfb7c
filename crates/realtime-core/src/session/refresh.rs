//! `refresh`: a new token for the same user, and the end of subscriptions that it no longer grants.

use std::{collections::BTreeMap, time::Duration};

use realtime_schema::{
    Ack, CommandId, Control, ErrorCode, ErrorReply, JwtClaims, Origin, Role, Stream, StreamPosition, Subscription,
    Timestamp, Topic,
};

use super::{Effect, Pending, PendingKind, Run, Session, error, welcome::millis};
use crate::{auth::Refusal, connection::token_info};

/// What a connection has after a refresh.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// Its roles.
    pub roles: Vec<Role>,
    /// The streams of new roles that have a history, each with the position from which the connection receives it.
    pub streams: BTreeMap<Stream, StreamPosition>,
    /// The ticket with which the client resumes its streams, those of new roles too.
    pub ticket: Option<String>,
}

impl Session {
    pub(super) fn refresh(&mut self, id: Option<CommandId>, token: String, effects: &mut Vec<Effect>) {
        self.run(Pending { id, kind: PendingKind::Refresh }, Run::Verify { token }, effects);
    }

    pub(super) fn verified(
        &mut self,
        now: Duration,
        wall: Timestamp,
        outcome: Result<JwtClaims, Refusal>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(id) = self.finish(PendingKind::Refresh) else { return };
        let refusal = match outcome {
            Ok(claims) if claims.sub == self.user => {
                self.expires_at = self.expiry(&claims, now, wall);
                let token = token_info(&claims);
                self.grants = claims.grants.into();
                let pending = Pending { id, kind: PendingKind::Refresh };
                return self.run(pending, Run::Regrant { roles: claims.roles, token }, effects);
            }
            Ok(_) => ErrorReply::new(
                id,
                ErrorCode::Forbidden,
                "the new token is another user's; a connection keeps its user: open a new one",
            ),
            Err(refusal) => {
                ErrorReply { after_ms: refusal.after_ms, ..ErrorReply::new(id, refusal.code, refusal.message) }
            }
        };
        effects.push(error(refusal));
    }

    /// Ends the subscriptions that the new token no longer grants, unless the application's authorizer allows them, then
    /// acknowledges. Those made by the server stay.
    pub(super) fn regranted(
        &mut self,
        now: Duration,
        refreshed: Refreshed,
        subscriptions: &[Subscription],
        effects: &mut Vec<Effect>,
    ) {
        let Some(id) = self.finish(PendingKind::Refresh) else { return };
        let own = subscriptions.iter().filter(|subscription| subscription.origin != Origin::Server);
        let not_granted = own.map(|subscription| &subscription.topic).filter(|topic| !self.may_subscribe(topic));
        let topics: Vec<Topic> = not_granted.cloned().collect();
        if self.settings.has_authorizer && !topics.is_empty() {
            let pending = Pending { id, kind: PendingKind::Refresh };
            return self.run(pending, Run::Reauthorize { refreshed, topics }, effects);
        }
        self.revoke(now, id, refreshed, topics, effects);
    }

    /// Ends these subscriptions, then acknowledges.
    pub(super) fn revoke(
        &mut self,
        now: Duration,
        id: Option<CommandId>,
        refreshed: Refreshed,
        topics: Vec<Topic>,
        effects: &mut Vec<Effect>,
    ) {
        if topics.is_empty() {
            return self.refreshed(now, id, refreshed, effects);
        }
        self.run(Pending { id, kind: PendingKind::Refresh }, Run::Revoke { refreshed, topics }, effects);
    }

    pub(super) fn revoked(&mut self, now: Duration, refreshed: Refreshed, effects: &mut Vec<Effect>) {
        if let Some(id) = self.finish(PendingKind::Refresh) {
            self.refreshed(now, id, refreshed, effects);
        }
    }

    /// Acknowledges a refresh.
    fn refreshed(&self, now: Duration, id: Option<CommandId>, refreshed: Refreshed, effects: &mut Vec<Effect>) {
        if let Some(id) = id {
            let token_expires_in_ms = self.token_expires_in(now).map(millis);
            let Refreshed { roles, streams, ticket: resume } = refreshed;
            let streams = Some(streams).filter(|streams| !streams.is_empty());
            let ack = Ack { token_expires_in_ms, roles: Some(roles), streams, resume, ..Ack::new(id) };
            effects.push(Effect::Send(Control::Ack(ack)));
        }
    }
}
