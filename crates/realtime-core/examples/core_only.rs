//! Only the core, without a runtime: authorizes a connection, drives a session and finds the recipients of a message.
//!
//! `cargo run -p realtime-core --example core_only`
#![allow(clippy::disallowed_macros)] // An example prints; the core does not.

use std::{sync::Arc, time::Duration};

use realtime_core::{
    auth::ConnectionPolicy,
    codec::decode,
    connection::record,
    policy::{Namespaces, Overflow},
    pubsub::SubscriptionTable,
    session::{Effect, Input, Opening, Run, Session, SessionSettings, SubscribeOutcome},
};
use realtime_schema::{ClientLimits, ConnectionId, JwtClaims, PingMode, Reconnect, Timestamp, Topic, UserId};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The caller supplies time and ids: the core reads no clock.
    let (now, wall) = (Duration::ZERO, Timestamp::from_millis(1_795_438_800_000));
    let id: ConnectionId = "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse()?;

    let claims = JwtClaims { grants: vec!["subscribe:order:*".parse()?], ..JwtClaims::new(UserId::new("alice")?) };
    ConnectionPolicy::default().authorize(&claims, wall)?;
    let connection = record(id, &claims, None, wall);

    let settings = Arc::new(SessionSettings {
        limits: ClientLimits::default(),
        namespaces: Namespaces::new(Vec::new(), Overflow::Close),
        has_authorizer: false,
        ping_interval: Duration::from_secs(25),
        pong_misses: 2,
        reconnect: Reconnect { min_ms: 250, max_ms: 30_000, spread_ms: 1_000 },
        server: "core-only".into(),
        close_at_expiry: true,
        leeway_s: 5,
    });
    let opening = Opening { now, wall, ping: PingMode::Frame, jitter: 0, hold: None };
    let mut session = Session::open(settings, &connection, &claims, &opening);

    // A listener is any value that you deliver to and that knows its connection: here, a name beside the id.
    let mut table = SubscriptionTable::new();
    table.attach((id, "alice's socket"), 100);

    let mut effects = Vec::new();
    let text = r#"{"action":"subscribe","id":7,"topic":"order:123"}"#;
    session.handle(now, Input::Text(decode(text)), &mut effects);
    for effect in std::mem::take(&mut effects) {
        println!("effect of the session: {effect:?}");
        if let Effect::Run(Run::Subscribe { topic, origin, .. }) = effect {
            table.subscribe(id, &topic, origin)?;
            let outcome = SubscribeOutcome::Subscribed;
            session.handle(now, Input::Subscribed(outcome), &mut effects);
        }
    }
    println!("effects of the outcome: {effects:?}");

    let topic = Topic::new("order:123")?;
    println!("subscribers of {topic}: {:?}", table.subscribers(&topic));
    assert_eq!(table.subscribers(&topic), [(id, "alice's socket")]);
    Ok(())
}
