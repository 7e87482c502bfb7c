//! Clients that are not ours: the npm package `ws` gets exactly its messages, and `ajv` finds every frame as the
//! schemas on disk say.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use realtime_tests::{DEADLINE, World, program, skip};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// Where `node` and the packages are, unless this machine lacks them.
fn node(test: &str) -> Option<PathBuf> {
    let node = program(test, &["node", "nodejs"])?;
    if folder().join("node_modules/ws").is_dir() && folder().join("node_modules/ajv").is_dir() {
        return Some(node);
    }
    skip(test, "its packages are not installed; run `npm ci --prefix tests/foreign --ignore-scripts`");
    None
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign")
}

/// A client in a process of its own. Dropping it ends the process.
struct Foreign {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    transcript: Vec<String>,
}

impl Foreign {
    async fn connect(node: &Path, world: &World, user: &str, claims: &Value, commands: &[Value]) -> Self {
        let address = format!("ws://{}/ws?token={}", world.address, world.token(user, claims));
        let mut process = Command::new(node)
            .arg(folder().join("client.mjs"))
            .arg(address)
            .args(commands.iter().map(ToString::to_string))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node starts");
        let lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let mut client = Self { process, lines, transcript: Vec::new() };
        assert_eq!(client.next().await["type"], "welcome", "the first frame is always welcome");
        for command in commands {
            let answer = client.next().await;
            assert_eq!((&answer["type"], &answer["payload"]["id"]), (&json!("ack"), &command["id"]), "{answer}");
        }
        client
    }

    async fn next(&mut self) -> Value {
        let line = timeout(DEADLINE, self.lines.next_line()).await.expect("a frame in time").expect("its output");
        let line = line.expect("a frame");
        self.transcript.push(line.clone());
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line} is not JSON"))
    }

    /// Closes; returns everything that it received from the first frame to the last.
    async fn transcript(mut self) -> Vec<String> {
        drop(self.process.stdin.take());
        while let Some(line) = timeout(DEADLINE, self.lines.next_line()).await.expect("an end in time").expect("output")
        {
            self.transcript.push(line);
        }
        self.transcript
    }
}

/// What of a transcript the application sent.
fn payloads(transcript: &[String]) -> Vec<Value> {
    let frames = transcript.iter().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    frames.filter(|frame| frame["id"].is_string()).map(|frame| frame["payload"].clone()).collect()
}

#[tokio::test]
async fn the_npm_client_gets_exactly_the_messages_of_each_route_and_a_bystander_none() {
    let Some(node) = node("the_npm_client_gets_exactly_the_messages_of_each_route_and_a_bystander_none") else {
        return;
    };
    let world = World::start().await;
    let subscribe = json!({"action": "subscribe", "id": 1, "topic": "order:123"});
    let claims = json!({"roles": ["admin"], "grants": ["subscribe:order:*"]});
    let mut alice = Foreign::connect(&node, &world, "alice", &claims, &[subscribe]).await;
    let bystander = Foreign::connect(&node, &world, "bob", &json!({"roles": ["guest"]}), &[]).await;
    let connection =
        serde_json::from_str::<Value>(&alice.transcript[0]).expect("JSON")["payload"]["connection"].clone();

    let mut expected = Vec::new();
    for to in [
        json!({"user": "alice"}),
        json!({"role": "admin"}),
        json!({"connection": connection}),
        json!({"topic": "order:123"}),
    ] {
        let payload = json!({"by": to});
        assert_eq!(world.publish(to, "message", payload.clone()).await, 1);
        assert_eq!(alice.next().await["payload"], payload);
        expected.push(payload);
    }
    for to in [json!({"user": "carol"}), json!({"role": "member"}), json!({"topic": "order:124"})] {
        assert_eq!(world.publish(to, "message", json!("for others")).await, 0);
    }
    assert_eq!(world.publish(json!("all"), "message", json!("for all")).await, 2);
    expected.push(json!("for all"));

    let (alice, bystander) = (alice.transcript().await, bystander.transcript().await);
    for (name, transcript) in [("alice", &alice), ("bystander", &bystander)] {
        println!("{name} received:");
        transcript.iter().for_each(|line| println!("  {line}"));
    }
    assert_eq!(payloads(&alice), expected);
    assert_eq!(payloads(&bystander), [json!("for all")], "the bystander gets what is for all and nothing else");
}

#[tokio::test]
async fn a_validator_in_another_language_accepts_captured_frames_and_refuses_broken_ones() {
    let Some(node) = node("a_validator_in_another_language_accepts_captured_frames_and_refuses_broken_ones") else {
        return;
    };
    let world = World::start().await;
    let claims = json!({"grants": ["subscribe:order:*"]});
    let subscribe = json!({"action": "subscribe", "id": "s1", "topic": "order:123"});
    let mut alice = Foreign::connect(&node, &world, "alice", &claims, &[subscribe]).await;
    world.publish(json!({"topic": "order:123"}), "order-updated", json!({"status": "shipped"})).await;
    alice.next().await;
    world.delete("/api/v1/users/alice/connections").await;
    alice.next().await;
    let captured = alice.transcript().await;
    let kinds: Vec<Value> =
        captured.iter().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["type"].clone()).collect();
    assert_eq!(kinds, ["welcome", "ack", "order-updated", "closing"]);

    let (schema, mut input) = ("docs/schemas/server-frame.schema.json", captured.join("\n"));
    for broken in [r#"{"type":"order-updated","payload":1}"#, r#"{"type":"welcome","payload":{},"timestamp":"now"}"#] {
        input = format!("{input}\n{broken}");
    }
    let answers = validate(&node, schema, &input).await;
    assert_eq!(&answers[..4], ["ok"; 4], "{answers:?}");
    assert_eq!(answers.len(), 6);
    assert!(answers[4..].iter().all(|answer| answer != "ok"), "{answers:?}");
}

#[tokio::test]
async fn every_schema_on_disk_compiles_in_another_language_and_accepts_its_own_examples() {
    let Some(node) = node("every_schema_on_disk_compiles_in_another_language_and_accepts_its_own_examples") else {
        return;
    };
    for entry in realtime_schema::catalog() {
        let examples = entry.schema["examples"].as_array().expect("examples");
        let input: Vec<_> = examples.iter().map(ToString::to_string).collect();
        let path = format!("docs/schemas/{}.schema.json", entry.name);
        let answers = validate(&node, &path, &input.join("\n")).await;
        assert_eq!(answers, vec!["ok"; examples.len()], "{path}");
    }
}

/// What `ajv` says about each line of `input`.
async fn validate(node: &Path, schema: &str, input: &str) -> Vec<String> {
    let mut process = Command::new(node)
        .arg(folder().join("validate.mjs"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(schema))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("node starts");
    let mut stdin = process.stdin.take().expect("its input");
    stdin.write_all(format!("{input}\n").as_bytes()).await.expect("its input");
    drop(stdin);
    let output = timeout(DEADLINE, process.wait_with_output()).await.expect("a response in time").expect("its output");
    let said = String::from_utf8(output.stdout).expect("plain text");
    assert!(output.status.success(), "{schema}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said.lines().map(str::to_owned).collect()
}
