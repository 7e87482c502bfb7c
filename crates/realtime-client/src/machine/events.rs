//! What goes into the machine (events), and what comes out (effects).

use std::collections::BTreeMap;

use serde_json::Value;

use super::types::{Command, Emission, Failure, LoadReason, Position, Timer, TokenReason};

/// What happens to a client.
#[derive(Clone, Debug)]
pub enum Event {
    /// Connect, and stay connected.
    Start,
    /// Disconnect.
    Stop,
    /// The machine woke up, or the page is visible again.
    Wake,
    /// The network is back.
    Online,
    /// The device has no network.
    Offline,
    /// The process is suspended: its socket will be closed.
    Hide,
    /// Ask for a token now.
    Refresh,
    /// The token provider returned: `None` says that no user is signed in.
    Token {
        /// The number of the request.
        request: u64,
        /// The token.
        token: Option<String>,
    },
    /// The token provider failed.
    TokenFailed {
        /// The number of the request.
        request: u64,
        /// Why.
        message: String,
    },
    /// A text frame.
    Frame {
        /// The attempt.
        n: u64,
        /// The text.
        text: String,
    },
    /// The socket is closed, or was never open.
    Closed {
        /// The attempt.
        n: u64,
        /// The close code; 1006 without a close frame.
        code: u16,
        /// The reason.
        reason: String,
    },
    /// A timer expired.
    Timer {
        /// Which.
        timer: Timer,
        /// The key of its `Arm`.
        key: u64,
    },
    /// The application wants a topic.
    Subscribe {
        /// The topic.
        topic: String,
        /// The last position that the application has.
        since: Option<Position>,
        /// Whether it loads its state first.
        load: bool,
    },
    /// One subscriber of the topic less.
    Unsubscribe {
        /// The topic.
        topic: String,
    },
    /// The application loaded its state.
    Loaded {
        /// The topic.
        topic: String,
        /// The subscription.
        generation: u64,
        /// Where it was read; `None` without history.
        position: Option<Position>,
    },
    /// It could not.
    LoadFailed {
        /// The topic.
        topic: String,
        /// The subscription.
        generation: u64,
        /// Why. Without `retry`, the subscription ends with it.
        error: Failure,
    },
    /// A command of the application.
    Command {
        /// Names the result.
        reference: u64,
        /// The command.
        command: Command,
    },
}

/// What the driver does next.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Ask the token provider.
    AskToken {
        /// The number of the request.
        request: u64,
        /// Why.
        reason: TokenReason,
    },
    /// Open a socket.
    Dial {
        /// The attempt.
        n: u64,
        /// The subprotocols; one carries the token.
        protocols: Vec<String>,
        /// The parameters of the URL.
        query: BTreeMap<&'static str, String>,
    },
    /// Send a command.
    Send {
        /// The attempt.
        n: u64,
        /// The command.
        command: Command,
    },
    /// Close the socket and forget it.
    Drop {
        /// The attempt.
        n: u64,
        /// The close code.
        code: u16,
    },
    /// Start a timer, in place of the one of the same kind.
    Arm {
        /// Which.
        timer: Timer,
        /// Comes back in [`Event::Timer`].
        key: u64,
        /// After this time, at most a day.
        ms: u64,
    },
    /// Stop a timer.
    Disarm(Timer),
    /// A command has its result.
    Settle {
        /// The name of the result.
        reference: u64,
        /// The payload of the `ack`.
        result: Result<Value, Failure>,
    },
    /// Let the application load its state.
    Load {
        /// The topic.
        topic: String,
        /// The subscription.
        generation: u64,
        /// Why.
        reason: LoadReason,
    },
    /// Hand this to the application.
    Emit(Emission),
}
