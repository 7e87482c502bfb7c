//! The same seed and the same script give the same run.

use std::time::Duration;

use realtime_testing::{Network, World, run, to};

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Two nodes, 40 clients, delays, a slow reader, a lost network, a reconnect, a drain.
fn trace(seed: u64) -> String {
    run(async {
        let network = Network::with_latency(Duration::from_millis(20)).and_jitter(Duration::from_millis(10));
        let world = World::builder()
            .seed(seed)
            .nodes(2)
            .network(network)
            .settings(|settings| settings.limits.queue_messages = 20)
            .build()
            .await;
        world.broker().delay(1, Duration::from_millis(5));
        let mut clients = Vec::new();
        for n in 0..40 {
            let client = world.client(&format!("user-{}", n % 7)).on_node(n % 2).roles(["member"]);
            clients.push(client.tokens_last(seconds(120)).connect().await);
        }
        for client in &mut clients {
            client.subscribe("order:1").await;
        }
        clients[3].falls_asleep();
        clients[4].drops_network();
        for n in 0..30 {
            let route = [to::all(), to::topic("order:1"), to::role("member"), to::user("user-3")][n % 4].clone();
            world.publish_on(n % 2, route, "tick", n).await.expect("published");
            world.advance(Duration::from_millis(700)).await;
        }
        clients[3].wakes_up();
        clients[4].reconnects().await;
        world.advance(seconds(60)).await;
        world.check();
        assert_eq!(world.drain().await, 0);
        world.trace()
    })
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_one_does_not() {
    let first = trace(7);
    assert!(first.lines().count() > 1_000, "{}", first.lines().count());
    let second = trace(7);
    let differs = first.lines().zip(second.lines()).find(|(one, other)| one != other);
    assert_eq!(differs, None);
    assert!(first == second, "one is longer");
    assert_ne!(first, trace(8));
}
