//! What each client may get of the streams with a history: every position rises, and what is left out is named by a gap.

use std::collections::{BTreeMap, HashMap, HashSet};

use realtime_schema::{ClientId, MessageId, Route, Stream, StreamPosition, UserId};
use serde_json::Value;

use crate::audit::{Audit, parsed};

/// Most messages of histories that are remembered; beyond them nothing more is.
const MAX_KEPT: usize = 262_144;
/// Most holes that are remembered until they are compared.
const MAX_HOLES: usize = 65_536;

/// Every message that was published to a stream with a history, and what clients did not get of it.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    streams: HashMap<(Route, String), BTreeMap<u64, Message>>,
    count: usize,
    holes: Vec<Hole>,
}

#[derive(Debug)]
struct Message {
    id: MessageId,
    except: Option<ClientId>,
}

/// Offsets that a client did not get, and that no gap names.
#[derive(Clone, Debug)]
pub(crate) struct Hole {
    name: String,
    client: Option<ClientId>,
    route: Route,
    epoch: String,
    from: u64,
    to: u64,
}

impl Kept {
    /// Remembers a message.
    pub(crate) fn published(&mut self, route: &Route, at: &StreamPosition, id: MessageId, except: Option<ClientId>) {
        if self.count < MAX_KEPT {
            self.count += 1;
            let stream = self.streams.entry((route.clone(), at.epoch.clone())).or_default();
            stream.insert(at.offset, Message { id, except });
        }
    }

    fn add_hole(&mut self, hole: Hole) {
        if self.holes.len() < MAX_HOLES {
            self.holes.push(hole);
        }
    }

    /// What was published into a hole, for a client that is not excluded.
    fn lost(&self, hole: &Hole) -> Option<String> {
        let stream = self.streams.get(&(hole.route.clone(), hole.epoch.clone()))?;
        let for_it = |message: &Message| message.except.is_none() || message.except != hole.client;
        let (offset, message) = stream.range(hole.from..=hole.to).find(|(_, message)| for_it(message))?;
        let Hole { name, route, epoch, .. } = hole;
        Some(format!("{name} did not get offset {offset} of {route:?} in epoch {epoch}, message {}", message.id))
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.holes.iter().filter_map(|hole| self.lost(hole)).collect()
    }
}

/// A command that says where a stream begins.
#[derive(Clone, Debug)]
struct Start {
    id: Value,
    stream: Stream,
    position: StreamPosition,
}

/// The streams of one connection, as its client knows them.
#[derive(Debug)]
pub(crate) struct Histories {
    name: String,
    user: UserId,
    client: Option<ClientId>,
    /// The position of each stream that it receives.
    on: HashMap<Stream, StreamPosition>,
    /// The epoch of the `welcome`, if streams stand still: a topic that the backend gives meanwhile begins without a frame
    /// that says so.
    holds: Option<String>,
    /// Topics that have ended.
    ended: HashSet<Stream>,
    /// Those that stand still until it resumes.
    held: HashSet<Stream>,
    /// Where commands without an outcome have asked to begin.
    starts: Vec<Start>,
}

impl Histories {
    pub(crate) fn new(name: String, user: UserId, client: Option<ClientId>) -> Self {
        Self {
            name,
            user,
            client,
            on: HashMap::new(),
            holds: None,
            ended: HashSet::new(),
            held: HashSet::new(),
            starts: Vec::new(),
        }
    }

    fn route(&self, stream: &Stream) -> Route {
        match stream {
            Stream::User => Route::User(self.user.clone()),
            Stream::Role(role) => Route::Role(role.clone()),
            Stream::Topic(topic) => Route::Topic(topic.clone()),
            _ => Route::All,
        }
    }

    /// Notes a command that the client sends.
    pub(crate) fn sends(&mut self, command: &Value) {
        let id = &command["id"];
        match command["action"].as_str() {
            Some("subscribe") => {
                let topic = parsed(&command["topic"]).map(Stream::Topic);
                if let Some((stream, position)) = topic.zip(parsed(&command["since"])) {
                    self.starts.push(Start { id: id.clone(), stream, position });
                }
            }
            Some("resume") => {
                for (stream, position) in
                    parsed::<BTreeMap<Stream, StreamPosition>>(&command["since"]).unwrap_or_default()
                {
                    if self.held.contains(&stream) {
                        // Not from where the `welcome` says.
                        self.on.remove(&stream);
                    }
                    self.starts.push(Start { id: id.clone(), stream, position });
                }
                self.held.clear();
            }
            _ => {}
        }
    }

    /// A publication of a stream with a history. Returns what is wrong with it.
    pub(crate) fn receives(&mut self, frame: &Value, audit: &Audit) -> Result<(), String> {
        let (Some(stream), Some(offset)) = (parsed::<Stream>(&frame["stream"]), frame["offset"].as_u64()) else {
            return Ok(());
        };
        let position = self.advances(&stream, offset, offset, audit)?;
        let route = self.route(&stream);
        audit.kept(|kept| {
            let known = kept.streams.get(&(route, position.epoch.clone())).and_then(|stream| stream.get(&offset));
            match known {
                Some(known) if parsed(&frame["id"]) != Some(known.id) => Err(format!(
                    "{} got another message at offset {offset} of {stream} in epoch {}",
                    self.name, position.epoch
                )),
                Some(known) if known.except.is_some() && known.except == self.client => {
                    Err(format!("{} got offset {offset} of {stream}, which excludes it", self.name))
                }
                _ => Ok(()),
            }
        })
    }

    /// The client has everything of a stream before `next`, and goes on after `to`: from its position, or from where a
    /// command has asked to begin, whichever is nearer.
    fn advances(&mut self, stream: &Stream, next: u64, to: u64, audit: &Audit) -> Result<StreamPosition, String> {
        let below = |position: &&StreamPosition| position.offset < next;
        let start =
            self.starts.iter().enumerate().filter(|(_, start)| start.stream == *stream && start.position.offset < next);
        // Of two alike, the older command.
        let start = start.rev().max_by_key(|(_, start)| start.position.offset).map(|(at, _)| at);
        let on = self.on.get(stream).filter(below).cloned();
        let start = start.filter(|at| on.as_ref().is_none_or(|on| on.offset < self.starts[*at].position.offset));
        let is_given =
            matches!(stream, Stream::Topic(_)) && !self.on.contains_key(stream) && !self.ended.contains(stream);
        let given = self.holds.clone().filter(|_| is_given);
        let given = given.map(|epoch| StreamPosition { epoch, offset: next - 1 });
        let Some(from) = start.map(|at| self.starts.remove(at).position).or(on).or(given) else {
            let (on, name) = (self.on.get(stream), &self.name);
            return Err(format!("{name} got {next} of {stream}, which it has up to {on:?}: twice, or not subscribed"));
        };
        self.misses(stream, &from, next, audit);
        let position = StreamPosition { epoch: from.epoch, offset: to };
        self.on.insert(stream.clone(), position.clone());
        Ok(position)
    }

    /// Nothing between `from` and `next` was for the client, or it is a violation.
    fn misses(&self, stream: &Stream, from: &StreamPosition, next: u64, audit: &Audit) {
        if next > from.offset + 1 {
            let (name, client) = (self.name.clone(), self.client.clone());
            let (route, epoch) = (self.route(stream), from.epoch.clone());
            audit.kept(|kept| kept.add_hole(Hole { name, client, route, epoch, from: from.offset + 1, to: next - 1 }));
        }
    }

    /// A control frame. Returns what is wrong with it.
    pub(crate) fn notes(&mut self, kind: &str, payload: &Value, audit: &Audit) -> Result<(), String> {
        match kind {
            "welcome" => {
                self.on = parsed(&payload["streams"]).unwrap_or_default();
                if payload["hold_ms"].is_u64() {
                    self.held = self.on.keys().cloned().collect();
                    self.holds = self.on.values().next().map(|position| position.epoch.clone());
                }
                Ok(())
            }
            "gap" => self.gap(payload, audit),
            "error" => {
                self.starts.retain(|start| start.id != payload["id"]);
                Ok(())
            }
            "subscribed" => {
                let topic = parsed(&payload["topic"]).map(Stream::Topic);
                match topic.zip(parsed(&payload["position"])) {
                    Some((stream, _)) if self.on.contains_key(&stream) => {
                        self.is_live(&stream, &payload["position"], audit)
                    }
                    // What a command has asked for may still come.
                    Some((stream, position)) => {
                        self.on.insert(stream, position);
                        Ok(())
                    }
                    None => Ok(()),
                }
            }
            "unsubscribed" => {
                if let Some(topic) = parsed(&payload["topic"]) {
                    self.ends(&Stream::Topic(topic));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// An `ack`; `subscribed` is the topic of the `subscribe` that it answers.
    pub(crate) fn acknowledged(
        &mut self,
        ack: &Value,
        subscribed: Option<Stream>,
        audit: &Audit,
    ) -> Result<(), String> {
        let mut result = Ok(());
        if let Some(stream) = subscribed {
            result = self.is_live(&stream, &ack["position"], audit);
        }
        let roles = parsed::<Vec<realtime_schema::Role>>(&ack["roles"]);
        for (stream, at) in parsed::<BTreeMap<Stream, StreamPosition>>(&ack["streams"]).unwrap_or_default() {
            let is_behind = |on: &StreamPosition| on.epoch != at.epoch || on.offset < at.offset;
            let ended = roles.is_none() && !self.is_known(&stream);
            // What has gone on since is past it.
            if !ended && self.on.get(&stream).is_none_or(is_behind) {
                result = result.and(self.is_live(&stream, &serde_json::json!(at), audit));
            }
        }
        self.starts.retain(|start| start.id != ack["id"]);
        if let Some(roles) = roles {
            self.on.retain(|stream, _| !matches!(stream, Stream::Role(role) if !roles.contains(role)));
        }
        result
    }

    /// A subscription has ended.
    pub(crate) fn ends(&mut self, stream: &Stream) {
        self.on.remove(stream);
        self.ended.insert(stream.clone());
    }

    fn is_known(&self, stream: &Stream) -> bool {
        self.on.contains_key(stream) || self.starts.iter().any(|start| start.stream == *stream)
    }

    /// A stream is live from a position: the client has everything up to it.
    fn is_live(&mut self, stream: &Stream, at: &Value, audit: &Audit) -> Result<(), String> {
        let Some(at) = parsed::<StreamPosition>(at) else { return Ok(()) };
        if !self.is_known(stream) {
            self.on.insert(stream.clone(), at);
            return Ok(());
        }
        let position = self.advances(stream, at.offset + 1, at.offset, audit)?;
        if position.epoch != at.epoch {
            return Err(format!(
                "{} has {stream} in epoch {}, and it is live in {}",
                self.name, position.epoch, at.epoch
            ));
        }
        Ok(())
    }

    fn gap(&mut self, gap: &Value, audit: &Audit) -> Result<(), String> {
        let Some((stream, position)) = parsed::<Stream>(&gap["stream"]).zip(parsed::<StreamPosition>(&gap["position"]))
        else {
            return Ok(());
        };
        if let Some(from) = gap["from"].as_u64() {
            let went_on = self.advances(&stream, from, position.offset, audit)?;
            if went_on.epoch != position.epoch || from > position.offset {
                return Err(format!("{} got {gap}, which is not where {stream} goes on", self.name));
            }
        }
        // Of a hold it may have been on its way when the client resumed.
        if gap["from"].is_null() && gap["reason"] != "hold_expired" {
            self.starts.retain(|start| start.stream != stream);
        }
        self.held.remove(&stream);
        self.on.insert(stream, position);
        Ok(())
    }

    /// At rest: what the client was still to get.
    pub(crate) fn lost(&self, audit: &Audit) -> Vec<String> {
        let hole = |(stream, position): (&Stream, &StreamPosition)| Hole {
            name: self.name.clone(),
            client: self.client.clone(),
            route: self.route(stream),
            epoch: position.epoch.clone(),
            from: position.offset + 1,
            to: u64::MAX,
        };
        audit.kept(|kept| self.on.iter().map(hole).filter_map(|hole| kept.lost(&hole)).collect())
    }
}
