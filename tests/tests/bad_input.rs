//! Clients that send what they should not: each gets an error that names what is wrong, and no other client notices.

use realtime_tests::World;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn a_command_that_is_wrong_is_answered_and_the_connection_lives_on() {
    let world = World::start().await;
    let mut alice = world.connect_granted("alice", "**").await;
    for (command, code, path) in [
        (json!({"action": "fly"}), "unknown_action", None),
        (json!({}), "bad_request", Some("/action")),
        (json!({"action": 5}), "bad_request", Some("/action")),
        (json!({"action": "subscribe"}), "bad_request", Some("/topic")),
        (json!({"action": "subscribe", "topic": 5}), "bad_request", Some("/topic")),
        (json!({"action": "subscribe", "topic": ""}), "bad_request", Some("/topic")),
        (json!({"action": "subscribe", "topic": "a\u{200B}b"}), "bad_request", Some("/topic")),
        (json!({"action": "subscribe", "topic": "x".repeat(256)}), "bad_request", Some("/topic")),
        (json!({"action": "subscribe", "topic": "a", "color": "red"}), "bad_request", Some("/color")),
        (json!({"action": "subscribe", "topic": "a", "since": 5}), "bad_request", Some("/since")),
        (json!({"action": "subscribe", "topic": "a", "since": ["k3f", 1]}), "bad_request", Some("/since")),
        (json!({"action": "refresh"}), "bad_request", Some("/token")),
        (json!({"action": "publish", "topic": "a", "type": "t"}), "bad_request", Some("/payload")),
    ] {
        let answer = alice.command(command.clone()).await;
        assert_eq!(answer["code"], code, "{command}: {answer}");
        if let Some(path) = path {
            assert_eq!(answer["errors"][0]["path"], path, "{command}: {answer}");
        }
        assert!(answer["message"].as_str().is_some_and(|message| message.len() > 8), "{answer}");
    }
    alice.send(r#"{"action":"ping"}"#).await;
    alice.got_nothing().await;
}

#[tokio::test]
async fn an_id_that_can_not_be_one_is_refused_without_being_echoed() {
    let world = World::start().await;
    let mut alice = world.connect("alice").await;
    for id in [json!(1.5), json!([1]), json!({}), json!("x".repeat(300))] {
        alice.send(&json!({"action": "ping", "id": id}).to_string()).await;
        let answer = alice.next().await;
        assert_eq!((&answer["type"], &answer["payload"]["errors"][0]["path"]), (&json!("error"), &json!("/id")));
        assert_eq!(answer["payload"]["id"], Value::Null);
    }
    for id in [json!(0), json!(-7), json!("seven"), json!(9_007_199_254_740_991_i64)] {
        alice.send(&json!({"action": "ping", "id": id}).to_string()).await;
        assert_eq!(alice.next().await["payload"]["id"], id);
    }
}

#[tokio::test]
async fn who_does_not_speak_the_protocol_is_closed_with_the_reason_and_others_notice_nothing() {
    let world = World::start().await;
    let mut bystander = world.connect("bob").await;
    for (sent, code) in [
        (Message::text("hello"), 4400),
        (Message::text("[]"), 4400),
        (Message::text("null"), 4400),
        (Message::text(""), 4400),
        (Message::text(r#"{"action":"ping""#), 4400),
        (Message::text(format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000))), 4400),
        (Message::binary(&b"{}"[..]), 1003),
        (Message::text(format!(r#"{{"action":"ping","id":"{}"}}"#, "x".repeat(70_000))), 1009),
    ] {
        let mut alice = world.connect("alice").await;
        let shown: String = format!("{sent:?}").chars().take(60).collect();
        alice.send_message(sent).await;
        let closing = alice.closing().await;
        assert_eq!((&closing["code"], &closing["reconnect"]), (&json!(code), &json!(false)), "{shown}");
        assert!(closing["reason"].as_str().is_some_and(|reason| reason.len() > 8), "{shown}: {closing}");
    }
    bystander.got_nothing().await;
    world.until("realtime_connections", 1).await;
    assert_eq!(world.publish(json!("all"), "a", json!(1)).await, 1);
    assert_eq!(bystander.publication().await["payload"], 1);
}

#[tokio::test]
async fn a_deeply_nested_command_is_refused_and_harms_nothing() {
    let world = World::start().await;
    let mut alice = world.connect("alice").await;
    let deep = format!(r#"{{"action":"subscribe","id":1,"topic":{}1{}}}"#, "[".repeat(20_000), "]".repeat(20_000));
    alice.send(&deep).await;
    // Whether a parser refuses the depth or the type, the client gets an error and the process lives.
    let answer = alice.next().await;
    assert!(answer["type"] == "error" || answer["type"] == "closing", "{answer}");
    let mut bob = world.connect("bob").await;
    bob.got_nothing().await;
}

#[tokio::test]
async fn too_many_commands_are_refused_with_a_wait_and_then_the_connection_is_closed() {
    let world = World::with(|config| {
        config.limits.messages_per_second = 1;
        config.limits.burst = 3;
    })
    .await;
    let mut bystander = world.connect("bob").await;
    let mut alice = world.connect("alice").await;
    for _ in 0..3 {
        assert_eq!(alice.command(json!({"action": "ping"})).await["code"], Value::Null);
    }
    for _ in 0..3 {
        let answer = alice.command(json!({"action": "ping"})).await;
        assert_eq!((&answer["code"], &answer["retry"]), (&json!("rate_limited"), &json!(true)));
        assert!(answer["after_ms"].as_u64().is_some_and(|ms| ms > 0 && ms <= 1_000), "{answer}");
        assert!(answer["message"].as_str().is_some_and(|m| m.contains("limits.messages_per_second")));
    }
    alice.send(r#"{"action":"ping"}"#).await;
    let closing = alice.closing().await;
    assert_eq!((&closing["code"], &closing["reconnect"]), (&json!(4529), &json!(true)));
    bystander.got_nothing().await;
}

#[tokio::test]
async fn history_that_is_not_kept_is_told_as_a_gap_before_the_answer() {
    let world = World::start().await;
    let mut alice = world.connect_granted("alice", "**").await;
    let since = json!({"epoch": "k3f", "offset": 17});
    alice.send(&json!({"action": "subscribe", "id": 1, "topic": "order:1", "since": since}).to_string()).await;
    let gap = alice.next().await;
    assert_eq!((&gap["type"], &gap["payload"]["reason"]), (&json!("gap"), &json!("no_history")));
    assert_eq!(gap["payload"]["stream"], "topic:order:1");
    assert_eq!(alice.next().await["type"], "ack");
}
