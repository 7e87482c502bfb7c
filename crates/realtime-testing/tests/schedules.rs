//! Random schedules: whatever clients and network do, the invariants hold after each step.

use std::time::Duration;

use proptest::prelude::*;
use realtime_core::policy::{Namespaces, Overflow};
use realtime_testing::{Client, Network, World, run, to};
use serde_json::json;

const CLIENTS: usize = 5;
const NODES: usize = 2;
/// Room for two publications of this test.
const QUEUE_BYTES: u64 = 400;
/// More than any frame of this test: a queue may hold one, whatever its limit.
const LARGEST_FRAME: u64 = 1_000;

/// A step of a schedule; `usize` is a client, `u8` a topic.
#[derive(Clone, Debug)]
enum Step {
    Connect(usize),
    Subscribe(usize, u8),
    Unsubscribe(usize, u8),
    Refresh(usize, bool),
    Publish(usize, u8),
    FallAsleep(usize),
    WakeUp(usize),
    DropNetwork(usize),
    Cut(usize),
    Disconnect(usize),
    Leave(usize),
    CutLink(usize),
    RestoreLink(usize),
    Wait(u16),
    Drain,
}

fn step() -> impl Strategy<Value = Step> {
    let client = || 0..CLIENTS;
    prop_oneof![
        4 => client().prop_map(Step::Connect),
        4 => (client(), 0..3_u8).prop_map(|(client, topic)| Step::Subscribe(client, topic)),
        2 => (client(), 0..3_u8).prop_map(|(client, topic)| Step::Unsubscribe(client, topic)),
        1 => (client(), any::<bool>()).prop_map(|(client, member)| Step::Refresh(client, member)),
        8 => (0..NODES, 0..7_u8).prop_map(|(node, to)| Step::Publish(node, to)),
        2 => client().prop_map(Step::FallAsleep),
        2 => client().prop_map(Step::WakeUp),
        1 => client().prop_map(Step::DropNetwork),
        1 => client().prop_map(Step::Cut),
        1 => client().prop_map(Step::Disconnect),
        1 => client().prop_map(Step::Leave),
        1 => (0..NODES).prop_map(Step::CutLink),
        1 => (0..NODES).prop_map(Step::RestoreLink),
        4 => (0..40_000_u16).prop_map(Step::Wait),
        1 => Just(Step::Drain),
    ]
}

/// Takes a step; `id` is that of a command.
async fn take(world: &World, clients: &mut [Option<Client>], id: usize, step: Step) {
    let topic = |n: u8| format!("order:{n}");
    match step {
        Step::Connect(n) => {
            let builder = world.client(&format!("user-{}", n % 3)).on_node(n % NODES).roles(["member"]);
            clients[n] = builder.tokens_last(Duration::from_secs(90)).try_connect().await.ok();
        }
        // Not awaited: the client may be asleep or gone.
        Step::Subscribe(n, at) => send(&clients[n], json!({"action": "subscribe", "id": id, "topic": topic(at)})).await,
        Step::Unsubscribe(n, at) => {
            send(&clients[n], json!({"action": "unsubscribe", "id": id, "topic": topic(at)})).await;
        }
        Step::Refresh(n, member) => {
            let user = format!("user-{}", n % 3).parse().expect("a user");
            let mut claims = realtime_schema::JwtClaims::new(user);
            claims.roles = member.then(|| "member".parse().expect("a role")).into_iter().collect();
            send(&clients[n], json!({"action": "refresh", "id": id, "token": world.token(claims)})).await;
        }
        Step::Publish(node, route) => {
            let route = match route {
                0 => to::all(),
                1 => to::user("user-1"),
                2 => to::role("member"),
                at => to::topic(&topic(at % 3)),
            };
            // Refused while the link of the node is cut.
            let _ = world.publish_on(node, route, "tick", "x".repeat(40)).await;
        }
        Step::FallAsleep(n) => clients[n].iter_mut().for_each(Client::falls_asleep),
        Step::WakeUp(n) => clients[n].iter_mut().for_each(Client::wakes_up),
        Step::DropNetwork(n) => clients[n].iter_mut().for_each(Client::drops_network),
        Step::Cut(n) => clients[n].iter_mut().for_each(Client::cuts_connection),
        Step::Disconnect(n) => {
            if let Some(client) = &clients[n] {
                let closing = realtime_schema::Closing::new(realtime_schema::CloseCode::FORBIDDEN, "enough");
                let service = world.node(n % NODES).service();
                realtime_ports::RealtimeService::disconnect(service, client.id(), closing).await;
            }
        }
        Step::Leave(n) => clients[n] = None,
        Step::CutLink(node) => world.broker().cut(node),
        Step::RestoreLink(node) => world.broker().restore(node),
        Step::Wait(ms) => world.advance(Duration::from_millis(ms.into())).await,
        Step::Drain => {
            world.drain().await;
        }
    }
}

/// Sends a command without waiting for room: a full buffer would hold up the whole schedule.
async fn send(client: &Option<Client>, command: serde_json::Value) {
    if let Some(client) = client {
        let _ = tokio::time::timeout(Duration::from_millis(1), client.sends(&command.to_string())).await;
    }
}

async fn schedule(seed: u64, overflow: Overflow, steps: Vec<Step>) {
    let network = Network::with_buffer(400).and_jitter(Duration::from_millis(30));
    let world = World::builder()
        .seed(seed)
        .nodes(NODES)
        .network(network)
        .settings(|settings| {
            settings.limits.queue_messages = 4;
            settings.limits.queue_bytes = QUEUE_BYTES;
            settings.admission.connections_per_user = 3;
            settings.namespaces = Namespaces::new(Vec::new(), overflow);
        })
        .build()
        .await;
    let mut clients: Vec<Option<Client>> = (0..CLIENTS).map(|_| None).collect();
    for (id, step) in steps.into_iter().enumerate() {
        let shown = format!("{step:?}");
        take(&world, &mut clients, id, step).await;
        if let Err(wrong) = world.try_check() {
            panic!("seed {seed}, after {shown}:\n{wrong}\n{}", world.trace());
        }
        for service in world.nodes().iter().map(realtime_testing::Node::service) {
            let (queued, connections) = (service.queued_bytes(), service.metrics().connections);
            assert!(queued <= connections * LARGEST_FRAME, "seed {seed}, after {shown}: {queued} bytes are queued");
        }
    }
    // However it went: once all have left and the longest timeouts have passed, nothing is left on any node.
    clients.clear();
    world.advance(Duration::from_secs(200)).await;
    world.check();
    for node in world.nodes() {
        let metrics = node.service().metrics();
        let left = (metrics.admitted, metrics.connections, metrics.topics, metrics.subscriptions);
        assert_eq!(left, (0, 0, 0, 0), "seed {seed}, node {}:\n{}", node.index(), world.trace());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_invariants_hold_after_each_step_and_nothing_is_left_at_the_end(
        seed: u64,
        overflow in prop_oneof![Just(Overflow::Close), Just(Overflow::Drop), Just(Overflow::Latest)],
        steps in prop::collection::vec(step(), 1..60),
    ) {
        run(schedule(seed, overflow, steps));
    }
}
