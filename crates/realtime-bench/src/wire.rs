//! Clients and recipients, in no protocol yet.

/// One subscriber: the token that it presents, the topics that it subscribes to, and where it stopped receiving.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    pub(crate) token: String,
    pub(crate) topics: Vec<String>,
    /// For each topic the position after which it requests what it missed, as its server's protocol writes it. Empty
    /// for a client that has not been connected before.
    pub(crate) since: Vec<String>,
    /// The ticket of its last connection, where the server gives one.
    pub(crate) ticket: Option<String>,
}

impl Client {
    /// A first connection, with at most one topic.
    pub(crate) fn new(token: String, topic: Option<String>) -> Self {
        Self { token, topics: topic.into_iter().collect(), ..Self::default() }
    }
}

/// The recipients of a message, as far as the server has such targets.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Topic(String),
    Role(String),
    User(String),
}
