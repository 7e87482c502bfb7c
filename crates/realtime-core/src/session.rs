//! One connection's life as a state machine: what came in, what to do about it.
//!
//! The caller hands inputs and the time to [`Session::handle`] and carries out the effects in their order. Effects
//! of the kind [`Effect::Run`] have an outcome, which comes back as an input; until then the caller hands in no
//! further frame, so that commands are done one after the other.

use std::{sync::Arc, time::Duration};

use realtime_schema::{
    ClientLimits, CloseCode, Closing, Command, CommandId, Connection, Control, Grant, JwtClaims, PingMode, Reconnect,
    Role, Subscription, Timestamp, Topic, UserId,
};

use crate::{auth::Refusal, codec::DecodeError, limits::TokenBucket, policy::Namespaces};

mod commands;
mod liveness;
mod welcome;

pub use welcome::welcome;

/// What all sessions of a node have in common.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// The limits of a connection.
    pub limits: ClientLimits,
    /// Who may subscribe to what without a grant.
    pub namespaces: Namespaces,
    /// Time between pings; each session moves it by up to a tenth, so that they don't all ping at once.
    pub ping_interval: Duration,
    /// Pings in a row that may go unanswered.
    pub pong_misses: u32,
    /// How clients come back.
    pub reconnect: Reconnect,
    /// Name and version of the server, for `welcome`.
    pub server: String,
    /// Closes a connection when its token ends.
    pub close_at_expiry: bool,
    /// Seconds of grace for tokens that had ended when they came in.
    pub leeway_s: u64,
}

/// What came in.
#[derive(Clone, Debug)]
pub enum Input {
    /// A text message, decoded or not.
    Text(Result<Command, DecodeError>),
    /// A binary message.
    Binary,
    /// Proof of life: a ping or a pong of the WebSocket.
    Alive,
    /// The time of [`Session::deadline`] has come.
    Elapsed,
    /// The outcome of [`Run::Subscribe`].
    Subscribed {
        /// The command's id.
        id: Option<CommandId>,
        /// What became of it.
        outcome: SubscribeOutcome,
    },
    /// The outcome of [`Run::Unsubscribe`].
    Unsubscribed {
        /// The command's id.
        id: Option<CommandId>,
    },
    /// The outcome of [`Run::Verify`]: the new token's claims, or why it was refused.
    Verified {
        /// The command's id.
        id: Option<CommandId>,
        /// The claims, authorized, or why not.
        outcome: Box<Result<JwtClaims, Refusal>>,
        /// The wall clock, to work out when the token ends.
        wall: Timestamp,
    },
    /// The outcome of [`Run::Regrant`]: what the connection is subscribed to.
    Regranted {
        /// The command's id.
        id: Option<CommandId>,
        /// The roles that it has now.
        roles: Vec<Role>,
        /// Its subscriptions.
        subscriptions: Vec<Subscription>,
    },
}

/// What became of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscribeOutcome {
    /// The connection is subscribed, now or already before.
    Done,
    /// It is gone meanwhile.
    NotConnected,
    /// It has as many topics as it may have.
    LimitExceeded {
        /// `limits.subscriptions`.
        limit: u32,
    },
    /// The message bus could not be asked for the topic.
    Unavailable,
}

/// What to do, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Queue this frame.
    Send(Control),
    /// Write a WebSocket ping.
    Ping,
    /// Do this; hand in the outcome if it has one.
    Run(Run),
    /// Say why and close. Nothing is done after it.
    Close(Closing),
}

/// What the world has to do for a session.
#[derive(Clone, Debug, PartialEq)]
pub enum Run {
    /// Subscribe on the client's behalf; the outcome is [`Input::Subscribed`].
    Subscribe {
        /// The command's id.
        id: Option<CommandId>,
        /// The topic.
        topic: Topic,
    },
    /// End a subscription; the outcome is [`Input::Unsubscribed`].
    Unsubscribe {
        /// The command's id.
        id: Option<CommandId>,
        /// The topic.
        topic: Topic,
    },
    /// Verify and authorize a new token; the outcome is [`Input::Verified`].
    Verify {
        /// The command's id.
        id: Option<CommandId>,
        /// The token.
        token: String,
    },
    /// Put new roles on the record; the outcome is [`Input::Regranted`].
    Regrant {
        /// The command's id.
        id: Option<CommandId>,
        /// The roles.
        roles: Vec<Role>,
    },
    /// End a subscription that is no longer granted. No outcome.
    Revoke {
        /// The topic.
        topic: Topic,
    },
}

/// One connection's session.
#[derive(Clone, Debug)]
pub struct Session {
    settings: Arc<SessionSettings>,
    user: UserId,
    grants: Box<[Grant]>,
    expires_at: Option<Duration>,
    bucket: TokenBucket,
    strikes: u32,
    liveness: liveness::Liveness,
    closed: bool,
}

/// What a session begins with.
#[derive(Clone, Debug)]
pub struct Opening {
    /// When it begins, on the monotonic clock.
    pub now: Duration,
    /// The same on the wall clock.
    pub wall: Timestamp,
    /// How the client wants to be pinged.
    pub ping: PingMode,
    /// Random bits, to spread pings.
    pub jitter: u64,
}

impl Session {
    /// The session of `connection`, which `claims` let in.
    pub fn open(
        settings: Arc<SessionSettings>,
        connection: &Connection,
        claims: &JwtClaims,
        opening: &Opening,
    ) -> Self {
        let mut session = Self {
            user: connection.user.clone(),
            grants: claims.grants.as_slice().into(),
            expires_at: None,
            bucket: TokenBucket::full(settings.limits.burst, opening.now),
            strikes: 0,
            liveness: liveness::Liveness::new(opening.ping, settings.ping_interval, opening.now, opening.jitter),
            closed: false,
            settings,
        };
        session.expires_at = session.expiry(claims, opening.now, opening.wall);
        session
    }

    /// When to hand in [`Input::Elapsed`] if nothing else happens before, on the monotonic clock.
    pub fn deadline(&self) -> Duration {
        let ping = self.liveness.due();
        self.expires_at.map_or(ping, |at| at.min(ping))
    }

    /// How long the token lasts from `now`, if it ends.
    pub fn token_lasts(&self, now: Duration) -> Option<Duration> {
        self.expires_at.map(|at| at.saturating_sub(now))
    }

    /// The limits of the connection.
    pub fn limits(&self) -> &ClientLimits {
        &self.settings.limits
    }

    /// Whether the session's user may subscribe to `topic` by itself.
    pub fn may_subscribe(&self, topic: &Topic) -> bool {
        crate::topic::granted(&self.grants, realtime_schema::GrantAction::Subscribe, topic, &self.user)
            || self.settings.namespaces.lets_subscribe(topic, &self.user)
    }

    /// Takes `input` at `now` and appends what to do about it to `effects`. After a close it does nothing more.
    pub fn handle(&mut self, now: Duration, input: Input, effects: &mut Vec<Effect>) {
        if self.closed {
            return;
        }
        match input {
            Input::Text(decoded) => {
                self.liveness.alive();
                self.text(now, decoded, effects);
            }
            Input::Binary => {
                self.close(Closing::new(CloseCode::UNSUPPORTED, "realtime.v1 is text; binary is not read"), effects);
            }
            Input::Alive => {
                self.liveness.alive();
                // Pings cost the server a pong each: they count as commands do.
                let _ = self.admit(now, effects);
            }
            Input::Elapsed => self.elapsed(now, effects),
            Input::Subscribed { id, outcome } => self.subscribed(id, outcome, effects),
            Input::Unsubscribed { id } => Self::ack(id, effects),
            Input::Verified { id, outcome, wall } => self.verified(now, wall, id, *outcome, effects),
            Input::Regranted { id, roles, subscriptions } => self.regranted(now, id, roles, &subscriptions, effects),
        }
    }

    fn elapsed(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        if self.expires_at.is_some_and(|at| now >= at) {
            let closing = Closing::new(CloseCode::EXPIRED, "the token's time is over; connect with a new one");
            return self.close(closing, effects);
        }
        match self.liveness.elapsed(now, self.settings.pong_misses) {
            liveness::Due::Nothing => {}
            liveness::Due::Ping(effect) => effects.push(effect),
            liveness::Due::Dead => {
                let closing = Closing::new(CloseCode::NO_PONG, "no answer to the server's pings");
                self.close(closing, effects);
            }
        }
    }

    fn close(&mut self, closing: Closing, effects: &mut Vec<Effect>) {
        self.closed = true;
        effects.push(Effect::Close(closing));
    }

    /// When a token ends on the monotonic clock: at its `exp`, or after the leeway if that had passed already.
    fn expiry(&self, claims: &JwtClaims, now: Duration, wall: Timestamp) -> Option<Duration> {
        let exp = claims.exp.filter(|_| self.settings.close_at_expiry)?;
        let until = |seconds: i64| {
            let ms = seconds.saturating_mul(1000).saturating_sub(wall.as_millis());
            Duration::from_millis(u64::try_from(ms).unwrap_or(0))
        };
        let left = match until(exp) {
            Duration::ZERO => until(exp.saturating_add_unsigned(self.settings.leeway_s)),
            left => left,
        };
        Some(now.saturating_add(left))
    }
}

#[cfg(test)]
mod tests;
