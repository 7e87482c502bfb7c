//! What each client may get: every message that arrives is compared with its recipients.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Mutex,
};

use realtime_schema::{ClientId, ConnectionId, Envelope, Message, MessageId, Role, Route, Stream, Topic, UserId};
use serde_json::Value;

use crate::{
    histories::{Histories, Kept},
    lock,
};

/// Most publications that are remembered; the oldest are forgotten first, and are not checked any more.
const MAX_PUBLISHED: usize = 65_536;
/// Most violations that are kept.
const MAX_VIOLATIONS: usize = 100;

/// The publications of a world, and what was delivered wrongly.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    records: Mutex<Records>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Records {
    published: HashMap<MessageId, Message>,
    order: VecDeque<MessageId>,
    violations: Vec<String>,
}

impl Audit {
    /// Remembers a publication.
    pub(crate) fn published(&self, envelope: &Envelope) {
        let Some(message) = envelope.message() else { return };
        let mut records = lock(&self.records);
        if records.order.len() == MAX_PUBLISHED
            && let Some(oldest) = records.order.pop_front()
        {
            records.published.remove(&oldest);
        }
        records.order.push_back(message.id);
        records.published.insert(message.id, message.clone());
    }

    fn message(&self, id: MessageId) -> Option<Message> {
        lock(&self.records).published.get(&id).cloned()
    }

    fn violated(&self, what: String) {
        let mut records = lock(&self.records);
        if records.violations.len() < MAX_VIOLATIONS {
            records.violations.push(what);
        }
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        let lost = lock(&self.kept).violations();
        lock(&self.records).violations.iter().cloned().chain(lost).collect()
    }

    /// Runs `look` on what was published to streams with a history.
    pub(crate) fn kept<T>(&self, look: impl FnOnce(&mut Kept) -> T) -> T {
        look(&mut lock(&self.kept))
    }
}

/// A command without an outcome.
#[derive(Debug)]
struct Pending {
    id: Value,
    topic: Topic,
    subscribes: bool,
}

/// One connection, as its client knows it.
#[derive(Debug)]
pub(crate) struct Recipient {
    name: String,
    user: UserId,
    client: Option<ClientId>,
    connection: Option<ConnectionId>,
    roles: Vec<Role>,
    /// Topics that it may have: from the command on until the end of the subscription is acknowledged.
    topics: HashSet<Topic>,
    /// Commands without an outcome, in the order in which they were sent, which is that of their outcomes.
    pending: Vec<Pending>,
    seen: HashSet<MessageId>,
    histories: Histories,
}

impl Recipient {
    pub(crate) fn new(name: String, user: UserId, client: Option<ClientId>) -> Self {
        let (roles, topics, pending, seen) = Default::default();
        let histories = Histories::new(name.clone(), user.clone(), client.clone());
        Self { name, user, client, connection: None, roles, topics, pending, seen, histories }
    }

    /// Notes a command that the client sends.
    pub(crate) fn sends(&mut self, text: &str) {
        let Ok(command) = serde_json::from_str::<Value>(text) else { return };
        self.histories.sends(&command);
        let Some(topic) = parsed::<Topic>(&command["topic"]) else { return };
        let (id, subscribes) = (command["id"].clone(), command["action"] == "subscribe");
        if subscribes {
            self.topics.insert(topic.clone());
        }
        if subscribes || command["action"] == "unsubscribe" {
            self.pending.push(Pending { id, topic, subscribes });
        }
    }

    /// Compares a frame with what the client may get.
    pub(crate) fn receives(&mut self, frame: &Value, audit: &Audit) {
        let payload = &frame["payload"];
        let noted = match parsed::<MessageId>(&frame["id"]) {
            Some(_) => self.histories.receives(frame, audit),
            None => self.histories.notes(frame["type"].as_str().unwrap_or_default(), payload, audit),
        };
        if let Err(wrong) = noted {
            audit.violated(wrong);
        }
        match parsed::<MessageId>(&frame["id"]) {
            Some(id) => self.receives_message(id, audit),
            None => match frame["type"].as_str() {
                Some("welcome") => {
                    self.connection = parsed(&payload["connection"]);
                    self.roles = parsed(&payload["roles"]).unwrap_or_default();
                }
                Some("ack") => self.acknowledged(payload, audit),
                Some("error") => {
                    self.outcome(&payload["id"]);
                }
                Some("subscribed") => self.topics.extend(parsed::<Topic>(&payload["topic"])),
                Some("unsubscribed") => {
                    if let Some(topic) = parsed::<Topic>(&payload["topic"]) {
                        self.topics.remove(&topic);
                    }
                }
                _ => {}
            },
        }
    }

    /// At rest: what it was still to get of the streams with a history.
    pub(crate) fn lost(&self, audit: &Audit) -> Vec<String> {
        self.histories.lost(audit)
    }

    fn acknowledged(&mut self, ack: &Value, audit: &Audit) {
        if let Some(roles) = parsed(&ack["roles"]) {
            self.roles = roles;
        }
        let outcome = self.outcome(&ack["id"]);
        let subscribed = outcome.as_ref().filter(|pending| pending.subscribes);
        let subscribed = subscribed.map(|pending| Stream::Topic(pending.topic.clone()));
        if let Err(wrong) = self.histories.acknowledged(ack, subscribed, audit) {
            audit.violated(wrong);
        }
        let Some(Pending { topic, subscribes, .. }) = outcome else { return };
        let again = self.pending.iter().any(|other| other.subscribes && other.topic == topic);
        if subscribes {
            self.topics.insert(topic);
        } else {
            self.histories.ends(&Stream::Topic(topic.clone()));
            if !again {
                self.topics.remove(&topic);
            }
        }
    }

    /// The command with this id, which is pending no longer.
    fn outcome(&mut self, id: &Value) -> Option<Pending> {
        let at = self.pending.iter().position(|pending| pending.id == *id)?;
        Some(self.pending.remove(at))
    }

    fn receives_message(&mut self, id: MessageId, audit: &Audit) {
        let Some(message) = audit.message(id) else { return };
        if self.seen.len() == MAX_PUBLISHED {
            self.seen.clear();
        }
        let name = &self.name;
        if !self.seen.insert(id) {
            audit.violated(format!("{name} got message {id} twice"));
        }
        if message.except_client.is_some() && message.except_client == self.client {
            audit.violated(format!("{name} got message {id}, which excludes it"));
        }
        if !message.to.routes().iter().any(|route| self.is_named_by(route)) {
            audit.violated(format!("{name} got message {id} to {:?}, which is not for it", message.to.routes()));
        }
    }

    fn is_named_by(&self, route: &Route) -> bool {
        match route {
            Route::All => true,
            Route::User(user) => *user == self.user,
            Route::Role(role) => self.roles.contains(role),
            Route::Connection(id) => self.connection == Some(*id),
            Route::Topic(topic) => self.topics.contains(topic),
        }
    }
}

pub(crate) fn parsed<T: serde::de::DeserializeOwned>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}
