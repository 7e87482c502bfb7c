//! The Rust client against the real server, which is killed while messages flow: every message of a topic, of its user and
//! of its role, in order and none twice; without a data directory every loss has its gap.
#![cfg(unix)]

#[path = "kills/server.rs"]
mod server;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rcgen::generate_simple_self_signed;
use realtime_client::{
    Client, ClientOptions, ConnectionPhase, Delivery, Listener, TokenProvider, machine::TokenReason,
};
use realtime_tests::{DEADLINE, Issuer, World};
use serde_json::json;
use server::Server;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener as Listening, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::CertificateDer};

/// Messages to each of the three streams, tokens that have expired when they are used, kills of the server, and cuts of the
/// network.
const MESSAGES: u64 = 1_000;
const EXPIRED: usize = 2;
const KILLS: u64 = 3;
const CUTS: u64 = 2;
/// Longest story. It takes a fraction of that.
const STORY: Duration = Duration::from_secs(300);
/// Longest backoff, and some more.
const RECONNECT: Duration = Duration::from_secs(45);

/// A network between the client and the server, which a story cuts. Returns its port.
async fn network(server: u16) -> (u16, watch::Sender<u64>) {
    let listening = Listening::bind("127.0.0.1:0").await.expect("a free port");
    let port = listening.local_addr().expect("its address").port();
    let (cut, cuts) = watch::channel(0);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listening.accept().await {
            let mut cuts = cuts.clone();
            cuts.mark_unchanged();
            tokio::spawn(async move {
                let Ok(mut server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
                tokio::select! {
                    _ = copy_bidirectional(&mut client, &mut server) => {}
                    _ = cuts.changed() => {}
                }
            });
        }
    });
    (port, cut)
}

/// What the client received of each stream: the numbers, with `None` for a gap.
type Received = BTreeMap<String, Vec<Option<u64>>>;

/// Reads until each stream has its last message.
async fn read(mut all: Vec<Listener>) -> Received {
    let mut received = Received::new();
    for listener in &mut all {
        loop {
            let (stream, n) = match listener.next().await.expect("the client runs") {
                Delivery::Message(message) => (message.stream, message.payload.get().parse().ok()),
                Delivery::Gap(gap) => (gap.stream, None),
            };
            received.entry(stream.expect("a stream")).or_default().push(n);
            if n == Some(MESSAGES) {
                break;
            }
        }
    }
    received
}

/// Publishes, kills and cuts; returns what the client received, and how often a token was asked for.
async fn story(durable: bool) -> (Received, usize) {
    let mut server = Server::start(durable).await;
    let (port, cut) = network(server.port).await;
    let (asked, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = (Arc::clone(&asked), Arc::clone(&refused));
    let provider = TokenProvider::new(move |reason| {
        let nth = counts.0.fetch_add(1, Ordering::Relaxed);
        counts.1.fetch_add(usize::from(reason == TokenReason::Refused), Ordering::Relaxed);
        let mut claims = json!({"roles": ["admin"], "grants": ["subscribe:order:*"]});
        // The token of a reconnect has expired meanwhile, twice.
        let stale = nth > 0 && reason == TokenReason::Connect && counts.1.load(Ordering::Relaxed) < EXPIRED;
        if stale {
            claims["exp"] = json!(1_600_000_000);
        }
        let token = Issuer::hmac().token("alice", &claims);
        async { Ok::<_, std::convert::Infallible>(Some(token)) }
    });
    // Room for all: each stream is read after the one before it.
    let options = ClientOptions::new(format!("ws://127.0.0.1:{port}/ws"), provider).queue(2 * MESSAGES as usize);
    let client = Client::connect(options).expect("a client");
    let mut all = Vec::new();
    for pattern in ["order:1", "@user", "@role:admin"] {
        all.push(client.listen(pattern).await.expect("it runs"));
    }
    let mut order = client.subscribe("order:1").await.expect("it runs");
    order.ready().await.expect("subscribed");
    let reader = tokio::spawn(read(all));
    // The subscription has the same as its listener, and must be read too.
    let own = tokio::spawn(async move {
        let mut numbers = Vec::new();
        while let Some(delivery) = order.next().await {
            if let Delivery::Message(message) = delivery {
                numbers.push(message.payload.get().parse::<u64>().expect("a number"));
            }
            if numbers.last() == Some(&MESSAGES) {
                break;
            }
        }
        numbers
    });
    let streams = [json!({"topic": "order:1"}), json!({"user": "alice"}), json!({"role": "admin"})];
    let mut state = client.state();
    for n in 1..=MESSAGES {
        // Each stream has its own order.
        tokio::join!(server.publish(&streams[0], n), server.publish(&streams[1], n), server.publish(&streams[2], n));
        let kill = n % (MESSAGES / (KILLS + 1)) == 0 && n < MESSAGES;
        if kill {
            server.killed().await;
        }
        let cuts = n % (MESSAGES / CUTS) == 100;
        if cuts {
            cut.send_modify(|cuts| *cuts += 1);
        }
        if kill || cuts {
            timeout(DEADLINE, state.wait_for(|state| state.phase != ConnectionPhase::Connected))
                .await
                .expect("noticed")
                .expect("it runs");
        }
        // Some messages later, so that the next fault, and the last message, find a client that is connected.
        if n % 50 == 40 {
            // As a device says that its network is back: the client does not wait out its backoff.
            client.wake().await.expect("it runs");
            timeout(RECONNECT, state.wait_for(|state| state.phase == ConnectionPhase::Connected))
                .await
                .expect("in time")
                .expect("it runs");
        }
    }
    let received = reader.await.expect("a reader");
    let own = own.await.expect("a reader");
    assert_eq!(own.last(), Some(&MESSAGES));
    client.close().await;
    assert_eq!(state.borrow_and_update().phase, ConnectionPhase::Stopped);
    assert_eq!(refused.load(Ordering::Relaxed), EXPIRED);
    (received, asked.load(Ordering::Relaxed))
}

#[tokio::test]
async fn three_kills_two_cuts_and_two_expired_tokens_lose_nothing_with_a_data_directory() {
    let (received, asked) = timeout(STORY, story(true)).await.expect("a story in time");
    let all: Vec<_> = (1..=MESSAGES).map(Some).collect();
    assert_eq!(received.keys().collect::<Vec<_>>(), ["role:admin", "topic:order:1", "user"]);
    for (stream, numbers) in received {
        assert_eq!(numbers, all, "{stream}");
    }
    assert!(asked > (KILLS + CUTS) as usize, "a token for each connection: {asked}");
}

#[tokio::test]
async fn without_a_data_directory_every_loss_has_its_gap() {
    let (received, _) = timeout(STORY, story(false)).await.expect("a story in time");
    for (stream, numbers) in received {
        for pair in numbers.windows(2) {
            if let [Some(one), Some(next)] = pair {
                // A publication whose response the kill has taken is repeated, and its key is forgotten with the rest.
                assert!(*next == one + 1 || next == one, "{stream}: {next} after {one} without a gap");
            }
        }
        assert_eq!(numbers.last(), Some(&Some(MESSAGES)), "{stream}");
    }
}

#[tokio::test]
async fn a_publication_made_offline_is_published_once_when_the_server_is_there() {
    let mut server = Server::start(false).await;
    server.stop().await;
    let token = Issuer::hmac().token("alice", &json!({"grants": ["subscribe:order:*", "publish:order:*"]}));
    let options = ClientOptions::new(format!("ws://127.0.0.1:{}/ws", server.port), TokenProvider::fixed(token));
    let client = Client::connect(options).expect("a client");
    let mut order = client.subscribe("order:7").await.expect("it runs");
    let publisher = client.clone();
    let published = tokio::spawn(async move { publisher.publish("order:7", "note", &json!({"text": "hello"})).await });
    client.state().wait_for(|state| state.phase == ConnectionPhase::Waiting).await.expect("it runs");
    server.restart();
    let story = async {
        order.ready().await.expect("subscribed");
        let published = published.await.expect("a task").expect("published");
        let position = client.position("topic:order:7").await;
        (published, position)
    };
    let (published, _) = timeout(DEADLINE, story).await.expect("in time");
    assert!(!published.duplicate);
    client.close().await;
    // The client has ended: the subscription too.
    while order.next().await.is_some() {}
}

/// A TLS configuration that trusts one certificate.
fn trusting(root: &CertificateDer<'static>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).expect("a root");
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().expect("versions");
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

#[tokio::test]
async fn it_connects_over_wss_and_trusts_no_other_certificate() {
    let pair = || generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let (folder, own, other) = (tempfile::tempdir().expect("a folder"), pair(), pair());
    std::fs::write(folder.path().join("cert.pem"), own.cert.pem()).expect("written");
    std::fs::write(folder.path().join("key.pem"), own.signing_key.serialize_pem()).expect("written");
    let world = World::with(|config| {
        config.tls.cert_file = Some(folder.path().join("cert.pem"));
        config.tls.key_file = Some(folder.path().join("key.pem"));
    })
    .await;
    let connect = |root: &CertificateDer<'static>| {
        let token = TokenProvider::fixed(world.token("alice", &json!({})));
        let url = format!("wss://localhost:{}/ws", world.address.port());
        Client::connect(ClientOptions::new(url, token).tls(trusting(root))).expect("a client")
    };
    let (trusting, doubting) = (connect(own.cert.der()), connect(other.cert.der()));
    let phase = |client: &Client, phase| {
        let mut state = client.state();
        async move { timeout(DEADLINE, state.wait_for(|state| state.phase == phase)).await.expect("in time").is_ok() }
    };
    assert!(phase(&trusting, ConnectionPhase::Connected).await);
    assert!(phase(&doubting, ConnectionPhase::Waiting).await);
    let state = doubting.state().borrow().clone();
    assert!(
        state.reason.is_some_and(|reason| reason.message.contains("certificate")),
        "the reason names the certificate"
    );
}
