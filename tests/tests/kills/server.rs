//! A server in a process of its own, with a history of each kind of stream, which a story kills and starts again.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use realtime_tests::{DEADLINE, Issuer};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

pub(crate) const API_KEY: &str = "an-api-key-of-the-tests";

/// A server in a process of its own, which a story may kill and start again on the same port.
pub(crate) struct Server {
    config: PathBuf,
    data_dir: Option<PathBuf>,
    pub(crate) port: u16,
    process: Child,
    pub(crate) http: reqwest::Client,
    _folder: TempDir,
}

impl Server {
    pub(crate) async fn start(durable: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let config = folder.path().join("realtime.toml");
        let namespaces = ["topic:order:*", "user", "role:*"].map(|pattern| {
            format!("[[namespaces]]\npattern = \"{pattern}\"\nhistory = {{ size = 10000, age = \"1h\", bytes = 16777216 }}\n")
        });
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:{port}\"\nallowed_origins = [\"http://127.0.0.1:*\"]\n[auth]\nhmac_secret = \"{}\"\n[api]\nkeys = [\"{API_KEY}\"]\n{}",
            Issuer::SECRET,
            namespaces.concat()
        );
        std::fs::write(&config, text).expect("a file");
        let data_dir = durable.then(|| folder.path().join("data"));
        let process = Self::run(&config, data_dir.as_deref());
        let http = reqwest::Client::builder().no_proxy().timeout(DEADLINE).build().expect("an HTTP client");
        let server = Self { config, data_dir, port, process, http, _folder: folder };
        server.ready().await;
        server
    }

    fn run(config: &Path, data_dir: Option<&Path>) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_realtime-server-under-test"));
        command.arg("serve").arg("--config").arg(config).args(["--log-level", "error"]).env_clear();
        if let Some(dir) = data_dir {
            command.arg("--data-dir").arg(dir);
        }
        command.stdout(Stdio::null()).kill_on_drop(true).spawn().expect("the server starts")
    }

    async fn ready(&self) {
        let ready = async {
            let url = format!("http://127.0.0.1:{}/readyz", self.port);
            while !self.http.get(&url).send().await.is_ok_and(|response| response.status().is_success()) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(DEADLINE, ready).await.expect("ready in time");
    }

    /// `kill -9`, and a new start.
    pub(crate) async fn killed(&mut self) {
        self.stop().await;
        self.restart();
    }

    /// `kill -9`.
    pub(crate) async fn stop(&mut self) {
        self.process.kill().await.expect("it ran");
    }

    /// A new start, on the same port.
    pub(crate) fn restart(&mut self) {
        self.process = Self::run(&self.config, self.data_dir.as_deref());
    }

    /// Publishes until the server has stored it. A retry has the same key.
    pub(crate) async fn publish(&self, to: &Value, n: u64) {
        let body = json!({"to": to, "type": "news", "payload": n, "idempotency_key": format!("{to} {n}")});
        let published = async {
            loop {
                let request = self.http.post(format!("http://127.0.0.1:{}/api/v1/publish", self.port));
                let response = request.bearer_auth(API_KEY).body(body.to_string()).send().await;
                match response {
                    Ok(response) if response.status().is_success() => return,
                    Ok(response) if response.status().as_u16() < 500 => panic!("{:?}", response.text().await),
                    _ => sleep(Duration::from_millis(10)).await,
                }
            }
        };
        timeout(DEADLINE, published).await.expect("published in time");
    }
}
