//! A model of the server, as docs/protocol.md describes it: logs, tickets, the hold, resume, gaps, refusals, closes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{log::Log, oracle::Logs, random::Random};
use crate::machine::Position;

pub(super) const TOPICS: [&str; 3] = ["short", "long", "plain"];
pub(super) const OWN: [&str; 3] = ["user", "all", "role:staff"];
const HOLD: u64 = 2_000;

/// What the server does to a connection, in this order.
pub(super) enum Output {
    Frame(usize, Value),
    Close(usize, u16),
}

/// The server's end of a connection.
#[derive(Debug, Default)]
pub(super) struct Connection {
    /// When the token expires.
    expires: u64,
    pub(super) topics: BTreeSet<String>,
    /// Streams that stand still until `resume`, with their position in `welcome`.
    held: BTreeMap<String, Position>,
    hold_until: u64,
    pub(super) staff: bool,
}

#[derive(Debug)]
pub(super) struct Model {
    pub(super) logs: Logs,
    pub(super) connections: BTreeMap<usize, Connection>,
    /// The payloads and keys of publications, in their order.
    pub(super) published: Vec<(String, u64)>,
    n: u64,
    secret: u64,
    ids: u64,
    pub(super) staff: bool,
}

/// The streams that a model of the server gives to this code.
fn topic(stream: &str) -> Option<&str> {
    stream.strip_prefix("topic:")
}

fn gap(stream: &str, at: &Position, reason: &str) -> Value {
    json!({"type": "gap", "payload": {"stream": stream, "to": at.offset, "position": at, "reason": reason}})
}

/// When a token of this model expires.
pub(super) fn expiry(token: &str) -> u64 {
    token.split_once('@').and_then(|(_, at)| at.parse().ok()).expect("a token of the model")
}

impl Model {
    pub(super) fn new() -> Self {
        let sizes = [("topic:short", 4), ("topic:long", 1_000), ("user", 1_000), ("all", 4), ("role:staff", 1_000)];
        let logs = sizes.into_iter().map(|(stream, size)| (stream.to_owned(), Log::new(size))).collect();
        Self { logs, connections: BTreeMap::new(), published: Vec::new(), n: 0, secret: 1, ids: 0, staff: true }
    }

    pub(super) fn admit(
        &mut self,
        now: u64,
        random: &mut Random,
        link: usize,
        token: &str,
        ticket: Option<&str>,
    ) -> Vec<Output> {
        let expires = expiry(token);
        if expires <= now {
            return close(random, link, 4610, &json!({}));
        }
        let staff = self.staff;
        let own = OWN.iter().filter(|stream| **stream != "role:staff" || staff);
        let streams: BTreeMap<_, _> = own.map(|stream| ((*stream).to_owned(), self.logs[*stream].position())).collect();
        let own_ticket = self.secret.to_string();
        let resumed = ticket == Some(&own_ticket);
        let roles = if staff { vec!["staff"] } else { Vec::new() };
        let welcome = json!({"type": "welcome", "payload": {
            "user": "alice", "roles": roles, "streams": streams, "resumed": resumed, "resume": own_ticket, "hold_ms": HOLD,
            "ping_ms": 5_000, "token_expires_in_ms": expires - now,
            "reconnect": {"min_ms": 250, "max_ms": 5_000, "spread_ms": 500}, "limits": {"burst": 8},
        }});
        let held = if resumed { streams } else { BTreeMap::new() };
        let connection = Connection { expires, topics: BTreeSet::new(), held, hold_until: now + HOLD, staff };
        self.connections.insert(link, connection);
        vec![Output::Frame(link, welcome)]
    }

    fn frame(&mut self, n: u64, stream: &str, offset: Option<u64>) -> Value {
        self.ids += 1;
        let mut frame = json!({"type": "news", "payload": n, "timestamp": "", "id": format!("m{}", self.ids)});
        if let Some(topic) = topic(stream) {
            frame["topic"] = json!(topic);
        }
        if let Some(offset) = offset {
            frame["stream"] = json!(stream);
            frame["offset"] = json!(offset);
        }
        frame
    }

    pub(super) fn publish(&mut self, random: &mut Random, stream: &str) -> Vec<Output> {
        self.n += 1;
        let n = self.n;
        let offset = self.logs.get_mut(stream).map(|log| log.append(n, random.chance(0.2)));
        let receives = |it: &Connection| {
            !it.held.contains_key(stream)
                && match topic(stream) {
                    Some(topic) => it.topics.contains(topic),
                    None => stream != "role:staff" || it.staff,
                }
        };
        let links: Vec<_> = self.connections.iter().filter(|(_, it)| receives(it)).map(|(link, _)| *link).collect();
        links.into_iter().map(|link| Output::Frame(link, self.frame(n, stream, offset))).collect()
    }

    /// What happens by itself: the hold ends, tokens expire, pings.
    pub(super) fn tick(&mut self, now: u64, random: &mut Random) -> Vec<Output> {
        let mut out = Vec::new();
        for link in self.connections.keys().copied().collect::<Vec<_>>() {
            let connection = self.connections.get_mut(&link).expect("it is connected");
            let expired = now >= connection.expires;
            if now >= connection.hold_until {
                for (stream, at) in std::mem::take(&mut connection.held) {
                    out.push(Output::Frame(link, gap(&stream, &at, "hold_expired")));
                    self.catch_up(link, &stream, &at, &mut out);
                }
            }
            if expired {
                out.extend(self.end(random, link, 4610, &json!({})));
            } else if random.chance(0.3) {
                out.push(Output::Frame(link, json!({"type": "ping", "payload": {}})));
            }
        }
        out
    }

    pub(super) fn end(&mut self, random: &mut Random, link: usize, code: u16, closing: &Value) -> Vec<Output> {
        self.connections.remove(&link);
        close(random, link, code, closing)
    }

    /// What comes after a position: the messages, or a gap in their place.
    fn catch_up(&mut self, link: usize, stream: &str, since: &Position, out: &mut Vec<Output>) {
        let log = &self.logs[stream];
        let mut from = since.offset;
        let other = since.epoch != log.at(0).epoch;
        if other || from < log.trimmed {
            from = log.trimmed;
            out.push(Output::Frame(link, gap(stream, &log.at(from), if other { "epoch" } else { "retention" })));
        }
        for entry in self.logs[stream].after(from) {
            let frame = self.frame(entry.n, stream, Some(entry.offset));
            out.push(Output::Frame(link, frame));
        }
    }

    pub(super) fn command(&mut self, now: u64, random: &mut Random, link: usize, command: &Value) -> Vec<Output> {
        let mut out = Vec::new();
        let Some(connection) = self.connections.get_mut(&link) else { return out };
        let (action, id) = (command["action"].as_str().expect("an action"), &command["id"]);
        let mut ack = json!({"id": id});
        let refused = |code: &str, status: u16, after: Value| {
            let payload = json!({"id": id, "code": code, "status": status, "retry": status == 429, "message": code, "after_ms": after});
            vec![Output::Frame(link, json!({"type": "error", "payload": payload}))]
        };
        if action != "resume" && action != "pong" && random.chance(0.08) {
            return refused("rate_limited", 429, json!(200 + random.below(500)));
        }
        let since = |value: &Value| serde_json::from_value::<Position>(value.clone()).ok();
        match action {
            "pong" => return out,
            "subscribe" => {
                let topic = command["topic"].as_str().expect("a topic");
                let stream = format!("topic:{topic}");
                connection.topics.insert(topic.to_owned());
                if self.logs.contains_key(&stream) {
                    if let Some(since) = since(&command["since"]) {
                        self.catch_up(link, &stream, &since, &mut out);
                    }
                    ack["position"] = json!(self.logs[&stream].position());
                }
            }
            "unsubscribe" => _ = connection.topics.remove(command["topic"].as_str().expect("a topic")),
            "resume" => {
                let mut streams = BTreeMap::new();
                let held = std::mem::take(&mut connection.held);
                let staff = connection.staff;
                let asked = command["since"].as_object().expect("positions");
                for (stream, at) in asked {
                    let Some(log) = self.logs.get(stream) else { continue };
                    let at = since(at).expect("a position");
                    match topic(stream) {
                        Some(topic) => {
                            self.connections.get_mut(&link).expect("connected").topics.insert(topic.to_owned());
                            self.catch_up(link, stream, &at, &mut out);
                        }
                        None if held.contains_key(stream) => self.catch_up(link, stream, &at, &mut out),
                        None if stream == "role:staff" && !staff => continue,
                        None => out.push(Output::Frame(link, gap(stream, &log.position(), "not_granted"))),
                    }
                    streams.insert(stream.clone(), self.logs[stream].position());
                }
                for (stream, at) in held.iter().filter(|(stream, _)| !asked.contains_key(*stream)) {
                    self.catch_up(link, stream, at, &mut out);
                    streams.insert(stream.clone(), self.logs[stream].position());
                }
                ack["streams"] = json!(streams);
            }
            "refresh" => {
                connection.expires = expiry(command["token"].as_str().expect("a token"));
                if connection.expires <= now {
                    return refused("token_expired", 401, Value::Null);
                }
                ack["token_expires_in_ms"] = json!(connection.expires - now);
            }
            "publish" => {
                let key = command["idempotency_key"].as_str().expect("a key");
                ack["message"] = json!(key);
                if self.published.iter().any(|(known, _)| known == key) {
                    ack["duplicate"] = json!(true);
                } else {
                    self.published.push((key.to_owned(), command["payload"].as_u64().expect("a number")));
                }
            }
            _ => {}
        }
        out.push(Output::Frame(link, json!({"type": "ack", "payload": ack})));
        out
    }

    /// A client that reads too slowly loses the next message of a stream without a log.
    pub(super) fn forget(&self) -> Vec<Output> {
        let first = self.connections.iter().next().filter(|(_, it)| it.topics.contains("plain"));
        let payload = json!({"stream": "topic:plain", "missed": 1, "reason": "slow_consumer"});
        first.map(|(link, _)| Output::Frame(*link, json!({"type": "gap", "payload": payload}))).into_iter().collect()
    }

    /// `kill -9`, with or without a data directory.
    pub(super) fn kill(&mut self, durable: bool) -> Vec<Output> {
        let links = std::mem::take(&mut self.connections).into_keys();
        if !durable {
            self.secret += 1;
            self.logs.values_mut().for_each(Log::lose);
        }
        links.map(|link| Output::Close(link, 1006)).collect()
    }
}

fn close(random: &mut Random, link: usize, code: u16, fields: &Value) -> Vec<Output> {
    let mut payload = json!({"code": code, "reason": "closed", "reconnect": true, "after_ms": 0, "spread_ms": 0});
    if let (Some(payload), Some(fields)) = (payload.as_object_mut(), fields.as_object()) {
        payload.extend(fields.clone());
    }
    let closing = random.chance(0.8).then(|| Output::Frame(link, json!({"type": "closing", "payload": payload})));
    closing.into_iter().chain([Output::Close(link, code)]).collect()
}
