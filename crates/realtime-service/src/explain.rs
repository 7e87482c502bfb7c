//! Why a user received a message, or did not: from the last publications and changes, and the state now.

use realtime_core::{
    explain::{ConnectionFacts, Question, SubscriptionFacts, is_match, judge},
    outbound::OutboundQueue,
};
use realtime_schema::{
    Audience, ClientId, Connection, ConnectionInfo, ExplainReason, ExplainRequest, ExplainedConnection,
    ExplainedMessage, Explanation, FieldError, MessageId, Route, Stream, Timestamp, Topic, UserId,
};

use crate::{
    node::Node,
    recent::{Later, Publication},
    service::Service,
};

/// Why a question was not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExplainError {
    /// The question names neither a message nor recipients, or both.
    #[error("{0}")]
    Invalid(FieldError),
    /// The message is not among the last ones that this node published.
    #[error(
        "the message is not among the last {limit} that this node published (limits.explained_publications); explain \
         its recipients instead, with `to`"
    )]
    Unknown {
        /// `limits.explained_publications`.
        limit: usize,
    },
}

impl Service {
    /// Why a user receives a message, or does not: a recent one by its id, or one that would be published now. Looks at
    /// all connections of the user and at their queues.
    ///
    /// # Errors
    /// The request does not name exactly one of a message and recipients, or the message is not a recent one.
    pub fn explain(&self, request: &ExplainRequest) -> Result<Explanation, ExplainError> {
        let invalid = |name, message: &str| Err(ExplainError::Invalid(FieldError::new(name, message)));
        let ExplainRequest { user, message, to, except_client } = request;
        match (message, to) {
            (Some(_), None) if except_client.is_some() => {
                invalid("except_client", "is for a question with `to`; a published message has its own")
            }
            (Some(id), None) => explain_message(&self.0, *id, user),
            (None, Some(to)) => Ok(explain_route(&self.0, to, except_client.as_ref(), user)),
            (None, None) => invalid("message", "is missing; give the id of a recent message, or recipients as `to`"),
            (Some(_), Some(_)) => invalid("to", "is given beside `message`; give one of them"),
        }
    }
}

fn explain_message(node: &Node, id: MessageId, user: &UserId) -> Result<Explanation, ExplainError> {
    let Some(publication) = node.recent.publication(id) else {
        return Err(ExplainError::Unknown { limit: node.recent.limit() });
    };
    let later = node.recent.since(publication.number);
    let Publication { delivered, ref position, .. } = publication;
    // The time is in the id: UUIDs of version 7 (RFC 9562 section 5.7).
    let message = ExplainedMessage { id, published_at: time_of(id), delivered, position: position.clone() };
    let case = Case {
        question: Question { to: &publication.to, except_client: publication.except_client.as_ref(), published: true },
        message: Some(id),
        later,
    };
    Ok(case.explain(node, user, Some(message)))
}

fn explain_route(node: &Node, to: &Audience, except_client: Option<&ClientId>, user: &UserId) -> Explanation {
    let question = Question { to, except_client, published: false };
    Case { question, message: None, later: Later::default() }.explain(node, user, None)
}

/// A question, and what is known of the message.
struct Case<'a> {
    question: Question<'a>,
    message: Option<MessageId>,
    later: Later,
}

impl Case<'_> {
    fn explain(&self, node: &Node, user: &UserId, message: Option<ExplainedMessage>) -> Explanation {
        let infos = node.connections.of_user(user);
        let connections: Vec<_> = infos.iter().map(|info| self.connection(node, info)).collect();
        let matched = connections.iter().filter(|connection| connection.matched).count();
        let detail = match (connections.len(), matched) {
            (0, _) if self.message.is_some() => format!(
                "`{user}` has no connection to this node now; whether an earlier connection received the message is not kept"
            ),
            (0, _) => format!("`{user}` has no connection to this node now"),
            (all, matched) => format!("the message is for {matched} of the {all} connections of `{user}` to this node"),
        };
        let to = self.question.to.clone();
        Explanation { user: user.clone(), message, to, matched: matched > 0, detail, connections }
    }

    fn connection(&self, node: &Node, info: &ConnectionInfo) -> ExplainedConnection {
        let ConnectionInfo { connection, subscriptions, .. } = info;
        let facts = self.facts(node, connection);
        let is_subscribed = |topic: &Topic| subscriptions.iter().any(|found| found.topic == *topic);
        let reason = judge(self.question, connection, facts, |topic| SubscriptionFacts {
            subscribed: is_subscribed(topic),
            changed_to: self.later.first(connection.id, topic),
        });
        let topics = self.topics().next().map(|_| subscriptions.iter().map(|found| found.topic.clone()).collect());
        ExplainedConnection {
            connection: connection.id,
            client: connection.client.clone(),
            matched: is_match(&reason),
            detail: self.detail(node, connection, &reason),
            reason,
            topics: topics.unwrap_or_default(),
        }
    }

    fn facts(&self, node: &Node, connection: &Connection) -> ConnectionFacts {
        let mut facts =
            ConnectionFacts { opened_later: self.later.opened(connection.id), ..ConnectionFacts::default() };
        let Some(socket) = node.connections.socket(connection.id) else { return facts };
        let (stream, route) = match self.question.to.routes() {
            [route] => (Stream::of(route), Some(route)),
            _ => (None, None),
        };
        let look = |queue: &mut OutboundQueue| {
            facts.queued = self.message.is_some_and(|id| queue.holds(id));
            facts.dropped = queue.has_gap(stream.as_ref());
            facts.catching_up = route.is_some_and(|route| queue.has_gate(route));
        };
        let _ = socket.with_queue(look);
        facts
    }

    fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.question.to.routes().iter().filter_map(|route| match route {
            Route::Topic(topic) => Some(topic),
            _ => None,
        })
    }

    /// The reason for a person, with what to look at next.
    fn detail(&self, node: &Node, connection: &Connection, reason: &ExplainReason) -> String {
        let mut detail = reason.meaning().to_owned();
        if *reason == ExplainReason::NotSubscribed {
            let settings = node.settings.load();
            let may = self.topics().any(|topic| settings.namespaces.allows_subscribe(topic, &connection.user));
            detail.push_str(if may {
                " A namespace lets the client subscribe: it has not, or has unsubscribed."
            } else {
                " No namespace lets the client subscribe: it needs a grant in its token, the application's authorizer, or \
                  a subscription by the backend."
            });
        }
        if self.later.incomplete && is_match(reason) {
            detail.push_str(
                " Since then more has changed than is remembered (limits.explained_publications), so the connection may \
                 have come or subscribed later.",
            );
        }
        detail
    }
}

/// The time in a UUID of version 7: its first 48 bits, in milliseconds.
fn time_of(id: MessageId) -> Timestamp {
    Timestamp::from_millis(i64::try_from(id.0.as_u128() >> 80).unwrap_or_default())
}
