//! The accept loop on a bad day: no free slot, no descriptors, idle peers, shutdown.
#![cfg(feature = "ws")]

mod ws_support;

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use http::{Request, Response};
use http_body_util::BodyExt;
use realtime_adapters::{
    front::{AcceptorConfig, RequestBody},
    ws::{ResponseBody, WsConfig},
};
use tokio::sync::Semaphore;
use ws_support::{Peer, Server, handshake, in_time};

async fn with_slots(max_http_sockets: usize) -> Server {
    let config = AcceptorConfig { max_http_sockets, ..AcceptorConfig::default() };
    Server::echoing(WsConfig::default(), config).await
}

/// A peer whose handshake was accepted, after as many tries as it took.
async fn admitted(server: &Server) -> Peer {
    let tried = async {
        loop {
            let mut peer = Peer::connect(server.address).await;
            peer.send(&handshake("", &[])).await;
            match peer.answer().await.status {
                101 => return peer,
                status => assert_eq!(status, 503),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    in_time("a free slot", tried).await
}

#[tokio::test]
async fn a_socket_without_a_slot_gets_503_and_when_to_come_back() {
    let server = with_slots(1).await;
    let taken = Peer::connect(server.address).await;
    for still_to_send in [0, 1 << 20] {
        let mut peer = Peer::connect(server.address).await;
        peer.send(&handshake("", &[])).await;
        let answer = peer.answer().await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
        let problem = answer.problem();
        assert_eq!((&problem["code"], &problem["after_ms"]), (&"unavailable".into(), &1000.into()));
        assert!(problem["detail"].as_str().unwrap().contains("limits.http_sockets"), "{problem}");
        // What it still sends is read, and it is not reset: a reset may overtake the response.
        peer.send(&vec![b'x'; still_to_send]).await;
        assert_eq!(peer.rest().await, b"");
    }
    drop(taken);
    admitted(&server).await.is_served().await;
}

/// A server whose handler names the path of a request, and that has slots for `sockets`, `per_address` of one address.
async fn with_reserve(sockets: usize, per_address: usize) -> Server {
    let handler = |request: Request<RequestBody>, _| async move {
        Response::new(ResponseBody::from(request.uri().path().to_owned()))
    };
    let config = AcceptorConfig {
        max_http_sockets: sockets,
        max_http_sockets_per_address: per_address,
        reserved_paths: vec!["/healthz".into(), "/metrics".into()],
        ..AcceptorConfig::default()
    };
    Server::answering(handler, config).await
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn idle_sockets_take_no_health_check_its_answer() {
    // All slots, and then the slots of one address; more idle sockets than the reserve takes in.
    for (sockets, per_address, setting) in
        [(8, 100, "limits.http_sockets "), (100, 8, "limits.http_sockets_per_address")]
    {
        let server = with_reserve(sockets, per_address).await;
        let mut idle = Vec::new();
        for _ in 0..400 {
            idle.push(Peer::connect(server.address).await);
        }
        for path in ["/healthz", "/metrics", "/healthz"] {
            let answer = Peer::asks(server.address, &get(path)).await;
            assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "{setting}");
        }
        let answer = Peer::asks(server.address, &get("/ws")).await;
        assert_eq!(answer.status, 503);
        assert!(answer.problem()["detail"].as_str().unwrap().contains(setting), "{answer:?}");
    }
}

#[tokio::test]
async fn a_connection_may_be_idle_between_requests_for_longer_than_a_head_may_take() {
    let (head, keep_alive) = (Duration::from_millis(300), Duration::from_millis(1500));
    let handler = |_: Request<RequestBody>, _| async { Response::new(ResponseBody::from("ok")) };
    let config =
        AcceptorConfig { header_read_timeout: head, keep_alive_timeout: keep_alive, ..AcceptorConfig::default() };
    let server = Server::answering(handler, config).await;
    let mut pooled = Peer::connect(server.address).await;
    for _ in 0..3 {
        pooled.send(&get("/")).await;
        assert_eq!(pooled.answer().await.status, 200);
        tokio::time::sleep(head * 2).await;
    }
    // A head that begins and does not end is cut, also on a connection that was idle.
    pooled.send(b"GET / HT").await;
    assert_eq!(pooled.rest().await, b"");
    // And an idle one at last.
    let mut idle = Peer::connect(server.address).await;
    idle.send(&get("/")).await;
    assert_eq!(idle.answer().await.status, 200);
    assert_eq!(idle.rest().await, b"");
}

#[tokio::test]
async fn a_websocket_takes_no_slot() {
    let server = with_slots(1).await;
    let mut open = [admitted(&server).await, admitted(&server).await, admitted(&server).await];
    for peer in &mut open {
        peer.is_served().await;
    }
}

#[tokio::test]
async fn at_shutdown_accepting_ends_and_websockets_are_left_to_their_owner() {
    let mut server = with_slots(10).await;
    let mut socket = Peer::upgraded(server.address).await;
    let mut idle = Peer::connect(server.address).await;
    idle.send(&handshake("Upgrade", &[])).await;
    assert_eq!(idle.answer().await.status, 426);
    server.stop.cancel();
    in_time("the end", &mut server.ended).await.unwrap();
    assert_eq!(idle.rest().await, b"", "an idle connection is closed");
    socket.is_served().await;
    assert!(tokio::net::TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn at_shutdown_a_request_that_does_not_arrive_is_given_up_and_one_that_is_handled_is_not() {
    // Nothing else ends a socket before the test gives up.
    let forever = Duration::from_secs(600);
    let config = AcceptorConfig { header_read_timeout: forever, answer_timeout: forever, ..AcceptorConfig::default() };
    let (arrived, responses) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (arrives, may_respond) = (arrived.clone(), responses.clone());
    let handler = move |request: Request<RequestBody>, _| {
        let (arrives, may_respond) = (arrives.clone(), may_respond.clone());
        async move {
            let (head, body) = request.into_parts();
            arrives.add_permits(1);
            let body = body.collect().await.unwrap().to_bytes();
            if head.uri.path() == "/slow" {
                may_respond.acquire().await.unwrap().forget();
            }
            Response::new(ResponseBody::new(body))
        }
    };
    let mut server = Server::answering(handler, config).await;
    let slow: [&[u8]; 2] =
        [b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n", b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"];
    let half: [&[u8]; 4] = [
        b"",
        b"GET / HT",
        b"GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET / HT",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo",
    ];
    let (mut answered, mut given_up) = (Vec::new(), Vec::new());
    for (requests, peers) in [(&slow[..], &mut answered), (&half[..], &mut given_up)] {
        for request in requests {
            let mut peer = Peer::connect(server.address).await;
            peer.send(request).await;
            if request.starts_with(b"GET /first") {
                assert_eq!(peer.answer().await.status, 200);
            }
            peers.push(peer);
        }
    }
    in_time("the requests", arrived.acquire_many(4)).await.unwrap().forget();
    server.stop.cancel();
    for peer in &mut given_up {
        assert_eq!(peer.rest().await, b"");
    }
    assert!(!server.ended.is_finished());
    responses.add_permits(slow.len());
    for peer in &mut answered {
        assert_eq!(peer.answer().await.status, 200);
    }
    in_time("the end", &mut server.ended).await.unwrap();
}

/// Says to the copy of this program that it is the server of a test, and no test.
const CHILD: &str = "REALTIME_TEST_IS_THE_SERVER";
/// How many descriptors that server may have open.
#[cfg(target_os = "linux")]
const DESCRIPTORS: usize = 40;

/// A copy of this program, ended when dropped.
struct ServerProcess(Child);

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(target_os = "linux")]
async fn be_the_server_with_few_descriptors() {
    let server = Server::echoing(WsConfig::default(), AcceptorConfig::default()).await;
    println!("\nlistening {}", server.address);
    // The test ends the process; this is for a test that was killed.
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn without_descriptors_accepting_pauses_and_recovers_and_served_clients_notice_nothing() {
    // The limit is a process's own, so the server is this test once more in a process of its own.
    if std::env::var_os(CHILD).is_some() {
        return be_the_server_with_few_descriptors().await;
    }
    let program = std::env::current_exe().unwrap();
    let child = Command::new("sh")
        .args(["-c", &format!("ulimit -n {DESCRIPTORS} && exec \"$0\" --nocapture without_descriptors")])
        .arg(program)
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut server = ServerProcess(child);
    let said = BufReader::new(server.0.stdout.take().unwrap());
    let address = said.lines().find_map(|line| line.unwrap().strip_prefix("listening ")?.parse().ok()).unwrap();

    let mut served = Peer::upgraded(address).await;
    let mut idle = Vec::new();
    for _ in 0..2 * DESCRIPTORS {
        idle.push(Peer::connect(address).await);
    }
    let directory = format!("/proc/{}/fd", server.0.id());
    let exhausted = async {
        while std::fs::read_dir(&directory).unwrap().count() < DESCRIPTORS {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    in_time("running out of descriptors", exhausted).await;
    let mut late = Peer::connect(address).await;
    late.send(&handshake("", &[])).await;
    for _ in 0..10 {
        served.is_served().await;
    }
    let answer = tokio::time::timeout(Duration::from_millis(200), late.answer()).await;
    assert!(answer.is_err(), "there were descriptors left: {answer:?}");

    drop(idle);
    assert_eq!(late.answer().await.status, 101, "it recovers by itself");
    late.is_served().await;
    served.is_served().await;
}
