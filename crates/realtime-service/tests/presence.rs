//! Presence of the real service: random schedules on virtual time, a storm, and changes that race on threads.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use proptest::{prelude::*, test_runner::TestRunner};
use realtime_adapters::testing::{TestJwtVerifier, TestWebSocketConnection};
use realtime_core::{
    auth::ConnectRequest,
    policy::{Namespace, Namespaces, Overflow, SubscribePolicy},
    presence::{PresencePolicy, PresenceReaders},
};
use realtime_ports::RealtimeService;
use realtime_schema::{JwtClaims, Origin, PresenceQuery, Topic, UserId};
use realtime_service::{Service, Settings};
use realtime_testing::{Client, Network, World, run, to};
use serde_json::{Value, json};

const USERS: usize = 3;
const CLIENTS: usize = 6;

fn rooms(settings: &mut Settings) {
    let mut rooms = Namespace::new("topic:room:*".parse().expect("a pattern"));
    rooms.subscribe = SubscribePolicy::Authenticated;
    let mut policy = PresencePolicy::default();
    policy.read = PresenceReaders::Authenticated;
    rooms.presence = Some(policy);
    settings.namespaces = Namespaces::new(vec![rooms], Overflow::Drop);
}

/// Every user who is on room 1, page by page, with the number of connections.
async fn present(service: &Service) -> BTreeMap<String, u32> {
    let topic: Topic = "room:1".parse().expect("a topic");
    let (mut users, mut after) = (BTreeMap::new(), None);
    loop {
        let query = PresenceQuery { after, limit: 1_000, ..PresenceQuery::default() };
        let page = service.presence(&topic, query).await.expect("a page");
        users.extend(page.users.into_iter().map(|present| (present.user.to_string(), present.connections)));
        after = page.next;
        if after.is_none() {
            return users;
        }
    }
}

/// The list of a client, as it follows from the frames.
#[derive(Default)]
struct List {
    version: u64,
    users: BTreeSet<String>,
    is_watching: bool,
    /// The last `unsubscribe` that was acknowledged, which ended the watching.
    unsubscribed: u64,
    /// The number of lists that replaced the client's.
    repairs: usize,
}

fn names(users: &Value) -> BTreeSet<String> {
    let users = users.as_array().map(Vec::as_slice).unwrap_or_default();
    users.iter().map(|user| user["user"].as_str().or(user.as_str()).expect("a user").to_owned()).collect()
}

impl List {
    fn read(&mut self, client: &mut Client) {
        for frame in client.unread() {
            let payload = &frame["payload"];
            match frame["type"].as_str() {
                Some("ack") => self.acknowledged(payload),
                Some("presence") => {
                    assert!(self.is_watching, "{frame} came after the end");
                    if payload["users"].is_array() {
                        self.replace(payload);
                        self.repairs += 1;
                    } else {
                        self.apply(payload);
                    }
                }
                Some("gap") => assert_eq!(payload["stream"], "all", "{frame}: no gap is about presence"),
                _ => {}
            }
        }
    }

    /// The commands of one client have rising ids.
    fn acknowledged(&mut self, ack: &Value) {
        let id = ack["id"].as_u64().expect("a number");
        if !ack["presence"].is_object() {
            (self.is_watching, self.unsubscribed) = (false, id);
        } else if id > self.unsubscribed {
            self.replace(&ack["presence"]);
            self.is_watching = true;
        }
    }

    fn replace(&mut self, list: &Value) {
        let version = list["version"].as_u64().expect("a version");
        assert!(version >= self.version, "{list} comes after version {}", self.version);
        (self.version, self.users) = (version, names(&list["users"]));
    }

    fn apply(&mut self, change: &Value) {
        assert_eq!(change["version"], self.version + 1, "no change is missing: {change}");
        self.version += 1;
        for user in names(&change["joined"]) {
            assert!(self.users.insert(user), "joined only if absent before: {change}");
        }
        for user in names(&change["left"]) {
            assert!(self.users.remove(&user), "left only if present before: {change}");
        }
        assert_eq!(change["count"], self.users.len(), "{change}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Connect(usize),
    Subscribe(usize),
    Unsubscribe(usize),
    Watch(usize),
    Leave(usize),
    Cut(usize),
    FallAsleep(usize),
    WakeUp(usize),
    Publish,
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let client = || 0..CLIENTS;
    prop_oneof![
        4 => client().prop_map(Step::Connect),
        6 => client().prop_map(Step::Subscribe),
        4 => client().prop_map(Step::Unsubscribe),
        4 => client().prop_map(Step::Watch),
        1 => client().prop_map(Step::Leave),
        1 => client().prop_map(Step::Cut),
        3 => client().prop_map(Step::FallAsleep),
        1 => client().prop_map(Step::WakeUp),
        4 => Just(Step::Publish),
        6 => (0..3_000_u16).prop_map(Step::Wait),
    ]
}

struct Member {
    client: Client,
    list: List,
    is_asleep: bool,
}

/// Sends a command of a client that reads: the replies to others would fill its queue.
async fn send(member: Option<&Member>, command: Value) {
    if let Some(member) = member.filter(|member| !member.is_asleep) {
        let _ = tokio::time::timeout(Duration::from_millis(1), member.client.sends(&command.to_string())).await;
    }
}

/// Takes a step; `id` is that of a command.
async fn take(world: &World, members: &mut [Option<Member>], id: usize, step: Step) {
    match step {
        Step::Connect(n) => {
            let network = Network::with_buffer(300);
            let client = world.client(&format!("user-{}", n % USERS)).network(network).connect().await;
            members[n] = Some(Member { client, list: List::default(), is_asleep: false });
        }
        Step::Subscribe(n) => send(members[n].as_ref(), json!({"action": "subscribe", "topic": "room:1"})).await,
        Step::Unsubscribe(n) => {
            send(members[n].as_ref(), json!({"action": "unsubscribe", "id": id, "topic": "room:1"})).await;
        }
        Step::Watch(n) => {
            let watch = json!({"action": "presence", "id": id, "topic": "room:1", "subscribe": true});
            send(members[n].as_ref(), watch).await;
        }
        Step::Leave(n) => members[n] = None,
        Step::Cut(n) => {
            if let Some(mut member) = members[n].take() {
                member.client.cuts_connection();
            }
        }
        Step::FallAsleep(n) => {
            if let Some(member) = &mut members[n] {
                member.is_asleep = true;
                member.client.falls_asleep();
            }
        }
        Step::WakeUp(n) => {
            if let Some(member) = &mut members[n] {
                member.is_asleep = false;
                member.client.wakes_up();
            }
        }
        Step::Publish => drop(world.publish(to::all(), "tick", "x".repeat(100)).await),
        Step::Wait(ms) => world.advance(Duration::from_millis(ms.into())).await,
    }
    // Replies must not meet in a queue: they can't be left out.
    world.settle().await;
    for member in members.iter_mut().flatten() {
        member.list.read(&mut member.client);
    }
}

/// Runs a schedule; returns how many lists were sent again.
async fn schedule(seed: u64, steps: Vec<Step>) -> usize {
    let world = World::builder()
        .seed(seed)
        .settings(|settings| {
            rooms(settings);
            settings.presence.grace = Duration::from_secs(2);
            settings.limits.queue_messages = 2;
            // Longer than any of them sleeps.
            settings.liveness.write_timeout = Duration::from_secs(3_600);
            settings.liveness.ping_interval = Duration::from_secs(3_600);
        })
        .build()
        .await;
    let mut members: Vec<Option<Member>> = (0..CLIENTS).map(|_| None).collect();
    for (at, step) in steps.into_iter().enumerate() {
        take(&world, &mut members, at + 1, step).await;
    }
    for member in members.iter_mut().flatten() {
        member.client.wakes_up();
    }
    world.advance(Duration::from_secs(10)).await;
    let mut expected = BTreeMap::<String, u32>::new();
    for member in members.iter_mut().flatten() {
        assert!(!member.client.is_closed(), "no one is closed");
        member.list.read(&mut member.client);
        if !world.service().connection(member.client.id()).expect("a connection").subscriptions.is_empty() {
            *expected.entry(member.client.user().to_string()).or_default() += 1;
        }
    }
    assert_eq!(present(world.service()).await, expected, "the users with a subscription");
    let users: BTreeSet<_> = expected.into_keys().collect();
    for member in members.iter().flatten().filter(|member| member.list.is_watching) {
        assert_eq!(member.list.users, users, "what {} has", member.client.user());
    }
    let repairs = members.iter().flatten().map(|member| member.list.repairs).sum();
    drop(members);
    world.advance(Duration::from_secs(60)).await;
    let metrics = world.metrics();
    assert_eq!((metrics.presence_topics, metrics.presence_users), (0, 0), "nothing is left");
    repairs
}

#[test]
fn what_a_watcher_has_follows_from_its_frames_however_slowly_it_reads() {
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() };
    let repairs = AtomicUsize::new(0);
    let schedules = (any::<u64>(), prop::collection::vec(step(), 1..150));
    let result = TestRunner::new(config).run(&schedules, |(seed, steps)| {
        run(async { repairs.fetch_add(schedule(seed, steps).await, Relaxed) });
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    assert!(repairs.into_inner() > 0, "in some schedules changes were left out, and the list came instead");
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_joins_at_once_close_no_watcher_that_reads_nothing() {
    const MANY: usize = 10_000;
    let world = World::builder().settings(|settings| {
        rooms(settings);
        settings.limits.queue_messages = 4;
        settings.liveness.write_timeout = Duration::from_secs(3_600);
        settings.liveness.ping_interval = Duration::from_secs(3_600);
    });
    let world = world.build().await;
    let mut slow = world.client("slow").network(Network::with_buffer(600)).connect().await;
    let mut quick = world.client("quick").connect().await;
    let watch = json!({"action": "presence", "topic": "room:1", "subscribe": true, "limit": 1});
    for watcher in [&mut slow, &mut quick] {
        watcher.command(watch.clone()).await.expect("a list");
    }
    slow.falls_asleep();
    let mut clients = Vec::with_capacity(MANY);
    for n in 0..MANY {
        let mut client = world.client(&format!("user-{n:05}")).connect().await;
        client.subscribe("room:1").await;
        clients.push(client);
        if n % 50 == 0 {
            world.advance(Duration::from_millis(300)).await;
        }
    }
    world.advance(Duration::from_secs(1)).await;
    assert_eq!(world.metrics().presence_users, MANY as u64);
    assert_eq!(last_count(&mut quick), Some(MANY as u64));
    slow.wakes_up();
    world.advance(Duration::from_secs(1)).await;
    assert_eq!(last_count(&mut slow), Some(MANY as u64), "it has the newest list");
    let metrics = world.metrics();
    assert_eq!((metrics.closed_slow_total, metrics.dropped_total), (0, 0));
    assert!(metrics.presence_repairs_total > 0);
}

fn last_count(client: &mut Client) -> Option<u64> {
    let counts = client.unread().into_iter().filter(|frame| frame["type"] == "presence");
    counts.filter_map(|frame| frame["payload"]["count"].as_u64()).next_back()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_user_stays_and_none_is_missing_when_changes_of_one_connection_race() {
    let alice = UserId::new("alice").expect("a user");
    let verifier = TestJwtVerifier::new("token", JwtClaims::new(alice));
    let mut settings = Settings::default();
    rooms(&mut settings);
    settings.presence.grace = Duration::ZERO;
    settings.presence.flush_interval = Duration::from_millis(1);
    let service = Service::builder().verifier(Arc::new(verifier)).settings(settings).build().await.expect("a service");
    let id = "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse().expect("an id");
    let socket = Arc::new(TestWebSocketConnection::new(id));
    service.connect(ConnectRequest::with_token("token"), socket).await.expect("admitted");
    for _ in 0..300 {
        let changes: Vec<_> = (0..8)
            .map(|n| {
                let service = service.clone();
                tokio::spawn(async move {
                    let topic: Topic = "room:1".parse().expect("a topic");
                    if n % 2 == 0 {
                        let _ = service.subscribe(id, &topic, Origin::Server).await;
                    } else {
                        service.unsubscribe(id, &topic).await;
                    }
                })
            })
            .collect();
        for change in changes {
            change.await.expect("no panic");
        }
        let is_subscribed = !service.connection(id).expect("a connection").subscriptions.is_empty();
        assert_eq!(present(&service).await.len(), usize::from(is_subscribed));
    }
}
