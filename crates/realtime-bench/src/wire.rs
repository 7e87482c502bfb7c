//! What a client asks of a server, in no protocol yet: a subscription, the recipients of a message.

/// One subscriber: the token that it presents and the topic that it subscribes to.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) token: String,
    pub(crate) topic: Option<String>,
}

/// The recipients of a message, as far as the server has such targets.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Topic(String),
    Role(String),
    User(String),
}
