//! What a session is given, and what it wants: inputs and effects.

use realtime_schema::{
    Closing, Command, CommandId, Control, GapReason, JwtClaims, Origin, Role, StreamPosition, Subscription, Timestamp,
    TokenInfo, Topic,
};

use super::{
    authorize::{AuthorizeOutcome, Authorizing},
    history::{HistoryOutcome, HistoryRequest},
    hook::HookFailure,
    presence::{PresenceCommand, Watched},
    publish::{ClientPublication, PublishOutcome},
    refresh::Refreshed,
    resume::ResumeRequest,
};
use crate::{
    auth::Refusal,
    client_message::{ClientMessage, Handled},
    codec::DecodeError,
    outbound::ResumePending,
};

/// An input of a session.
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
        /// The result of the application's hook.
        handled: Result<Handled, HookFailure>,
    },
    /// A binary message.
    Binary,
    /// A WebSocket ping or pong, which shows that the peer is alive.
    Alive,
    /// The time of [`Session::deadline`](super::Session::deadline) was reached.
    Elapsed,
    /// The outcome of [`Run::Subscribe`].
    Subscribed(SubscribeOutcome),
    /// The reply of [`Run::Presence`] was queued.
    PresenceAnswered,
    /// [`Run::Unsubscribe`] is done.
    Unsubscribed,
    /// The outcome of [`Run::Verify`]: the new token's claims, or the refusal.
    Verified {
        /// The authorized claims, or the refusal.
        outcome: Box<Result<JwtClaims, Refusal>>,
        /// The wall clock, to calculate when the token expires.
        wall: Timestamp,
    },
    /// The outcome of [`Run::History`].
    HistoryRead {
        /// What was asked for.
        request: Box<HistoryRequest>,
        /// The outcome.
        outcome: HistoryOutcome,
    },
    /// The outcome of [`Run::Resume`].
    Resumed(Result<(), ResumePending>),
    /// The outcome of [`Run::Regrant`]: the connection's subscriptions.
    Regranted {
        /// What the connection has now.
        refreshed: Refreshed,
        /// Its subscriptions.
        subscriptions: Vec<Subscription>,
        /// The topics whose presence it watches.
        watched: Vec<Watched>,
    },
    /// The outcome of [`Run::Publish`].
    Published(Box<PublishOutcome>),
    /// The outcome of [`Run::Authorize`].
    Authorized {
        /// The command and the question.
        authorizing: Box<Authorizing>,
        /// The outcome.
        outcome: AuthorizeOutcome,
    },
    /// The outcome of [`Run::Reauthorize`].
    Reauthorized {
        /// What the connection has now.
        refreshed: Refreshed,
        /// The topics that the authorizer does not allow any more, or could not decide on.
        denied: Vec<Topic>,
    },
    /// The outcome of [`Run::Revoke`].
    Revoked {
        /// What the connection has now.
        refreshed: Refreshed,
    },
}

/// The outcome of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeOutcome {
    /// The connection is subscribed, now or already before.
    Subscribed,
    /// The connection is subscribed, and its queue sends the `ack` once it has caught up with the topic's history.
    CatchingUp,
    /// The connection has ended meanwhile.
    NotConnected,
    /// The connection has reached its limit of topics.
    LimitExceeded {
        /// `limits.subscriptions`.
        limit: u32,
    },
    /// The message bus failed to listen to the topic.
    Unavailable,
}

/// An effect, which the caller carries out.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// Queue this frame.
    Send(Control),
    /// Write a WebSocket ping.
    Ping,
    /// Run this, and pass the outcome as an input if it has one.
    Run(Run),
    /// Send a `closing` frame and close. No effect follows.
    Close(Closing),
}

/// An operation that the caller runs for a session. At most one with an outcome is pending at a time.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Run {
    /// Subscribe on the client's behalf; the outcome is [`Input::Subscribed`].
    Subscribe {
        /// The topic.
        topic: Topic,
        /// What allowed it: the client's grants and the namespaces, or the application's authorizer.
        origin: Origin,
        /// The last position that the client received, if the topic has a history.
        since: Option<StreamPosition>,
        /// The id for the `ack` of a connection that has to catch up.
        id: Option<CommandId>,
    },
    /// Read a page of a history; the outcome is [`Input::HistoryRead`].
    History {
        /// The page.
        request: Box<HistoryRequest>,
        /// Only if the connection receives the stream.
        if_received: bool,
    },
    /// Let the streams that stand still go on from the client's positions, and subscribe to the topics that it resumes;
    /// the outcome is [`Input::Resumed`]. The queue sends the `ack` once all have caught up.
    Resume(Box<ResumeRequest>),
    /// Let the streams that stand still go on, each after a gap. No outcome.
    Release {
        /// The reason of the gaps.
        reason: GapReason,
    },
    /// End a subscription; the outcome is [`Input::Unsubscribed`].
    Unsubscribe {
        /// The topic.
        topic: Topic,
    },
    /// Pass a message to the application's hook; the outcome is [`Input::Handled`].
    Hook(Box<ClientMessage>),
    /// Publish a client's message; the outcome is [`Input::Published`].
    Publish {
        /// The message.
        publication: Box<ClientPublication>,
        /// Whether it is published only if the connection is subscribed to the topic.
        only_subscribers: bool,
    },
    /// Ask the application's authorizer about a command; the outcome is [`Input::Authorized`].
    Authorize(Box<Authorizing>),
    /// Ask the application's authorizer about subscriptions that the new token does not grant; the outcome is
    /// [`Input::Reauthorized`].
    Reauthorize {
        /// What the connection has now.
        refreshed: Refreshed,
        /// The topics.
        topics: Vec<Topic>,
    },
    /// Send who is on a topic, now or from now on, and the reply to the command; the outcome is
    /// [`Input::PresenceAnswered`].
    Presence(Box<PresenceCommand>),
    /// Send no more changes of who is on a topic. No outcome.
    EndPresence {
        /// The topic.
        topic: Topic,
        /// Whether the client lost its right, and is notified.
        revoked: bool,
    },
    /// Verify and authorize a new token; the outcome is [`Input::Verified`].
    Verify {
        /// The token.
        token: String,
    },
    /// Put the new token's roles on the record, and what it says of itself; the outcome is [`Input::Regranted`].
    Regrant {
        /// The roles.
        roles: Vec<Role>,
        /// What the token says of itself.
        token: Option<Box<TokenInfo>>,
    },
    /// End subscriptions that are no longer granted, in this order; the outcome is [`Input::Revoked`]. Each is a frame to the
    /// client, so they wait for room in its queue.
    Revoke {
        /// What the connection has now.
        refreshed: Refreshed,
        /// The topics.
        topics: Vec<Topic>,
    },
}
