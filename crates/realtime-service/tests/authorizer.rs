//! What an application allows beyond tokens and namespaces, by its authorizer.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use realtime_core::access::{AccessDecision, AccessRequest};
use realtime_ports::{Authorizer, HookError};
use realtime_schema::{Connection, ErrorCode, Origin, Topic};
use realtime_testing::World;
use serde_json::json;

/// Allows the topics of a list that a test changes; `down:*` fails, `slow:*` never returns.
#[derive(Default)]
struct Allowed(Mutex<Vec<&'static str>>);

impl Allowed {
    fn only(&self, topics: &[&'static str]) {
        *self.0.lock().expect("the list") = topics.to_vec();
    }
}

#[async_trait::async_trait]
impl Authorizer for Allowed {
    async fn authorize(&self, _: Arc<Connection>, request: AccessRequest) -> Result<AccessDecision, HookError> {
        let topic = request.topic.as_str();
        if topic.starts_with("slow:") {
            std::future::pending::<()>().await;
        }
        if topic.starts_with("down:") {
            return Err("the database of grants is away".into());
        }
        let allowed = self.0.lock().expect("the list").contains(&topic);
        Ok(if allowed { AccessDecision::Allow } else { AccessDecision::deny_with("ask the owner of the order") })
    }
}

async fn world() -> (World, Arc<Allowed>) {
    let authorizer = Arc::new(Allowed::default());
    let given = authorizer.clone();
    let world = World::builder()
        .settings(|settings| settings.hook_timeout = Duration::from_secs(2))
        .ports(move |_, builder| builder.authorizer(given.clone()))
        .build()
        .await;
    (world, authorizer)
}

#[tokio::test(start_paused = true)]
async fn a_client_is_subscribed_to_what_the_authorizer_allows_and_to_nothing_else() {
    let (world, authorizer) = world().await;
    authorizer.only(&["order:1"]);
    let mut alice = world.client("alice").grants([]).connect().await;
    alice.command(json!({"action": "subscribe", "topic": "order:1"})).await.expect("allowed");
    let denied = alice.command(json!({"action": "subscribe", "topic": "order:2"})).await.expect_err("denied");
    assert_eq!((denied.code, denied.message.as_str()), (ErrorCode::Forbidden, "ask the owner of the order"));

    let info = world.service().connection(alice.id()).expect("connected");
    let subscriptions: Vec<_> = info.subscriptions.iter().map(|s| (s.topic.as_str(), s.origin)).collect();
    assert_eq!(subscriptions, [("order:1", Origin::Authorizer)]);
}

#[tokio::test(start_paused = true)]
async fn an_authorizer_that_fails_or_takes_too_long_allows_nothing() {
    let (world, _) = world().await;
    let mut alice = world.client("alice").grants([]).connect().await;
    for topic in ["down:1", "slow:1"] {
        let error = alice.command(json!({"action": "subscribe", "topic": topic})).await.expect_err("not allowed");
        assert_eq!((error.code, error.retry, error.after_ms), (ErrorCode::Unavailable, true, Some(1_000)), "{topic}");
    }
    assert_eq!(world.service().metrics().hook_errors_total, 2);
    assert_eq!(world.service().connection(alice.id()).expect("connected").subscriptions, []);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_ends_the_subscriptions_that_the_authorizer_allows_no_more() {
    let (world, authorizer) = world().await;
    authorizer.only(&["order:1", "order:2"]);
    let mut alice = world.client("alice").grants([]).connect().await;
    for topic in ["order:1", "order:2"] {
        alice.command(json!({"action": "subscribe", "topic": topic})).await.expect("allowed");
    }
    authorizer.only(&["order:2"]);
    alice.refresh().await.expect("a new token");
    let ended = alice.expects("unsubscribed").await;
    assert_eq!((&ended["topic"], &ended["reason"]), (&json!("order:1"), &json!("revoked")));
    let left = world.service().connection(alice.id()).expect("connected").subscriptions;
    assert_eq!(left.iter().map(|s| &s.topic).collect::<Vec<_>>(), [&Topic::new("order:2").expect("a topic")]);
}
