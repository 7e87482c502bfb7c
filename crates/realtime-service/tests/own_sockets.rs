//! Connections that the application serves itself, on virtual time.

use std::{sync::Arc, time::Duration};

use realtime_adapters::testing::TestWebSocketConnection;
use realtime_ports::RealtimeService;
use realtime_schema::{CloseCode, Closing, ConnectionId};
use realtime_testing::{ClientBuilder, World, to};

async fn connect(world: &World, client: ClientBuilder) -> (ConnectionId, Arc<TestWebSocketConnection>) {
    let id = "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse().expect("an id");
    let socket = Arc::new(TestWebSocketConnection::new(id));
    world.service().connect(client.request(), socket.clone()).await.expect("admitted");
    (id, socket)
}

/// Nothing of a connection is left on the node, its permit included.
async fn forgotten(world: &World) {
    world.check();
    let metrics = world.metrics();
    assert_eq!((metrics.connections, metrics.topics, metrics.subscriptions), (0, 0, 0));
    assert_eq!(world.service().drain(Duration::from_secs(1)).await, 0, "its permit was returned");
}

#[tokio::test(start_paused = true)]
async fn a_socket_of_the_applications_own_connects_gets_messages_and_is_disconnected() {
    let world = World::new(1).await;
    let (id, socket) = connect(&world, world.client("alice")).await;
    assert_eq!(world.publish(to::user("alice"), "tick", 1).await.delivered, 1);
    world.settle().await;
    assert_eq!(socket.kinds(), ["welcome", "tick"]);
    let service = world.service();
    assert!(service.disconnect(id, Closing::new(CloseCode::FORBIDDEN, "enough")).await);
    assert!(!service.disconnect(id, Closing::new(CloseCode::FORBIDDEN, "enough")).await, "it is gone");
    world.settle().await;
    forgotten(&world).await;
    assert_eq!(socket.closing(), Some(Closing::new(CloseCode::FORBIDDEN, "enough")));
    assert_eq!(socket.kinds(), ["welcome", "tick"], "the port's own close says why, once");
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_its_token_too() {
    let world = World::new(1).await;
    let client = world.client("alice").tokens_last(Duration::from_secs(60));
    let (_, socket) = connect(&world, client).await;
    world.advance(Duration::from_secs(59)).await;
    assert_eq!(socket.closing(), None, "it is pinged meanwhile, and open");
    world.advance(Duration::from_secs(2)).await;
    assert_eq!(socket.closing().map(|closing| closing.code), Some(CloseCode::EXPIRED));
    forgotten(&world).await;
}

#[tokio::test(start_paused = true)]
async fn it_is_forgotten_when_it_is_gone() {
    let world = World::new(1).await;
    let (_, socket) = connect(&world, world.client("alice")).await;
    world.advance(Duration::from_secs(3600)).await;
    assert_eq!(world.metrics().connections, 1, "an open socket is alive");
    socket.vanish();
    world.advance(Duration::from_secs(60)).await;
    forgotten(&world).await;
}
