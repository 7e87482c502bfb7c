//! What each hook over HTTP sends the backend, and what its answers do.

use realtime_adapters::http_hooks::{FailureKind, HttpHooks, SigningSecret};
use realtime_core::{
    access::{AccessDecision, AccessRequest},
    auth::{ConnectDecision, ConnectRefusal},
    client_message::{ClientMessage, Handled},
};
use realtime_ports::{Authorizer, ConnectionHandler};
use realtime_schema::{CloseCode, ErrorCode, HookName, MessageType, Payload, Topic};
use serde_json::{Value, json};

use crate::backend::{Backend, DEADLINE, Respond, attempt, connection, context, subscribe};

async fn decision(hooks: &HttpHooks) -> ConnectDecision {
    hooks.on_connect(attempt("alice")).await.unwrap()
}

async fn call(hooks: &HttpHooks) -> Handled {
    let message = ClientMessage::new(r#"{"action":"call","id":1,"name":"order.place","payload":{"item":"tea"}}"#);
    hooks.on_message(context(), &message).await.unwrap()
}

fn refusal(decision: ConnectDecision) -> ConnectRefusal {
    match decision {
        ConnectDecision::Refuse(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_client_that_connects_gets_what_the_backend_adds() {
    let answer = json!({"allow": true, "roles": ["beta"], "subscriptions": ["news"], "metadata": {"plan": "gold"}});
    let backend = Backend::responding(200, answer).await;
    let hooks = backend.hooks([HookName::Connect], |_| {});
    let ConnectDecision::Admit(grant) = decision(&hooks).await else { panic!("refused") };
    assert_eq!((grant.roles[0].as_str(), grant.subscriptions[0].as_str()), ("beta", "news"));
    assert_eq!(Value::Object(grant.metadata), json!({"plan": "gold"}));

    let [request] = backend.received().try_into().unwrap();
    assert_eq!(request.line, "POST /connect HTTP/1.1");
    let body = request.json();
    assert_eq!(body["id"], request.headers["x-realtime-request-id"]);
    assert_eq!(
        (&body["hook"], &body["user"], &body["roles"]),
        (&json!("connect"), &json!("alice"), &json!(["member"]))
    );
    assert_eq!(body["claims"], json!({"sub": "alice", "roles": ["member"], "jti": "t1"}));
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(request.headers["x-realtime-hook"], "connect");
    assert!(request.headers["x-realtime-signature"].starts_with("v1="));
}

#[tokio::test]
async fn a_client_is_refused_with_the_words_and_the_code_of_the_backend() {
    let closed = json!({"allow": false, "message": "the account is closed", "code": 4001});
    let backend = Backend::responding(200, closed).await;
    let hooks = backend.hooks([HookName::Connect], |_| {});
    let refused = refusal(decision(&hooks).await);
    assert_eq!((refused.message.as_str(), refused.code), ("the account is closed", CloseCode(4001)));

    backend.responds(Respond::Json(403, json!({"message": "not on Sundays"})));
    let refused = refusal(decision(&hooks).await);
    assert_eq!((refused.message.as_str(), refused.code), ("not on Sundays", CloseCode::FORBIDDEN));
    backend.responds(Respond::Text(403, "text/html", "<h1>no</h1>".into()));
    assert_eq!(refusal(decision(&hooks).await).message, "the application refuses this client");
}

#[tokio::test]
async fn the_backend_is_asked_about_a_publication_with_its_type_and_payload() {
    let backend = Backend::responding(200, json!({"allow": true})).await;
    let hooks = backend.hooks([HookName::Publish], |_| {});
    let (topic, kind) = (Topic::new("chat:7").unwrap(), MessageType::new("chat-message").unwrap());
    let request = AccessRequest::publish(topic, kind, Payload::of(&json!({"text": "hello"})).unwrap());
    assert_eq!(hooks.authorize(connection(), request).await.unwrap(), AccessDecision::Allow);
    let body = backend.received()[0].json();
    assert_eq!((&body["topic"], &body["type"]), (&json!("chat:7"), &json!("chat-message")));
    assert_eq!((&body["payload"], &body["client"]), (&json!({"text": "hello"}), &json!("tab-1")));
    assert_eq!(body["connection"], "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e");

    let denied = json!({"allow": false, "message": "you are muted"});
    backend.responds(Respond::Json(200, denied));
    let topic = Topic::new("chat:7").unwrap();
    let request = AccessRequest::publish(topic, MessageType::new("x").unwrap(), Payload::of(&1).unwrap());
    assert_eq!(hooks.authorize(connection(), request).await.unwrap(), AccessDecision::deny_with("you are muted"));
}

#[tokio::test]
async fn what_no_hook_decides_on_is_denied_without_a_request() {
    let backend = Backend::responding(200, json!({"allow": true})).await;
    let hooks = backend.hooks([HookName::Publish], |_| {});
    assert_eq!(hooks.authorize(connection(), subscribe("a")).await.unwrap(), AccessDecision::deny());
    assert_eq!(decision(&hooks).await, ConnectDecision::default());
    assert_eq!(call(&hooks).await, Handled::Pass);
    hooks.on_close(context(), None).await.unwrap();
    assert_eq!(backend.received().len(), 0);
}

#[tokio::test]
async fn a_call_is_answered_with_the_result_or_the_error_of_the_backend() {
    let backend = Backend::responding(200, json!({"result": {"order": 7}})).await;
    let hooks = backend.hooks([HookName::Call], |_| {});
    assert_eq!(call(&hooks).await, Handled::ack(&json!({"order": 7})).unwrap());
    let body = backend.received()[0].json();
    assert_eq!((&body["name"], &body["payload"]), (&json!("order.place"), &json!({"item": "tea"})));

    let error = json!({"error": {"code": "conflict", "message": "sold out", "after_ms": 500}});
    backend.responds(Respond::Json(200, error));
    let Handled::Error(reply) = call(&hooks).await else { panic!("not an error") };
    assert_eq!((&reply.code, reply.message.as_str(), reply.after_ms), (&ErrorCode::Conflict, "sold out", Some(500)));
    backend.responds(Respond::Json(403, json!({"message": "not yours"})));
    let Handled::Error(reply) = call(&hooks).await else { panic!("not an error") };
    assert_eq!((&reply.code, reply.message.as_str()), (&ErrorCode::Forbidden, "not yours"));
}

#[tokio::test]
async fn only_a_call_is_passed_to_the_backend() {
    let backend = Backend::responding(200, json!({"result": 1})).await;
    let hooks = backend.hooks([HookName::Call], |_| {});
    for text in [r#"{"action":"subscribe","id":1,"topic":"a"}"#, r#"{"action":"refresh","token":"t"}"#, "not JSON"] {
        assert_eq!(hooks.on_message(context(), &ClientMessage::new(text)).await.unwrap(), Handled::Pass, "{text}");
    }
    assert_eq!(backend.received().len(), 0);
}

#[tokio::test]
async fn a_connection_that_ended_is_reported_with_its_close_code() {
    let mut backend = Backend::responding(204, json!(null)).await;
    let hooks = backend.hooks([HookName::Disconnect], |_| {});
    hooks.on_close(context(), Some(CloseCode(1001))).await.unwrap();
    backend.has_received(1).await;
    assert_eq!(hooks.drain(DEADLINE).await, 0);
    let body = backend.received()[0].json();
    assert_eq!((&body["hook"], &body["user"], &body["code"]), (&json!("disconnect"), &json!("alice"), &json!(1001)));
    assert_eq!(body["connected_at"], "2026-11-23T13:00:00.123Z");
}

#[tokio::test]
async fn an_answer_that_can_not_be_used_refuses_and_is_counted_as_invalid() {
    let backend = Backend::responding(200, json!({})).await;
    let hooks = backend.hooks([HookName::Connect], |config| config.max_response_bytes = 100);
    let long = json!({"allow": true, "message": "x".repeat(200)});
    for response in [
        Respond::Json(200, json!({})),
        Respond::Json(200, json!({"allow": true, "role": ["admin"]})),
        Respond::Json(200, long),
        Respond::Text(200, "text/html", r#"{"allow":true}"#.into()),
    ] {
        backend.responds(response.clone());
        assert!(hooks.on_connect(attempt("alice")).await.is_err(), "{response:?}");
    }
    assert_eq!(hooks.stats()[0].failures_of(FailureKind::Invalid), 4);
    assert_eq!(backend.received().len(), 4, "none is retried");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Backend::responding(200, json!({"allow": true})).await;
    let backend = Backend::responding(200, json!({})).await;
    backend.responds(Respond::RedirectTo(format!("http://{}/connect", elsewhere.address)));
    let hooks = backend.hooks([HookName::Connect], |_| {});
    let error = hooks.on_connect(attempt("alice")).await.unwrap_err();
    assert_eq!(error.to_string(), "the backend responded with status 307");
    assert_eq!(elsewhere.received().len(), 0);
}

#[tokio::test]
async fn a_request_is_signed_with_each_secret() {
    let backend = Backend::responding(200, json!({"allow": true})).await;
    let hooks = backend.hooks([HookName::Connect], |config| {
        config.secrets.push(SigningSecret::new("another-secret-of-at-least-32-bytes").unwrap());
    });
    decision(&hooks).await;
    let signatures = backend.received()[0].headers["x-realtime-signature"].clone();
    let signatures: Vec<_> = signatures.split(',').collect();
    assert!(signatures.len() == 2 && signatures[0] != signatures[1], "{signatures:?}");
    assert!(signatures.iter().all(|one| one.len() == 3 + 64), "{signatures:?}");
}
