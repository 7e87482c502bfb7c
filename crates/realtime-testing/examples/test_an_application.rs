//! An application's tests on the real service and virtual time: a slow client, a reconnect, a token that expires.
//!
//! `cargo run -p realtime-testing --example test_an_application`

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use realtime_ports::{ConnectionHandler, HookContext, HookError};
use realtime_schema::CloseCode;
use realtime_testing::{Network, World, run, to};

/// The application: a list of the users that are online, and how the others have left.
#[derive(Default)]
struct Attendance {
    online: Mutex<Vec<String>>,
    left: Mutex<Vec<(String, Option<u16>)>>,
}

#[async_trait]
impl ConnectionHandler for Attendance {
    async fn on_open(&self, context: HookContext) -> Result<(), HookError> {
        self.online.lock().expect("no panic").push(context.connection.user.to_string());
        Ok(())
    }

    async fn on_close(&self, context: HookContext, code: Option<CloseCode>) -> Result<(), HookError> {
        let user = context.connection.user.to_string();
        self.online.lock().expect("no panic").retain(|other| *other != user);
        self.left.lock().expect("no panic").push((user, code.map(|code| code.0)));
        Ok(())
    }
}

impl Attendance {
    fn online(&self) -> Vec<String> {
        self.online.lock().expect("no panic").clone()
    }

    fn left(&self) -> Vec<(String, Option<u16>)> {
        self.left.lock().expect("no panic").clone()
    }
}

/// A client that reads nothing is closed with 4513 when its queue is full, and the application is notified.
async fn a_slow_client_leaves() {
    let attendance = Arc::new(Attendance::default());
    let world = World::builder()
        .seed(7)
        .handler(attendance.clone())
        .settings(|settings| settings.limits.queue_messages = 100)
        .build()
        .await;
    let mut alice = world.client("alice").network(Network::with_buffer(4096)).connect().await;
    alice.subscribe("order:1").await;
    alice.falls_asleep();
    for n in 0..500 {
        world.publish(to::topic("order:1"), "order-updated", n).await;
    }
    alice.wakes_up();
    assert_eq!(alice.closed().await.code, CloseCode::TOO_SLOW);
    world.settle().await;
    assert_eq!(attendance.left(), [("alice".to_owned(), Some(4513))]);
    println!("a slow client was closed with 4513");
}

/// A laptop leaves the house: the node misses its pongs, and the client comes back on another network.
async fn a_client_comes_back() {
    let attendance = Arc::new(Attendance::default());
    let world = World::builder().seed(7).handler(attendance.clone()).build().await;
    let mut alice = world.client("alice").connect().await;
    alice.drops_network();
    world.advance(Duration::from_secs(30)).await;
    assert_eq!(attendance.online(), ["alice"], "there is no way to know yet");
    world.advance(Duration::from_secs(90)).await;
    assert!(attendance.online().is_empty());
    alice.reconnects().await;
    alice.subscribe("order:1").await;
    world.publish(to::topic("order:1"), "order-updated", "shipped").await;
    assert_eq!(alice.expects("order-updated").await, "shipped");
    assert_eq!(attendance.online(), ["alice"]);
    println!("a client came back after its network was gone");
}

/// A token of five minutes: the client that gets a new one in time stays, the other is closed with 4610.
async fn a_token_expires() {
    let world = World::new(7).await;
    let mut careful = world.client("alice").tokens_last(Duration::from_secs(300)).connect().await;
    let mut careless = world.client("bob").tokens_last(Duration::from_secs(300)).connect().await;
    world.advance(Duration::from_secs(240)).await;
    careful.refresh().await.expect("the new token is accepted");
    assert_eq!(careless.closed().await.code, CloseCode::EXPIRED);
    world.advance(Duration::from_secs(60)).await;
    assert!(!careful.is_closed());
    println!("a token expired after five minutes of virtual time");
}

// In an application these are tests: `#[tokio::test(start_paused = true)]` instead of `run`.
fn main() {
    run(a_slow_client_leaves());
    run(a_client_comes_back());
    run(a_token_expires());
}
