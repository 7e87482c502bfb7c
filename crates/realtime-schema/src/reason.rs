//! Reasons in the frames that the server sends without a command.

use crate::open_words::open_words;

open_words! {
    /// Why a client can no longer receive messages of a stream.
    GapReason:
    /// The stream keeps no history, so messages after the client's position can't be sent.
    NoHistory = "no_history";
    /// The client read too slowly, and its queue dropped messages.
    SlowConsumer = "slow_consumer";
    /// The messages are older than what the stream's history keeps.
    Retention = "retention";
    /// The history was lost or started again, so the client's position belongs to another one.
    Epoch = "epoch";
    /// The stream was quiet for so long that its position was removed.
    PositionForgotten = "position_forgotten";
    /// The client's position is beyond the end of the history: the newest messages were lost.
    LogWentBack = "log_went_back";
    /// The server's storage lost messages that it had stored, such as in a power failure.
    StoreRolledBack = "store_rolled_back";
    /// No `resume` was received within `hold_ms`.
    HoldExpired = "hold_expired";
    /// The client may not read the stream's past.
    NotGranted = "not_granted";
}

open_words! {
    /// Why the server subscribed a connection.
    SubscribedReason:
    /// The application requested it, through the service or the HTTP API.
    Server = "server";
}

open_words! {
    /// Why the server ended a subscription.
    UnsubscribedReason:
    /// The new token no longer grants it, or the one with which the client came back.
    Revoked = "revoked";
    /// The connection has as many subscriptions as it may have: a topic was not resumed.
    LimitExceeded = "limit_exceeded";
    /// The server could not listen to the topic: it was not resumed.
    Unavailable = "unavailable";
    /// The application requested it, through the service or the HTTP API.
    Server = "server";
}
