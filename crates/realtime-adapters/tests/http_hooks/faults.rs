//! What hooks over HTTP do when the backend is slow, overloaded, broken or away.

use std::time::Duration;

use realtime_adapters::http_hooks::{BreakerConfig, BreakerState, FailureKind, Fallback, HttpHooks, OnFailure};
use realtime_core::{
    access::AccessDecision,
    auth::ConnectDecision,
    client_message::{ClientMessage, Handled},
};
use realtime_ports::{Authorizer, ConnectionHandler};
use realtime_schema::{ErrorCode, ErrorReply, HookName};
use serde_json::json;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::backend::{Backend, DEADLINE, Respond, attempt, connection, context, subscribe};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

async fn call(hooks: &HttpHooks) -> ErrorReply {
    let message = ClientMessage::new(r#"{"action":"call","id":1,"name":"order.place"}"#);
    match hooks.on_message(context(), &message).await.unwrap() {
        Handled::Error(reply) => *reply,
        other => panic!("{other:?}"),
    }
}

async fn authorize(hooks: &HttpHooks, topic: &str) -> Option<AccessDecision> {
    hooks.authorize(connection(), subscribe(topic)).await.ok()
}

fn away() -> Respond {
    Respond::Json(503, json!({}))
}

#[tokio::test]
async fn a_question_is_retried_with_the_same_id_and_a_call_is_not() {
    let backend = Backend::responding(200, json!({"allow": true})).await;
    let hooks = backend.hooks([HookName::Connect, HookName::Call], |_| {});
    backend.then(away());
    assert_eq!(hooks.on_connect(attempt("alice")).await.unwrap(), ConnectDecision::default());
    let received = backend.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].raw, received[1].raw);
    assert_eq!(received[0].headers["x-realtime-request-id"], received[1].headers["x-realtime-request-id"]);

    backend.then(Respond::Hangup);
    let reply = call(&hooks).await;
    assert_eq!((&reply.code, reply.retry, reply.after_ms), (&ErrorCode::Unavailable, true, Some(1_000)));
    assert!(reply.message.contains("may have been carried out"), "{}", reply.message);
    assert_eq!(backend.received().len(), 3);
}

#[tokio::test]
async fn a_call_is_retried_where_the_backend_recognizes_a_retry() {
    let backend = Backend::responding(200, json!({"result": 1})).await;
    let hooks = backend.hooks([HookName::Call], |config| {
        config.hooks.get_mut(&HookName::Call).unwrap().idempotent = true;
    });
    backend.then(away());
    let message = ClientMessage::new(r#"{"action":"call","id":1}"#);
    assert_eq!(hooks.on_message(context(), &message).await.unwrap(), Handled::ack(&1).unwrap());
    assert_eq!(backend.received().len(), 2);
}

#[tokio::test]
async fn a_call_that_was_not_received_is_retried_and_then_may_be_sent_again() {
    let backend = Backend::responding(200, json!({"result": 1})).await;
    let hooks = backend.hooks([HookName::Call], |config| {
        config.hooks.get_mut(&HookName::Call).unwrap().retries = 2;
    });
    drop(backend);
    tokio::task::yield_now().await;
    let reply = call(&hooks).await;
    assert_eq!(reply.code, ErrorCode::Unavailable);
    assert!(reply.message.contains("was not carried out"), "{}", reply.message);
    assert_eq!((hooks.stats()[0].attempts, hooks.stats()[0].retries), (3, 2));
}

#[tokio::test]
async fn a_status_that_another_attempt_would_not_change_is_not_retried() {
    let backend = Backend::responding(404, json!({})).await;
    let hooks = backend.hooks([HookName::Connect], |config| {
        let hook = config.hooks.get_mut(&HookName::Connect).unwrap();
        (hook.retries, hook.on_failure) = (3, OnFailure::Allow);
    });
    assert!(hooks.on_connect(attempt("alice")).await.is_err(), "a wrong address must not admit everyone");
    assert_eq!(backend.received().len(), 1);
    assert_eq!(hooks.stats()[0].breaker, BreakerState::Closed);
}

#[tokio::test]
async fn a_backend_that_is_silent_is_waited_for_until_the_deadline_and_no_longer() {
    let backend = Backend::responding(200, json!({})).await;
    backend.responds(Respond::Silence);
    let hooks = backend.hooks([HookName::Connect], |config| {
        let hook = config.hooks.get_mut(&HookName::Connect).unwrap();
        (hook.timeout, hook.attempt_timeout, hook.retries) = (ms(400), ms(100), 100);
    });
    let error = timeout(DEADLINE, hooks.on_connect(attempt("alice"))).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("took longer than"), "{error}");
    let stats = &hooks.stats()[0];
    assert!((1..=4).contains(&stats.attempts), "{} attempts of 100 ms within 400 ms", stats.attempts);
    assert_eq!(stats.failures_of(FailureKind::Timeout), stats.attempts);
}

#[tokio::test]
async fn the_breaker_stops_requests_and_lets_them_through_again_when_the_backend_is_back() {
    let backend = Backend::responding(500, json!({})).await;
    let hooks = backend.hooks([HookName::Subscribe], |config| {
        config.breaker = BreakerConfig { failures: 3, pause: ms(50) };
        config.hooks.get_mut(&HookName::Subscribe).unwrap().retries = 0;
    });
    for _ in 0..3 {
        assert_eq!(authorize(&hooks, "a").await, None);
    }
    assert_eq!(hooks.stats()[0].breaker, BreakerState::Open);
    assert_eq!(authorize(&hooks, "a").await, None);
    assert_eq!(backend.received().len(), 3, "the fourth is not sent");
    assert_eq!(hooks.stats()[0].failures_of(FailureKind::BreakerOpen), 1);

    backend.responds(Respond::Json(200, json!({"allow": true})));
    let recovers = async {
        while authorize(&hooks, "a").await.is_none() {
            sleep(ms(5)).await;
        }
    };
    timeout(DEADLINE, recovers).await.unwrap();
    assert_eq!(hooks.stats()[0].breaker, BreakerState::Closed);
}

#[tokio::test]
async fn a_question_whose_client_has_gone_does_not_leave_the_breaker_half_open() {
    let mut backend = Backend::responding(500, json!({})).await;
    let hooks = backend.hooks([HookName::Subscribe], |config| {
        config.breaker = BreakerConfig { failures: 1, pause: ms(1) };
        config.hooks.get_mut(&HookName::Subscribe).unwrap().retries = 0;
    });
    assert_eq!(authorize(&hooks, "a").await, None);
    backend.responds(Respond::Silence);
    sleep(ms(2)).await;
    {
        let asked = authorize(&hooks, "a");
        tokio::select! { _ = asked => panic!("no answer comes"), () = backend.has_received(2) => {} }
    }
    backend.responds(Respond::Json(200, json!({"allow": true})));
    let recovers = async {
        while authorize(&hooks, "a").await.is_none() {
            sleep(ms(1)).await;
        }
    };
    timeout(DEADLINE, recovers).await.expect("the breaker is stuck");
}

#[tokio::test]
async fn more_requests_than_may_wait_fail_at_once_and_the_others_are_served() {
    let mut backend = Backend::responding(200, json!({})).await;
    let (open, gate) = watch::channel(false);
    backend.responds(Respond::After(gate, json!({"allow": true})));
    let hooks = backend.hooks([HookName::Subscribe], |config| (config.concurrency, config.queue) = (1, 1));
    let ask = || {
        let hooks = hooks.clone();
        tokio::spawn(async move { authorize(&hooks, "a").await })
    };
    let first = ask();
    backend.has_received(1).await;
    let second = ask();
    while hooks.stats()[0].waiting == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(timeout(DEADLINE, authorize(&hooks, "a")).await.unwrap(), None, "the third");
    assert_eq!(hooks.stats()[0].failures_of(FailureKind::Overloaded), 1);
    open.send(true).unwrap();
    for asked in [first, second] {
        assert_eq!(timeout(DEADLINE, asked).await.unwrap().unwrap(), Some(AccessDecision::Allow));
    }
}

#[tokio::test]
async fn while_the_backend_is_away_the_last_answer_to_the_same_question_decides_if_the_config_says_so() {
    let backend = Backend::responding(200, json!({"allow": true})).await;
    let hooks = backend.hooks([HookName::Subscribe], |config| {
        let hook = config.hooks.get_mut(&HookName::Subscribe).unwrap();
        (hook.on_failure, hook.retries) = (OnFailure::Last, 0);
    });
    backend.then(Respond::Json(200, json!({"allow": true}))).then(Respond::Json(403, json!({"message": "no"})));
    assert_eq!(authorize(&hooks, "mine").await, Some(AccessDecision::Allow));
    assert_eq!(authorize(&hooks, "theirs").await, Some(AccessDecision::deny_with("no")));
    backend.responds(away());
    assert_eq!(authorize(&hooks, "mine").await, Some(AccessDecision::Allow));
    assert_eq!(authorize(&hooks, "theirs").await, Some(AccessDecision::deny_with("no")));
    assert_eq!(authorize(&hooks, "new").await, None, "a question that was never answered");
    let stats = &hooks.stats()[0];
    assert_eq!((stats.fallbacks_to(Fallback::Last), stats.fallbacks_to(Fallback::Refused)), (2, 1));
    backend.responds(Respond::Json(200, json!({"allow": "perhaps"})));
    assert_eq!(authorize(&hooks, "mine").await, None, "a broken answer is not a backend that is away");
}

#[tokio::test]
async fn while_the_backend_is_away_everything_is_allowed_or_refused_as_the_config_says() {
    let backend = Backend::responding(503, json!({})).await;
    for (on_failure, decision) in [(OnFailure::Allow, Some(AccessDecision::Allow)), (OnFailure::Refuse, None)] {
        let hooks = backend.hooks([HookName::Subscribe], |config| {
            config.hooks.get_mut(&HookName::Subscribe).unwrap().on_failure = on_failure;
        });
        assert_eq!(authorize(&hooks, "a").await, decision, "{on_failure:?}");
    }
}

#[tokio::test]
async fn a_disconnect_is_delivered_at_last_with_the_same_id() {
    let mut backend = Backend::responding(204, json!(null)).await;
    backend.then(away()).then(Respond::Hangup).then(away());
    let hooks = backend.hooks([HookName::Disconnect], |_| {});
    hooks.on_close(context(), None).await.unwrap();
    backend.has_received(4).await;
    assert_eq!(hooks.drain(DEADLINE).await, 0);
    let received = backend.received();
    assert!(received.iter().all(|request| request.raw == received[0].raw), "{received:?}");
    assert_eq!((hooks.stats()[0].dropped, hooks.stats()[0].queued), (0, 0));
}

#[tokio::test]
async fn a_disconnect_is_delivered_after_the_breaker_has_closed() {
    let mut backend = Backend::responding(500, json!({})).await;
    let hooks = backend.hooks([HookName::Disconnect], |config| {
        config.breaker = BreakerConfig { failures: 1, pause: ms(20) };
    });
    for _ in 0..5 {
        hooks.on_close(context(), None).await.unwrap();
    }
    backend.has_received(1).await;
    backend.responds(Respond::Json(200, json!({})));
    assert_eq!(hooks.drain(DEADLINE).await, 0);
    assert_eq!(hooks.stats()[0].dropped, 0);
}

#[tokio::test]
async fn a_disconnect_too_many_or_refused_for_good_is_dropped_and_counted() {
    let mut backend = Backend::responding(200, json!({})).await;
    let (open, gate) = watch::channel(false);
    backend.responds(Respond::After(gate, json!({})));
    let hooks = backend.hooks([HookName::Disconnect], |config| (config.concurrency, config.disconnect_queue) = (1, 1));
    // One is sent, one may wait for its permit, one is in the queue, and the next is one too many.
    let mut ended = 0;
    while hooks.stats()[0].dropped == 0 {
        hooks.on_close(context(), None).await.unwrap();
        ended += 1;
        backend.has_received(1).await;
    }
    assert!((3..=4).contains(&ended) && hooks.stats()[0].queued == ended - 1, "{ended}");
    backend.responds(Respond::Json(400, json!({})));
    open.send(true).unwrap();
    assert_eq!(hooks.drain(DEADLINE).await, 0);
    assert_eq!(hooks.stats()[0].dropped, ended as u64 - 1, "all but the first");
    assert_eq!(backend.received().len(), ended - 1, "what the backend refuses is not sent again");
}
