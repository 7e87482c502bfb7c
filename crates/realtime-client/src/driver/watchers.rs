//! The lists of users that the application watches.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::{
    sync::{oneshot, watch},
    time::sleep,
};

use super::{Done, Driver, ended};
use crate::{
    machine::{Command, ConnectionPhase, Failure, failure},
    presence::{Follows, Frame, Presence, Roster, Shown},
};

/// Before a refused command is sent again, if the server says no time.
const PAUSE: u64 = 1_000;

pub(super) struct Watcher {
    pub(super) topic: String,
    roster: Roster,
    shown: watch::Sender<Shown>,
    /// Rises with each list that is read: what belongs to an older one is dropped.
    read: u64,
}

impl Driver {
    pub(super) fn watch(&mut self, topic: String, reply: oneshot::Sender<Presence>) {
        self.parts.next += 1;
        let id = self.parts.next;
        let (shown, watched) = watch::channel(Shown::default());
        let presence = Presence {
            id,
            topic: topic.clone(),
            shown: watched,
            reported: Arc::new(BTreeMap::new()),
            connection: self.ends.connection.subscribe(),
            dropped: Arc::clone(&self.parts.dropped),
        };
        self.parts.watchers.insert(id, Watcher { topic, roster: Roster::default(), shown, read: 0 });
        if self.state.connection().phase == ConnectionPhase::Connected {
            self.read(id);
        }
        // A caller that has gone drops it, which ends the watch.
        _ = reply.send(presence);
    }

    /// The last watcher of a topic has gone.
    pub(super) fn unwatch(&mut self, topic: &str) {
        let others = self.parts.watchers.values().any(|watcher| watcher.topic == topic);
        if !others && self.state.connection().phase == ConnectionPhase::Connected {
            let (reply, _) = oneshot::channel();
            self.command(presence(topic, json!({"subscribe": false, "limit": 1})), reply);
        }
    }

    pub(super) fn watch_connection(&mut self, connected: bool) {
        for id in self.parts.watchers.keys().copied().collect::<Vec<_>>() {
            if connected {
                self.read(id);
            } else if let Some(watcher) = self.parts.watchers.get_mut(&id) {
                watcher.read += 1;
                watcher.roster.interrupt();
            }
        }
    }

    /// Reads the list from its beginning.
    fn read(&mut self, id: u64) {
        if let Some(watcher) = self.parts.watchers.get_mut(&id) {
            watcher.read += 1;
            watcher.roster.begin();
            self.page(id, json!({"subscribe": true}));
        }
    }

    fn page(&mut self, id: u64, more: Value) {
        let Some(watcher) = self.parts.watchers.get(&id) else { return };
        let (read, command) = (watcher.read, presence(&watcher.topic, more));
        let (reply, result) = oneshot::channel();
        self.command(command, reply);
        self.parts.requests.spawn(async move {
            Done::Page { watcher: id, read, page: result.await.unwrap_or_else(|_| Err(ended())) }
        });
    }

    pub(super) fn page_read(&mut self, id: u64, read: u64, page: Result<Value, Failure>) {
        let Some(watcher) = self.parts.watchers.get_mut(&id).filter(|watcher| watcher.read == read) else { return };
        let page = page.and_then(|reply| frame(reply["presence"].clone()));
        match page {
            Ok(page) => {
                let follows = watcher.roster.list(page);
                self.follow(id, follows);
            }
            // A lost connection is followed by the next one, which reads the list again.
            Err(error) if error.retry => {
                let pause = Duration::from_millis(error.after_ms.unwrap_or(PAUSE));
                self.parts.requests.spawn(async move {
                    sleep(pause).await;
                    Done::Again { watcher: id, read }
                });
            }
            Err(error) if error.code == "stopped" => {}
            Err(error) => self.end_watch(id, error),
        }
    }

    pub(super) fn read_again(&mut self, id: u64, read: u64) {
        if self.parts.watchers.get(&id).is_some_and(|watcher| watcher.read == read) {
            self.read(id);
        }
    }

    /// A frame that the server sent.
    pub(super) fn watched(&mut self, payload: Value) {
        let Some(topic) = payload["topic"].as_str().map(str::to_owned) else { return };
        let changes = match frame(payload) {
            Ok(changes) => changes,
            Err(error) => {
                _ = self.ends.errors.send(error);
                return;
            }
        };
        let ids: Vec<_> = self.parts.watchers.iter().filter(|(_, it)| it.topic == topic).map(|(id, _)| *id).collect();
        for id in ids {
            if let Some(reason) = &changes.ended {
                let message = format!("the presence of {topic} has ended: {reason}");
                self.end_watch(id, failure("ended", message, false));
            } else if let Some(watcher) = self.parts.watchers.get_mut(&id) {
                if changes.users.is_some() {
                    // It replaces a list that is being read.
                    watcher.read += 1;
                }
                let follows = watcher.roster.frame(changes.clone());
                self.follow(id, follows);
            }
        }
    }

    fn follow(&mut self, id: u64, follows: Follows) {
        match follows {
            Follows::Nothing => {}
            Follows::Page(after) => self.page(id, json!({"after": after})),
            Follows::Again => self.read(id),
            Follows::Changed => {
                let Some(watcher) = self.parts.watchers.get(&id) else { return };
                let users = Arc::new(watcher.roster.users.clone());
                let shown = Shown { users, count: watcher.roster.count, listed: true, error: None };
                watcher.shown.send_replace(shown);
            }
        }
    }

    fn end_watch(&mut self, id: u64, error: Failure) {
        if let Some(watcher) = self.parts.watchers.remove(&id) {
            watcher.shown.send_modify(|shown| shown.error = Some(error));
        }
    }
}

fn presence(topic: &str, more: Value) -> Command {
    let mut command = Command::new();
    command.insert("action".into(), json!("presence"));
    command.insert("topic".into(), json!(topic));
    if let Value::Object(more) = more {
        command.extend(more);
    }
    command
}

fn frame(value: Value) -> Result<Frame, Failure> {
    serde_json::from_value(value)
        .map_err(|_| failure("bad_frame", "the server sent a list of users with a field of another type", false))
}
