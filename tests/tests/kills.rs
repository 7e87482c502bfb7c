//! A server that is killed while messages flow: a client that is not ours, and our TypeScript and Python clients, get every
//! message of a topic, of the user and of a role, in order and none twice; without a data directory every loss has its gap.
#![cfg(unix)]

#[path = "kills/programs.rs"]
mod programs;
#[path = "kills/seen.rs"]
mod seen;
#[path = "kills/server.rs"]
mod server;

use std::{path::Path, process::Stdio, time::Duration};

use programs::{Program, bundle, folder, node, python};
use realtime_tests::{Client, DEADLINE, Issuer};
use seen::{MESSAGES, Seen, assert_complete, assert_losses_have_gaps};
use serde_json::{Value, json};
use server::{API_KEY, Server};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// Kills of the server, and cuts of the socket.
const KILLS: u64 = 3;
const CUTS: u64 = 10;
/// Longest story. It takes a fraction of that.
const STORY: Duration = Duration::from_secs(180);

impl Server {
    /// A request of the backend without a body; the response must be a success.
    async fn call(&self, method: reqwest::Method, path: &str) -> Value {
        let request = self.http.request(method, format!("http://127.0.0.1:{}{path}", self.port));
        let response = request.bearer_auth(API_KEY).send().await.expect("a response");
        assert!(response.status().is_success(), "{path}: {:?}", response.text().await);
        response.json().await.expect("JSON")
    }

    /// A connection of alice, with the ticket of an earlier one.
    async fn connect(&self, ticket: Option<&str>) -> Client {
        let token = Issuer::hmac().token("alice", &json!({}));
        let ticket = ticket.map(|ticket| format!("&resume={ticket}")).unwrap_or_default();
        let path = format!("/ws?token={token}{ticket}");
        Client::connect(([127, 0, 0, 1], self.port).into(), &path, &[]).await.expect("admitted")
    }
}

/// The client, in a process of its own.
struct Follower {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Follower {
    /// `interpreter`: the program's Node or Python.
    async fn connect(interpreter: &Path, program: &Program, server: &Server) -> Self {
        let url = format!("ws://127.0.0.1:{}/ws", server.port);
        let mut command = Command::new(interpreter);
        match program {
            Program::Ws => {
                let claims = json!({"roles": ["admin"], "grants": ["subscribe:order:*"]});
                let token = Issuer::hmac().token("alice", &claims);
                command.arg(folder().join("follow.mjs")).arg(format!("{url}?token={token}"))
            }
            Program::TypeScript(bundle) => {
                command.arg(folder().join("typescript.mjs")).arg(bundle).args([&url, Issuer::SECRET])
            }
            Program::Python(source) => {
                command.env("PYTHONPATH", source).env("PYTHONDONTWRITEBYTECODE", "1");
                command.arg(folder().join("python_client.py")).args([&url, Issuer::SECRET])
            }
        };
        let mut process = command
            .arg("order:1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let mut follower = Self { process, lines };
        while follower.next().await["ack"] != 1 {}
        follower
    }

    async fn next(&mut self) -> Value {
        let line = timeout(DEADLINE, self.lines.next_line()).await.expect("a line in time").expect("its output");
        serde_json::from_str(&line.expect("a line")).expect("JSON")
    }

    async fn cut(&mut self) {
        self.process.stdin.as_mut().expect("its input").write_all(b"cut\n").await.expect("it reads");
    }
}

/// Publishes, kills and cuts; returns what the client got when it has the last message of each stream.
async fn story(interpreter: &Path, program: &Program, durable: bool) -> Seen {
    let mut server = Server::start(durable).await;
    let mut follower = Follower::connect(interpreter, program, &server).await;
    let streams = [json!({"topic": "order:1"}), json!({"user": "alice"}), json!({"role": "admin"})];
    let mut seen = Seen::default();
    for n in 1..=MESSAGES {
        for to in &streams {
            server.publish(to, n).await;
        }
        if n % (MESSAGES / (KILLS + 1)) == 0 && n < MESSAGES {
            server.killed().await;
        }
        if n % (MESSAGES / CUTS) == 50 {
            follower.cut().await;
        }
        if n == MESSAGES * 4 / 5 && !matches!(program, Program::Ws) {
            while seen.expired < 2 {
                seen.take(follower.next().await);
            }
        }
    }
    while seen.complete < streams.len() {
        seen.take(follower.next().await);
    }
    seen
}

#[tokio::test]
async fn three_kills_and_ten_cuts_lose_nothing_with_a_data_directory() {
    let Some(node) = node("three_kills_and_ten_cuts_lose_nothing_with_a_data_directory") else { return };
    assert_complete(timeout(STORY, story(&node, &Program::Ws, true)).await.expect("a story in time"));
}

#[tokio::test]
async fn without_a_data_directory_every_loss_has_its_gap() {
    let Some(node) = node("without_a_data_directory_every_loss_has_its_gap") else { return };
    assert_losses_have_gaps(timeout(STORY, story(&node, &Program::Ws, false)).await.expect("a story in time"));
}

#[tokio::test]
async fn the_typescript_client_loses_nothing_in_three_kills_ten_cuts_and_two_expired_tokens() {
    let test = "the_typescript_client_loses_nothing_in_three_kills_ten_cuts_and_two_expired_tokens";
    let folder = tempfile::tempdir().expect("a folder");
    let Some(node) = node(test) else { return };
    let Some(program) = bundle(test, folder.path()).await else { return };
    let seen = timeout(STORY, story(&node, &program, true)).await.expect("a story in time");
    assert!(seen.expired >= 2, "a token that is refused may be asked for twice, if the server is away then");
    assert_complete(seen);
}

#[tokio::test]
async fn the_typescript_client_has_a_gap_for_every_loss_without_a_data_directory() {
    let test = "the_typescript_client_has_a_gap_for_every_loss_without_a_data_directory";
    let folder = tempfile::tempdir().expect("a folder");
    let Some(node) = node(test) else { return };
    let Some(program) = bundle(test, folder.path()).await else { return };
    let seen = timeout(STORY, story(&node, &program, false)).await.expect("a story in time");
    assert!(seen.odd.iter().any(|line| !line["gap"].is_null()), "three restarts without a disk lose something");
    assert_losses_have_gaps(seen);
}

#[tokio::test]
async fn the_python_client_loses_nothing_in_three_kills_ten_cuts_and_two_expired_tokens() {
    let test = "the_python_client_loses_nothing_in_three_kills_ten_cuts_and_two_expired_tokens";
    let Some((python, program)) = python(test) else { return };
    let seen = timeout(STORY, story(&python, &program, true)).await.expect("a story in time");
    assert!(seen.expired >= 2, "a token that is refused may be asked for twice, if the server is away then");
    assert_complete(seen);
}

#[tokio::test]
async fn the_python_client_has_a_gap_for_every_loss_without_a_data_directory() {
    let test = "the_python_client_has_a_gap_for_every_loss_without_a_data_directory";
    let Some((python, program)) = python(test) else { return };
    let seen = timeout(STORY, story(&python, &program, false)).await.expect("a story in time");
    assert!(seen.odd.iter().any(|line| !line["gap"].is_null()), "three restarts without a disk lose something");
    assert_losses_have_gaps(seen);
}

/// Topics that were given to a user: the next process still has them, for a client that resumes and for a new one.
#[tokio::test]
async fn a_topic_of_a_user_outlives_a_kill_and_what_was_missed_in_it_comes_once_and_in_order() {
    const MISSED: u64 = 200;
    let mut server = Server::start(true).await;
    let (put, delete) = (reqwest::Method::PUT, reqwest::Method::DELETE);
    for topic in ["order:1", "order:2"] {
        server.call(put.clone(), &format!("/api/v1/users/alice/topics/{topic}")).await;
    }
    let mut alice = server.connect(None).await;
    let ticket = alice.welcome()["resume"].as_str().expect("a ticket").to_owned();
    let mut since = serde_json::Map::new();
    for topic in ["order:1", "order:2"] {
        let given = alice.next().await;
        assert_eq!((&given["type"], &given["payload"]["topic"]), (&json!("subscribed"), &json!(topic)), "{given}");
        since.insert(format!("topic:{topic}"), given["payload"]["position"].clone());
    }
    alice.close().await;
    let to = json!({"topic": "order:1"});
    for n in 1..=MISSED {
        server.publish(&to, n).await;
        if n == MISSED / 2 {
            // Taken away while the client is away, and just before the kill.
            server.call(delete.clone(), "/api/v1/users/alice/topics/order:2").await;
            server.killed().await;
        }
    }
    server.publish(&json!({"topic": "order:2"}), 1).await;
    let mut alice = server.connect(Some(&ticket)).await;
    assert_eq!(alice.welcome()["resumed"], true);
    server.publish(&to, MISSED + 1).await;
    alice.send(&json!({"action": "resume", "id": 1, "since": since}).to_string()).await;
    let (mut seen, mut others) = (Vec::new(), Vec::new());
    while !others.contains(&json!("ack")) || !others.contains(&json!("subscribed")) {
        let frame = alice.next().await;
        match frame["type"].as_str() {
            Some("news") => seen.push(frame["payload"].as_u64().expect("a number")),
            Some("unsubscribed") => others.push(frame["payload"]["topic"].clone()),
            _ => others.push(frame["type"].clone()),
        }
    }
    assert_eq!(seen, Vec::from_iter(1..=MISSED + 1));
    others.sort_by_key(Value::to_string);
    assert_eq!(others, ["ack", "order:2", "subscribed"], "the one that was taken away is not there again");
    server.publish(&to, MISSED + 2).await;
    assert_eq!(alice.publication().await["payload"], MISSED + 2);
    let mut tab = server.connect(None).await;
    assert_eq!(tab.next().await["payload"]["topic"], "order:1", "a new connection has it too");
}
