//! `serve --data-dir`: what a server finds again after it was killed, and what it says when it can't.
#![cfg(unix)]

use std::{fs, path::Path, process::Stdio, time::Duration};

use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::{sleep, timeout},
};

const DEADLINE: Duration = Duration::from_secs(30);
const KEY: &str = "an-api-key-of-the-tests";
const CONFIG: &str = r#"
    [[namespaces]]
    pattern = "topic:order:*"
    history = {}
"#;

fn command(dir: &Path, args: &[&str]) -> Command {
    let config = dir.join("config.toml");
    fs::write(&config, CONFIG).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_realtime-server"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json", "--config"]).arg(config);
    command.arg("--data-dir").arg(dir.join("data")).args(args).env_clear().kill_on_drop(true);
    command
        .env("REALTIME_AUTH__HMAC_SECRET", "a-shared-secret-of-more-than-thirty-two-bytes")
        .env("REALTIME_API__KEYS", KEY);
    command
}

/// What a server that can't start prints at its end, and its exit code.
async fn refused(dir: &Path) -> (Option<i32>, String) {
    let output = timeout(DEADLINE, command(dir, &[]).output()).await.expect("it ends").expect("it runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

struct Server {
    process: Child,
    address: String,
    http: Client,
}

impl Server {
    async fn start(dir: &Path) -> Self {
        Self::start_with(dir, &[]).await
    }

    async fn start_with(dir: &Path, args: &[&str]) -> Self {
        let mut process = command(dir, args).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut log = BufReader::new(process.stderr.take().expect("its log")).lines();
        let serving = async {
            loop {
                let line = log.next_line().await.expect("its log").expect("it serves before it ends");
                let line: Value = serde_json::from_str(&line).expect("a line of JSON");
                if line["message"] == "serving" {
                    return line["address"].as_str().expect("its address").to_owned();
                }
            }
        };
        let address = timeout(DEADLINE, serving).await.expect("it serves in time");
        // Its log is read to the end, so that it never waits for a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        Self { process, address, http: Client::new() }
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        let request = self.http.request(method, format!("http://{}{path}", self.address)).bearer_auth(KEY);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        request.send().await.expect("a response")
    }

    async fn publish(&self, payload: Value, key: Option<&str>) -> Response {
        let mut body = json!({"to": {"topic": "order:1"}, "type": "changed", "payload": payload});
        if let Some(key) = key {
            body["idempotency_key"] = key.into();
        }
        self.call(Method::POST, "/api/v1/publish", Some(body)).await
    }

    async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, None).await.json().await.expect("JSON")
    }

    /// The page of the topic's whole history.
    async fn history(&self) -> Value {
        self.get("/api/v1/topics/order:1/history?limit=1000").await
    }

    /// `kill -9`.
    async fn kill(mut self) {
        self.process.kill().await.expect("killed");
    }

    /// SIGTERM, and the end.
    async fn stop(mut self) {
        let pid = self.process.id().expect("it runs").to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().await.expect("kill runs").success());
        let ended = timeout(DEADLINE, self.process.wait()).await.expect("it ends in time").expect("it ends");
        assert!(ended.success(), "{ended}");
    }
}

fn payloads(history: &Value) -> Vec<u64> {
    let publications = history["publications"].as_array().expect("a list");
    publications.iter().map(|publication| publication["payload"].as_u64().expect("a number")).collect()
}

#[tokio::test]
async fn a_killed_server_has_its_histories_keys_and_revocations_again() {
    let dir = TempDir::new().expect("a directory");
    let mut epoch = None;
    for round in 0..3_u64 {
        let server = Server::start(dir.path()).await;
        let history = server.history().await;
        assert_eq!(payloads(&history), (0..round * 10).collect::<Vec<_>>(), "round {round}");
        if round > 0 {
            let before = epoch.replace(history["position"]["epoch"].clone()).expect("of the round before");
            assert_eq!(Some(&before), epoch.as_ref(), "the epoch stays: nothing was lost");
            let again: Value = server
                .publish(json!(round * 10 - 1), Some(&format!("k{}", round - 1)))
                .await
                .json()
                .await
                .expect("JSON");
            assert_eq!(again["duplicate"], true, "{again}");
        } else {
            let revocation = json!({"user": "mallory", "for": "1h", "reason": "stolen"});
            server.call(Method::POST, "/api/v1/revocations", Some(revocation)).await;
        }
        for n in 0..10 {
            let key = format!("k{round}");
            let published = server.publish(json!(round * 10 + n), (n == 9).then_some(key.as_str())).await;
            assert_eq!(published.status(), StatusCode::OK);
            let receipt: Value = published.json().await.expect("JSON");
            assert_eq!(receipt["position"]["offset"], round * 10 + n + 1, "{receipt}");
            epoch = Some(receipt["position"]["epoch"].clone());
        }
        if round == 1 {
            server.stop().await;
        } else {
            server.kill().await;
        }
    }
    let server = Server::start(dir.path()).await;
    let revocations = server.get("/api/v1/revocations").await;
    assert_eq!(revocations["revocations"][0]["user"], "mallory", "{revocations}");
}

#[tokio::test]
async fn a_second_server_on_one_directory_is_refused() {
    let dir = TempDir::new().expect("a directory");
    let _first = Server::start(dir.path()).await;
    let (code, said) = refused(dir.path()).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("is in use by another process: stop that one first"), "{said}");
}

#[tokio::test]
async fn a_damaged_store_is_refused_until_it_is_moved_aside() {
    let dir = TempDir::new().expect("a directory");
    let server = Server::start(dir.path()).await;
    server.publish(json!(0), None).await;
    let before = server.history().await["position"]["epoch"].clone();
    server.stop().await;
    let file = dir.path().join("data/realtime.db");
    let mut bytes = fs::read(&file).expect("read");
    bytes[5_000..].fill(0xA5);
    fs::write(&file, &bytes).expect("written");

    let (code, said) = refused(dir.path()).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("is damaged") && said.contains("--data-dir-reset"), "{said}");
    assert!(fs::read(&file).expect("read") == bytes, "it is left as it is");

    let server = Server::start_with(dir.path(), &["--data-dir-reset"]).await;
    server.publish(json!(1), None).await;
    let history = server.history().await;
    assert_eq!(payloads(&history), [1]);
    assert_ne!(history["position"]["epoch"], before, "clients are told");
    let names = fs::read_dir(dir.path().join("data")).expect("read").map(|file| file.expect("a file").file_name());
    let aside = names.filter(|name| name.to_string_lossy().starts_with("realtime-before-reset-")).count();
    assert!(aside >= 1, "the damaged one is kept");
}

/// A file system of 8 MiB in memory, unmounted at the end; `None` where this user may not mount.
struct SmallDisk(TempDir);

impl SmallDisk {
    async fn new() -> Option<Self> {
        let dir = TempDir::new().expect("a directory");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=8388608", "tmpfs"]).arg(dir.path()).output();
        mounted.await.is_ok_and(|output| output.status.success()).then_some(Self(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the server may still be ending.
        let _ = std::process::Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_unavailable_everywhere_and_recovers() {
    let Some(disk) = SmallDisk::new().await else {
        eprintln!("SKIPPED: this user may not mount a tmpfs, so no disk was filled");
        return;
    };
    let dir = disk.0.path();
    let server = Server::start(dir).await;
    let filler = dir.join("filler");
    fs::write(&filler, vec![0; 5 << 20]).expect("written");
    let (mut stored, mut failed) = (0, None);
    while failed.is_none() && stored < 1_000 {
        let published = server.publish(json!("x".repeat(30_000)), None).await;
        match published.status() {
            StatusCode::OK => stored += 1,
            _ => failed = Some((published.status(), published.json::<Value>().await.expect("JSON"))),
        }
    }
    let (status, problem) = failed.expect("8 MiB are full at some time");
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{problem}");
    assert_eq!(problem["code"], "unavailable", "{problem}");
    let metrics = || async { server.call(Method::GET, "/metrics", None).await.text().await.expect("text") };
    assert_eq!(server.call(Method::GET, "/readyz", None).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(metrics().await.contains("realtime_store_failing 1"), "{}", metrics().await);
    assert_eq!(server.history().await["position"]["offset"], stored, "what was stored can still be read");

    fs::remove_file(filler).expect("removed");
    let recovered = async {
        while server.call(Method::GET, "/readyz", None).await.status() != StatusCode::OK {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(DEADLINE, recovered).await.expect("it recovers by itself");
    let receipt: Value = server.publish(json!("more"), None).await.json().await.expect("JSON");
    assert_eq!(receipt["position"]["offset"], stored + 1, "{receipt}");
    assert!(metrics().await.contains("realtime_store_failing 0"));
    server.kill().await;
}
