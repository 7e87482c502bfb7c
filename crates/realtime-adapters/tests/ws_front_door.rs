//! Before a socket is a WebSocket: each invalid handshake gets an HTTP response
//! with a reason, each that takes too long is cut, and none affects the others.
#![cfg(feature = "ws")]

mod ws_support;

use std::{sync::Arc, time::Duration};

use realtime_adapters::{
    front::AcceptorConfig,
    ws::{Handshake, Origins, ResponseBody, WsConfig, refused, reject},
};
use realtime_core::auth::{Refusal, RefusalReason, select_protocol};
use realtime_schema::Timestamp;
use tokio::time::Instant;
use ws_support::{Peer, Server, Wire, close, frame, handshake, in_time, text};

async fn echoing() -> Server {
    Server::echoing(WsConfig::default(), AcceptorConfig::default()).await
}

/// A story, the line that is left out, the lines that are added, the status, and a part of the reason.
type Refused = (&'static str, &'static str, &'static [&'static str], u16, &'static str);

const REFUSED: &[Refused] = &[
    ("no key", "Sec-WebSocket-Key", &[], 400, "exactly one Sec-WebSocket-Key"),
    ("an empty key", "Sec-WebSocket-Key", &["Sec-WebSocket-Key:"], 400, "exactly one Sec-WebSocket-Key"),
    ("a short key", "Sec-WebSocket-Key", &["Sec-WebSocket-Key: dGhlIHNhbXBsZQ=="], 400, "of 16 bytes"),
    ("a long key", "Sec-WebSocket-Key", &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSBvZg=="], 400, "of 16 bytes"),
    ("a key of 17 bytes", "Sec-WebSocket-Key", &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWE="], 400, "of 16 bytes"),
    ("a key with loose bits", "Sec-WebSocket-Key", &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR=="], 400, "of 16"),
    ("a key not in base64", "Sec-WebSocket-Key", &["Sec-WebSocket-Key: dGhlIHNhb*BsZSBub25jZQ=="], 400, "base64"),
    ("two keys", "", &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="], 400, "exactly one Sec-WebSocket-Key"),
    ("no host", "Host", &[], 400, "exactly one Host"),
    ("an empty host", "Host", &["Host:"], 400, "exactly one Host"),
    ("two hosts", "", &["Host: elsewhere"], 400, "exactly one Host"),
    ("no version", "Sec-WebSocket-Version", &[], 426, "Sec-WebSocket-Version: 13"),
    ("version 8", "Sec-WebSocket-Version", &["Sec-WebSocket-Version: 8"], 426, "Sec-WebSocket-Version: 13"),
    ("version 14", "Sec-WebSocket-Version", &["Sec-WebSocket-Version: 14"], 426, "Sec-WebSocket-Version: 13"),
    ("a list of versions", "Sec-WebSocket-Version", &["Sec-WebSocket-Version: 13, 8"], 426, "Version: 13"),
    ("two versions", "", &["Sec-WebSocket-Version: 13"], 426, "Sec-WebSocket-Version: 13"),
    ("no upgrade", "Upgrade", &[], 426, "this is a WebSocket endpoint"),
    ("an upgrade to something else", "Upgrade", &["Upgrade: h2c"], 426, "this is a WebSocket endpoint"),
    ("no connection", "Connection", &[], 426, "this is a WebSocket endpoint"),
    ("a connection without upgrade", "Connection", &["Connection: keep-alive"], 426, "WebSocket endpoint"),
    ("a body", "", &["Content-Length: 5"], 400, "has no body"),
    ("a chunked body", "", &["Transfer-Encoding: chunked"], 400, "has no body"),
    ("a body in two ways", "", &["Transfer-Encoding: chunked", "Content-Length: 0"], 400, "has no body"),
    ("two lengths of a body that agree", "", &["Content-Length: 5", "Content-Length: 5"], 400, "has no body"),
    ("POST", "GET", &["POST /ws HTTP/1.1"], 405, "is a GET"),
    ("CONNECT", "GET", &["CONNECT localhost:80 HTTP/1.1"], 405, "is a GET"),
    ("OPTIONS", "GET", &["OPTIONS /ws HTTP/1.1"], 405, "is a GET"),
    ("HTTP/1.0", "GET", &["GET /ws HTTP/1.0"], 400, "needs HTTP/1.1"),
    ("two tokens in the query", "GET", &["GET /ws?token=a&token=b HTTP/1.1"], 401, "exactly one token"),
    ("two tokens in headers", "", &["Authorization: Bearer a", "Authorization: Bearer b"], 401, "exactly one token"),
    ("an unknown kind of ping", "GET", &["GET /ws?ping=loud HTTP/1.1"], 400, "`text` or `frame`"),
    ("a browser's page", "", &["Origin: https://evil.example"], 403, "server.allowed_origins"),
];

#[tokio::test]
async fn every_invalid_handshake_gets_an_http_response_with_the_reason() {
    let server = echoing().await;
    for (story, without, with, status, reason) in REFUSED {
        let answer = Peer::asks(server.address, &handshake(without, with)).await;
        assert_eq!(answer.status, *status, "{story}: {answer:?}");
        let problem = answer.problem();
        assert!(problem["detail"].as_str().unwrap().contains(reason), "{story}: {problem}");
        if *status == 426 {
            let named = ["connection", "upgrade", "sec-websocket-version"].map(|name| answer.header(name));
            assert_eq!(named, [Some("Upgrade"), Some("websocket"), Some("13")], "{story}");
        }
        assert_eq!(answer.header("allow"), (*status == 405).then_some("GET"), "{story}");
    }
    println!("{} handshakes refused", REFUSED.len());
}

#[tokio::test]
async fn what_a_handshake_may_be_written_like_is_accepted() {
    let server = echoing().await;
    let accepted: [(&str, &str, &[&str]); 11] = [
        ("as the RFC writes it", "", &[]),
        ("names and tokens in any case", "Upgrade", &["uPGRADE: WebSocket"]),
        ("Firefox's connection", "Connection", &["Connection: keep-alive, Upgrade"]),
        ("a connection in two lines", "", &["Connection: keep-alive"]),
        ("an upgrade that is a list", "Upgrade", &["Upgrade: h2c, websocket"]),
        ("an empty body, as the JDK's client says", "", &["Content-Length: 0"]),
        ("an empty body, said twice", "", &["Content-Length: 0", "Content-Length: 0"]),
        ("a password of a proxy in front", "", &["Authorization: Basic dTpw"]),
        ("a password of a proxy beside a token", "", &["Authorization: Basic dTpw", "Authorization: Bearer t"]),
        ("passwords of two proxies", "", &["Authorization: Basic dTpw", "Authorization: Digest x"]),
        ("compression, which is not taken", "", &["Sec-WebSocket-Extensions: permessage-deflate"]),
    ];
    for (story, without, with) in accepted {
        let mut peer = Peer::connect(server.address).await;
        peer.send(&handshake(without, with)).await;
        let answer = peer.answer().await;
        assert_eq!(answer.status, 101, "{story}: {answer:?}");
        assert_eq!(answer.header("sec-websocket-extensions"), None, "{story}");
        peer.is_served().await;
    }
}

#[tokio::test]
async fn what_is_no_http_is_refused_with_the_bare_status() {
    // These are the HTTP library's own answers, before any code of ours sees a request.
    let server = echoing().await;
    let many: Vec<String> = (0..101).map(|n| format!("x-{n}: 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let long = format!("X-Long: {}", "x".repeat(20_000));
    let refused: [(&str, u16, Vec<u8>); 9] = [
        ("lengths that differ", 400, handshake("", &["Content-Length: 0", "Content-Length: 5"])),
        ("a length that is a list", 400, handshake("", &["Content-Length: 0, 0"])),
        ("a length with a sign", 400, handshake("", &["Content-Length: +0"])),
        ("an encoding that hides the length", 400, handshake("", &["Transfer-Encoding: identity"])),
        ("a folded header", 400, handshake("", &["X-Folded: a\r\n b"])),
        ("a name with a space", 400, handshake("", &["Upgrade : websocket"])),
        ("TLS", 400, b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\xfc\x03\x03\r\n\r\n".to_vec()),
        ("too many headers", 431, handshake("", &many)),
        ("too long a header", 431, handshake("", &[&long])),
    ];
    for (story, status, request) in refused {
        let mut peer = Peer::connect(server.address).await;
        peer.send_in_parts(&request, 16 * 1024).await;
        let answer = peer.answer().await;
        assert_eq!((answer.status, answer.header("connection")), (status, Some("close")), "{story}: {answer:?}");
    }
}

#[tokio::test]
async fn a_refused_client_may_try_again_on_the_same_connection() {
    let server = echoing().await;
    let mut peer = Peer::connect(server.address).await;
    peer.send(&handshake("Sec-WebSocket-Version", &["Sec-WebSocket-Version: 14"])).await;
    assert_eq!(peer.answer().await.status, 426);
    peer.send(&handshake("", &[])).await;
    assert_eq!(peer.answer().await.status, 101);
    peer.is_served().await;
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_cut_and_no_sooner() {
    let head_timeout = Duration::from_millis(300);
    let door = AcceptorConfig { header_read_timeout: head_timeout, ..AcceptorConfig::default() };
    let server = Server::echoing(WsConfig::default(), door).await;
    let half = &handshake("", &[])[..40];
    for (story, part) in [("silent", &[][..]), ("half a head", half)] {
        let start = Instant::now();
        let mut peer = Peer::connect(server.address).await;
        peer.send(part).await;
        assert_eq!(peer.rest().await, b"", "{story}");
        assert!(start.elapsed() >= head_timeout / 2, "{story}: cut at once");
    }

    // Each byte in time, and the whole still too late.
    let peer = Peer::connect(server.address).await;
    let dripped = async {
        for byte in handshake("", &[&format!("X-Slow: {}", "x".repeat(5000))]) {
            if peer.stream.try_write(&[byte]).is_err() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        false
    };
    assert!(in_time("dripping", dripped).await, "a drip is served for ever");

    // A WebSocket is no request, and stays however long it is silent.
    let mut peer = Peer::upgraded(server.address).await;
    tokio::time::sleep(head_timeout * 2).await;
    peer.is_served().await;
}

#[tokio::test]
async fn only_the_own_host_and_the_origins_that_are_listed_may_connect() {
    let listed =
        || Origins::parse(&["https://app.example", "http://localhost:5173", "https://*.pages.example"]).unwrap();
    let stories: [(Origins, &[&str], u16); 19] = [
        (listed(), &["Origin: https://app.example"], 101),
        (listed(), &["Origin: HTTPS://APP.example"], 101),
        (listed(), &["Origin: http://localhost:5173"], 101),
        (listed(), &["Origin: https://a.pages.example"], 101),
        (listed(), &["Origin: https://pages.example"], 403),
        (listed(), &["Origin: https://a.b.pages.example"], 403),
        (listed(), &["Origin: https://a.pages.example.evil.example"], 403),
        // The host that the request itself names, as native clients send it.
        (listed(), &["Origin: http://localhost"], 101),
        (Origins::None, &["Origin: http://localhost"], 101),
        (Origins::None, &["Origin: https://localhost"], 101),
        (Origins::None, &["Origin: https://localhost:8443"], 403),
        (Origins::None, &["Origin: http://localhost", "Origin: http://localhost"], 403),
        (listed(), &["Origin: http://app.example"], 403),
        (listed(), &["Origin: https://app.example.evil.example"], 403),
        (listed(), &["Origin: null"], 403),
        (listed(), &["Origin: https://evil.example", "Origin: https://app.example"], 403),
        (listed(), &["Origin: https://app.example", "Origin: https://evil.example"], 403),
        (listed(), &[], 101),
        (Origins::Any, &["Origin: https://evil.example"], 101),
    ];
    for (origins, with, status) in stories {
        let config = WsConfig { origins, ..WsConfig::default() };
        let server = Server::echoing(config, AcceptorConfig::default()).await;
        let answer = Peer::asks(server.address, &handshake("", with)).await;
        assert_eq!(answer.status, status, "{with:?}: {answer:?}");
        if status == 403 {
            let problem = answer.problem();
            assert_eq!(problem["code"], "forbidden");
            assert!(problem["detail"].as_str().unwrap().contains("server.allowed_origins"), "{problem}");
        }
    }
}

#[tokio::test]
async fn what_is_glued_to_the_handshake_is_not_lost() {
    let server = echoing().await;
    let mut peer = Peer::connect(server.address).await;
    let (first, second) = (text("early"), frame(0x82, &[9; 3000]));
    // The second message comes in two parts, of which only one is glued.
    peer.send(&[handshake("", &[]), first, second[..700].to_vec()].concat()).await;
    assert_eq!(peer.answer().await.status, 101);
    assert_eq!(peer.frame().await, Some(Wire::Text(b"early".to_vec())));
    peer.send(&second[700..]).await;
    assert_eq!(peer.frame().await, Some(Wire::Binary(vec![9; 3000])));
}

/// A server that selects a subprotocol and lets everybody in, or refuses everybody.
async fn choosing(refusal: Option<Refusal>) -> Server {
    let config = Arc::new(WsConfig::default());
    let handler = move |mut request, _| {
        let handshake = Handshake::check(&mut request, &config).expect("a proper handshake");
        let selected = match &refusal {
            Some(refusal) => Err(refusal.clone()),
            None => select_protocol(&handshake.request().protocols),
        };
        let (response, rejected) = match selected {
            Ok(protocol) => (handshake.accept(protocol).0, None),
            Err(refusal) => {
                let (response, pending) = handshake.refuse(&refusal);
                (response, pending.map(|pending| (pending, refusal)))
            }
        };
        if let Some((pending, refusal)) = rejected {
            tokio::spawn(reject(pending, refusal, Timestamp::EPOCH, Duration::from_secs(1)));
        }
        std::future::ready(response)
    };
    Server::answering(handler, AcceptorConfig::default()).await
}

#[tokio::test]
async fn the_protocol_is_selected_and_a_token_beside_it_is_never_echoed() {
    let server = choosing(None).await;
    let offers: [(&[&str], Option<&str>); 4] = [
        (&[], None),
        (&["Sec-WebSocket-Protocol: realtime.v1"], Some("realtime.v1")),
        (&["Sec-WebSocket-Protocol: bearer.e30.e30.c2ln, realtime.v1"], Some("realtime.v1")),
        (&["Sec-WebSocket-Protocol: bearer.e30.e30.c2ln", "Sec-WebSocket-Protocol: realtime.v1"], Some("realtime.v1")),
    ];
    for (offer, selected) in offers {
        let answer = Peer::asks(server.address, &handshake("", offer)).await;
        assert_eq!((answer.status, answer.header("sec-websocket-protocol")), (101, selected), "{offer:?}");
    }
    for unknown in ["bearer.e30.e30.c2ln", "chat, superchat", "realtime.v2"] {
        let offer = format!("Sec-WebSocket-Protocol: {unknown}");
        let answer = Peer::asks(server.address, &handshake("", &[&offer])).await;
        assert_eq!((answer.status, answer.header("sec-websocket-protocol")), (400, None), "{offer}");
        assert!(!answer.problem()["detail"].as_str().unwrap().contains("bearer"));
    }
}

#[tokio::test]
async fn a_refused_client_gets_an_http_answer_and_a_refused_browser_a_close_code() {
    let refusal = Refusal::unauthorized("the token is expired");
    let server = choosing(Some(refusal)).await;
    let answer = Peer::asks(server.address, &handshake("", &[])).await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")));
    assert_eq!(answer.problem()["detail"], "the token is expired");

    let mut browser = Peer::connect(server.address).await;
    let offer = handshake("", &["Sec-WebSocket-Protocol: realtime.v1, bearer.e30.e30.c2ln"]);
    // What it says meanwhile is not read: the second frame alone would be answered with 1002.
    browser.send(&[offer, text("let me in"), vec![0xFF; 70_000]].concat()).await;
    let answer = browser.answer().await;
    assert_eq!((answer.status, answer.header("sec-websocket-protocol")), (101, Some("realtime.v1")));
    let Some(Wire::Text(closing)) = browser.frame().await else { panic!("no `closing`") };
    let closing: serde_json::Value = serde_json::from_slice(&closing).unwrap();
    assert_eq!((&closing["type"], &closing["payload"]["code"]), (&"closing".into(), &4601.into()));
    assert_eq!(closing["payload"]["reason"], "the token is expired");
    assert_eq!(browser.frame().await, Some(Wire::Close(Some(4601), "the token is expired".into())));
    browser.send(&close(4601)).await;
    assert_eq!(browser.rest().await, b"");
}

#[test]
fn a_refusal_that_is_over_soon_says_when_to_come_back() {
    let mut refusal = Refusal::new(RefusalReason::Draining, "draining");
    refusal.after_ms = Some(1500);
    let response = refused(&refusal);
    assert_eq!(
        (response.status(), &response.headers()["retry-after"]),
        (503.try_into().unwrap(), &"2".parse().unwrap())
    );
}

#[tokio::test]
async fn a_peer_that_does_not_read_its_response_is_disconnected_and_frees_its_slot() {
    let answer = |request: http::Request<_>, _| async move {
        let length = if request.uri().path() == "/large" { 16 << 20 } else { 1 };
        http::Response::new(ResponseBody::from(vec![b'x'; length]))
    };
    let door =
        AcceptorConfig { answer_timeout: Duration::from_millis(200), max_http_sockets: 1, ..AcceptorConfig::default() };
    let server = Server::answering(answer, door).await;
    let mut slow = Peer::connect(server.address).await;
    slow.send(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let served = async {
        while Peer::asks(server.address, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.status == 503 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    in_time("a place", served).await;
    drop(slow);
}
