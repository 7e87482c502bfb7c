//! A client as the protocol describes it: it keeps the position of each stream, and does no arithmetic with offsets. It
//! judges everything that it receives.

use std::{cell::RefCell, collections::BTreeMap};

use serde_json::Value;

use super::step::{ALL, ROLE, STREAMS, TOPICS};
use crate::{epoch::Epoch, frame::Frame};

pub(super) type Judged = Result<(), String>;

/// A position, as the client has it; `None` for an epoch that no node gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) epoch: Option<Epoch>,
    pub(super) offset: u64,
}

/// Every message that was ever published, with the client that it excludes.
#[derive(Clone, Debug, Default)]
pub(super) struct Published(BTreeMap<(usize, Epoch, u64), Option<usize>>);

impl Published {
    pub(super) fn add(&mut self, stream: usize, epoch: Epoch, offset: u64, except: Option<usize>) {
        let earlier = self.0.insert((stream, epoch, offset), except);
        assert_eq!(earlier, None, "offset {offset} of stream {stream} is used twice in epoch {epoch}");
    }

    /// True if a client that has everything up to `position` misses nothing before `offset`.
    fn follows(&self, client: usize, stream: usize, position: Position, offset: u64) -> bool {
        let Some(epoch) = position.epoch else { return false };
        let between = (stream, epoch, position.offset.saturating_add(1))
            ..(stream, epoch, offset.max(position.offset.saturating_add(1)));
        offset > position.offset && self.0.range(between).all(|(_, except)| *except == Some(client))
    }
}

/// A command without a reply.
#[derive(Clone, Debug)]
pub(super) enum Command {
    Subscribe { topic: usize, live: bool },
    Unsubscribe { topic: usize },
    Refresh { role: bool },
    Resume,
}

/// What the node has at the moment at which the client reads: what is written is read at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) epoch: Epoch,
    pub(super) top: u64,
    pub(super) floor: u64,
    /// What a client of another epoch does not get ends here.
    pub(super) unknown: u64,
}

/// One connection, as its client knows it.
#[derive(Clone, Debug)]
pub(super) struct Client {
    me: usize,
    /// The position of each stream that it receives.
    on: [Option<Position>; STREAMS],
    /// Where a command has asked to begin; the first frame or gap from there takes it.
    starts: [Option<(i64, Position)>; STREAMS],
    /// Streams that stand still until it resumes, at the positions of the `welcome`.
    held: [Option<Position>; STREAMS],
    /// The last command that said where a stream begins.
    begun: [i64; STREAMS],
    pending: BTreeMap<i64, Command>,
    /// Gaps of these reasons may come: the hold has expired, or it has resumed what it may not.
    pub(super) hold_expired: bool,
    pub(super) not_granted: [bool; STREAMS],
}

impl Client {
    pub(super) fn new(me: usize) -> Self {
        let (on, starts, held, begun, pending) = Default::default();
        Self { me, on, starts, held, begun, pending, hold_expired: false, not_granted: [false; STREAMS] }
    }

    /// What it has seen of each stream.
    pub(super) fn positions(&self) -> [Option<Position>; STREAMS] {
        self.on
    }

    /// A stream of the `welcome`.
    pub(super) fn welcomed(&mut self, stream: usize, position: Position, held: bool) {
        let positions = if held { &mut self.held } else { &mut self.on };
        positions[stream] = Some(position);
    }

    /// It has resumed without this stream, which goes on from where it was held.
    pub(super) fn goes_on(&mut self, stream: usize) {
        self.on[stream] = self.held[stream].take().or(self.on[stream]);
    }

    pub(super) fn sends(&mut self, id: i64, command: Command) {
        self.pending.insert(id, command);
    }

    /// The node reads a stream from where this command says, whatever the client had or had asked for before.
    pub(super) fn begins(&mut self, id: i64, stream: usize, start: Position) {
        self.begun[stream] = id;
        (self.on[stream], self.starts[stream], self.held[stream]) = (None, Some((id, start)), None);
    }

    /// A stream ends, with what was asked for before this command.
    fn ends(&mut self, stream: usize, id: i64) {
        self.on[stream] = None;
        self.starts[stream].take_if(|(of, _)| *of < id);
    }

    /// The node no longer reads a stream for any command.
    pub(super) fn begins_no_more(&mut self, stream: usize) {
        self.starts[stream] = None;
    }

    fn known(&self, stream: usize) -> Option<Position> {
        self.on[stream].or(self.starts[stream].map(|(_, start)| start))
    }

    /// Nothing begins where this command has asked for any more.
    fn forget_starts_of(&mut self, id: i64) {
        for start in &mut self.starts {
            start.take_if(|(of, _)| *of == id);
        }
    }

    pub(super) fn unanswered(&self) -> Vec<i64> {
        self.pending.keys().copied().collect()
    }

    /// Continues at an offset after the position, or after where it has asked to begin.
    fn continues(&mut self, published: &Published, stream: usize, epoch: Epoch, first: u64, last: u64) -> bool {
        let known = self.known(stream);
        let Some(position) = known else { return false };
        let follows = position.epoch == Some(epoch) && published.follows(self.me, stream, position, first);
        if follows {
            (self.on[stream], self.starts[stream]) = (Some(Position { epoch: Some(epoch), offset: last }), None);
        }
        follows
    }

    pub(super) fn reads(&mut self, frame: &Frame, published: &Published, now: impl Fn(usize) -> Now) -> Judged {
        if let Some((route, kept)) = frame.stream() {
            let stream = super::node::stream_of(route);
            // No frame says its epoch: it is what the client has.
            let epoch = now(stream).epoch;
            for offset in kept.first..=kept.last {
                if kept.except.as_ref().is_some_and(|except| except.as_str() == format!("c{}", self.me)) {
                    return Err(format!("{offset} of stream {stream} excludes client {}", self.me));
                }
                if !self.continues(published, stream, epoch, offset, offset) {
                    let (on, start) = (self.on[stream], self.starts[stream]);
                    return Err(format!(
                        "{offset} of stream {stream} in epoch {} came to client {}, which has {on:?} and asked for {start:?}",
                        epoch, self.me
                    ));
                }
            }
            count("message");
            return Ok(());
        }
        if frame.label().is_some() {
            return Ok(());
        }
        count("control");
        let text = frame.texts().next().unwrap_or_default();
        let value: Value = serde_json::from_str(text).expect("JSON");
        let payload = &value["payload"];
        match value["type"].as_str().unwrap_or_default() {
            "gap" => self.gap(payload, published, now),
            "ack" => self.acknowledged(payload, published, now),
            "error" => {
                let id = payload["id"].as_i64().ok_or("an error without an id")?;
                self.forget_starts_of(id);
                count("error");
                self.pending.remove(&id).map(drop).ok_or_else(|| format!("command {id} is answered twice"))
            }
            "subscribed" => {
                let topic = topic(payload)?;
                self.live(topic, &payload["position"], true, published, now(topic))
            }
            "unsubscribed" => {
                let topic = topic(payload)?;
                self.on[topic] = None;
                if payload["reason"] == "revoked" {
                    // A part of a `resume`. A later `subscribe` may have been sent before the notice of a subscription
                    // that the backend ended has come.
                    let of_resume = |id: &i64| matches!(self.pending.get(id), Some(Command::Resume));
                    if self.starts[topic].is_some_and(|(id, _)| of_resume(&id)) {
                        self.starts[topic] = None;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn gap(&mut self, gap: &Value, published: &Published, now: impl Fn(usize) -> Now) -> Judged {
        let reason = gap["reason"].as_str().unwrap_or_default();
        if reason == "slow_consumer" {
            // Of publications that no history keeps.
            return if gap["stream"].is_null() { Ok(()) } else { Err(format!("{gap} of a stream with a history")) };
        }
        let stream = stream(gap["stream"].as_str().unwrap_or_default()).ok_or_else(|| format!("{gap} of no stream"))?;
        let now = now(stream);
        let wrong = |why: &str| Err(format!("{gap}: {why}; the history is {now:?}"));
        let Some(position) = position(&gap["position"]) else {
            // Live already: nothing goes on from here.
            return if reason == "not_granted" && self.not_granted[stream] { Ok(()) } else { wrong("has no position") };
        };
        let held = self.held[stream].take();
        let Some(known) = self.known(stream).or(held) else { return wrong("the client does not receive it") };
        if position.epoch != Some(now.epoch) || gap["to"].as_u64() != Some(position.offset) {
            return wrong("its position is not where the history goes on");
        }
        match gap["from"].as_u64() {
            Some(from) => {
                if known.epoch != position.epoch || !published.follows(self.me, stream, known, from) {
                    return Err(format!("{gap} to a client that has {known:?}"));
                }
                let forgotten = reason == "position_forgotten";
                if !(forgotten || reason == "retention") || position.offset != now.floor || from > position.offset {
                    return wrong("names what is kept");
                }
                if gap["missed"].as_u64() != (!forgotten).then_some(position.offset - from + 1) {
                    return wrong("counts wrongly");
                }
            }
            None => {
                let other_epoch = known.epoch != Some(now.epoch);
                let right = match reason {
                    "epoch" | "store_rolled_back" => other_epoch && position.offset == now.unknown,
                    "log_went_back" => !other_epoch && known.offset > position.offset && position.offset == now.top,
                    "hold_expired" => self.hold_expired && known.offset <= position.offset,
                    "not_granted" => self.not_granted[stream] && known.offset <= position.offset,
                    _ => false,
                };
                if !right {
                    return Err(format!("{gap} to a client that has {known:?}, of a history that is {now:?}"));
                }
            }
        }
        (self.on[stream], self.starts[stream]) = (Some(position), None);
        count(reason);
        Ok(())
    }

    fn acknowledged(&mut self, ack: &Value, published: &Published, now: impl Fn(usize) -> Now) -> Judged {
        let id = ack["id"].as_i64().ok_or("an ack without an id")?;
        let command = self.pending.remove(&id).ok_or_else(|| format!("command {id} is answered twice"))?;
        count(match command {
            Command::Subscribe { .. } => "subscribe",
            Command::Unsubscribe { .. } => "unsubscribe",
            Command::Refresh { .. } => "refresh",
            Command::Resume => "resume",
        });
        match command {
            Command::Subscribe { topic, live } => self.live(topic, &ack["position"], live, published, now(topic)),
            Command::Unsubscribe { topic } => {
                self.ends(topic, id);
                Ok(())
            }
            Command::Refresh { role } => {
                let gained = position(&ack["streams"]["role:r"]);
                if role && gained.is_none() {
                    return Err("a role was gained without a position".into());
                }
                self.ends(ROLE, id);
                (self.on[ROLE], self.held[ROLE]) = (gained.or(self.on[ROLE]), None);
                Ok(())
            }
            Command::Resume => {
                let streams = ack["streams"].as_object().ok_or("no streams in the ack of a resume")?;
                for (name, at) in streams {
                    let stream = stream(name).ok_or("an unknown stream")?;
                    let at = position(at).ok_or("no position")?;
                    // It may have gone on since, or have ended.
                    let on = self.on[stream].filter(|on| on.epoch == at.epoch && on.offset >= at.offset);
                    let later = self.begun[stream] > id;
                    if on.is_none() && !later && self.known(stream).is_some() {
                        self.reaches(stream, at, published)?;
                    }
                }
                self.forget_starts_of(id);
                Ok(())
            }
        }
    }

    /// The client has everything up to `at`.
    fn reaches(&mut self, stream: usize, at: Position, published: &Published) -> Judged {
        let Some(known) = self.known(stream) else {
            return Err(format!("{at:?} of stream {stream}, which was not asked for"));
        };
        let complete = known.epoch == at.epoch
            && known.offset <= at.offset
            && published.follows(self.me, stream, known, at.offset + 1);
        if !complete {
            return Err(format!("{at:?} of stream {stream} is said to be reached by a client that has {known:?}"));
        }
        (self.on[stream], self.starts[stream]) = (Some(at), None);
        Ok(())
    }

    /// A stream is live from a position, which is the top of its history.
    fn live(&mut self, stream: usize, at: &Value, live: bool, published: &Published, now: Now) -> Judged {
        let at = position(at).ok_or("no position of a stream with a history")?;
        if at != (Position { epoch: Some(now.epoch), offset: now.top }) {
            return Err(format!("stream {stream} is live at {at:?}, but its history is {now:?}"));
        }
        if live && self.known(stream).is_none() {
            self.on[stream] = Some(at);
            return Ok(());
        }
        self.reaches(stream, at, published)
    }

    /// At rest: it receives a stream exactly if the index says so, and has all of it.
    pub(super) fn is_complete(&self, stream: usize, listed: bool, published: &Published, now: Now) -> Judged {
        let known = self.known(stream);
        if known.is_some() != listed {
            return Err(format!("stream {stream}: client {} has {known:?}, and the index says {listed}", self.me));
        }
        let Some(known) = known else { return Ok(()) };
        if known.epoch != Some(now.epoch) || !published.follows(self.me, stream, known, now.top + 1) {
            return Err(format!("stream {stream}: client {} rests at {known:?}, the history is {now:?}", self.me));
        }
        Ok(())
    }
}

fn position(value: &Value) -> Option<Position> {
    Some(Position { epoch: Epoch::parse(value["epoch"].as_str()?), offset: value["offset"].as_u64()? })
}

fn topic(payload: &Value) -> Result<usize, String> {
    let name = payload["topic"].as_str().unwrap_or_default();
    (0..TOPICS).find(|topic| super::node::topic_name(*topic) == name).ok_or_else(|| format!("{payload} of no topic"))
}

fn stream(name: &str) -> Option<usize> {
    match name {
        "all" => Some(ALL),
        "role:r" => Some(ROLE),
        name => (0..TOPICS).find(|topic| name.strip_prefix("topic:") == Some(&super::node::topic_name(*topic))),
    }
}

thread_local! {
    static COUNTS: RefCell<BTreeMap<String, u64>> = RefCell::default();
}

fn count(what: &str) {
    COUNTS.with_borrow_mut(|counts| match counts.get_mut(what) {
        Some(count) => *count += 1,
        None => drop(counts.insert(what.to_owned(), 1)),
    });
}

/// How often clients of this thread have received what, since the last call.
pub(super) fn take_counts() -> BTreeMap<String, u64> {
    COUNTS.take()
}
