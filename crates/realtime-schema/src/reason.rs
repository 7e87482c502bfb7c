//! Why the server ended or began something on its own.

use crate::open_words::open_words;

open_words! {
    /// Why a client can no longer get messages of a stream.
    GapReason:
    /// The stream keeps no history, so nothing after the client's position can be sent again.
    NoHistory = "no_history";
    /// The client read too slowly, and its queue dropped messages.
    SlowConsumer = "slow_consumer";
}

open_words! {
    /// Why the server subscribed a connection.
    SubscribedReason:
    /// The application did it, through the service or the HTTP API.
    Server = "server";
}

open_words! {
    /// Why the server ended a subscription.
    UnsubscribedReason:
    /// The new token no longer grants it.
    Revoked = "revoked";
    /// The application did it, through the service or the HTTP API.
    Server = "server";
}
