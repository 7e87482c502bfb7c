//! The console's server side: its files, and the lists, figures and live tail of the API that its page reads.

use realtime_tests::World;
use reqwest::header::{ETAG, IF_NONE_MATCH};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn fetch(world: &World, path: &str) -> reqwest::Response {
    reqwest::get(format!("http://{}{path}", world.address)).await.expect("a response")
}

/// The response to a path that is sent as it is: a URL library resolves dots.
async fn raw_get(world: &World, path: &str) -> String {
    let mut socket = TcpStream::connect(world.address).await.expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.expect("a sent request");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("a response");
    answer
}

#[tokio::test]
async fn the_page_is_served_without_a_key_and_forbids_foreign_code() {
    let world = World::start().await;
    let response = fetch(&world, "/console").await;
    assert_eq!(response.url().path(), "/console/", "the page's links are relative to its folder");
    assert_eq!(response.status(), 200);
    let header = |name: &str| response.headers()[name].to_str().expect("text").to_owned();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert_eq!(header("cache-control"), "no-cache");
    assert_eq!(header("x-content-type-options"), "nosniff");
    let policy = header("content-security-policy");
    for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'none'"] {
        assert!(policy.contains(part), "{part} in {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");

    let tag = response.headers()[ETAG].clone();
    let url = format!("http://{}/console/index.html", world.address);
    let again = reqwest::Client::new().get(url).header(IF_NONE_MATCH, tag).send().await.expect("a response");
    assert_eq!(again.status(), 304, "a browser that has the file does not load it again");
    let settings: serde_json::Value = fetch(&world, "/console/settings.json").await.json().await.expect("JSON");
    assert_eq!(settings, serde_json::json!({"dev": false, "base_path": "", "websocket_path": "/ws"}));
}

#[tokio::test]
async fn a_path_out_of_the_folder_is_unknown() {
    let world = World::start().await;
    for path in [
        "/console/nothing.js",
        "/console/..%2f..%2fCargo.toml",
        "/console/%2e%2e/%2e%2e/etc/passwd",
        "/console/..%5c..%5cCargo.toml",
        "/console//etc/passwd",
        "/console/index.html%00",
        "/console/index.html/",
    ] {
        let answer = raw_get(&world, path).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
        assert!(answer.contains("\"code\":\"not_found\""), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_server_without_the_console_does_not_have_its_page() {
    let world = World::with(|config| config.server.console = false).await;
    for path in ["/console", "/console/", "/console/index.html", "/console/settings.json"] {
        world.get(path).await.refused("not_found");
    }
}

#[tokio::test]
async fn the_page_is_below_the_prefix_of_all_paths() {
    let world = World::with(|config| config.server.base_path = "/realtime".into()).await;
    let response = fetch(&world, "/realtime/console").await;
    assert_eq!((response.url().path(), response.status().as_u16()), ("/realtime/console/", 200));
    assert_eq!(fetch(&world, "/console/").await.status(), 404);
    let settings = fetch(&world, "/realtime/console/settings.json").await.text().await.expect("text");
    assert!(settings.contains("\"websocket_path\":\"/realtime/ws\""), "{settings}");
}
