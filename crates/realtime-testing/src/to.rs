//! Recipients by name, for [`World::publish`](crate::World::publish).

use realtime_schema::{ConnectionId, Route};

/// Every connection.
pub fn all() -> Route {
    Route::All
}

/// Every connection that is subscribed to a topic.
///
/// # Panics
/// It is not a topic.
pub fn topic(name: &str) -> Route {
    Route::Topic(name.parse().unwrap_or_else(|error| panic!("`{name}` is not a topic: {error}")))
}

/// Every connection of a user.
///
/// # Panics
/// It is not the name of a user.
pub fn user(name: &str) -> Route {
    Route::User(name.parse().unwrap_or_else(|error| panic!("`{name}` is not the name of a user: {error}")))
}

/// Every connection whose token gives a role.
///
/// # Panics
/// It is not the name of a role.
pub fn role(name: &str) -> Route {
    Route::Role(name.parse().unwrap_or_else(|error| panic!("`{name}` is not the name of a role: {error}")))
}

/// One connection.
pub fn connection(id: ConnectionId) -> Route {
    Route::Connection(id)
}
