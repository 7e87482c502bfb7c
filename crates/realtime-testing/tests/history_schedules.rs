//! Random schedules of one node whose streams have a history: whatever clients, network and backend do, each client gets
//! every message of its streams once and in order, or a gap that names it.

use std::{panic, time::Duration};

use realtime_core::policy::{Namespace, Namespaces, Overflow, Retention};
use realtime_ports::{Clock, RealtimeService};
use realtime_schema::{
    CloseCode, Closing, JwtClaims, Origin, Payload, PublishRequest, RevocationRequest, Route, Stream, StreamPosition,
};
use realtime_service::Settings;
use realtime_testing::{Client, Network, World, run, to};
use serde_json::{Value, json};

/// Schedules of one run; the variable `REALTIME_SCHEDULES` is another number.
const SCHEDULES: u64 = 200;
const STEPS: usize = 60;
const CLIENTS: usize = 4;
const TOPICS: usize = 3;

/// A step of a schedule: the first number is a client.
#[derive(Clone, Copy, Debug)]
enum Step {
    Connect(usize),
    /// A new connection that says where it stopped: with a ticket and `resume`, or with a `since` for each topic.
    Return(usize, bool),
    Subscribe(usize, usize),
    Unsubscribe(usize, usize),
    Refresh(usize, bool),
    Resume(usize),
    /// So many messages to a route; the first client may be excluded.
    Publish(usize, usize, bool),
    FallAsleep(usize),
    WakeUp(usize),
    Cut(usize),
    Leave(usize),
    Give(usize, usize),
    Take(usize, usize),
    Kick(usize),
    Revoke(usize),
    Wait(u64),
}

/// Random numbers from a seed: splitmix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let n1 = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let n1 = (n1 ^ (n1 >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((n1 ^ (n1 >> 31)) % n as u64).expect("below n")
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    fn step(&mut self) -> Step {
        let (client, topic) = (self.below(CLIENTS), self.below(TOPICS));
        match self.below(60) {
            0..4 => Step::Connect(client),
            4..9 => Step::Return(client, self.coin()),
            9..15 => Step::Subscribe(client, topic),
            15..18 => Step::Unsubscribe(client, topic),
            18..20 => Step::Refresh(client, self.coin()),
            20..22 => Step::Resume(client),
            22..38 => Step::Publish(self.below(7), 1 + self.below(6), self.coin()),
            38..41 => Step::FallAsleep(client),
            41..45 => Step::WakeUp(client),
            45 => Step::Cut(client),
            46 => Step::Leave(client),
            47..49 => Step::Give(client, topic),
            49..51 => Step::Take(client, topic),
            51 => Step::Kick(client),
            52 => Step::Revoke(client),
            _ => Step::Wait([1, 20, 400, 3_000, 12_000, 40_000][self.below(6)]),
        }
    }
}

/// A client, and where it stopped on its connections.
#[derive(Default)]
struct Reader {
    client: Option<Client>,
    positions: std::collections::BTreeMap<Stream, StreamPosition>,
    ticket: Option<String>,
}

impl Reader {
    /// Keeps positions as the protocol says: of the `welcome`, of acks and gaps, and of each message.
    fn reads(&mut self) {
        let Some(client) = &mut self.client else { return };
        self.ticket = client.welcome().resume.clone().or(self.ticket.take());
        for frame in client.unread() {
            keep(&mut self.positions, &frame);
        }
    }
}

fn keep(positions: &mut std::collections::BTreeMap<Stream, StreamPosition>, frame: &Value) {
    let stream = |value: &Value| value.as_str().and_then(|text| text.parse::<Stream>().ok());
    let position = |value: &Value| serde_json::from_value::<StreamPosition>(value.clone()).ok();
    if let (Some(stream), Some(offset)) = (stream(&frame["stream"]), frame["offset"].as_u64()) {
        if let Some(known) = positions.get_mut(&stream) {
            known.offset = offset;
        }
        return;
    }
    let payload = &frame["payload"];
    if let (Some(stream), Some(at)) = (stream(&payload["stream"]), position(&payload["position"])) {
        positions.insert(stream, at);
    }
    let streams = payload["streams"].as_object().into_iter().flatten();
    for (stream, at) in streams.filter_map(|(name, at)| name.parse::<Stream>().ok().zip(position(at))) {
        positions.entry(stream).or_insert(at);
    }
    if frame["type"] == "ack"
        && let (Some(topic), Some(at)) =
            (payload["id"].as_str().and_then(|id| id.strip_prefix("s:")), position(&payload["position"]))
        && let Some((_, topic)) = topic.split_once(' ')
    {
        positions.insert(Stream::Topic(topic.parse().expect("a topic")), at);
    }
    if frame["type"] == "subscribed"
        && let (Some(topic), Some(at)) = (payload["topic"].as_str(), position(&payload["position"]))
    {
        positions.insert(Stream::Topic(topic.parse().expect("a topic")), at);
    }
}

fn topic(n: usize) -> String {
    format!("order:{n}")
}

fn user(n: usize) -> String {
    format!("user-{}", n % 2)
}

async fn send(reader: &Reader, command: Value) {
    if let Some(client) = &reader.client {
        // A full buffer would hold up the whole schedule.
        let _ = tokio::time::timeout(Duration::from_millis(1), client.sends(&command.to_string())).await;
    }
}

async fn take(world: &World, readers: &mut [Reader], at: usize, step: Step) {
    match step {
        Step::Connect(n) => {
            let builder = world.client(&user(n)).client_name(&format!("c{n}")).roles(["member"]);
            readers[n].client = builder.tokens_last(Duration::from_secs(90)).try_connect().await.ok();
        }
        Step::Return(n, with_ticket) => {
            readers[n].reads();
            let mut builder = world.client(&user(n)).client_name(&format!("c{n}")).roles(["member"]);
            if let Some(ticket) = readers[n].ticket.clone().filter(|_| with_ticket) {
                builder = builder.ticket(ticket);
            }
            // The old connection has ended.
            readers[n].client = None;
            readers[n].client = builder.tokens_last(Duration::from_secs(90)).try_connect().await.ok();
            let since = readers[n].positions.clone();
            if with_ticket {
                send(&readers[n], json!({"action": "resume", "id": at, "since": since})).await;
            } else {
                for (stream, at_offset) in since {
                    if let Stream::Topic(topic) = stream {
                        let id = format!("s:{at} {topic}");
                        send(&readers[n], json!({"action": "subscribe", "id": id, "topic": topic, "since": at_offset}))
                            .await;
                    }
                }
            }
        }
        Step::Subscribe(n, to) => {
            let id = format!("s:{at} {}", topic(to));
            send(&readers[n], json!({"action": "subscribe", "id": id, "topic": topic(to)})).await;
        }
        Step::Unsubscribe(n, to) => {
            send(&readers[n], json!({"action": "unsubscribe", "id": at, "topic": topic(to)})).await;
        }
        Step::Refresh(n, member) => {
            let mut claims = JwtClaims::new(user(n).parse().expect("a user"));
            claims.roles = member.then(|| "member".parse().expect("a role")).into_iter().collect();
            claims.grants = vec!["subscribe:order:*".parse().expect("a grant")];
            send(&readers[n], json!({"action": "refresh", "id": at, "token": world.token(claims)})).await;
        }
        Step::Resume(n) => {
            readers[n].reads();
            let since = readers[n].positions.clone();
            send(&readers[n], json!({"action": "resume", "id": at, "since": since})).await;
        }
        Step::Publish(route, messages, excluding) => {
            let route: Route = match route {
                0 => to::all(),
                1 | 2 => to::user(&user(route)),
                3 => to::role("member"),
                n => to::topic(&topic(n - 4)),
            };
            for n in 0..messages {
                let payload = Payload::of(&"x".repeat(40)).expect("JSON");
                let mut request = PublishRequest::new(route.clone(), "tick".parse().expect("a type"), payload);
                request.except_client = (excluding && n == 0).then(|| "c0".parse().expect("a client"));
                world.publish_request(0, request).await.expect("published");
            }
        }
        Step::FallAsleep(n) => readers[n].client.iter_mut().for_each(Client::falls_asleep),
        Step::WakeUp(n) => readers[n].client.iter_mut().for_each(Client::wakes_up),
        Step::Cut(n) => readers[n].client.iter_mut().for_each(Client::cuts_connection),
        Step::Leave(n) => {
            readers[n].reads();
            readers[n].client = None;
        }
        Step::Give(n, to) | Step::Take(n, to) => {
            let Some(client) = &readers[n].client else { return };
            let (id, topic) = (client.id(), topic(to).parse().expect("a topic"));
            if matches!(step, Step::Give(..)) {
                let _ = world.service().subscribe(id, &topic, Origin::Server).await;
            } else {
                let _ = world.service().unsubscribe(id, &topic).await;
            }
        }
        Step::Kick(n) => {
            if let Some(client) = &readers[n].client {
                world.service().disconnect(client.id(), Closing::new(CloseCode::FORBIDDEN, "enough")).await;
            }
        }
        Step::Revoke(n) => {
            // One user's tokens so far, and its connections with them.
            let request = RevocationRequest {
                user: user(n).parse().ok(),
                issued_before: Some(world.clock().now()),
                ..RevocationRequest::default()
            };
            let _ = world.service().revoke(request).await;
            world.advance(Duration::from_secs(1)).await;
        }
        Step::Wait(ms) => world.advance(Duration::from_millis(ms)).await,
    }
}

fn settings(dice: &mut Dice) -> impl FnOnce(&mut Settings) + use<> {
    let (size, total, streams) = ([3, 8, 100][dice.below(3)], [4_000, 1 << 20][dice.below(2)], [2, 100][dice.below(2)]);
    let (queue, age) = ([4, 64][dice.below(2)], [30, 3_600][dice.below(2)]);
    move |settings: &mut Settings| {
        let kept = ["topic:order:*", "user", "role:*", "all"].map(|pattern| {
            let mut namespace = Namespace::new(pattern.parse().expect("a pattern"));
            namespace.history = Some(Retention { size, age: Duration::from_secs(age), bytes: 1 << 20 });
            namespace.overflow = Overflow::Drop;
            namespace
        });
        settings.namespaces = Namespaces::new(kept.into(), Overflow::Close);
        settings.limits.queue_messages = queue;
        settings.history.total_bytes = total;
        settings.history.total_streams = streams;
        settings.history.position_age = Duration::from_secs(60);
    }
}

async fn schedule(seed: u64) {
    let mut dice = Dice(seed);
    let network = Network::with_buffer(600).and_jitter(Duration::from_millis(dice.below(30) as u64));
    let world = World::builder().seed(seed).network(network).settings(settings(&mut dice)).build().await;
    let mut readers: Vec<Reader> = (0..CLIENTS).map(|_| Reader::default()).collect();
    let mut steps: Vec<_> = (0..CLIENTS).map(Step::Connect).collect();
    steps.extend((0..10 + dice.below(STEPS)).map(|_| dice.step()));
    for (at, step) in steps.iter().enumerate() {
        take(&world, &mut readers, at, *step).await;
        if let Err(wrong) = world.try_check() {
            panic!("after step {at}, {step:?}:\n{wrong}\n{}", world.trace());
        }
        readers.iter_mut().for_each(Reader::reads);
    }
    // At rest: all read what is left, and have everything.
    readers.iter_mut().filter_map(|reader| reader.client.as_mut()).for_each(Client::wakes_up);
    world.advance(Duration::from_secs(15)).await;
    let wrong: Vec<_> = readers
        .iter()
        .filter_map(|reader| reader.client.as_ref().filter(|client| !client.is_closed()))
        .filter_map(|client| client.try_check_complete().err())
        .chain(world.try_check().err())
        .collect();
    assert!(wrong.is_empty(), "at rest:\n{}\n{}", wrong.join("\n"), world.trace());
}

#[test]
fn every_client_gets_each_message_once_and_in_order_or_a_gap() {
    // A run by hand, not a setting.
    #[allow(clippy::disallowed_methods)]
    let number = |name: &str, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (first, count) = (number("REALTIME_SEED", 1), number("REALTIME_SCHEDULES", SCHEDULES));
    for seed in first..first + count {
        if let Err(panic) = panic::catch_unwind(|| run(schedule(seed))) {
            let why = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            panic!(
                "schedule {} of {count} fails; REALTIME_SEED={seed} REALTIME_SCHEDULES=1 runs it alone\n{why}",
                seed - first + 1
            );
        }
    }
}
