//! One connection's life as a state machine: what came in, what to do about it.
//!
//! The caller hands inputs and the time to [`Session::handle`] and carries out the effects in their order. Effects
//! of the kind [`Effect::Run`] have an outcome, which comes back as an input. A session has one pending command at a
//! time, which it remembers itself: until its outcome is there, further commands are refused, so the caller should read
//! none.

use std::{sync::Arc, time::Duration};

use realtime_schema::{
    Ack, ClientLimits, CloseCode, Closing, Command, CommandId, Connection, Control, ErrorReply, Grant, JwtClaims,
    PingMode, Reconnect, Role, Subscription, Timestamp, Topic, UserId,
};

use crate::{
    auth::Refusal, client_message::ClientMessage, codec::DecodeError, limits::TokenBucket, policy::Namespaces,
};

mod hook;
mod liveness;
mod rate;
mod refresh;
mod subscribe;
mod text;
mod unsubscribe;
mod welcome;

pub use hook::{Handled, HookFailure};
pub use welcome::welcome;

/// What all sessions of a node share.
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
    /// How clients reconnect.
    pub reconnect: Reconnect,
    /// Name and version of the server, for `welcome`.
    pub server: String,
    /// Closes a connection when its token expires.
    pub close_at_expiry: bool,
    /// Seconds of grace for tokens that had expired when they came in.
    pub leeway_s: u64,
}

/// What came in.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// A text message, decoded or not.
    Text(Result<Command, DecodeError>),
    /// A text message of a connection whose application has hooks.
    Hooked(Box<ClientMessage>),
    /// The outcome of [`Run::Hook`].
    Handled {
        /// The message.
        message: Box<ClientMessage>,
        /// What the application did with it.
        handled: Result<Handled, HookFailure>,
    },
    /// A binary message.
    Binary,
    /// Proof of life: a ping or a pong of the WebSocket.
    Alive,
    /// The time of [`Session::deadline`] has come.
    Elapsed,
    /// The outcome of [`Run::Subscribe`].
    Subscribed(SubscribeOutcome),
    /// [`Run::Unsubscribe`] is done.
    Unsubscribed,
    /// The outcome of [`Run::Verify`]: the new token's claims, or why it was refused.
    Verified {
        /// The claims, authorized, or why not.
        outcome: Box<Result<JwtClaims, Refusal>>,
        /// The wall clock, to work out when the token expires.
        wall: Timestamp,
    },
    /// The outcome of [`Run::Regrant`]: what the connection is subscribed to.
    Regranted {
        /// The roles that it has now.
        roles: Vec<Role>,
        /// Its subscriptions.
        subscriptions: Vec<Subscription>,
    },
}

/// The outcome of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
#[non_exhaustive]
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

/// What the caller has to do for a session. At most one that has an outcome is pending at a time.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Run {
    /// Subscribe on the client's behalf; the outcome is [`Input::Subscribed`].
    Subscribe {
        /// The topic.
        topic: Topic,
    },
    /// End a subscription; the outcome is [`Input::Unsubscribed`].
    Unsubscribe {
        /// The topic.
        topic: Topic,
    },
    /// Hand a message to the application's hook; the outcome is [`Input::Handled`].
    Hook(Box<ClientMessage>),
    /// Verify and authorize a new token; the outcome is [`Input::Verified`].
    Verify {
        /// The token.
        token: String,
    },
    /// Put new roles on the record; the outcome is [`Input::Regranted`].
    Regrant {
        /// The roles.
        roles: Vec<Role>,
    },
    /// End a subscription that is no longer granted. No outcome.
    Revoke {
        /// The topic.
        topic: Topic,
    },
}

/// The command whose outcome is still to come.
#[derive(Clone, Debug)]
struct Pending {
    /// For the reply; without it there is none.
    id: Option<CommandId>,
    kind: PendingKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PendingKind {
    Subscribe,
    Unsubscribe,
    Refresh,
    Hook,
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
    /// Boxed, because an idle connection has none.
    pending: Option<Box<Pending>>,
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
    /// The session of `connection`, which was admitted with `claims`.
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
            pending: None,
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

    /// How long the token lasts from `now`, if it expires.
    pub fn token_lasts(&self, now: Duration) -> Option<Duration> {
        self.expires_at.map(|at| at.saturating_sub(now))
    }

    /// The limits of the connection.
    pub fn limits(&self) -> &ClientLimits {
        &self.settings.limits
    }

    /// True while a new token is being verified: the present one's expiry may be about to move.
    pub fn is_refreshing(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.kind == PendingKind::Refresh)
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
            Input::Hooked(message) => {
                self.liveness.alive();
                self.hooked(now, message, effects);
            }
            Input::Handled { message, handled } => self.handled(*message, handled, effects),
            Input::Binary => {
                self.close(Closing::new(CloseCode::UNSUPPORTED, "realtime.v1 is text; binary is not read"), effects);
            }
            Input::Alive => {
                self.liveness.alive();
                // Pings cost the server a pong each: they count as commands do.
                let _ = self.admit(now, effects);
            }
            Input::Elapsed => self.elapsed(now, effects),
            Input::Subscribed(outcome) => self.subscribed(outcome, effects),
            Input::Unsubscribed => self.unsubscribed(effects),
            Input::Verified { outcome, wall } => self.verified(now, wall, *outcome, effects),
            Input::Regranted { roles, subscriptions } => self.regranted(now, roles, &subscriptions, effects),
        }
    }

    /// Asks for something that has an outcome.
    fn run(&mut self, pending: Pending, run: Run, effects: &mut Vec<Effect>) {
        debug_assert!(self.pending.is_none(), "{:?} is pending, and {run:?} would take its place", self.pending);
        self.pending = Some(Box::new(pending));
        effects.push(Effect::Run(run));
    }

    /// Ends the pending command, if it is of this kind; returns the id for its reply.
    fn finish(&mut self, kind: PendingKind) -> Option<Option<CommandId>> {
        self.pending.take_if(|pending| pending.kind == kind).map(|pending| pending.id)
    }

    fn ack(id: Option<CommandId>, effects: &mut Vec<Effect>) {
        if let Some(id) = id {
            effects.push(Effect::Send(Control::Ack(Ack::new(id))));
        }
    }

    fn elapsed(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        if self.expires_at.is_some_and(|at| now >= at) {
            let closing = Closing::new(CloseCode::EXPIRED, "the token has expired; connect with a new one");
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

    /// When a token expires on the monotonic clock: at its `exp`, or after the leeway if that had passed already.
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

fn error(reply: ErrorReply) -> Effect {
    Effect::Send(Control::Error(reply))
}

#[cfg(test)]
mod tests;
