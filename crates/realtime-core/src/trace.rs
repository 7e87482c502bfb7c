//! Which messages are for a user that is traced: judged by what is known of the user's connections.

use std::collections::{BTreeMap, BTreeSet};

use realtime_schema::{Audience, ClientId, Connection, ConnectionId, Role, Route, Topic, UserId};

/// The connections of one user, with what routing looks at. Kept beside the tables of the node, so that a message is
/// judged without visiting the subscriptions of the user: at most one lookup for each route and connection.
#[derive(Clone, Debug, Default)]
pub struct UserView(BTreeMap<ConnectionId, Known>);

#[derive(Clone, Debug)]
struct Known {
    client: Option<ClientId>,
    roles: Vec<Role>,
    topics: BTreeSet<Topic>,
}

impl UserView {
    /// Replaces what is known of a connection of the user.
    pub fn set(&mut self, connection: &Connection, topics: impl IntoIterator<Item = Topic>) {
        let Connection { id, roles, client, .. } = connection;
        let known = Known { client: client.clone(), roles: roles.clone(), topics: topics.into_iter().collect() };
        self.0.insert(*id, known);
    }

    /// Forgets a connection.
    pub fn remove(&mut self, id: ConnectionId) {
        self.0.remove(&id);
    }

    /// The connections of `user` that a message to `to` is for, without the client that it leaves out. `None` if no route
    /// names the user: a message to all, or to the user, names one without a connection too.
    pub fn recipients(
        &self,
        user: &UserId,
        to: &Audience,
        except_client: Option<&ClientId>,
    ) -> Option<Vec<ConnectionId>> {
        let to_all = to.routes().iter().any(|route| match route {
            Route::All => true,
            Route::User(named) => named == user,
            _ => false,
        });
        let is_named = |(id, known): &(&ConnectionId, &Known)| {
            to_all
                || to.routes().iter().any(|route| match route {
                    Route::Role(role) => known.roles.contains(role),
                    Route::Connection(named) => named == *id,
                    Route::Topic(topic) => known.topics.contains(topic),
                    Route::All | Route::User(_) => false,
                })
        };
        let named: Vec<_> = self.0.iter().filter(is_named).collect();
        if named.is_empty() && !to_all {
            return None;
        }
        let is_left_out = |known: &Known| except_client.is_some() && known.client.as_ref() == except_client;
        Some(named.into_iter().filter(|(_, known)| !is_left_out(known)).map(|(id, _)| *id).collect())
    }
}

#[cfg(test)]
mod tests {
    use realtime_schema::{JwtClaims, Timestamp};

    use super::*;

    fn user(name: &str) -> UserId {
        UserId::new(name).expect("a user")
    }

    fn topic(name: &str) -> Topic {
        Topic::new(name).expect("a topic")
    }

    fn role(name: &str) -> Role {
        Role::new(name).expect("a role")
    }

    fn client(name: &str) -> ClientId {
        ClientId::new(name).expect("a client")
    }

    fn id(n: u128) -> ConnectionId {
        ConnectionId(uuid::Uuid::from_u128(n))
    }

    fn connection(n: u128, roles: &[&str]) -> Connection {
        let claims = JwtClaims { roles: roles.iter().copied().map(role).collect(), ..JwtClaims::new(user("alice")) };
        crate::connection::record(id(n), &claims, Some(client(&format!("tab-{n}"))), Timestamp::from_millis(0))
    }

    /// Alice has two tabs: the first is an admin's and reads `order:1`, the second reads `order:2`.
    fn alice() -> UserView {
        let mut view = UserView::default();
        view.set(&connection(1, &["admin"]), [topic("order:1")]);
        view.set(&connection(2, &[]), [topic("order:2")]);
        view
    }

    fn recipients(view: &UserView, routes: Vec<Route>) -> Option<Vec<ConnectionId>> {
        view.recipients(&user("alice"), &Audience::union(routes).expect("routes"), None)
    }

    #[test]
    fn each_kind_of_route_names_its_own_connections_only() {
        let view = alice();
        for (route, expected) in [
            (Route::All, Some(vec![id(1), id(2)])),
            (Route::User(user("alice")), Some(vec![id(1), id(2)])),
            (Route::User(user("bob")), None),
            (Route::Role(role("admin")), Some(vec![id(1)])),
            (Route::Role(role("guest")), None),
            (Route::Connection(id(2)), Some(vec![id(2)])),
            (Route::Connection(id(3)), None),
            (Route::Topic(topic("order:1")), Some(vec![id(1)])),
            (Route::Topic(topic("order:2")), Some(vec![id(2)])),
            (Route::Topic(topic("order:3")), None),
        ] {
            assert_eq!(recipients(&view, vec![route.clone()]), expected, "{route:?}");
        }
        let union = vec![Route::User(user("bob")), Route::Role(role("admin")), Route::Topic(topic("order:1"))];
        assert_eq!(recipients(&view, union), Some(vec![id(1)]), "each connection once");
    }

    #[test]
    fn a_message_to_the_user_or_to_all_is_shown_without_a_connection_too() {
        let away = UserView::default();
        assert_eq!(recipients(&away, vec![Route::All]), Some(vec![]));
        assert_eq!(recipients(&away, vec![Route::Role(role("admin")), Route::User(user("alice"))]), Some(vec![]));
        assert_eq!(recipients(&away, vec![Route::Role(role("admin"))]), None);
    }

    #[test]
    fn the_client_that_is_left_out_is_no_recipient_and_the_message_is_shown() {
        let view = alice();
        let left_out = |route: Route, name| view.recipients(&user("alice"), &route.into(), Some(&client(name)));
        assert_eq!(left_out(Route::All, "tab-1"), Some(vec![id(2)]));
        assert_eq!(left_out(Route::Topic(topic("order:1")), "tab-1"), Some(vec![]));
        assert_eq!(left_out(Route::Topic(topic("order:1")), "tab-2"), Some(vec![id(1)]));
        let mut unnamed = UserView::default();
        unnamed.set(&Connection { client: None, ..connection(1, &[]) }, []);
        assert_eq!(unnamed.recipients(&user("alice"), &Route::All.into(), None), Some(vec![id(1)]));
    }

    #[test]
    fn what_is_known_of_a_connection_is_replaced_as_a_whole() {
        let mut view = alice();
        view.set(&connection(1, &["guest"]), [topic("order:9")]);
        for (route, expected) in [
            (Route::Role(role("admin")), None),
            (Route::Role(role("guest")), Some(vec![id(1)])),
            (Route::Topic(topic("order:1")), None),
            (Route::Topic(topic("order:9")), Some(vec![id(1)])),
        ] {
            assert_eq!(recipients(&view, vec![route.clone()]), expected, "{route:?}");
        }
        view.remove(id(1));
        assert_eq!(recipients(&view, vec![Route::All]), Some(vec![id(2)]));
    }
}
