//! Why a connection receives a message, or does not: judged by what is known afterwards.

use realtime_schema::{Audience, ClientId, Connection, ExplainReason, Route, Topic};

/// A message and its recipients, as far as routing looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The recipients.
    pub to: &'a Audience,
    /// The client that it leaves out.
    pub except_client: Option<&'a ClientId>,
    /// True for a message that was published; false for one that would be published now.
    pub published: bool,
}

/// What is known of a subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionFacts {
    /// Whether the connection is subscribed now.
    pub subscribed: bool,
    /// The first change after the message was published: true if the connection was subscribed by it. `None` without a
    /// change.
    pub changed_to: Option<bool>,
}

/// What is known of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionFacts {
    /// Whether it was opened after the message was published.
    pub opened_later: bool,
    /// Whether the message waits in its queue.
    pub queued: bool,
    /// Whether its queue dropped messages of the stream, and the client was not sent the `gap` yet.
    pub dropped: bool,
    /// Whether it reads the stream from its history.
    pub catching_up: bool,
}

/// Why `connection` receives the message, or does not. `subscription` returns what is known of its subscription to a
/// topic.
pub fn judge(
    question: Question<'_>,
    connection: &Connection,
    facts: ConnectionFacts,
    subscription: impl Fn(&Topic) -> SubscriptionFacts,
) -> ExplainReason {
    if facts.catching_up {
        return ExplainReason::CatchingUp;
    }
    if question.published && facts.opened_later {
        return ExplainReason::ConnectedLater;
    }
    let mut reason = ExplainReason::NotARecipient;
    let mut matched = false;
    for route in question.to.routes() {
        match route {
            Route::All => matched = true,
            Route::User(user) => matched |= *user == connection.user,
            Route::Role(role) => matched |= connection.roles.contains(role),
            Route::Connection(id) => matched |= *id == connection.id,
            Route::Topic(topic) => match was_subscribed(question, subscription(topic)) {
                Ok(()) => matched = true,
                // That it came later says more than that it is not there.
                Err(later) if reason != ExplainReason::SubscribedLater => reason = later,
                Err(_) => {}
            },
        }
    }
    if !matched {
        return reason;
    }
    if question.except_client.is_some() && question.except_client == connection.client.as_ref() {
        return ExplainReason::OriginLeftOut;
    }
    match (question.published, facts) {
        (false, _) => ExplainReason::WouldReceive,
        (true, ConnectionFacts { queued: true, .. }) => ExplainReason::Queued,
        (true, ConnectionFacts { dropped: true, .. }) => ExplainReason::Dropped,
        (true, _) => ExplainReason::Written,
    }
}

/// Whether a connection was subscribed when the message was published: the opposite of the first change after it.
fn was_subscribed(question: Question<'_>, facts: SubscriptionFacts) -> Result<(), ExplainReason> {
    match (facts.changed_to, facts.subscribed) {
        (Some(true), _) if question.published => Err(ExplainReason::SubscribedLater),
        (Some(false), _) if question.published => Ok(()),
        (_, true) => Ok(()),
        (_, false) => Err(ExplainReason::NotSubscribed),
    }
}

/// Whether the message is for the connection.
pub fn is_match(reason: &ExplainReason) -> bool {
    use ExplainReason::{CatchingUp, Dropped, Queued, WouldReceive, Written};
    [Queued, Written, Dropped, CatchingUp, WouldReceive].contains(reason)
}

#[cfg(test)]
mod tests {
    use realtime_schema::{ConnectionId, JwtClaims, Role, Timestamp, UserId};

    use super::*;

    fn connection() -> Connection {
        let claims = JwtClaims {
            roles: vec![Role::new("admin").expect("a role")],
            ..JwtClaims::new(UserId::new("alice").expect("a user"))
        };
        let client = ClientId::new("tab").expect("a client");
        crate::connection::record(ConnectionId(uuid::Uuid::nil()), &claims, Some(client), Timestamp::from_millis(0))
    }

    fn topic(name: &str) -> Route {
        Route::Topic(Topic::new(name).expect("a topic"))
    }

    fn judged(routes: Vec<Route>, published: bool, facts: ConnectionFacts, known: SubscriptionFacts) -> ExplainReason {
        let to = Audience::union(routes).expect("routes");
        judge(Question { to: &to, except_client: None, published }, &connection(), facts, |topic| {
            // Of `other` nothing is known.
            if topic.as_str() == "order:1" { known } else { SubscriptionFacts::default() }
        })
    }

    const SUBSCRIBED: SubscriptionFacts = SubscriptionFacts { subscribed: true, changed_to: None };
    const NOTHING: ConnectionFacts =
        ConnectionFacts { opened_later: false, queued: false, dropped: false, catching_up: false };

    #[test]
    fn each_kind_of_route_matches_its_own_connections_only() {
        let user = |name| Route::User(UserId::new(name).expect("a user"));
        let role = |name| Route::Role(Role::new(name).expect("a role"));
        let id = |n| Route::Connection(ConnectionId(uuid::Uuid::from_u128(n)));
        for (route, reason) in [
            (Route::All, ExplainReason::Written),
            (user("alice"), ExplainReason::Written),
            (user("bob"), ExplainReason::NotARecipient),
            (role("admin"), ExplainReason::Written),
            (role("guest"), ExplainReason::NotARecipient),
            (id(0), ExplainReason::Written),
            (id(1), ExplainReason::NotARecipient),
            (topic("order:1"), ExplainReason::Written),
            (topic("other"), ExplainReason::NotSubscribed),
        ] {
            assert_eq!(judged(vec![route.clone()], true, NOTHING, SUBSCRIBED), reason, "{route:?}");
        }
        let union = vec![user("bob"), topic("other"), role("admin")];
        assert_eq!(judged(union, true, NOTHING, SUBSCRIBED), ExplainReason::Written, "one route of a union is enough");
    }

    #[test]
    fn a_subscription_counts_as_it_was_when_the_message_was_published() {
        let facts = |subscribed, changed_to| SubscriptionFacts { subscribed, changed_to };
        for (known, published, now) in [
            (facts(true, None), ExplainReason::Written, ExplainReason::WouldReceive),
            (facts(false, None), ExplainReason::NotSubscribed, ExplainReason::NotSubscribed),
            (facts(true, Some(true)), ExplainReason::SubscribedLater, ExplainReason::WouldReceive),
            (facts(false, Some(true)), ExplainReason::SubscribedLater, ExplainReason::NotSubscribed),
            (facts(false, Some(false)), ExplainReason::Written, ExplainReason::NotSubscribed),
            (facts(true, Some(false)), ExplainReason::Written, ExplainReason::WouldReceive),
        ] {
            assert_eq!(judged(vec![topic("order:1")], true, NOTHING, known), published, "{known:?}");
            assert_eq!(judged(vec![topic("order:1")], false, NOTHING, known), now, "{known:?}");
        }
    }

    #[test]
    fn of_two_topics_the_later_subscription_is_the_reason_in_either_order() {
        let later = SubscriptionFacts { subscribed: true, changed_to: Some(true) };
        let topics = ["order:1", "other"].map(topic);
        let reversed = ["other", "order:1"].map(topic);
        for routes in [topics, reversed] {
            let reason = judged(routes.clone().into(), true, NOTHING, later);
            assert_eq!(reason, ExplainReason::SubscribedLater, "{routes:?}");
        }
    }

    #[test]
    fn the_outcome_of_a_matched_message_is_read_from_the_queue() {
        for (facts, reason) in [
            (ConnectionFacts { queued: true, dropped: true, ..NOTHING }, ExplainReason::Queued),
            (ConnectionFacts { dropped: true, ..NOTHING }, ExplainReason::Dropped),
            (ConnectionFacts { catching_up: true, opened_later: true, ..NOTHING }, ExplainReason::CatchingUp),
            (ConnectionFacts { opened_later: true, queued: true, ..NOTHING }, ExplainReason::ConnectedLater),
            (NOTHING, ExplainReason::Written),
        ] {
            assert_eq!(judged(vec![topic("order:1")], true, facts, SUBSCRIBED), reason, "{facts:?}");
        }
    }

    #[test]
    fn the_client_that_is_left_out_is_named_only_where_it_would_receive_the_message() {
        let tab = ClientId::new("tab").expect("a client");
        for (to, reason) in [(Route::All, ExplainReason::OriginLeftOut), (topic("other"), ExplainReason::NotSubscribed)]
        {
            let to = to.into();
            let question = Question { to: &to, except_client: Some(&tab), published: true };
            assert_eq!(judge(question, &connection(), NOTHING, |_| SubscriptionFacts::default()), reason);
        }
        let (other, all) = (ClientId::new("tab-2").expect("a client"), Route::All.into());
        let nameless = Connection { client: None, ..connection() };
        for (except_client, connection) in
            [(Some(&other), connection()), (Some(&tab), nameless.clone()), (None, nameless)]
        {
            let question = Question { to: &all, except_client, published: true };
            let reason = judge(question, &connection, NOTHING, |_| SubscriptionFacts::default());
            assert_eq!(reason, ExplainReason::Written, "{except_client:?} is not the client of {connection:?}");
        }
    }

    #[test]
    fn the_reasons_for_a_match_are_told_apart_from_the_others() {
        let matched: Vec<_> = ExplainReason::ALL.iter().filter(|reason| is_match(reason)).map(|r| r.as_str()).collect();
        assert_eq!(matched, ["queued", "written", "dropped", "catching_up", "would_receive"]);
    }
}
