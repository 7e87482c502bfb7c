//! The application's decision on a client whose token is valid.

use core::net::IpAddr;

use realtime_schema::{ClientId, CloseAdvice, CloseCode, ConnectionId, ErrorCode, JwtClaims, Role, Topic};
use serde_json::{Map, Value};

use super::{Refusal, RefusalReason};

/// A client that wants to connect, or a connection with a new token.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ConnectAttempt {
    /// The claims of the verified token.
    pub claims: JwtClaims,
    /// The name that the client chose, the same after a reconnect.
    pub client: Option<ClientId>,
    /// The client's address, if it is known; never at a `refresh`.
    pub address: Option<IpAddr>,
    /// The connection whose token is replaced by a `refresh`; `None` for a client that is not connected yet.
    pub connection: Option<ConnectionId>,
}

impl ConnectAttempt {
    /// A client with these claims that is not connected yet.
    pub fn new(claims: JwtClaims) -> Self {
        Self { claims, client: None, address: None, connection: None }
    }
}

/// The application's decision on a [`ConnectAttempt`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ConnectDecision {
    /// The client is admitted, with this in addition to what its token says.
    Admit(ConnectGrant),
    /// The client is refused.
    Refuse(ConnectRefusal),
}

impl Default for ConnectDecision {
    /// Admits without an addition.
    fn default() -> Self {
        Self::Admit(ConnectGrant::default())
    }
}

/// What an admitted client gets in addition to what its token says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConnectGrant {
    /// Roles to add. At a `refresh` they are added to the new token's.
    pub roles: Vec<Role>,
    /// Topics that the connection is subscribed to by the server. Ignored at a `refresh`.
    pub subscriptions: Vec<Topic>,
    /// Data to add to the connection's, key by key. Ignored at a `refresh`.
    pub metadata: Map<String, Value>,
}

impl ConnectGrant {
    /// Adds roles and data to `claims`; returns the topics, each once.
    pub fn apply(self, claims: &mut JwtClaims) -> Vec<Topic> {
        claims.roles.extend(self.roles);
        claims.metadata.extend(self.metadata);
        let mut topics = self.subscriptions;
        topics.sort_unstable();
        topics.dedup();
        topics
    }
}

/// Why the application refuses a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectRefusal {
    /// For the client: what is wrong, and what to do about it.
    pub message: String,
    /// The close code: its range says whether the client reconnects. 4403 by default.
    pub code: CloseCode,
    /// Number of milliseconds to wait before another attempt, if the code's range allows one.
    pub after_ms: Option<u64>,
}

impl ConnectRefusal {
    /// A refusal after which the client does not reconnect.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: CloseCode::FORBIDDEN, after_ms: None }
    }
}

impl From<ConnectRefusal> for Refusal {
    fn from(ConnectRefusal { message, code, after_ms }: ConnectRefusal) -> Self {
        let stays_away = code.advice() == CloseAdvice::Stop;
        let word = if stays_away { ErrorCode::Forbidden } else { ErrorCode::Unavailable };
        Self {
            code: word,
            close: code,
            after_ms: after_ms.filter(|_| !stays_away),
            ..Self::new(RefusalReason::Hook, message)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_grant_adds_roles_data_and_each_topic_once() {
        let mut claims: JwtClaims = serde_json::from_value(json!({
            "sub": "alice", "roles": ["member"], "metadata": {"plan": "free", "lang": "de"},
        }))
        .expect("claims");
        let topic = |text: &str| text.parse::<Topic>().expect("a topic");
        let metadata = json!({"plan": "gold"}).as_object().cloned().expect("an object");
        let subscriptions = vec![topic("b"), topic("a"), topic("b")];
        let grant = ConnectGrant { roles: vec!["beta".parse().expect("a role")], subscriptions, metadata };
        assert_eq!(grant.apply(&mut claims), [topic("a"), topic("b")]);
        assert_eq!(claims.roles.iter().map(Role::as_str).collect::<Vec<_>>(), ["member", "beta"]);
        assert_eq!(Value::Object(claims.metadata), json!({"plan": "gold", "lang": "de"}));
    }

    #[test]
    fn a_refused_client_stays_away_or_comes_back_as_the_range_of_its_code_says() {
        let refusal = |code, after_ms| Refusal::from(ConnectRefusal { code, after_ms, ..ConnectRefusal::new("no") });
        let closed = refusal(CloseCode(4001), Some(500));
        assert_eq!((closed.code, closed.close, closed.after_ms), (ErrorCode::Forbidden, CloseCode(4001), None));
        let busy = refusal(CloseCode(4200), Some(500));
        assert_eq!((busy.code, busy.close, busy.after_ms), (ErrorCode::Unavailable, CloseCode(4200), Some(500)));
        assert_eq!(refusal(CloseCode::FORBIDDEN, None).reason, RefusalReason::Hook);
    }

    #[test]
    fn an_application_without_an_opinion_admits_a_client_with_its_token_alone() {
        let claims = JwtClaims::new("alice".parse().expect("a user"));
        let attempt = ConnectAttempt::new(claims.clone());
        assert_eq!((attempt.claims, attempt.client, attempt.address, attempt.connection), (claims, None, None, None));
        assert_eq!(ConnectDecision::default(), ConnectDecision::Admit(ConnectGrant::default()));
    }
}
