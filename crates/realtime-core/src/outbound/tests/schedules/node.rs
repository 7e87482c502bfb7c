//! A node of plain values: histories, an index, and the queues of connections. What the node's threads do is cut into the
//! sections that their locks allow others between.

use std::collections::VecDeque;

use realtime_schema::{
    Ack, Audience, ClientId, CommandId, Control, ErrorCode, ErrorReply, Gap, GapReason, MessageType, Ping, Role, Route,
    Stream, StreamPosition, Subscribed, Timestamp, Topic, Unsubscribed, UnsubscribedReason,
};

use super::{
    client::{Client, Command, Judged, Now, Position, Published},
    step::{ALL, Bounds, CLIENTS, PUBLISHERS, ROLE, STREAMS, Since, Step, TOPICS, Wanted},
};
use crate::{
    codec::encode_control,
    epoch::{Epoch, Epochs},
    frame::{Frame, Label, PreparedFrame},
    log::{self, Log},
    outbound::{Gate, OutboundQueue, Owed, Page, PageLimits, QueueLimits, Resumed, Start, Verdict},
    policy::Overflow,
};

/// A part of a change that runs under one lock.
#[derive(Clone, Debug)]
enum Section {
    /// Adds a gate at the top of a stream, as it is now.
    GateAtTop {
        stream: usize,
        held: bool,
    },
    Gate {
        stream: usize,
        start: Start,
        id: Option<i64>,
    },
    /// Over a live subscription.
    GateOver {
        stream: usize,
        start: Start,
        owed: Option<Owed>,
        id: Option<i64>,
    },
    /// Lists the connection in the index: waits for fan-outs. Fails beyond the limit of subscriptions.
    Insert {
        stream: usize,
        owed: Option<Owed>,
        failure: Option<Control>,
    },
    Open {
        stream: usize,
        owed: Option<Owed>,
    },
    Remove {
        stream: usize,
    },
    End {
        stream: usize,
    },
    Send(Control),
    /// The end of a change of roles, with the position of the role that was gained.
    RolesChanged {
        id: i64,
        gained: bool,
    },
    /// The connection is registered: the end of its opening.
    Opened {
        role: bool,
    },
}

/// A change of a connection's subscriptions; it holds the lock of the connection's changes.
#[derive(Clone, Debug)]
struct Change {
    sections: VecDeque<Section>,
    /// By the connection's task, which writes nothing meanwhile.
    by_task: bool,
}

/// A `resume` in progress.
#[derive(Clone, Debug)]
struct Resume {
    id: i64,
    /// Topics to subscribe to.
    topics: Vec<(usize, Position)>,
}

#[derive(Debug)]
struct Connection {
    queue: OutboundQueue,
    listed: [bool; STREAMS],
    role: bool,
    registered: bool,
    change: Option<Change>,
    resume: Option<Resume>,
    /// The streams that a ticket names, until a `resume` or the end of the hold.
    hold: Option<[bool; STREAMS]>,
    /// The position of a role that is being gained.
    gained: Option<StreamPosition>,
    client: Client,
}

/// A publication that is being pushed: it holds the lock of its stream, and reads the index.
#[derive(Debug)]
struct FanOut {
    stream: usize,
    frame: Frame,
    left: VecDeque<usize>,
}

pub(super) struct Node {
    bounds: Bounds,
    epochs: Epochs,
    logs: [Option<Log>; STREAMS],
    published: Published,
    fan_outs: [Option<FanOut>; PUBLISHERS],
    connections: [Option<Connection>; CLIENTS],
    /// What each client has seen, over its connections.
    seen: [[Option<Position>; STREAMS]; CLIENTS],
    commands: i64,
    ticks: u64,
}

pub(super) fn topic_name(topic: usize) -> String {
    format!("t:{topic}")
}

fn topic_of(topic: usize) -> Topic {
    Topic::new(topic_name(topic)).expect("a topic")
}

fn route_of(stream: usize) -> Route {
    match stream {
        ALL => Route::All,
        ROLE => Route::Role(Role::new("r").expect("a role")),
        topic => Route::Topic(topic_of(topic)),
    }
}

pub(super) fn stream_of(route: &Route) -> usize {
    (0..STREAMS).find(|stream| route_of(*stream) == *route).expect("a stream of this test")
}

fn start_of(position: Position) -> Start {
    Start::After(position.epoch, position.offset)
}

impl Node {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            epochs: Epochs::new(Epoch(1_000_000)),
            logs: Default::default(),
            published: Published::default(),
            fan_outs: Default::default(),
            connections: Default::default(),
            seen: Default::default(),
            commands: 0,
            ticks: 0,
        }
    }

    fn empty_log(&self) -> Log {
        Log::begin(&self.epochs)
    }

    fn now(&self, stream: usize) -> Now {
        let absent = self.empty_log();
        let log = self.logs[stream].as_ref().unwrap_or(&absent);
        Now { epoch: log.epoch(), top: log.top(), floor: log.floor(), unknown: log.unknown() }
    }

    fn is_locked(&self, stream: usize) -> bool {
        self.fan_outs.iter().flatten().any(|fan_out| fan_out.stream == stream)
    }

    fn limits(&self) -> QueueLimits {
        QueueLimits { messages: self.bounds.messages, bytes: self.bounds.bytes }
    }

    fn next_id(&mut self) -> i64 {
        self.commands += 1;
        self.commands
    }

    /// Takes a step, and checks what must hold at any moment.
    pub(super) fn take(&mut self, step: Step) -> Judged {
        self.ticks += 1;
        match step {
            Step::Append { publisher, stream, messages, except, at_once } => {
                self.append(publisher, stream, messages, except);
                while at_once && self.push_next(publisher) {}
            }
            Step::Push { publisher } => drop(self.push_next(publisher)),
            Step::Evict { stream, messages } if !self.is_locked(stream) => {
                if let Some(log) = &mut self.logs[stream] {
                    log.trim(log::Bounds { entries: log.len().saturating_sub(messages), bytes: usize::MAX });
                    if messages > 2 {
                        log.expire(self.ticks);
                    }
                }
            }
            Step::Forget { stream } => self.forget(stream),
            Step::Restart { durable, rolled_back } => self.restart(durable, rolled_back),
            Step::Connect { client, role, holds, at_once } => {
                self.connect(client, role, holds);
                while at_once && self.go_on(client) {}
            }
            Step::Disconnect { client } => self.disconnect(client),
            Step::Pump { client, messages } => {
                return self.pump(client, messages).map(drop).and_then(|()| self.check());
            }
            Step::Continue { client } => drop(self.go_on(client)),
            Step::Other { client, control } => self.other(client, control),
            Step::HoldExpires { client } => self.hold_expires(client),
            Step::Change { client, change, at_once } => {
                self.begin_change(client, change);
                while at_once && self.go_on(client) {}
            }
            Step::Evict { .. } => {}
        }
        self.check()
    }

    /// A gate of a stream, and no frame of it; no more than the bounds.
    fn check(&self) -> Judged {
        for (client, connection) in self.connections.iter().enumerate() {
            let Some(Connection { queue, .. }) = connection else { continue };
            let frames = || queue.first.iter().chain(&queue.frames);
            if let Some(frame) = frames().find(|frame| frame.stream().is_some_and(|(stream, _)| queue.has_gate(stream)))
            {
                return Err(format!("the queue of client {client} has a gate of a stream and its frame {frame:?}"));
            }
            let (messages, bytes) = (queue.len(), queue.bytes());
            if frames().count() > 1 && (messages > self.bounds.messages || bytes > self.bounds.bytes) {
                return Err(format!("{messages} messages, {bytes} bytes wait for client {client}"));
            }
            if bytes != frames().map(Frame::text_len).sum::<usize>() {
                return Err(format!("the queue of client {client} counts {bytes} bytes"));
            }
        }
        Ok(())
    }

    // --- publishers

    fn append(&mut self, publisher: usize, stream: usize, messages: usize, except: Option<usize>) {
        if self.fan_outs[publisher].is_some() || self.is_locked(stream) {
            return;
        }
        let mut log = self.logs[stream].take().unwrap_or_else(|| self.empty_log());
        let mut frames = Vec::new();
        for _ in 0..messages {
            let label = Label {
                overflow: Overflow::Drop,
                kind: MessageType::new("t").expect("a type"),
                to: Audience::from(route_of(stream)),
                kept: None,
            };
            let client = except.map(client_id);
            let write = |buffer: &mut Vec<u8>| {
                buffer.extend_from_slice(br#"{"payload":1}"#);
                Ok::<(), ()>(())
            };
            let frame = PreparedFrame::encode(label, client, write).expect("writes").finish(log.epoch(), log.top() + 1);
            log.append(frame.clone(), self.ticks);
            self.published.add(stream, log.epoch(), log.top(), except);
            frames.push(frame);
        }
        log.trim(log::Bounds { entries: self.bounds.kept, bytes: usize::MAX });
        self.logs[stream] = Some(log);
        let listed = |client: &usize| self.connections[*client].as_ref().is_some_and(|known| known.listed[stream]);
        let left = (0..CLIENTS).filter(listed).collect();
        let frame = Frame::joined(&frames).expect("some");
        self.fan_outs[publisher] = Some(FanOut { stream, frame, left });
    }

    /// Pushes to the next listener, or ends the fan-out; false if there is none.
    fn push_next(&mut self, publisher: usize) -> bool {
        let Some(fan_out) = &mut self.fan_outs[publisher] else { return false };
        let Some(client) = fan_out.left.pop_front() else {
            self.fan_outs[publisher] = None;
            return true;
        };
        let frame = fan_out.frame.clone();
        if frame.is_for(Some(&client_id(client))) {
            self.push(client, frame);
        }
        true
    }

    fn push(&mut self, client: usize, frame: Frame) {
        let limits = self.limits();
        let Some(connection) = &mut self.connections[client] else { return };
        if connection.queue.push(frame, limits) == Verdict::Full {
            self.disconnect(client);
        }
    }

    fn send(&mut self, client: usize, control: &Control) {
        self.push(client, encode_control(control, Timestamp::EPOCH));
    }

    fn other(&mut self, client: usize, control: bool) {
        if control {
            return self.send(client, &Control::Ping(Ping {}));
        }
        let label = Label {
            overflow: Overflow::Drop,
            kind: MessageType::new("other").expect("a type"),
            to: Audience::union(vec![Route::All, route_of(ROLE)]).expect("two routes"),
            kept: None,
        };
        let write = |buffer: &mut Vec<u8>| {
            buffer.extend_from_slice(br#"{"payload":2}"#);
            Ok::<(), ()>(())
        };
        self.push(client, Frame::encode(Some(label), write).expect("writes"));
    }

    // --- histories

    fn forget(&mut self, stream: usize) {
        let listened = self.connections.iter().flatten().any(|connection| connection.listed[stream]);
        if listened || self.is_locked(stream) {
            return;
        }
        if let Some(log) = self.logs[stream].take() {
            self.epochs.forgotten = self.epochs.forgotten.max(log.top());
        }
    }

    fn restart(&mut self, durable: bool, rolled_back: bool) {
        (0..CLIENTS).for_each(|client| self.disconnect(client));
        self.fan_outs = Default::default();
        let generation = Epoch(self.epochs.generation.0 + 1_000_000);
        if !durable {
            self.logs = Default::default();
            self.epochs = Epochs::new(generation);
        } else if rolled_back {
            // The last messages may be missing: their offsets are not used again in the same epoch.
            self.epochs = Epochs { generation, rolled_back: true, ..self.epochs };
            for (stream, log) in self.logs.iter_mut().enumerate() {
                let Some(log) = log else { continue };
                for kept in log.from(0).filter_map(Frame::kept) {
                    let except =
                        kept.except.as_ref().and_then(|except| except.as_str().strip_prefix('c')?.parse().ok());
                    self.published.add(stream, generation, kept.first, except);
                }
                log.begin_epoch(generation);
            }
        }
    }
}

fn client_id(client: usize) -> ClientId {
    ClientId::new(format!("c{client}")).expect("a client")
}

#[path = "changes.rs"]
mod changes;
#[path = "sections.rs"]
mod sections;
