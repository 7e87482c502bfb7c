//! The example of an application that embeds Realtime, used as its clients use it.

use std::{net::SocketAddr, time::Duration};

use realtime_tests::Client;
use serde_json::json;
use tokio::net::TcpListener;

#[allow(dead_code, reason = "its `main` is not run here")]
#[path = "../../crates/realtime-service/examples/application.rs"]
mod application;

#[tokio::test]
async fn an_application_gives_tokens_and_topics_answers_calls_publishes_and_drains() {
    let (app, service) = application::application("a secret of thirty-two bytes or more").await.expect("it starts");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let serving = axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>());
    let serving = tokio::spawn(serving.into_future());

    let post = async |path: &str| {
        let response = reqwest::Client::new().post(format!("http://{address}{path}")).send().await.expect("a response");
        assert_eq!(response.status(), 200);
        response.text().await.expect("a text")
    };
    let page = reqwest::get(format!("http://{address}/")).await.expect("a response").text().await.expect("a text");
    assert!(page.contains(r#"fetch("/login/alice""#), "{page}");
    let mut devices = Vec::new();
    for _ in 0..2 {
        let token = post("/login/alice").await;
        let mut client = Client::connect(address, &format!("/ws?token={token}"), &[]).await.expect("admitted");
        assert_eq!(client.next().await["payload"]["topic"], "orders:alice");
        devices.push(client);
    }
    let [phone, laptop] = devices.as_mut_slice() else { panic!("two devices") };

    phone.send(r#"{"action":"call","id":1,"name":"order.place","payload":"tea"}"#).await;
    assert_eq!(phone.publication().await["payload"], json!({"order": 1, "item": "tea"}));
    assert_eq!(phone.next().await["payload"], json!({"id": 1, "result": {"order": 1}}));
    assert_eq!(laptop.publication().await["type"], "order-placed");
    let refused = laptop.command(json!({"action": "call", "name": "order.place", "payload": 5})).await;
    assert_eq!(refused["code"], "payload_invalid");

    assert_eq!(post("/orders/alice/1/ship").await, "delivered to 2\n");
    assert_eq!(laptop.publication().await["type"], "order-shipped");
    assert_eq!(phone.publication().await["type"], "order-shipped");

    let draining = tokio::spawn(async move { service.drain(Duration::from_secs(10)).await });
    for device in devices {
        let mut device = device;
        assert_eq!(device.closing().await["code"], 4503);
    }
    assert_eq!(draining.await.expect("no panic"), 0);
    serving.abort();
}

#[tokio::test]
async fn an_application_with_a_short_secret_does_not_start() {
    let error = application::application("short").await.expect_err("too short").to_string();
    assert!(error.contains("32"), "{error}");
}
