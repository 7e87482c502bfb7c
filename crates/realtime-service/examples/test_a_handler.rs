//! A handler of an application, tested with the mocks of the ports: no service, no socket, no network.
//!
//! `cargo run -p realtime-service --example test_a_handler`

use std::{error::Error, sync::Arc};

use async_trait::async_trait;
use realtime_core::client_message::{ClientMessage, Handled};
use realtime_ports::{ConnectionHandler, HookContext, HookError, MockRealtimeService};
use realtime_schema::{
    Connection, ErrorCode, JwtClaims, MessageId, Origin, Payload, PublishRequest, Receipt, Route, Timestamp, Topic,
    UserId,
};

/// Subscribes every connection to its user's own topic, and publishes what users write to a room.
struct Chat;

#[async_trait]
impl ConnectionHandler for Chat {
    async fn on_open(&self, HookContext { service, connection, .. }: HookContext) -> Result<(), HookError> {
        let topic = Topic::new(format!("user:{}", connection.user))?;
        service.subscribe(connection.id, &topic, Origin::Server).await?;
        Ok(())
    }

    async fn on_message(&self, context: HookContext, message: &ClientMessage) -> Result<Handled, HookError> {
        // Realtime handles every other message.
        let Some(call) = message.call().filter(|call| call.name == Some("say")) else { return Ok(Handled::Pass) };
        let Ok(text) = call.read::<String>() else {
            return Ok(Handled::error(ErrorCode::PayloadInvalid, "`payload` must be a text"));
        };
        let room = Route::Topic(Topic::new("room")?);
        let receipt = context.service.publish(PublishRequest::new(room, "said".parse()?, Payload::of(&text)?)).await?;
        Ok(Handled::ack(&receipt.delivered)?)
    }
}

/// The context of a hook: a mock of the service, and a connection of alice.
fn context(service: MockRealtimeService) -> Result<HookContext, Box<dyn Error>> {
    let id = "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse()?;
    let claims = JwtClaims::new(UserId::new("alice")?);
    let connection: Connection = realtime_core::connection::record(id, &claims, None, Timestamp::EPOCH);
    Ok(HookContext::new(Arc::new(service), Arc::new(connection)))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // on_open subscribes the connection once, and does nothing else: a mock panics at a call that it does not expect.
    let mut service = MockRealtimeService::new();
    service
        .expect_subscribe()
        .withf(|_, topic, origin| topic.as_str() == "user:alice" && *origin == Origin::Server)
        .times(1)
        .returning(|_, _, _| Ok(true));
    Chat.on_open(context(service)?).await.map_err(|error| error.to_string())?;

    // A call publishes once; its answer is the number of connections that got the message.
    let mut service = MockRealtimeService::new();
    let id: MessageId = "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8f".parse()?;
    let receipt = Receipt { id, delivered: 3, other_nodes: false, position: None, duplicate: false };
    service
        .expect_publish()
        .withf(|request| request.payload.as_str() == r#""hello""#)
        .times(1)
        .returning(move |_| Ok(receipt.clone()));
    let call = ClientMessage::new(r#"{"action":"call","id":1,"name":"say","payload":"hello"}"#);
    let handled = Chat.on_message(context(service)?, &call).await.map_err(|error| error.to_string())?;
    assert_eq!(handled, Handled::ack(&3)?);

    // A call with another payload is refused, and publishes nothing.
    let mut service = MockRealtimeService::new();
    service.expect_publish().never();
    let call = ClientMessage::new(r#"{"action":"call","id":2,"name":"say","payload":5}"#);
    let handled = Chat.on_message(context(service)?, &call).await.map_err(|error| error.to_string())?;
    assert!(matches!(handled, Handled::Error(reply) if reply.code == ErrorCode::PayloadInvalid));

    println!("the handler subscribes, publishes and refuses as expected");
    Ok(())
}
