//! Requests that are malformed, too large, compressed, or sent by half: each gets a clear response at once.

use realtime_tests::{DEADLINE, World};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const KEY: &str = "Authorization: Bearer an-api-key-of-the-tests\r\n";

/// Sends `request` as it is, and returns the status and the body of the response; the socket stays open for writing.
async fn raw(world: &World, request: &[u8]) -> (u16, Value) {
    let mut socket = TcpStream::connect(world.address).await.expect("the server listens");
    socket.write_all(request).await.expect("the request is sent");
    let mut response = Vec::new();
    let whole = async {
        let mut buffer = [0; 4096];
        loop {
            let n = socket.read(&mut buffer).await.expect("a response");
            response.extend_from_slice(&buffer[..n]);
            let text = String::from_utf8_lossy(&response).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let head = head.to_ascii_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
                if n == 0 || body.len() >= length.unwrap_or(usize::MAX) {
                    let status = head[9..12].parse().expect("a status");
                    return (status, serde_json::from_str(body).unwrap_or(Value::Null));
                }
            }
            assert!(n > 0, "the socket ended without a response: {text}");
        }
    };
    timeout(DEADLINE, whole).await.expect("a response in time")
}

#[tokio::test]
async fn a_request_without_a_host_or_with_two_is_refused_on_every_path() {
    let world = World::start().await;
    for path in ["/healthz", "/readyz", "/metrics", "/api/openapi.json", "/api/v1/topics", "/ws", "/nowhere"] {
        let method_and_path = format!("GET {path} HTTP/1.1\r\n{KEY}");
        for hosts in ["", "Host: a\r\nHost: a\r\n", "Host: a\r\nHost: b\r\n", "Host: a b\r\n", "Host:\r\n"] {
            let (status, problem) = raw(&world, format!("{method_and_path}{hosts}\r\n").as_bytes()).await;
            assert_eq!(status, 400, "{path} with {hosts:?}: {problem}");
            assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("Host")), "{problem}");
        }
    }
    let (status, _) = raw(&world, b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_body_that_is_declared_too_large_is_refused_before_it_is_sent() {
    // The request would otherwise be waited for until `api.timeout`, longer than this test waits.
    let world = World::with(|config| config.api.timeout = realtime_server::Span::secs(3600)).await;
    for length in ["1048577", "1000000000000"] {
        let head = format!("POST /api/v1/publish HTTP/1.1\r\nHost: a\r\n{KEY}Content-Length: {length}\r\n\r\n");
        let (status, problem) = raw(&world, head.as_bytes()).await;
        assert_eq!((status, &problem["code"]), (413, &"too_large".into()), "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("api.max_body_bytes")));
    }
    let head = format!("POST /api/v1/publish HTTP/1.1\r\nHost: a\r\n{KEY}Transfer-Encoding: chunked\r\n\r\n");
    let mut chunked = head.into_bytes();
    for _ in 0..17 {
        chunked.extend_from_slice(b"10000\r\n");
        chunked.extend_from_slice(&vec![b' '; 0x10000]);
        chunked.extend_from_slice(b"\r\n");
    }
    // No last chunk: it is refused at the limit, not at its end.
    assert_eq!(raw(&world, &chunked).await.0, 413);
}

#[tokio::test]
async fn a_compressed_body_or_another_type_is_refused_with_what_to_send() {
    let world = World::start().await;
    let body = r#"{"to":"all","type":"t","payload":1}"#;
    let post = async |headers: &str| {
        let length = body.len();
        let head =
            format!("POST /api/v1/publish HTTP/1.1\r\nHost: a\r\n{KEY}Content-Length: {length}\r\n{headers}\r\n");
        raw(&world, (head + body).as_bytes()).await
    };
    for encoding in ["gzip", "deflate", "br", "zstd", "identity, gzip", "nonsense"] {
        let (status, problem) = post(&format!("Content-Encoding: {encoding}\r\n")).await;
        assert_eq!(status, 415, "{encoding}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("uncompressed")), "{problem}");
    }
    for kind in ["multipart/form-data; boundary=x", "text/xml", "application/cbor", "text/plain", ""] {
        let (status, problem) = post(&format!("Content-Type: {kind}\r\n")).await;
        assert_eq!(status, 415, "{kind}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("application/json")), "{problem}");
    }
    for good in [
        "",
        "Content-Encoding: identity\r\n",
        "Content-Type: application/json\r\n",
        "Content-Type: Application/JSON; charset=utf-8\r\n",
        "Content-Type: application/vnd.example+json\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
    ] {
        let (status, problem) = post(good).await;
        assert_eq!(status, 200, "{good}: {problem}");
    }
}

#[tokio::test]
async fn a_body_that_arrives_too_slowly_is_refused_with_408() {
    let world = World::with(|config| config.api.timeout = realtime_server::Span::secs(1)).await;
    let head = format!("POST /api/v1/publish HTTP/1.1\r\nHost: a\r\n{KEY}Content-Length: 100\r\n\r\n{{\"to\":");
    let (status, problem) = raw(&world, head.as_bytes()).await;
    assert_eq!((status, &problem["status"], &problem["retry"]), (408, &408.into(), &true.into()), "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("api.timeout")), "{problem}");
}
