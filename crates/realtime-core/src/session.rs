//! The state machine of one connection: inputs and effects.
//!
//! The caller passes inputs and the time to [`Session::handle`] and carries out the effects in their order. An
//! [`Effect::Run`] has an outcome, which the caller passes as an input. A session has at most one pending command. Until
//! its outcome is there, further commands are refused, so the caller should read none.

use std::{sync::Arc, time::Duration};

use realtime_schema::{
    Ack, ClientLimits, CloseCode, Closing, CommandId, Connection, Control, ErrorReply, Grant, JwtClaims, Ping,
    PingMode, Reconnect, Timestamp, Topic, UserId,
};

use crate::{limits::TokenBucket, policy::Namespaces};

mod authorize;
mod events;
mod expiry;
mod history;
mod hook;
mod liveness;
mod presence;
mod publish;
mod rate;
mod refresh;
mod resume;
mod subscribe;
mod text;
mod unsubscribe;
mod welcome;

pub use authorize::{AuthorizeOutcome, Authorizing};
pub use events::{Effect, Input, Run, SubscribeOutcome};
pub use history::{HistoryOutcome, HistoryRequest};
pub use hook::HookFailure;
pub use presence::{PresenceCommand, Watched};
pub use publish::{ClientPublication, PublishOutcome};
pub use refresh::Refreshed;
pub use resume::{Hold, ResumeRequest};
pub use welcome::{WelcomeStreams, welcome};

/// Settings that all sessions of a node share.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// The limits of a connection.
    pub limits: ClientLimits,
    /// The topics that clients may subscribe to without a grant.
    pub namespaces: Namespaces,
    /// Whether the application has an authorizer, which is asked where neither a grant nor a namespace allows a command.
    pub has_authorizer: bool,
    /// Time between pings; each session changes it by up to 10 %, so that they don't all ping at once.
    pub ping_interval: Duration,
    /// Number of unanswered pings in a row after which the connection is closed.
    pub pong_misses: u32,
    /// The reconnect delays for clients.
    pub reconnect: Reconnect,
    /// Name and version of the server, for `welcome`.
    pub server: String,
    /// Closes a connection when its token expires.
    pub close_at_expiry: bool,
    /// Seconds of grace for tokens that had expired when they were received.
    pub leeway_s: u64,
}

/// The command whose outcome is pending.
#[derive(Clone, Debug)]
struct Pending {
    /// The id for the reply; without an id, no reply is sent.
    id: Option<CommandId>,
    kind: PendingKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PendingKind {
    Presence,
    Subscribe,
    Unsubscribe,
    Refresh,
    Hook,
    Authorize,
    Publish,
    Resume,
    History,
}

/// One connection's session.
#[derive(Clone, Debug)]
pub struct Session {
    settings: Arc<SessionSettings>,
    user: UserId,
    grants: Box<[Grant]>,
    expires_at: expiry::Expiry,
    bucket: TokenBucket,
    strikes: u32,
    liveness: liveness::Liveness,
    closed: bool,
    /// Boxed, because an idle connection has none.
    pending: Option<Box<Pending>>,
    /// Boxed, because most connections have neither.
    rare: Option<Box<Rare>>,
}

/// What a session rarely has.
#[derive(Clone, Debug, Default)]
struct Rare {
    /// The rate limit of publications.
    publications: Option<TokenBucket>,
    /// The streams that stand still until the client resumes.
    hold: Option<Hold>,
}

/// The arguments of [`Session::open`] that vary between connections.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The start, on the monotonic clock.
    pub now: Duration,
    /// The start, on the wall clock.
    pub wall: Timestamp,
    /// The kind of pings that the client chose.
    pub ping: PingMode,
    /// Random bits, to spread pings.
    pub jitter: u64,
    /// The streams that stand still until the client resumes; `None` if it brought no valid resume ticket.
    pub hold: Option<Box<Hold>>,
}

impl Session {
    /// Opens the session of `connection`, which was admitted with `claims`.
    pub fn open(
        settings: Arc<SessionSettings>,
        connection: &Connection,
        claims: &JwtClaims,
        opening: &Opening,
    ) -> Self {
        let mut session = Self {
            user: connection.user.clone(),
            grants: claims.grants.as_slice().into(),
            expires_at: expiry::Expiry::NEVER,
            bucket: TokenBucket::full(settings.limits.burst, opening.now),
            strikes: 0,
            liveness: liveness::Liveness::new(opening.ping, settings.ping_interval, opening.now, opening.jitter),
            closed: false,
            pending: None,
            rare: opening.hold.as_deref().map(|hold| Box::new(Rare { hold: Some(hold.clone()), publications: None })),
            settings,
        };
        session.expires_at = session.expiry(claims, opening.now, opening.wall);
        session
    }

    /// The time on the monotonic clock at which the caller must pass [`Input::Elapsed`]. Changes after each input.
    pub fn deadline(&self) -> Duration {
        let due = self.hold().into_iter().map(|hold| hold.until).chain(self.expires_at.get());
        due.fold(self.liveness.due(), Duration::min)
    }

    /// Time from `now` until the token expires; `None` if it never does.
    pub fn token_expires_in(&self, now: Duration) -> Option<Duration> {
        self.expires_at.get().map(|at| at.saturating_sub(now))
    }

    /// The limits of the connection.
    pub fn limits(&self) -> &ClientLimits {
        &self.settings.limits
    }

    /// True while a new token is being verified: the expiry may be about to change.
    pub fn is_refreshing(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.kind == PendingKind::Refresh)
    }

    /// Whether the session's user may subscribe to `topic` by itself.
    pub fn may_subscribe(&self, topic: &Topic) -> bool {
        crate::topic::granted(&self.grants, realtime_schema::GrantAction::Subscribe, topic, &self.user)
            || self.settings.namespaces.allows_subscribe(topic, &self.user)
    }

    /// Handles `input` at `now` and appends the effects to `effects`. After a close it ignores all inputs.
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
            Input::Handled { message, handled } => self.handled(now, *message, handled, effects),
            Input::Binary => {
                self.close(
                    Closing::new(
                        CloseCode::UNSUPPORTED,
                        "realtime.v1 uses text messages; binary messages are not supported",
                    ),
                    effects,
                );
            }
            Input::Alive => {
                self.liveness.alive();
                // Each ping costs the server a pong: pings count as commands.
                let _ = self.admit(now, effects);
            }
            Input::Elapsed => self.elapsed(now, effects),
            Input::HistoryRead { request, outcome } => self.history_read(*request, outcome, effects),
            Input::Resumed(outcome) => self.resumed(outcome, effects),
            Input::PresenceAnswered => drop(self.finish(PendingKind::Presence)),
            Input::Subscribed(outcome) => self.subscribed(outcome, effects),
            Input::Unsubscribed => self.unsubscribed(effects),
            Input::Verified { outcome, wall } => self.verified(now, wall, *outcome, effects),
            Input::Regranted { refreshed, subscriptions, watched } => {
                self.rewatched(watched, &subscriptions, effects);
                self.regranted(now, refreshed, &subscriptions, effects);
            }
            Input::Authorized { authorizing, outcome } => self.authorized(*authorizing, outcome, effects),
            Input::Published(outcome) => self.published(*outcome, effects),
            Input::Reauthorized { refreshed, denied } => self.reauthorized(now, refreshed, denied, effects),
            Input::Revoked { refreshed } => self.revoked(now, refreshed, effects),
        }
    }

    /// Starts an operation with an outcome.
    fn run(&mut self, pending: Pending, run: Run, effects: &mut Vec<Effect>) {
        debug_assert!(self.pending.is_none(), "{:?} is pending, and {run:?} would replace it", self.pending);
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
        if self.expires_at.get().is_some_and(|at| now >= at) {
            let closing = Closing::new(CloseCode::EXPIRED, "the token has expired; connect with a new one");
            return self.close(closing, effects);
        }
        self.hold_elapsed(now, effects);
        match self.liveness.elapsed(now, self.settings.pong_misses) {
            liveness::Due::Nothing => {}
            liveness::Due::Ping(PingMode::Frame) => effects.push(Effect::Ping),
            liveness::Due::Ping(PingMode::Text) => effects.push(Effect::Send(Control::Ping(Ping {}))),
            liveness::Due::Dead => {
                let closing = Closing::new(CloseCode::NO_PONG, "no pong for the server's pings");
                self.close(closing, effects);
            }
        }
    }

    fn close(&mut self, closing: Closing, effects: &mut Vec<Effect>) {
        self.closed = true;
        effects.push(Effect::Close(closing));
    }

    /// The expiry of a token on the monotonic clock: its `exp`, or the end of the leeway if `exp` had passed already.
    fn expiry(&self, claims: &JwtClaims, now: Duration, wall: Timestamp) -> expiry::Expiry {
        let Some(exp) = claims.exp.filter(|_| self.settings.close_at_expiry) else { return expiry::Expiry::NEVER };
        let until = |seconds: i64| {
            let ms = seconds.saturating_mul(1000).saturating_sub(wall.as_millis());
            Duration::from_millis(u64::try_from(ms).unwrap_or(0))
        };
        let left = match until(exp) {
            Duration::ZERO => until(exp.saturating_add_unsigned(self.settings.leeway_s)),
            left => left,
        };
        expiry::Expiry::new(Some(now.saturating_add(left)))
    }
}

fn error(reply: ErrorReply) -> Effect {
    Effect::Send(Control::Error(reply))
}

#[cfg(test)]
mod tests;
