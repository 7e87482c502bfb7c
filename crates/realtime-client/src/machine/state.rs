//! The state of the machine: plain data, changed in place.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    events::Effect,
    types::{Command, ConnectionPhase, ConnectionState, Failure, LoadReason, Options, Position, Reason, Timer},
    wanted::Wanted,
};

/// The state of one client. Opaque: [`step`](super::step) changes it.
#[derive(Debug)]
pub struct State {
    pub(crate) options: Options,
    pub(crate) phase: Phase,
    pub(super) shown: ConnectionState,
    pub(super) reason: Option<Reason>,
    pub(crate) retry_at: Option<f64>,
    /// The attempt. It rises and never repeats: what belongs to another is dropped.
    pub(super) n: u64,
    pub(super) next_id: u64,
    pub(super) next_key: u64,
    pub(super) generation: u64,
    pub(super) timers: BTreeMap<Timer, Armed>,
    /// Failed attempts since the connection was last stable.
    pub(super) tries: u32,
    pub(super) attempted_at: f64,
    /// No attempt before it, whatever happens: the server asked for it.
    pub(super) not_before: f64,
    pub(super) closing: Option<Closing>,
    /// The token request that is pending; 0: none.
    pub(super) request: u64,
    pub(super) next_request: u64,
    pub(super) token: Option<String>,
    pub(super) refused: Option<String>,
    pub(super) waited_with_refused: bool,
    /// Refusals of a token in a row.
    pub(super) refusals: u32,
    pub(super) expires_at: f64,
    pub(super) refresh_at: f64,
    pub(super) user: Option<String>,
    pub(super) ticket: Option<String>,
    pub(super) welcome: Welcome,
    /// Connections so far.
    pub(super) welcomes: u64,
    /// No gap since `welcome`.
    pub(super) complete: bool,
    /// The command `resume` in flight; 0: none.
    pub(super) resume: u64,
    /// The server's streams that wait for `resume`.
    pub(super) held: BTreeSet<String>,
    pub(super) heard_at: f64,
    /// The ping that waits for any frame; 0: none.
    pub(super) probe: u64,
    pub(crate) positions: BTreeMap<String, Position>,
    pub(crate) subscriptions: Wanted,
    /// Topics that the backend gave.
    pub(super) given: BTreeSet<String>,
    /// The machine's own commands in flight, by id.
    pub(super) sent: BTreeMap<u64, Own>,
    /// The application's commands, by id, in their order.
    pub(crate) commands: BTreeMap<u64, Pending>,
}

impl State {
    /// A client that has not been started.
    pub fn new(options: Options) -> Self {
        Self {
            next_id: options.first_id,
            options,
            phase: Phase::Stopped,
            shown: ConnectionState {
                phase: ConnectionPhase::Stopped,
                since: 0.0,
                retry_at: None,
                reason: None,
                resumed: None,
            },
            reason: None,
            retry_at: None,
            n: 0,
            next_key: 1,
            generation: 0,
            timers: BTreeMap::new(),
            tries: 0,
            attempted_at: f64::NEG_INFINITY,
            not_before: 0.0,
            closing: None,
            request: 0,
            next_request: 1,
            token: None,
            refused: None,
            waited_with_refused: false,
            refusals: 0,
            expires_at: f64::INFINITY,
            refresh_at: f64::INFINITY,
            user: None,
            ticket: None,
            welcome: Welcome { min_ms: 250.0, max_ms: 30_000.0, spread_ms: 1_000.0, ping_ms: 25_000.0, burst: 100.0 },
            welcomes: 0,
            complete: true,
            resume: 0,
            held: BTreeSet::new(),
            heard_at: 0.0,
            probe: 0,
            positions: BTreeMap::new(),
            subscriptions: Wanted::default(),
            given: BTreeSet::new(),
            sent: BTreeMap::new(),
            commands: BTreeMap::new(),
        }
    }

    /// The state of the connection, as it was last emitted.
    pub fn connection(&self) -> &ConnectionState {
        &self.shown
    }

    #[cfg(test)]
    pub(crate) fn timers_left(&self) -> usize {
        self.timers.len()
    }

    /// The generation of the subscription to a topic; 0 without one.
    pub fn generation_of(&self, topic: &str) -> u64 {
        self.subscriptions.of(topic).map_or(0, |sub| sub.generation)
    }
}

/// Where the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Stopped,
    Waiting,
    Token,
    Dialing,
    Resuming,
    Live,
}

/// A timer that runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Armed {
    pub(super) key: u64,
    pub(super) due: f64,
    pub(super) clamped: bool,
    pub(super) graced: bool,
}

/// What the server said before it closes.
#[derive(Clone, Debug)]
pub(super) struct Closing {
    pub(super) code: u16,
    pub(super) reason: String,
    pub(super) reconnect: bool,
    pub(super) after_ms: f64,
    pub(super) spread_ms: f64,
}

/// What the last `welcome` asks of this client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Welcome {
    pub(super) min_ms: f64,
    pub(super) max_ms: f64,
    pub(super) spread_ms: f64,
    pub(super) ping_ms: f64,
    pub(super) burst: f64,
}

/// A command of the machine itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Own {
    Ping,
    Refresh,
    Resume,
    Subscribe(String),
    Unsubscribe(String),
}

/// How a subscription gets onto the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SubPhase {
    Loading,
    Queued,
    Asking,
    Live,
    Ended,
}

/// An `unsubscribe` on the wire: until its reply, messages are of an older generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    No,
    Sent(u64),
    /// It must be sent again.
    Again,
}

/// What the application wants of one topic.
#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    pub(super) topic: String,
    /// Subscribers in the application. At 0 it lingers, then the wire follows.
    pub(super) count: usize,
    /// Rises each time that the count rises from 0.
    pub(crate) generation: u64,
    pub(crate) phase: SubPhase,
    /// The application loads its state first.
    pub(super) load: bool,
    /// Loads since it was last live, and when the next begins; 0: it has begun.
    pub(super) loads: u32,
    pub(super) load_at: f64,
    pub(super) load_reason: LoadReason,
    /// The command in flight, `subscribe` or `resume`; 0: none.
    pub(super) command: u64,
    pub(super) leaving: Leaving,
    pub(super) linger_until: f64,
    /// The last offset before the position is known.
    pub(super) seen: u64,
    /// Messages since `since` was sent.
    pub(super) recovered: u64,
}

impl Subscription {
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving != Leaving::No
    }
}

/// A command of the application.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(super) reference: u64,
    pub(super) command: Command,
    /// Whether it was sent on this connection.
    pub(super) sent: bool,
    pub(super) due: f64,
    pub(super) bytes: usize,
    pub(super) tries: u32,
}

/// One step: the state, the time, one random number of [0, 1), and the effects so far.
pub(super) struct Step<'a> {
    pub(super) state: &'a mut State,
    pub(super) now: f64,
    pub(super) random: f64,
    pub(super) effects: Vec<Effect>,
}

impl Step<'_> {
    /// The subscription of a key that `Wanted` gave in this step.
    pub(super) fn sub(&mut self, key: u64) -> &mut Subscription {
        self.state.subscriptions.get_mut(key)
    }
}

/// An error of the client itself.
pub(crate) fn failure(code: &str, message: impl Into<String>, retry: bool) -> Failure {
    Failure { code: code.to_owned(), message: message.into(), status: 0, retry, after_ms: None, errors: Vec::new() }
}
