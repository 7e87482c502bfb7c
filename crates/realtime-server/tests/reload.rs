//! What an operator sees who changes the config of a server that runs, and who runs it under systemd.
#![cfg(unix)]

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use futures_util::StreamExt;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::{TcpStream, UnixDatagram},
    process::{Child, ChildStderr, Command},
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, client::IntoClientRequest},
};

const TIMEOUT: Duration = Duration::from_secs(15);
const OLD_SECRET: &str = "the-old-secret-of-more-than-thirty-two-bytes";
const NEW_SECRET: &str = "the-new-secret-of-more-than-thirty-two-bytes";
const OLD_KEY: &str = "the-old-key-of-backends";
const NEW_KEY: &str = "the-new-key-of-backends";

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A server with a config file in a folder of its own.
struct Server {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    address: SocketAddr,
    folder: TempDir,
}

impl Server {
    async fn start(config: &str, env: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("realtime.toml");
        std::fs::write(&path, config).expect("a file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_realtime-server"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).env_clear().envs(env.iter().copied());
        if !config.is_empty() {
            command.arg("--config").arg(&path);
        }
        let mut child = command.stderr(Stdio::piped()).kill_on_drop(true).spawn().expect("the binary starts");
        let log = BufReader::new(child.stderr.take().expect("its log")).lines();
        let mut server = Self { child, log, address: SocketAddr::from(([127, 0, 0, 1], 0)), folder };
        let serving = server.logged("serving").await;
        let address = serving.last().and_then(|line| line.split("address=").nth(1)).expect("its address");
        server.address = address.trim().parse().expect("an address");
        server
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("realtime.toml")
    }

    fn write(&self, config: &str) {
        std::fs::write(self.path(), config).expect("the file is written");
    }

    /// The lines of the log up to the first that contains `text`.
    async fn logged(&mut self, text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = timeout(TIMEOUT, self.log.next_line()).await;
            let line = line.unwrap_or_else(|_| panic!("no `{text}` in time: {lines:#?}"));
            let line = line.expect("its log").unwrap_or_else(|| panic!("it ended without `{text}`: {lines:#?}"));
            lines.push(line);
            if lines.last().is_some_and(|line| line.contains(text)) {
                return lines;
            }
        }
    }

    /// Sends a signal to the process that this test started.
    async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args([name, &pid]).status().await.expect("kill runs");
        assert!(sent.success());
    }

    async fn ends_well(mut self) {
        self.signal("-TERM").await;
        let ended = timeout(TIMEOUT, self.child.wait()).await.expect("an end in time").expect("its end");
        assert_eq!(ended.code(), Some(0));
    }

    fn token(&self, secret: &str) -> String {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_realtime-server"));
        command.args(["token", "--user", "alice"]).env_clear().env("REALTIME_AUTH__HMAC_SECRET", secret);
        String::from_utf8(command.output().expect("it runs").stdout).expect("text").trim().to_owned()
    }

    async fn connect(&self, secret: &str, origin: Option<&str>) -> Result<Client, Error> {
        let url = format!("ws://{}/ws?token={}", self.address, self.token(secret));
        let mut request = url.into_client_request().expect("a request");
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().expect("a header"));
        }
        Ok(connect_async(request).await?.0)
    }

    /// Publishes to alice and returns the status.
    async fn publish(&self, key: &str) -> u16 {
        let body = r#"{"to":{"user":"alice"},"type":"greeting","payload":{}}"#;
        let url = format!("http://{}/api/v1/publish", self.address);
        let request = reqwest::Client::new().post(url).bearer_auth(key).header("content-type", "application/json");
        request.body(body).send().await.expect("a response").status().as_u16()
    }
}

/// The next text that a client receives.
async fn received(client: &mut Client) -> String {
    let next = timeout(TIMEOUT, client.next()).await.expect("a frame in time");
    next.expect("it is open").expect("no error").into_text().expect("text").to_string()
}

/// Whether a client was admitted. One that was not receives an HTTP response or a close frame.
async fn is_admitted(connected: Result<Client, Error>) -> bool {
    match connected {
        Err(_) => false,
        Ok(mut client) => {
            let first = timeout(TIMEOUT, client.next()).await.expect("a frame in time");
            matches!(first, Some(Ok(frame)) if frame.to_text().is_ok_and(|text| text.contains(r#""type":"welcome""#)))
        }
    }
}

fn config(secret: &str, key: &str, rest: &str) -> String {
    format!("[auth]\nhmac_secret = \"{secret}\"\n[api]\nkeys = [\"{key}\"]\n{rest}")
}

#[tokio::test]
async fn a_client_stays_connected_while_the_keys_are_changed() {
    let mut server = Server::start(&config(OLD_SECRET, OLD_KEY, ""), &[]).await;
    let mut client = server.connect(OLD_SECRET, None).await.expect("admitted");
    assert!(received(&mut client).await.contains("welcome"));
    let page = Some("https://app.example.com");
    assert!(server.connect(OLD_SECRET, page).await.is_err(), "no origin is allowed yet");

    let rest = "[server]\nallowed_origins = [\"https://app.example.com\"]\n[log]\nlevel = \"debug\"\n";
    server.write(&config(NEW_SECRET, NEW_KEY, rest));
    server.signal("-HUP").await;
    let log = server.logged("reloaded the config").await;
    let line = log.last().expect("the line");
    for changed in ["api.keys", "auth.hmac_secrets", "server.allowed_origins", "log.level"] {
        assert!(line.contains(changed), "{line}");
    }
    for secret in [OLD_SECRET, NEW_SECRET, OLD_KEY, NEW_KEY] {
        assert!(!log.iter().any(|line| line.contains(secret)), "{log:#?}");
    }

    assert_eq!(server.publish(OLD_KEY).await, 401);
    assert_eq!(server.publish(NEW_KEY).await, 200);
    assert!(received(&mut client).await.contains("greeting"), "the client is still connected");
    assert!(server.connect(NEW_SECRET, page).await.is_ok(), "a new token, of a page that is allowed now");
    assert!(!is_admitted(server.connect(OLD_SECRET, None).await).await, "a token of the old secret");
    server.ends_well().await;
}

#[tokio::test]
async fn a_faulty_config_changes_nothing_and_all_its_faults_are_logged() {
    let mut server = Server::start(&config(OLD_SECRET, OLD_KEY, ""), &[]).await;
    server.write(&config(OLD_SECRET, NEW_KEY, "[limits]\nconections = 1\nburst = 0\n"));
    server.signal("-HUP").await;
    let log = server.logged("nothing was reloaded").await;
    for fault in ["limits.conections (line 6)", "limits.burst (line 7)"] {
        assert!(log.iter().any(|line| line.contains("ERROR") && line.contains(fault)), "{fault}: {log:#?}");
    }
    assert_eq!((server.publish(OLD_KEY).await, server.publish(NEW_KEY).await), (200, 401));

    std::fs::remove_file(server.path()).expect("the file is removed");
    server.signal("-HUP").await;
    server.logged("nothing was reloaded").await;
    assert_eq!(server.publish(OLD_KEY).await, 200);

    server.write("not [toml");
    server.signal("-HUP").await;
    server.logged("nothing was reloaded").await;
    assert_eq!(server.publish(OLD_KEY).await, 200);
    server.ends_well().await;
}

#[tokio::test]
async fn a_setting_that_needs_a_restart_is_named_and_the_rest_is_applied() {
    let mut server = Server::start(&config(OLD_SECRET, OLD_KEY, ""), &[]).await;
    let rest = "timeout = \"3s\"\n[server]\nadmin_listen = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n[limits]\n\
                connections_per_user = 1\nhttp_sockets = 9\n";
    server.write(&config(OLD_SECRET, OLD_KEY, rest));
    server.signal("-HUP").await;
    let log = server.logged("reloaded the config").await;
    let restart = log.iter().find(|line| line.contains("need a restart")).expect("a warning");
    for setting in ["api.timeout", "log.format", "limits.http_sockets", "server.admin_listen"] {
        assert!(restart.contains(setting), "{restart}");
    }
    assert!(log.last().expect("the line").contains("limits.connections_per_user"), "{log:#?}");
    assert!(!log.last().expect("the line").contains("server.admin_listen"), "{log:#?}");
    let mut first = server.connect(OLD_SECRET, None).await.expect("admitted");
    assert!(received(&mut first).await.contains("welcome"));
    assert!(!is_admitted(server.connect(OLD_SECRET, None).await).await, "a second one is over the new limit");
    server.ends_well().await;
}

#[tokio::test]
async fn without_a_config_file_the_files_with_keys_are_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = folder.path().join("keys");
    std::fs::write(&keys, format!("{OLD_KEY}\n")).expect("a file");
    let keys_file = keys.to_str().expect("plain text");
    let env = [("REALTIME_AUTH__HMAC_SECRET", OLD_SECRET), ("REALTIME_API__KEYS_FILE", keys_file)];
    let mut server = Server::start("", &env).await;
    assert_eq!((server.publish(OLD_KEY).await, server.publish(NEW_KEY).await), (200, 401));

    server.signal("-HUP").await;
    let log = server.logged("reloaded the config").await;
    assert!(log.last().expect("the line").contains("changed_settings=\"none\""), "nothing has changed: {log:#?}");
    std::fs::write(&keys, format!("{OLD_KEY}\n{NEW_KEY}\n")).expect("a file");
    server.signal("-HUP").await;
    server.logged("reloaded the config").await;
    assert_eq!((server.publish(OLD_KEY).await, server.publish(NEW_KEY).await), (200, 200));
    server.ends_well().await;
}

#[tokio::test]
async fn the_keys_of_the_metrics_are_changed_too() {
    let keys = |key: &str| config(OLD_SECRET, OLD_KEY, &format!("[metrics]\nkeys = [\"{key}\"]\n"));
    let mut server = Server::start(&keys("the-old-key-of-metrics"), &[]).await;
    server.write(&keys("the-new-key-of-metrics"));
    server.signal("-HUP").await;
    let log = server.logged("reloaded the config").await;
    assert!(log.last().expect("the line").contains("metrics.keys"), "{log:#?}");
    let url = format!("http://{}/metrics", server.address);
    for (key, status) in [("the-old-key-of-metrics", 401), ("the-new-key-of-metrics", 200)] {
        let response = reqwest::Client::new().get(&url).bearer_auth(key).send().await.expect("a response");
        assert_eq!(response.status().as_u16(), status, "{key}");
    }
    server.ends_well().await;
}

#[tokio::test]
async fn a_file_that_does_not_end_holds_up_neither_requests_nor_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let (keys, notify) = (folder.path().join("keys"), folder.path().join("notify"));
    std::fs::write(&keys, OLD_KEY).expect("a file");
    let socket = UnixDatagram::bind(&notify).expect("a socket");
    let env = [
        ("REALTIME_AUTH__HMAC_SECRET", OLD_SECRET),
        ("REALTIME_API__KEYS_FILE", keys.to_str().expect("plain text")),
        ("NOTIFY_SOCKET", notify.to_str().expect("plain text")),
        // One thread, so that one that waits for a file would be noticed each time.
        ("TOKIO_WORKER_THREADS", "1"),
    ];
    let server = Server::start("", &env).await;
    assert_eq!(notification(&socket).await, "READY=1\n");
    std::fs::remove_file(&keys).expect("removed");
    // A read of it waits until something writes to it.
    assert!(Command::new("mkfifo").arg(&keys).status().await.expect("mkfifo runs").success());
    server.signal("-HUP").await;
    assert!(notification(&socket).await.starts_with("RELOADING=1"));
    assert_eq!(timeout(TIMEOUT, server.publish(OLD_KEY)).await, Ok(200));
    server.ends_well().await;
}

/// Opens a named pipe for writing, which waits until the server has opened it for reading.
async fn writer(path: &Path) -> tokio::fs::File {
    let pipe = timeout(TIMEOUT, tokio::fs::OpenOptions::new().write(true).open(path)).await;
    pipe.expect("the server reads it in time").expect("the pipe is open")
}

/// Starts a server whose config is a named pipe, and returns it when it waits for the config.
async fn waits_for_its_config(folder: &Path) -> (Child, tokio::fs::File) {
    let path = folder.join("realtime.toml");
    assert!(Command::new("mkfifo").arg(&path).status().await.expect("mkfifo runs").success());
    let mut command = Command::new(env!("CARGO_BIN_EXE_realtime-server"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&path).env_clear();
    let child = command.stderr(Stdio::piped()).kill_on_drop(true).spawn().expect("the binary starts");
    let config = writer(&path).await;
    (child, config)
}

async fn signal(child: &Child, name: &str) {
    let pid = child.id().expect("it runs").to_string();
    assert!(Command::new("kill").args([name, &pid]).status().await.expect("kill runs").success());
}

#[tokio::test]
async fn a_reload_during_the_start_does_not_end_the_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut child, mut pipe) = waits_for_its_config(folder.path()).await;
    signal(&child, "-HUP").await;
    // A key that is too short, so that the server ends by itself once it has read all.
    pipe.write_all(config(OLD_SECRET, "short", "").as_bytes()).await.expect("the server still reads");
    pipe.flush().await.expect("the server still reads");
    drop(pipe);
    let ended = timeout(TIMEOUT, child.wait()).await.expect("an end in time").expect("its end");
    assert_eq!(ended.code(), Some(2), "it has read its config, and no signal ended it");
}

#[tokio::test]
async fn a_server_that_waits_for_its_config_can_be_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut child, _pipe) = waits_for_its_config(folder.path()).await;
    signal(&child, "-TERM").await;
    let ended = timeout(TIMEOUT, child.wait()).await.expect("an end in time").expect("its end");
    assert_eq!(ended.code(), Some(0));
}

#[tokio::test]
async fn nothing_is_sent_to_systemd_after_that_the_server_is_stopping() {
    let folder = tempfile::tempdir().expect("a folder");
    let (keys, notify) = (folder.path().join("keys"), folder.path().join("notify"));
    std::fs::write(&keys, OLD_KEY).expect("a file");
    let socket = UnixDatagram::bind(&notify).expect("a socket");
    let env = [
        ("REALTIME_AUTH__HMAC_SECRET", OLD_SECRET),
        ("REALTIME_API__KEYS_FILE", keys.to_str().expect("plain text")),
        ("NOTIFY_SOCKET", notify.to_str().expect("plain text")),
    ];
    let mut server = Server::start("", &env).await;
    assert_eq!(notification(&socket).await, "READY=1\n");
    // It does not read the close frame, so the server waits for it while the reload ends.
    let mut client = server.connect(OLD_SECRET, None).await.expect("admitted");
    std::fs::remove_file(&keys).expect("removed");
    assert!(Command::new("mkfifo").arg(&keys).status().await.expect("mkfifo runs").success());
    server.signal("-HUP").await;
    assert!(notification(&socket).await.starts_with("RELOADING=1"));
    let mut pipe = writer(&keys).await;
    server.signal("-TERM").await;
    assert_eq!(notification(&socket).await, "STOPPING=1\n");
    pipe.write_all(b"short").await.expect("the server still reads");
    pipe.flush().await.expect("the server still reads");
    drop(pipe);
    server.logged("nothing was reloaded").await;
    while let Some(Ok(_)) = client.next().await {}
    let ended = timeout(TIMEOUT, server.child.wait()).await.expect("an end in time").expect("its end");
    assert_eq!(ended.code(), Some(0));
    let mut buffer = [0; 256];
    let later = socket.try_recv(&mut buffer).map(|length| String::from_utf8_lossy(&buffer[..length]).into_owned());
    assert!(later.is_err(), "{later:?}");
}

#[tokio::test]
async fn a_jwks_address_that_fails_is_named_in_the_log_without_its_query() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = unused.local_addr().expect("an address").port();
    drop(unused);
    let auth = format!("[auth]\njwks.url = \"http://127.0.0.1:{port}/certs?code=a-key-in-a-query\"\n");
    let mut server = Server::start(&format!("{auth}[api]\nkeys = [\"{OLD_KEY}\"]\n"), &[]).await;
    let log = server.logged("can't fetch the keys").await;
    let line = log.last().expect("the line");
    assert!(line.contains(&format!("http://127.0.0.1:{port}/certs")), "{line}");
    assert!(line.contains("there are none yet"), "{line}");
    assert!(!log.iter().any(|line| line.contains("a-key-in-a-query")), "{log:#?}");
    server.ends_well().await;
}

/// What the service manager receives next.
async fn notification(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 256];
    let length = timeout(TIMEOUT, socket.recv(&mut buffer)).await.expect("a notification in time").expect("no error");
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[tokio::test]
async fn systemd_is_notified_when_it_is_ready_reloading_and_stopping() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    let path = path.to_str().expect("plain text");
    let server = Server::start(&config(OLD_SECRET, OLD_KEY, ""), &[("NOTIFY_SOCKET", path)]).await;
    assert_eq!(notification(&socket).await, "READY=1\n");

    server.signal("-HUP").await;
    let reloading = notification(&socket).await;
    let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap_or_else(|| panic!("{reloading}"));
    assert!(time.trim().parse::<u64>().is_ok_and(|time| time > 0), "{reloading}");
    assert_eq!(notification(&socket).await, "READY=1\n");

    server.signal("-TERM").await;
    assert_eq!(notification(&socket).await, "STOPPING=1\n");
}
