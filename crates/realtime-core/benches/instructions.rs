//! The cost of the hot path in instructions, which does not depend on the load of the machine.
//!
//! The maps hash with a random seed per process, so the work for one key varies a little between runs; a case that looks up
//! keys looks up thousands of them, or divides one lookup by a thousand listeners. The remaining difference between two
//! runs is 0.2 % in those cases, and zero in the others.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods)] // A benchmark prints and reads its arguments; the core does not.

use std::{collections::VecDeque, hint::black_box, process::ExitCode, sync::Arc};

use realtime_core::{
    Frame,
    codec::{decode, encode_publication, prepare_publication},
    connection::record,
    epoch::Epoch,
    log::{Bounds, Log},
    message::{self, Content, Stamp, plan},
    outbound::{OutboundQueue, QueueLimits},
    policy::Overflow,
    pubsub::TopicTable,
    registry::Registry,
    topic::granted,
};
use realtime_schema::{
    Audience, ConnectionId, Grant, GrantAction, JwtClaims, Message, MessageId, MessageType, Payload, Role, Route,
    Timestamp, Topic, UserId,
};
use uuid::Uuid;

#[path = "counted/mod.rs"]
mod counted;

use counted::{Case, ROUNDS, measured};

/// In the order in which a message passes them.
const CASES: &[Case] = &[
    Case { name: "decode/subscribe", unit: "command", run: decode_subscribe },
    Case { name: "authorize/last-of-8-grants", unit: "topic", run: authorize },
    Case { name: "route/topic-of-1000", unit: "listener", run: route_topic },
    Case { name: "route/role-of-1000", unit: "listener", run: route_role },
    Case { name: "route/user-among-10000", unit: "message", run: route_user },
    Case { name: "encode/128-B", unit: "message", run: || encode(128) },
    Case { name: "encode/16-KiB", unit: "message", run: || encode(16 * 1024) },
    Case { name: "enqueue/1000-queues", unit: "queue", run: enqueue },
    Case { name: "drain/16-frames", unit: "batch", run: drain },
    Case { name: "fan-out/topic-of-1000", unit: "listener", run: fan_out },
    Case { name: "history/encode-128-B", unit: "message", run: encode_kept },
    Case { name: "history/append", unit: "message", run: append },
    Case { name: "history/fan-out-to-1000", unit: "listener", run: fan_out_kept },
];

const LISTENERS: usize = 1_000;
const USERS: usize = 10_000;
/// Large enough that nothing is dropped: a full queue is not the hot path.
const LIMITS: QueueLimits = QueueLimits { messages: 256, bytes: 1 << 20 };

/// Entries of a log.
const KEPT: usize = 1_000;
const BOUNDS: Bounds = Bounds { entries: KEPT, bytes: 1 << 30 };
const EPOCH: Epoch = Epoch(0x0123_4567_89ab_cdef);

fn main() -> ExitCode {
    counted::main(CASES)
}

/// Measures [`ROUNDS`] runs of `work`, after one run that is not counted.
fn repeated(mut work: impl FnMut()) {
    work();
    measured(black_box(&mut || (0..ROUNDS).for_each(|_| work())));
}

// === the cases ===

fn decode_subscribe() -> usize {
    let text = r#"{"action":"subscribe","topic":"order:123","id":"7"}"#;
    repeated(|| drop(black_box(decode(black_box(text)).expect("a command"))));
    ROUNDS
}

fn authorize() -> usize {
    let mut grants: Vec<Grant> = (0..7).map(|n| format!("subscribe:team-{n}:*").parse().expect("a grant")).collect();
    grants.push("subscribe:user:{sub}:**".parse().expect("a grant"));
    let topic = topic("user:alice:inbox");
    let user = UserId::new("alice").expect("a user");
    repeated(|| {
        let allowed = granted(black_box(&grants), GrantAction::Subscribe, black_box(&topic), black_box(&user));
        assert!(black_box(allowed));
    });
    ROUNDS
}

fn route_topic() -> usize {
    let (topics, busy) = topics();
    let to = Audience::from(Route::Topic(busy));
    repeated(|| {
        let mut reached = 0;
        each_route(&to, |route| {
            if let Route::Topic(topic) = route {
                visit(topics.listeners(topic), &mut |listener| reached += black_box(listener) - listener + 1);
            }
        });
        assert_eq!(black_box(reached), LISTENERS);
    });
    ROUNDS * LISTENERS
}

fn route_role() -> usize {
    let registry = registry();
    let to = Audience::from(Route::Role(role(0)));
    repeated(|| {
        let mut reached = 0;
        each_route(&to, |route| {
            if let Route::Role(role) = route {
                visit(registry.of_role(role), &mut |listener| reached += black_box(listener) - listener + 1);
            }
        });
        assert_eq!(black_box(reached), LISTENERS);
    });
    ROUNDS * LISTENERS
}

fn route_user() -> usize {
    let registry = registry();
    let audiences: Vec<_> = (0..USERS).map(|n| Audience::from(Route::User(user(n)))).collect();
    let mut reached = 0;
    measured(black_box(&mut || {
        for to in &audiences {
            each_route(to, |route| {
                if let Route::User(user) = route {
                    visit(registry.of_user(user), &mut |listener| reached += black_box(listener) - listener + 1);
                }
            });
        }
    }));
    assert_eq!(reached, USERS);
    USERS
}

fn encode(payload_bytes: usize) -> usize {
    let message = publication(topic("order:123"), payload_bytes);
    repeated(|| drop(black_box(encode_publication(black_box(&message), Overflow::Close))));
    ROUNDS
}

fn enqueue() -> usize {
    let frame = frame();
    let mut queues = warm_queues();
    for _ in 0..ROUNDS {
        measured(black_box(&mut || queues.iter_mut().for_each(|queue| push(queue, &frame))));
        empty(&mut queues);
    }
    ROUNDS * LISTENERS
}

fn drain() -> usize {
    const FRAMES: usize = 16;
    let frame = frame();
    let mut queues = warm_queues();
    let mut batch = VecDeque::new();
    for queue in &mut queues {
        (0..FRAMES).for_each(|_| push(queue, &frame));
    }
    measured(black_box(&mut || {
        for queue in &mut queues {
            let gaps = black_box(queue.take(&mut batch));
            assert!(gaps.is_empty());
            // As the writer drops frames after it has written them.
            batch.clear();
        }
    }));
    queues.len()
}

/// All steps of a publication to a thousand queues.
fn fan_out() -> usize {
    let (topics, busy) = topics();
    let message = publication(busy, 128);
    let mut queues = warm_queues();
    for _ in 0..ROUNDS {
        measured(black_box(&mut || {
            let mut shared = None;
            each_route(&message.to, |route| {
                if let Route::Topic(topic) = route {
                    visit(topics.listeners(topic), &mut |listener| {
                        let frame = shared.get_or_insert_with(|| encode_publication(&message, Overflow::Close));
                        push(&mut queues[listener], frame);
                    });
                }
            });
        }));
        empty(&mut queues);
    }
    ROUNDS * LISTENERS
}

/// [`encode`] of 128 bytes, with the place in a history.
fn encode_kept() -> usize {
    let message = publication(topic("order:123"), 128);
    repeated(|| drop(black_box(kept(black_box(&message), KEPT as u64))));
    ROUNDS
}

/// Appends to a full history, whose oldest entry is dropped each time.
fn append() -> usize {
    let (mut log, message) = (full_log(), publication(topic("news:today"), 128));
    let mut frames: Vec<_> = (1..=ROUNDS as u64).map(|n| kept(&message, log.top() + n)).collect();
    measured(black_box(&mut || {
        for frame in frames.drain(..) {
            log.append(black_box(frame), 0);
            black_box(log.trim(BOUNDS));
        }
    }));
    ROUNDS
}

/// [`fan_out`] of a message that is kept: encode up to the offset, append, and push.
fn fan_out_kept() -> usize {
    let (topics, busy) = topics();
    let message = publication(busy, 128);
    let (mut log, mut queues) = (full_log(), warm_queues());
    for _ in 0..ROUNDS {
        measured(black_box(&mut || {
            let frame = kept(&message, log.top() + 1);
            log.append(frame.clone(), 0);
            black_box(log.trim(BOUNDS));
            each_route(&message.to, |route| {
                if let Route::Topic(topic) = route {
                    visit(topics.listeners(topic), &mut |listener| push(&mut queues[listener], &frame));
                }
            });
        }));
        empty(&mut queues);
    }
    ROUNDS * LISTENERS
}

// === the data ===

/// A connection and the index of its queue.
type Listener = (ConnectionId, usize);

fn each_route(to: &Audience, mut ask: impl FnMut(&Route)) {
    black_box(plan(black_box(to))).routes.iter().for_each(&mut ask);
}

/// Calls `visitor` through a pointer, as the ports do.
fn visit(listeners: &[Listener], visitor: &mut dyn FnMut(usize)) {
    black_box(listeners).iter().for_each(|(_, listener)| visitor(*listener));
}

/// [`LISTENERS`] on one topic, and a hundred other topics with ten each.
fn topics() -> (TopicTable<Listener>, Topic) {
    let mut topics = TopicTable::new();
    for n in 0..LISTENERS {
        topics.insert(&topic(format!("order:{}", n / 10)), (connection_id(n), n));
    }
    let busy = topic("news:today");
    for n in 0..LISTENERS {
        topics.insert(&busy, (connection_id(n), n));
    }
    (topics, busy)
}

/// [`USERS`] with one connection each; every role has [`LISTENERS`] of them.
fn registry() -> Registry<Listener> {
    let mut registry = Registry::new();
    for n in 0..USERS {
        let mut claims = JwtClaims::new(user(n));
        claims.roles = vec![role(n % (USERS / LISTENERS))];
        registry.register(Arc::new(record(connection_id(n), &claims, None, Timestamp::EPOCH)), (connection_id(n), n));
    }
    registry
}

/// Queues that were used before, so that they need no allocation for a frame.
fn warm_queues() -> Vec<OutboundQueue> {
    let frame = frame();
    let mut queues: Vec<_> = (0..LISTENERS).map(|_| OutboundQueue::default()).collect();
    queues.iter_mut().for_each(|queue| push(queue, &frame));
    empty(&mut queues);
    queues
}

fn push(queue: &mut OutboundQueue, frame: &Frame) {
    black_box(queue.push(black_box(frame).clone(), LIMITS));
}

fn empty(queues: &mut [OutboundQueue]) {
    let mut batch = VecDeque::new();
    for queue in queues {
        queue.take(&mut batch);
        batch.clear();
    }
}

/// A message as it is kept at `offset`.
fn kept(message: &Message, offset: u64) -> Frame {
    prepare_publication(message, Overflow::Drop).expect("a stream").finish(EPOCH, offset)
}

/// A log with as many entries as it may have.
fn full_log() -> Log {
    let (mut log, message) = (Log::new(EPOCH), publication(topic("news:today"), 128));
    (1..=KEPT as u64).for_each(|offset| log.append(kept(&message, offset), 0));
    log
}

fn frame() -> Frame {
    encode_publication(&publication(topic("order:123"), 128), Overflow::Close)
}

fn publication(topic: Topic, payload_bytes: usize) -> Message {
    let frame = r#"{"text":""}"#.len();
    let text = format!(r#"{{"text":"{}"}}"#, "x".repeat(payload_bytes - frame));
    let content = Content {
        kind: MessageType::new("order.updated").expect("a type"),
        payload: Payload::from_text(text).expect("a payload"),
    };
    let stamp = Stamp { id: MessageId(Uuid::from_u128(1)), now: Timestamp::from_millis(1_795_438_800_123) };
    message::to_topic(topic, content, stamp)
}

fn topic(text: impl AsRef<str>) -> Topic {
    Topic::new(text).expect("a topic")
}

fn user(n: usize) -> UserId {
    UserId::new(format!("user-{n:05}")).expect("a user")
}

fn role(n: usize) -> Role {
    Role::new(format!("role-{n}")).expect("a role")
}

fn connection_id(n: usize) -> ConnectionId {
    ConnectionId(Uuid::from_u128(n as u128))
}
