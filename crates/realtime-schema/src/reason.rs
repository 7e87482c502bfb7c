//! Reasons in the frames that the server sends without a command.

use crate::open_words::open_words;

open_words! {
    /// Why a client can no longer receive messages of a stream.
    GapReason:
    /// The stream keeps no history, so messages after the client's position can't be sent.
    NoHistory = "no_history";
    /// The client read too slowly, and its queue dropped messages.
    SlowConsumer = "slow_consumer";
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
    /// The new token no longer grants it.
    Revoked = "revoked";
    /// The application requested it, through the service or the HTTP API.
    Server = "server";
}
