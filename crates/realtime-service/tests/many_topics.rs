//! A client with more topics than its queue has room for messages: it reads, so it is not too slow.

use std::sync::Arc;

use realtime_core::auth::{ConnectAttempt, ConnectDecision, ConnectGrant};
use realtime_ports::{ConnectionHandler, HookError};
use realtime_schema::Topic;
use realtime_service::Settings;
use realtime_testing::{World, with_history};
use serde_json::{Map, Value, json};

const TOPICS: usize = 600;

/// Gives each client many topics.
struct Generous;

#[async_trait::async_trait]
impl ConnectionHandler for Generous {
    async fn on_connect(&self, _: ConnectAttempt) -> Result<ConnectDecision, HookError> {
        let subscriptions = (0..TOPICS).map(|n| Topic::new(format!("news:{n}"))).collect::<Result<_, _>>()?;
        Ok(ConnectDecision::Admit(ConnectGrant { subscriptions, ..ConnectGrant::default() }))
    }
}

fn settings(settings: &mut Settings) {
    with_history(10)(settings);
    settings.limits.subscriptions = 1_000;
    settings.limits.queue_messages = 20;
}

/// The command `resume` for topics that begin with `prefix`.
fn resume(prefix: &str) -> Value {
    let since: Map<_, _> =
        (0..TOPICS).map(|n| (format!("topic:{prefix}:{n}"), json!({"epoch": "gone", "offset": 1}))).collect();
    json!({"action": "resume", "id": 1, "since": since})
}

async fn resumes(prefix: &str, kind: &str) {
    let world = World::builder().settings(settings).build().await;
    let mut alice = world.client("alice").grants(["subscribe:order:*", "subscribe:news:*"]).connect().await;
    alice.sends(&resume(prefix).to_string()).await;
    for _ in 0..TOPICS {
        alice.expects(kind).await;
    }
    alice.expects("ack").await;
    assert!(!alice.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_resume_of_many_topics_without_a_history_has_a_gap_for_each_and_closes_nothing() {
    resumes("news", "gap").await;
}

#[tokio::test(start_paused = true)]
async fn a_resume_of_many_topics_of_an_earlier_epoch_has_a_gap_for_each_and_closes_nothing() {
    resumes("order", "gap").await;
}

#[tokio::test(start_paused = true)]
async fn a_resume_of_many_topics_that_the_client_may_not_have_ends_each_and_closes_nothing() {
    resumes("secret", "unsubscribed").await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_given_many_topics_when_it_connects_gets_them_all() {
    let world = World::builder().settings(settings).handler(Arc::new(Generous)).build().await;
    let mut alice = world.client("alice").connect().await;
    for _ in 0..TOPICS {
        alice.expects("subscribed").await;
    }
    assert!(!alice.is_closed());
}
