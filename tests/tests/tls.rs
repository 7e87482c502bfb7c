//! TLS without a proxy: a client over `wss`, a certificate that is replaced while clients stay, and peers that never
//! finish a handshake.

use std::{fs, path::Path, sync::Arc, time::Duration};

use futures_util::StreamExt;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use realtime_ports::RealtimeService;
use realtime_server::Config;
use realtime_tests::{DEADLINE, World};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, ProtocolVersion, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, ServerName},
        version::{TLS12, TLS13},
    },
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

fn new_pair() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate")
}

fn write_pair(folder: &Path, pair: &CertifiedKey<KeyPair>) {
    fs::write(folder.join("cert.pem"), pair.cert.pem()).expect("written");
    fs::write(folder.join("key.pem"), pair.signing_key.serialize_pem()).expect("written");
}

/// A folder with a certificate and its key, and that certificate.
fn folder() -> (TempDir, CertificateDer<'static>) {
    let (folder, pair) = (tempfile::tempdir().expect("a folder"), new_pair());
    write_pair(folder.path(), &pair);
    (folder, pair.cert.der().clone())
}

fn with_tls(config: &mut Config, folder: &Path) {
    config.tls.cert_file = Some(folder.join("cert.pem"));
    config.tls.key_file = Some(folder.join("key.pem"));
}

/// A TLS connection of a client that trusts `root` alone.
async fn tls(world: &World, root: &CertificateDer<'static>) -> std::io::Result<TlsStream<TcpStream>> {
    tls_of(world, root, &[&TLS13, &TLS12]).await
}

async fn tls_of(
    world: &World,
    root: &CertificateDer<'static>,
    versions: &[&'static tokio_rustls::rustls::SupportedProtocolVersion],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).expect("a root");
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(world.address).await?;
    let name = ServerName::try_from("localhost").expect("a name");
    timeout(DEADLINE, TlsConnector::from(Arc::new(config)).connect(name, stream)).await.expect("in time")
}

type Client = WebSocketStream<TlsStream<TcpStream>>;

async fn connect(world: &World, root: &CertificateDer<'static>, user: &str) -> Client {
    let stream = tls(world, root).await.expect("a certificate that is trusted");
    let request = format!("wss://localhost/ws?token={}", world.token(user, &json!({})));
    let opened = timeout(DEADLINE, client_async(request, stream)).await.expect("in time");
    let mut client = opened.expect("admitted").0;
    assert_eq!(next(&mut client).await["type"], "welcome");
    client
}

async fn next(client: &mut Client) -> Value {
    match timeout(DEADLINE, client.next()).await.expect("a frame in time") {
        Some(Ok(Message::Text(text))) => serde_json::from_str(&text).expect("JSON"),
        other => panic!("{other:?}"),
    }
}

async fn gets(world: &World, client: &mut Client, user: &str, payload: Value) {
    let receipt = world.service.publish(
        serde_json::from_value(json!({"to": {"user": user}, "type": "note", "payload": payload})).expect("a request"),
    );
    assert_eq!(receipt.await.expect("published").delivered, 1);
    assert_eq!(next(client).await["payload"], payload);
}

#[tokio::test]
async fn a_client_connects_over_wss_and_gets_its_messages() {
    let (folder, root) = folder();
    let world = World::with(|config| with_tls(config, folder.path())).await;
    let mut client = connect(&world, &root, "alice").await;
    for size in [1, 100, 60_000] {
        gets(&world, &mut client, "alice", json!("x".repeat(size))).await;
    }
    assert!(tls(&world, new_pair().cert.der()).await.is_err(), "another certificate is not trusted");
}

#[tokio::test]
async fn both_versions_of_tls_are_spoken_and_http_1_1_is_selected() {
    let (folder, root) = folder();
    let world = World::with(|config| with_tls(config, folder.path())).await;
    for (version, name) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let mut stream = tls_of(&world, &root, &[version]).await.expect("a handshake");
        assert_eq!(stream.get_ref().1.protocol_version(), Some(name));
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.expect("sent");
        let mut response = String::new();
        timeout(DEADLINE, stream.read_to_string(&mut response)).await.expect("in time").expect("a proper end");
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    }
}

#[tokio::test]
async fn a_new_certificate_is_used_for_new_connections_and_open_ones_stay() {
    let (folder, first) = folder();
    let world = World::with(|config| with_tls(config, folder.path())).await;
    let mut client = connect(&world, &first, "alice").await;

    let second = new_pair();
    write_pair(folder.path(), &second);
    let replaced = async {
        while tls(&world, second.cert.der()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(DEADLINE, replaced).await.expect("the new certificate in time");
    assert!(tls(&world, &first).await.is_err(), "the old one is gone");
    gets(&world, &mut client, "alice", json!("still here")).await;
}

#[tokio::test]
async fn a_peer_that_does_not_finish_its_handshake_is_disconnected() {
    let (folder, root) = folder();
    let world = World::with(|config| {
        with_tls(config, folder.path());
        config.tls.handshake_timeout = realtime_server::Span(Duration::from_millis(200));
    })
    .await;
    let mut silent = TcpStream::connect(world.address).await.expect("the server listens");
    let mut plain = TcpStream::connect(world.address).await.expect("the server listens");
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
    for stream in [&mut silent, &mut plain] {
        let mut rest = Vec::new();
        // The alert of TLS may come first; a reset is an end too.
        let _ = timeout(DEADLINE, stream.read_to_end(&mut rest)).await.expect("an end in time");
        assert!(!rest.starts_with(b"HTTP"));
    }
    connect(&world, &root, "alice").await;
}

#[tokio::test]
async fn behind_the_proxy_protocol_the_address_of_a_tls_client_counts() {
    let (folder, root) = folder();
    let world = World::with(|config| {
        with_tls(config, folder.path());
        config.server.proxy_protocol = true;
        config.server.trusted_proxies = vec!["127.0.0.1".into()];
    })
    .await;
    assert!(tls(&world, &root).await.is_err(), "TLS without the protocol before it is not accepted");
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates({
            let mut roots = RootCertStore::empty();
            roots.add(root).expect("a root");
            roots
        })
        .with_no_client_auth();
    let mut stream = TcpStream::connect(world.address).await.expect("the server listens");
    stream.write_all(b"PROXY TCP4 203.0.113.1 10.0.0.1 4000 443\r\n").await.expect("sent");
    let name = ServerName::try_from("localhost").expect("a name");
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("a handshake");
    let request = format!("wss://localhost/ws?token={}", world.token("alice", &json!({})));
    let mut client = client_async(request, stream).await.expect("admitted").0;
    assert_eq!(next(&mut client).await["type"], "welcome");
}

#[test]
fn a_certificate_that_can_not_be_used_is_refused_at_start_with_the_setting() {
    let (folder, _) = folder();
    let path = |name: &str| Some(folder.path().join(name));
    let refused = |cert, key| {
        let mut config = Config::default();
        (config.tls.cert_file, config.tls.key_file) = (cert, key);
        config.check().expect_err("refused").to_string()
    };
    let other = tempfile::tempdir().expect("a folder");
    write_pair(other.path(), &new_pair());
    fs::write(other.path().join("empty.pem"), "").expect("written");
    let cases = [
        (refused(path("cert.pem"), None), "tls.key_file: is missing"),
        (refused(None, path("key.pem")), "tls.cert_file: is missing"),
        (refused(path("absent.pem"), path("key.pem")), "absent.pem: No such file"),
        (refused(Some(other.path().join("empty.pem")), path("key.pem")), "holds no certificate in PEM"),
        (refused(path("key.pem"), path("key.pem")), "tls.cert_file"),
        (refused(path("cert.pem"), path("cert.pem")), "holds no private key in PEM"),
        (refused(path("cert.pem"), Some(other.path().join("key.pem"))), "can't be used together"),
    ];
    for (error, part) in cases {
        assert!(error.contains(part), "{part}: {error}");
        assert!(!error.contains("BEGIN"), "no part of a key: {error}");
    }
}
