//! Clients that are no browsers connect as their libraries write the handshake: the JDK's own client with an empty
//! body, Python's and React Native's with an `Origin`, any of them behind a proxy with a password.

use std::{path::Path, process::Stdio};

use realtime_tests::{DEADLINE, World, program};
use serde_json::{Value, json};
use tokio::{process::Command, time::timeout};

#[tokio::test]
async fn the_jdks_own_client_connects() {
    let Some(java) = program("the_jdks_own_client_connects", &["java"]) else { return };
    let world = World::start().await;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign/JdkClient.java");
    let client = Command::new(java)
        .arg(source)
        .arg(format!("ws://{}/ws", world.address))
        .arg(world.token("alice", &json!({})))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("java starts");
    // It compiles its source first.
    let output = timeout(DEADLINE * 4, client.wait_with_output()).await.expect("an end in time").expect("its output");
    let (printed, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{printed}{errors}");
    let frame: Value = serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}{errors}"));
    assert_eq!(frame["type"], "welcome");
}

#[tokio::test]
async fn a_native_client_that_names_its_server_as_origin_connects_and_a_foreign_page_does_not() {
    let world = World::start().await;
    let bearer = format!("Bearer {}", world.token("alice", &json!({})));
    let (host, port) = (world.address.ip(), world.address.port());
    // `websocket-client` sends `http`, and React Native on Android `https`, whatever the server speaks.
    for origin in [format!("http://{host}:{port}"), format!("https://{host}:{port}")] {
        let headers = [("authorization", bearer.clone()), ("origin", origin.clone())];
        let connected = world.try_connect("/ws", &headers).await;
        connected.unwrap_or_else(|refusal| panic!("{origin}: {}", refusal.problem)).close().await;
    }
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        let headers = [("authorization", bearer.clone()), ("origin", origin.to_owned())];
        let refusal = world.try_connect("/ws", &headers).await.err().expect(origin);
        assert_eq!(refusal.status, 403, "{origin}");
    }
}

#[tokio::test]
async fn the_password_of_a_proxy_in_front_is_not_taken_for_a_token() {
    let world = World::start().await;
    let token = world.token("alice", &json!({}));
    let basic = || ("authorization", "Basic dTpw".to_owned());
    let subprotocols = ("sec-websocket-protocol", format!("realtime.v1, bearer.{token}"));
    world.try_connect("/ws", &[basic(), subprotocols]).await.expect("a subprotocol token").close().await;
    world.try_connect(&format!("/ws?token={token}"), &[basic()]).await.expect("a query token").close().await;
    let refusal = world.try_connect("/ws", &[basic()]).await.err().expect("no token");
    assert_eq!(refusal.status, 401);
    let detail = refusal.problem["detail"].as_str().expect("a reason");
    assert!(detail.contains("another scheme than `Bearer`") && !detail.contains("dTpw"), "{detail}");
}
