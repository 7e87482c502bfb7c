//! Routes as texts in the file.

use realtime_schema::{Role, Route, Topic, UserId};

/// The text of a stream's route: the shape of its name on the wire, with the user's id. `None` for a single connection.
pub(super) fn to_text(route: &Route) -> Option<String> {
    Some(match route {
        Route::All => "all".to_owned(),
        Route::User(user) => format!("user:{user}"),
        Route::Role(role) => format!("role:{role}"),
        Route::Topic(topic) => format!("topic:{topic}"),
        Route::Connection(_) => return None,
    })
}

/// The route of a text that [`to_text`] made.
pub(super) fn of_text(text: &str) -> Option<Route> {
    match text.split_once(':') {
        None if text == "all" => Some(Route::All),
        Some(("user", user)) => UserId::new(user).ok().map(Route::User),
        Some(("role", role)) => Role::new(role).ok().map(Route::Role),
        Some(("topic", topic)) => Topic::new(topic).ok().map(Route::Topic),
        _ => None,
    }
}
