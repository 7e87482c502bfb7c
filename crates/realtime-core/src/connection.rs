//! Connection records: constructor, checks, filters and updates. Ids and time are arguments.

use std::time::Duration;

use realtime_schema::{ClientId, Connection, ConnectionId, JwtClaims, Role, Timestamp, TokenInfo, UserId};
use serde_json::{Map, Value};

/// The application's own data of a connection.
pub type Metadata = Map<String, Value>;

/// A change of a record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConnectionUpdate {
    /// The new roles, if they change.
    pub roles: Option<Vec<Role>>,
    /// The new metadata, if it changes.
    pub metadata: Option<Metadata>,
    /// What the new token says of itself, if the token changes.
    pub token: Option<Option<Box<TokenInfo>>>,
}

/// What a token says of itself, for the record: nothing without a `jti` and an `iat`.
pub fn token_info(claims: &JwtClaims) -> Option<Box<TokenInfo>> {
    let JwtClaims { jti, iat, exp, .. } = claims;
    (jti.is_some() || iat.is_some()).then(|| Box::new(TokenInfo { jti: jti.clone(), iat: *iat, exp: *exp }))
}

/// The record of a connection that was admitted with `claims`.
pub fn record(id: ConnectionId, claims: &JwtClaims, client: Option<ClientId>, now: Timestamp) -> Connection {
    let mut roles = claims.roles.clone();
    roles.sort_unstable();
    roles.dedup();
    Connection {
        id,
        user: claims.sub.clone(),
        roles,
        client,
        metadata: claims.metadata.clone(),
        created_at: now,
        token: token_info(claims),
    }
}

/// The record with `change` applied.
#[must_use]
pub fn updated(connection: &Connection, change: ConnectionUpdate) -> Connection {
    let mut new = connection.clone();
    if let Some(mut roles) = change.roles {
        roles.sort_unstable();
        roles.dedup();
        new.roles = roles;
    }
    if let Some(metadata) = change.metadata {
        new.metadata = metadata;
    }
    if let Some(token) = change.token {
        new.token = token;
    }
    new
}

/// Whether the connection has `role`.
pub fn has_role(connection: &Connection, role: &Role) -> bool {
    connection.roles.contains(role)
}

/// Whether it has at least one of `roles`; false if `roles` is empty.
pub fn has_any_role(connection: &Connection, roles: &[Role]) -> bool {
    roles.iter().any(|role| has_role(connection, role))
}

/// Whether it has every one of `roles`; true if `roles` is empty.
pub fn has_all_roles(connection: &Connection, roles: &[Role]) -> bool {
    roles.iter().all(|role| has_role(connection, role))
}

/// Time since it was accepted; zero if the clock has gone back since.
pub fn age(connection: &Connection, now: Timestamp) -> Duration {
    let ms = now.as_millis().saturating_sub(connection.created_at.as_millis());
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// The connections of `user`.
pub fn of_user<'a>(
    connections: impl IntoIterator<Item = &'a Connection>,
    user: &UserId,
) -> impl Iterator<Item = &'a Connection> {
    connections.into_iter().filter(move |connection| connection.user == *user)
}

/// The connections that have `role`.
pub fn of_role<'a>(
    connections: impl IntoIterator<Item = &'a Connection>,
    role: &Role,
) -> impl Iterator<Item = &'a Connection> {
    connections.into_iter().filter(move |connection| has_role(connection, role))
}

/// The connections whose metadata holds `value` under `key`.
pub fn with_metadata<'a>(
    connections: impl IntoIterator<Item = &'a Connection>,
    key: &str,
    value: &Value,
) -> impl Iterator<Item = &'a Connection> {
    connections.into_iter().filter(move |connection| connection.metadata.get(key) == Some(value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn connection(n: u128, user: &str, roles: &[&str]) -> Connection {
        let claims = JwtClaims {
            roles: roles.iter().map(|role| Role::new(role).expect("a role")).collect(),
            ..JwtClaims::new(UserId::new(user).expect("a user"))
        };
        record(ConnectionId(uuid::Uuid::from_u128(n)), &claims, None, Timestamp::from_millis(1_000))
    }

    fn role(name: &str) -> Role {
        Role::new(name).expect("a role")
    }

    #[test]
    fn a_record_has_the_tokens_claims_and_each_role_once() {
        let record = connection(1, "alice", &["staff", "admin", "staff"]);
        assert_eq!(record.user.as_str(), "alice");
        assert_eq!(record.roles, vec![role("admin"), role("staff")]);
        assert!(has_role(&record, &role("admin")) && !has_role(&record, &role("root")));
        assert!(has_any_role(&record, &[role("root"), role("staff")]) && !has_any_role(&record, &[]));
        assert!(has_all_roles(&record, &[role("admin"), role("staff")]) && !has_all_roles(&record, &[role("root")]));
    }

    #[test]
    fn records_are_found_by_user_role_and_metadata() {
        let gold = updated(
            &connection(3, "carol", &["admin"]),
            ConnectionUpdate { metadata: json!({"plan": "gold"}).as_object().cloned(), ..Default::default() },
        );
        let all = [connection(1, "alice", &["admin"]), connection(2, "bob", &[]), gold];
        let ids = |found: Vec<&Connection>| found.iter().map(|c| c.id.0.as_u128()).collect::<Vec<_>>();
        assert_eq!(ids(of_user(&all, &UserId::new("bob").expect("a user")).collect()), [2]);
        assert_eq!(ids(of_role(&all, &role("admin")).collect()), [1, 3]);
        assert_eq!(ids(with_metadata(&all, "plan", &json!("gold")).collect()), [3]);
        assert_eq!(ids(with_metadata(&all, "plan", &json!("lead")).collect()), [0_u128; 0]);
    }

    #[test]
    fn an_update_changes_only_the_given_fields() {
        let before = connection(1, "alice", &["admin"]);
        let after = updated(&before, ConnectionUpdate { roles: Some(vec![role("staff")]), ..Default::default() });
        assert_eq!(after.roles, vec![role("staff")]);
        assert_eq!(after, Connection { roles: after.roles.clone(), ..before.clone() });
        let token = Some(Box::new(TokenInfo { jti: Some("t2".into()), iat: None, exp: None }));
        let after = updated(&before, ConnectionUpdate { token: Some(token.clone()), ..Default::default() });
        assert_eq!(after, Connection { token, ..before });
    }

    #[test]
    fn a_record_holds_nothing_of_a_token_that_says_nothing_of_itself() {
        let token = |jti: Option<&str>, iat| {
            let alice = JwtClaims::new(UserId::new("alice").expect("a user"));
            let claims = JwtClaims { jti: jti.map(str::to_owned), iat, exp: Some(9), ..alice };
            record(ConnectionId(uuid::Uuid::nil()), &claims, None, Timestamp::EPOCH).token
        };
        assert_eq!(token(None, None), None);
        let of_iat = TokenInfo { jti: None, iat: Some(7), exp: Some(9) };
        assert_eq!(token(None, Some(7)), Some(Box::new(of_iat)), "one of both is enough");
        let of_jti = TokenInfo { jti: Some("t1".into()), iat: None, exp: Some(9) };
        assert_eq!(token(Some("t1"), None), Some(Box::new(of_jti)));
        let known = TokenInfo { jti: Some("t1".into()), iat: Some(7), exp: Some(9) };
        assert_eq!(token(Some("t1"), Some(7)), Some(Box::new(known)));
        assert!(size_of::<Connection>() <= 112, "it has {} bytes", size_of::<Connection>());
    }

    #[test]
    fn age_is_never_negative() {
        let record = connection(1, "alice", &[]);
        assert_eq!(age(&record, Timestamp::from_millis(3_500)), Duration::from_millis(2_500));
        assert_eq!(age(&record, Timestamp::from_millis(0)), Duration::ZERO);
    }
}
