//! A server behind a proxy that gives it a part of a site: its own path for sockets, and a prefix of all paths.

use futures_util::StreamExt;
use realtime_server::{Config, Server};
use tokio_tungstenite::{connect_async, tungstenite::Error};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn everything_is_served_under_the_configured_paths_and_probes_without_the_prefix_too() {
    let mut config = Config::default();
    config.server.listen = "127.0.0.1:0".parse().expect("an address");
    config.server.path = "/socket".into();
    config.server.base_path = "/realtime".into();
    let server = Server::bind_dev(config).await.expect("a server");
    let address = server.local_addr();
    let now = realtime_schema::Timestamp::from_millis(4_000_000_000_000);
    let dev = server.dev().expect("for development");
    let greeting = dev.greeting(server.config(), address, now).expect("a greeting");
    let connect = greeting.lines().find_map(|line| line.strip_prefix("connect")).expect("a line").trim().to_owned();
    assert!(connect.starts_with(&format!("ws://{address}/realtime/socket?token=")), "{connect}");
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(server.run(shutdown.clone()));

    let (mut client, _) = connect_async(&connect).await.expect("the printed address");
    let welcome = client.next().await.expect("a frame").expect("no error").into_text().expect("text");
    assert!(welcome.contains(r#""type":"welcome""#), "{welcome}");

    let status = async |path: &str| reqwest::get(format!("http://{address}{path}")).await.expect("a response").status();
    for path in ["/healthz", "/readyz", "/metrics", "/realtime/healthz", "/realtime/readyz", "/realtime/metrics"] {
        assert_eq!(status(path).await, 200, "{path}");
    }
    assert_eq!(status("/realtime/api/v1/connections/none").await, 401);
    for path in ["/api/openapi.json", "/", "/realtime/nothing"] {
        assert_eq!(status(path).await, 404, "{path}");
    }
    let text = async |path: &str| {
        let response = reqwest::get(format!("http://{address}{path}")).await.expect("a response");
        response.text().await.expect("its text")
    };
    let page = reqwest::get(format!("http://{address}/realtime")).await.expect("a response");
    assert_eq!(page.url().path(), "/realtime/console/");
    let settings = r#"{"dev":true,"base_path":"/realtime","websocket_path":"/realtime/socket"}"#;
    assert_eq!(text("/realtime/console/settings.json").await, settings);
    let document: serde_json::Value = serde_json::from_str(&text("/realtime/api/openapi.json").await).expect("JSON");
    assert_eq!(document["servers"][0]["url"], "/realtime");

    // A client with the path of an older config receives the right one.
    let refused = connect_async(format!("ws://{address}/ws")).await.expect_err("an unknown path");
    let Error::Http(response) = refused else { panic!("{refused}") };
    let body = String::from_utf8_lossy(response.body().as_deref().expect("a body")).into_owned();
    assert!(body.contains("connect to /realtime/socket"), "{body}");
    drop(client);
    shutdown.cancel();
    running.await.expect("it ends").expect("well");
}
