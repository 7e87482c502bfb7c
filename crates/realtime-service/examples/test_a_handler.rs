//! A handler of one's own, tested with the mocks of the ports: no service, no socket, no network.
//!
//! `cargo run -p realtime-service --example test_a_handler`

use std::sync::Arc;

use async_trait::async_trait;
use realtime_ports::{ConnectionHandler, HookError, MockRealtimeService, RealtimeService};
use realtime_schema::{Connection, Origin, Timestamp, Topic, UserId};

/// Subscribes every connection to its user's own topic.
struct SubscribesToOwnTopic(Arc<dyn RealtimeService>);

#[async_trait]
impl ConnectionHandler for SubscribesToOwnTopic {
    async fn on_open(&self, connection: Arc<Connection>) -> Result<(), HookError> {
        let topic = Topic::new(format!("user:{}", connection.user))?;
        self.0.subscribe(connection.id, &topic, Origin::Server).await?;
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut service = MockRealtimeService::new();
    service
        .expect_subscribe()
        .withf(|_, topic, origin| topic.as_str() == "user:alice" && *origin == Origin::Server)
        .times(1)
        .returning(|_, _, _| Ok(true));

    let id = "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse()?;
    let claims = realtime_schema::JwtClaims::new(UserId::new("alice")?);
    let connection = realtime_core::connection::record(id, &claims, None, Timestamp::EPOCH);
    let handler = SubscribesToOwnTopic(Arc::new(service));
    handler.on_open(Arc::new(connection)).await.map_err(|error| error.to_string())?;
    println!("the handler subscribed the connection to user:alice");
    Ok(())
}
