//! Real proxies in front of a server, with the configurations of `deploy/`, and TLS clients that connect through them.

use std::{
    fs,
    net::{IpAddr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::Value;
use tokio::{
    net::{TcpSocket, TcpStream},
    process::{Child, Command},
    time::{sleep, timeout},
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName},
    },
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message},
};

use crate::{DEADLINE, program};

/// The name in the certificate and in the configurations of `deploy/`.
const HOST: &str = "rt.example.com";

/// A running proxy. Dropping it ends the processes it started.
pub struct Proxy {
    process: Child,
    address: SocketAddr,
    roots: Arc<ClientConfig>,
    reload: Reload,
    folder: tempfile::TempDir,
}

/// How a proxy reads its configuration again.
struct Reload {
    /// The signal to its master process.
    signal: &'static str,
    /// A part of the log line that it writes then.
    logged: &'static str,
}

/// A certificate for `HOST` in the files that a proxy or a server reads.
pub struct Certificate {
    /// The certificate, PEM.
    pub cert_file: PathBuf,
    /// Its key, PEM.
    pub key_file: PathBuf,
    both_file: PathBuf,
    trusted: CertificateDer<'static>,
}

impl Certificate {
    /// Makes one and writes it to `folder`.
    ///
    /// # Panics
    /// The files can't be written.
    pub fn write_to(folder: &Path) -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([HOST.to_owned()]).expect("a certificate");
        let (cert_pem, key_pem) = (cert.pem(), signing_key.serialize_pem());
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).expect("a file in a folder of our own");
            path
        };
        Self {
            cert_file: write("cert.pem", &cert_pem),
            key_file: write("key.pem", &key_pem),
            both_file: write("both.pem", &format!("{cert_pem}{key_pem}")),
            trusted: cert.der().clone(),
        }
    }

    /// A TLS client that trusts this certificate alone.
    ///
    /// # Panics
    /// The certificate can't be read back.
    pub fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.trusted.clone()).expect("a certificate");
        Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
    }
}

impl Proxy {
    /// nginx with `deploy/nginx.conf` in front of `server`; `None` if `test` is skipped because nginx is missing.
    pub async fn nginx(test: &str, server: SocketAddr) -> Option<Self> {
        let binary = program(test, &["nginx"])?;
        let folder = tempfile::tempdir().expect("a folder");
        let (certificate, address) = (Certificate::write_to(folder.path()), free_address());
        let own = folder.path().display();
        let site = Deploy::read("nginx.conf")
            .with("server 127.0.0.1:8080;", &format!("server {server};"))
            .with("listen 443 ssl;", &format!("listen {address} ssl;"))
            .with("/etc/ssl/rt.example.com/fullchain.pem", &certificate.cert_file.display().to_string())
            .with("/etc/ssl/rt.example.com/privkey.pem", &certificate.key_file.display().to_string())
            .with("/var/log/nginx/realtime.log", &format!("{own}/access.log"));
        let folders =
            ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path {own}/{name};"));
        // As root, its workers would run as another user, which can't read a folder of ours.
        let user = if is_root() { "user root;" } else { "" };
        let main = format!(
            "{user} daemon off; worker_processes 1; pid {own}/pid; error_log stderr notice;\n\
             events {{}}\nhttp {{\n{}\n{}\n}}\n",
            folders.join("\n"),
            site.text
        );
        let config = folder.path().join("nginx.conf");
        fs::write(&config, main).expect("a file in a folder of our own");
        let mut command = Command::new(binary);
        command.arg("-c").arg(&config).arg("-p").arg(folder.path());
        Some(
            Self::start(command, address, &certificate, Reload { signal: "-HUP", logged: "reconfiguring" }, folder)
                .await,
        )
    }

    /// HAProxy with `deploy/haproxy.cfg` in front of `server`; `None` if `test` is skipped because it is missing.
    pub async fn haproxy(test: &str, server: SocketAddr) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let (certificate, address) = (Certificate::write_to(folder.path()), free_address());
        let config = Deploy::read("haproxy.cfg")
            .with("bind :443", &format!("bind {address}"))
            .with("maxconn 50000", "maxconn 1000")
            .with("/etc/haproxy/certs/rt.example.com.pem", &certificate.both_file.display().to_string())
            .with("server node1 127.0.0.1:8080", &format!("server node1 {server}"));
        Self::start_haproxy(test, &config, address, &certificate, folder).await
    }

    /// HAProxy with `deploy/haproxy-tcp.cfg` in front of `server`, which ends TLS itself with `certificate`.
    pub async fn haproxy_tcp(test: &str, server: SocketAddr, certificate: &Certificate) -> Option<Self> {
        let (folder, address) = (tempfile::tempdir().expect("a folder"), free_address());
        let config = Deploy::read("haproxy-tcp.cfg")
            .with("bind :443", &format!("bind {address}"))
            .with("maxconn 50000", "maxconn 1000")
            .with("server node1 127.0.0.1:8443", &format!("server node1 {server}"));
        Self::start_haproxy(test, &config, address, certificate, folder).await
    }

    async fn start_haproxy(
        test: &str,
        config: &Deploy,
        address: SocketAddr,
        certificate: &Certificate,
        folder: tempfile::TempDir,
    ) -> Option<Self> {
        let binary = program(test, &["haproxy"])?;
        let path = folder.path().join("haproxy.cfg");
        fs::write(&path, &config.text).expect("a file in a folder of our own");
        let mut command = Command::new(binary);
        // The master process reads the configuration again on SIGUSR2.
        command.arg("-W").arg("-f").arg(&path);
        Some(
            Self::start(command, address, certificate, Reload { signal: "-USR2", logged: "Reloading HAProxy" }, folder)
                .await,
        )
    }

    async fn start(
        mut command: Command,
        address: SocketAddr,
        certificate: &Certificate,
        reload: Reload,
        folder: tempfile::TempDir,
    ) -> Self {
        let log = fs::File::create(folder.path().join("log")).expect("a file in a folder of our own");
        command.stdout(log.try_clone().expect("a file")).stderr(log).stdin(Stdio::null());
        let process = command.spawn().expect("the proxy starts");
        let proxy = Self { process, address, roots: certificate.client(), reload, folder };
        let listens = async {
            while TcpStream::connect(address).await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        if timeout(DEADLINE, listens).await.is_err() {
            panic!("the proxy does not listen: {}", proxy.log());
        }
        proxy
    }

    /// What the proxy logged: errors, and a line for each request.
    pub fn log(&self) -> String {
        ["log", "access.log"].map(|name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()).concat()
    }

    /// Has the proxy read its configuration again, as its service manager does.
    ///
    /// # Panics
    /// The signal can't be sent, or the proxy does not log the reload.
    pub async fn reload(&self) {
        self.signal(self.reload.signal).await;
        let reloaded = async {
            while !self.log().contains(self.reload.logged) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(DEADLINE, reloaded).await.expect("a reload in time");
    }

    async fn signal(&self, signal: &str) {
        let Some(id) = self.process.id() else { return };
        let sent = Command::new("kill").args([signal, &id.to_string()]).status().await.expect("kill runs");
        assert!(sent.success());
    }

    /// Connects through the proxy from a loopback address of the client's own.
    ///
    /// # Errors
    /// The HTTP status of a refusal.
    ///
    /// # Panics
    /// The proxy can't be reached, or the handshake fails otherwise.
    pub async fn connect(&self, from: IpAddr, path: &str) -> Result<TlsClient, u16> {
        let tls = self.tls(from).await;
        let request =
            tungstenite::ClientRequestBuilder::new(format!("wss://{HOST}{path}").parse().expect("an address"));
        match timeout(DEADLINE, client_async(request, tls)).await.expect("a response in time") {
            Ok((socket, _)) => Ok(TlsClient { socket }),
            Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("the handshake failed otherwise: {error}; {}", self.log()),
        }
    }

    async fn tls(&self, from: IpAddr) -> TlsStream<TcpStream> {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::new(from, 0)).expect("a loopback address");
        let stream =
            timeout(DEADLINE, socket.connect(self.address)).await.expect("in time").expect("the proxy listens");
        let name = ServerName::try_from(HOST).expect("a name");
        let tls = TlsConnector::from(self.roots.clone()).connect(name, stream);
        timeout(DEADLINE, tls).await.expect("in time").expect("the certificate is trusted")
    }

    /// Ends the proxy and waits until it is gone.
    pub async fn stop(mut self) {
        self.signal("-TERM").await;
        if timeout(DEADLINE, self.process.wait()).await.is_err() {
            drop(self.process.start_kill());
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // A test that panicked. TERM, not KILL: the master process must end its workers.
        if let Some(id) = self.process.id() {
            drop(std::process::Command::new("kill").args(["-TERM", &id.to_string()]).status());
        }
    }
}

/// A WebSocket client behind TLS.
pub struct TlsClient {
    socket: WebSocketStream<TlsStream<TcpStream>>,
}

impl TlsClient {
    /// The next frame, within `wait`. Pings are answered meanwhile.
    ///
    /// # Panics
    /// The socket is closed, or nothing comes in time.
    pub async fn next_within(&mut self, wait: Duration) -> Value {
        let next = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).expect("JSON"),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    ended => panic!("the socket ended first: {ended:?}"),
                }
            }
        };
        timeout(wait, next).await.expect("a frame in time")
    }

    /// The next frame.
    ///
    /// # Panics
    /// See [`Self::next_within`].
    pub async fn next(&mut self) -> Value {
        self.next_within(DEADLINE).await
    }

    /// Answers pings for `time`, in which nothing else must come.
    ///
    /// # Panics
    /// The socket is closed, or a message comes.
    pub async fn stays_silent_for(&mut self, time: Duration) {
        let anything = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    other => panic!("{other:?} came"),
                }
            }
        };
        drop(timeout(time, anything).await);
    }

    /// Sends a command.
    ///
    /// # Panics
    /// The socket is closed.
    pub async fn send(&mut self, command: &Value) {
        self.socket.send(Message::text(command.to_string())).await.expect("an open socket");
    }
}

/// A file of `deploy/`, with what a test must change.
struct Deploy {
    name: &'static str,
    text: String,
}

impl Deploy {
    fn read(name: &'static str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { name, text }
    }

    /// Replaces `from`, which must be there exactly once outside comments.
    fn with(mut self, from: &str, to: &str) -> Self {
        let code = self.text.lines().filter(|line| !line.trim_start().starts_with('#'));
        assert_eq!(code.filter(|line| line.contains(from)).count(), 1, "deploy/{} has `{from}`", self.name);
        self.text = self.text.replace(from, to);
        self
    }
}

/// A free port of this machine. Another process could take it before the proxy does; then the proxy fails to start.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("an address")
}

fn is_root() -> bool {
    // Only root can list the folders of every process.
    Path::new("/proc/1/fd").read_dir().is_ok()
}
