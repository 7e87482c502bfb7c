//! `publish`: the limits, the permission, and the reply to the client.

use std::{fmt::Write as _, time::Duration};

use realtime_schema::{
    Ack, Action, ClientId, CommandId, Control, ErrorCode, ErrorReply, FieldError, GrantAction, MessageId, MessageType,
    Payload, PublishRequest, Route, StreamPosition, Topic, UserId,
};

use super::{Effect, Pending, PendingKind, Run, Session, error, welcome::millis};
use crate::{access::AccessRequest, limits::TokenBucket, topic::granted};

/// The milliseconds after which a client should repeat a publication that the bus could not take.
const RETRY_AFTER_MS: u64 = 1_000;

/// Most arrays and objects inside each other in what a client publishes: many JSON parsers read no more than a hundred or
/// a thousand, and one client must not stop those of the others.
const MAX_NESTING: usize = 64;

/// A message that a client publishes.
#[derive(Clone, PartialEq)]
pub struct ClientPublication {
    /// The command's id. With a client id it makes the command safe to repeat.
    pub id: Option<CommandId>,
    /// The topic.
    pub topic: Topic,
    /// The application's type of message.
    pub kind: MessageType,
    /// The content.
    pub payload: Payload,
    /// Makes the command safe to repeat, on any connection of the user.
    pub idempotency_key: Option<String>,
    /// Whether the connections of the same client id receive the message, if they are subscribed.
    pub echo: bool,
}

impl std::fmt::Debug for ClientPublication {
    // Without the payload, which is the application's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientPublication").field("id", &self.id).field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl ClientPublication {
    /// The request of `user`, and the key under which it is published once.
    ///
    /// The key contains the user and, if it is the command's id, the client id, each with its length: so no user can
    /// use the key of another one, and no client that of a backend.
    ///
    /// # Errors
    /// `echo` is false on a connection without a client id.
    pub fn into_request(
        self,
        user: &UserId,
        client: Option<&ClientId>,
    ) -> Result<(PublishRequest, Option<String>), FieldError> {
        if !self.echo && client.is_none() {
            let message = "needs a client id: connect with `client` in the URL, or leave `echo` out";
            return Err(FieldError::new("echo", message));
        }
        let once = self.once_key(user, client);
        let except_client = client.filter(|_| !self.echo).cloned();
        let request = PublishRequest {
            idempotency_key: self.idempotency_key,
            except_client,
            ..PublishRequest::new(Route::Topic(self.topic), self.kind, self.payload)
        };
        Ok((request, once))
    }

    /// The explicit key of the user, or else the command's id of the client. A command without a client id is only sent
    /// once anyway: its connection ends with it.
    fn once_key(&self, user: &UserId, client: Option<&ClientId>) -> Option<String> {
        let user = user.as_str();
        let mut key = format!("client:{}:{user}:", user.len());
        match (&self.idempotency_key, client, &self.id) {
            (Some(explicit), ..) => write!(key, "key:{explicit}"),
            (None, Some(client), Some(CommandId::Number(id))) => {
                write!(key, "number:{}:{}:{id}", client.as_str().len(), client.as_str())
            }
            (None, Some(client), Some(CommandId::Text(id))) => {
                write!(key, "text:{}:{}:{id}", client.as_str().len(), client.as_str())
            }
            _ => return None,
        }
        .ok()?;
        Some(key)
    }

    fn into_action(self) -> Action {
        let Self { id: _, topic, kind, payload, idempotency_key, echo } = self;
        Action::Publish { topic, kind, payload, idempotency_key, echo }
    }
}

/// The outcome of [`Run::Publish`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PublishOutcome {
    /// It was published, now or by an earlier command.
    Published {
        /// The message's id.
        message: MessageId,
        /// The message's position, if the topic has history.
        position: Option<StreamPosition>,
        /// Whether an earlier command with the same key published it.
        duplicate: bool,
    },
    /// Only subscribers may publish to the topic, and the connection is not subscribed.
    NotSubscribed(ClientPublication),
    /// The user's connections have published too much.
    RateLimited {
        /// The time until another attempt.
        after: Duration,
    },
    /// The key was used for another message.
    Conflict,
    /// The payload is too large.
    TooLarge {
        /// Its size, in bytes.
        size: usize,
        /// `limits.max_publish_bytes`.
        limit: usize,
    },
    /// A field is invalid.
    Invalid(Vec<FieldError>),
    /// The message could not be stored or passed on. It may have been published.
    Unavailable,
}

impl Session {
    pub(super) fn publish(&mut self, now: Duration, publication: ClientPublication, effects: &mut Vec<Effect>) {
        if let Err(reply) = self.check_publication(now, &publication) {
            return effects.push(error(reply));
        }
        let (topic, namespaces) = (&publication.topic, &self.settings.namespaces);
        let is_allowed = |subscribed| namespaces.allows_publish(topic, &self.user, subscribed);
        if granted(&self.grants, GrantAction::Publish, topic, &self.user) || is_allowed(false) {
            self.run_publication(publication, false, effects);
        } else if is_allowed(true) {
            self.run_publication(publication, true, effects);
        } else {
            self.authorize_publication(publication, effects);
        }
    }

    /// Publishes a message that the client may publish, if it is subscribed where only subscribers may.
    pub(super) fn run_publication(
        &mut self,
        publication: ClientPublication,
        only_subscribers: bool,
        effects: &mut Vec<Effect>,
    ) {
        let pending = Pending { id: publication.id.clone(), kind: PendingKind::Publish };
        self.run(pending, Run::Publish { publication: Box::new(publication), only_subscribers }, effects);
    }

    fn authorize_publication(&mut self, publication: ClientPublication, effects: &mut Vec<Effect>) {
        let ClientPublication { topic, kind, payload, .. } = publication.clone();
        let request = AccessRequest::publish(topic, kind, payload);
        self.authorize(publication.id.clone(), request, publication.into_action(), effects);
    }

    pub(super) fn published(&mut self, outcome: PublishOutcome, effects: &mut Vec<Effect>) {
        let Some(id) = self.finish(PendingKind::Publish) else { return };
        let reply = |code, message: &str| ErrorReply::new(id.clone(), code, message);
        let refusal = match outcome {
            PublishOutcome::Published { message, position, duplicate } => {
                let ack = |id| Ack { message: Some(message), position, duplicate, ..Ack::new(id) };
                return effects.extend(id.map(|id| Effect::Send(Control::Ack(ack(id)))));
            }
            PublishOutcome::NotSubscribed(publication) => return self.authorize_publication(publication, effects),
            PublishOutcome::RateLimited { after } => {
                let limit = self.settings.limits.user_publishes_per_second;
                let message = format!(
                    "more than limits.user_publishes_per_second ({limit}) on all connections of `{}`; wait and send again",
                    self.user
                );
                ErrorReply { after_ms: Some(millis(after)), ..reply(ErrorCode::RateLimited, &message) }
            }
            PublishOutcome::Conflict => reply(
                ErrorCode::Conflict,
                "the idempotency key, or the id of the command, was used for another message; use a new one",
            ),
            PublishOutcome::TooLarge { size, limit } => {
                reply(ErrorCode::TooLarge, &too_large(size as u64, limit as u64))
            }
            PublishOutcome::Invalid(errors) => {
                let message = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                ErrorReply { errors, ..reply(ErrorCode::PayloadInvalid, &message) }
            }
            PublishOutcome::Unavailable => {
                let message = "the message could not be published now; send the same command again";
                ErrorReply { after_ms: Some(RETRY_AFTER_MS), ..reply(ErrorCode::Unavailable, message) }
            }
        };
        effects.push(error(refusal));
    }

    /// Applies the limits that need no permission. The rate comes last, so that a message that can't be published costs
    /// none of it.
    fn check_publication(&mut self, now: Duration, publication: &ClientPublication) -> Result<(), ErrorReply> {
        let reply = |code, message: String| ErrorReply::new(publication.id.clone(), code, message);
        let limits = &self.settings.limits;
        let chars = publication.topic.as_str().chars().count() as u64;
        if chars > u64::from(limits.topic_chars) {
            let message = format!("is {chars} characters long; limits.topic_chars is {}", limits.topic_chars);
            let problem = FieldError::new("topic", message);
            let reply = reply(ErrorCode::PayloadInvalid, problem.to_string());
            return Err(ErrorReply { errors: vec![problem], ..reply });
        }
        let size = publication.payload.as_str().len() as u64;
        if size > limits.max_publish_bytes {
            return Err(reply(ErrorCode::TooLarge, too_large(size, limits.max_publish_bytes)));
        }
        if let Some(problem) = too_deep(&publication.payload) {
            let reply = reply(ErrorCode::PayloadInvalid, problem.to_string());
            return Err(ErrorReply { errors: vec![problem], ..reply });
        }
        let (rate, burst) = (limits.publishes_per_second, limits.publish_burst);
        let bucket =
            self.rare.get_or_insert_default().publications.get_or_insert_with(|| TokenBucket::full(burst, now));
        bucket.take(rate, burst, now).map_err(|after| {
            let message = format!("more than limits.publishes_per_second ({rate}); wait and send again");
            ErrorReply { after_ms: Some(millis(after)), ..reply(ErrorCode::RateLimited, message) }
        })
    }
}

fn too_large(size: u64, limit: u64) -> String {
    format!("the payload is {size} bytes; limits.max_publish_bytes is {limit}")
}

/// What is wrong with a payload of a client in which too many arrays and objects are inside each other.
pub(super) fn too_deep(payload: &Payload) -> Option<FieldError> {
    let depth = nesting(payload.as_str());
    let message = || format!("has {depth} arrays and objects inside each other; at most {MAX_NESTING} are allowed");
    (depth > MAX_NESTING).then(|| FieldError::new("payload", message()))
}

/// Number of arrays and objects inside each other in a JSON text.
fn nesting(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
