//! The command `explain` as an operator types it, against a running server.
#![cfg(unix)]

use std::process::{Output, Stdio};

use realtime_tests::{DEADLINE, World};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

const API_KEY: &str = "an-api-key-of-the-tests";

fn command(world: &World, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_realtime-server-under-test"));
    command.arg("explain").args(args).env_clear();
    command.env("REALTIME_URL", format!("http://{}", world.address)).env("REALTIME_API_KEY", API_KEY);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

async fn run(world: &World, args: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        timeout(DEADLINE, command(world, args).output()).await.expect("an end in time").expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

/// The command with `--follow`, while it runs.
struct Follow {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Follow {
    /// Begins to follow; returns once the server has said so.
    async fn begin(world: &World, args: &[&str]) -> Self {
        let mut process = command(world, args).spawn().expect("it runs");
        let lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let mut follow = Self { process, lines };
        follow.expect("started").await;
        follow
    }

    async fn line(&mut self) -> Option<String> {
        timeout(DEADLINE, self.lines.next_line()).await.expect("a line in time").expect("text")
    }

    async fn expect(&mut self, what: &str) -> String {
        let line = self.line().await.unwrap_or_else(|| panic!("it ended before it printed `{what}`"));
        assert!(line.contains(what), "`{what}` is not in: {line}");
        line
    }

    /// The end of its output and its exit code, with what it wrote as errors.
    async fn end(mut self) -> (Option<i32>, String) {
        assert_eq!(self.line().await, None, "nothing follows the last line");
        let status = timeout(DEADLINE, self.process.wait()).await.expect("an end in time").expect("its status");
        let mut errors = String::new();
        let mut stderr = self.process.stderr.take().expect("its errors");
        stderr.read_to_string(&mut errors).await.expect("text");
        (status.code(), errors)
    }
}

#[tokio::test]
async fn it_says_for_each_connection_why_a_message_arrived_or_not() {
    let world = World::start().await;
    let mut alice = world.connect_granted("alice", "order:*").await;
    alice.subscribe("order:1").await;
    let body = json!({"to": {"topic": "order:1"}, "type": "news", "payload": 1});
    let message = world.post("/api/v1/publish", body).await.ok("receipt")["id"].as_str().expect("an id").to_owned();
    alice.publication().await;

    let (code, text, errors) = run(&world, &["--user", "alice", "--message", &message]).await;
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let lines: Vec<_> = text.lines().collect();
    let [first, second, third] = lines.as_slice() else { panic!("{text}") };
    assert!(first.contains(&message) && first.contains("taken by 1"), "{text}");
    assert!(second.starts_with("matched: "), "{text}");
    assert!(third.contains(&alice.id()) && third.contains("written"), "{text}");

    let (code, text, _) = run(&world, &["--user", "alice", "--to", "topic:order:2", "--json"]).await;
    let explained: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((code, &explained["matched"]), (Some(0), &json!(false)));
    assert_eq!(explained["connections"][0]["reason"], "not_subscribed");
}

#[tokio::test]
async fn a_refusal_of_the_server_is_printed_as_it_says_it_and_the_key_is_not() {
    let world = World::with(|config| config.limits.traces = 0).await;
    let unknown = "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8f";
    for (args, what) in [
        (&["--user", "alice", "--message", unknown][..], "limits.explained_publications"),
        (&["--follow", "--user", "alice"], "limits.traces"),
        (&["--follow", "--user", "alice", "--seconds", "601"], "limits.trace_time"),
        (&["--user", "alice", "--to", "all", "--key", "a-wrong-key"], "api.keys"),
        (&["--follow", "--topic", "order:1", "--key", "a-wrong-key"], "api.keys"),
    ] {
        let (code, text, errors) = run(&world, args).await;
        assert_eq!((code, text.as_str()), (Some(1), ""), "{args:?}: {errors}");
        assert!(errors.contains(what) && !errors.contains("a-wrong-key"), "{args:?}: {errors}");
    }
    for args in [
        &["--follow"][..],
        &["--user", "alice"],
        &["--topic", "order:1", "--message", unknown],
        &["--follow", "--user", "alice", "--topic", "order:1"],
        &["--follow", "--user", "alice", "--message", unknown],
        &["--user", "alice", "--to", "all", "--seconds", "5"],
    ] {
        let (code, _, errors) = run(&world, args).await;
        assert_eq!(code, Some(2), "{args:?}: {errors}");
    }
}

#[tokio::test]
async fn a_user_is_followed_line_by_line_until_the_time_has_passed() {
    let world = World::start().await;
    let mut follow = Follow::begin(&world, &["--follow", "--user", "alice", "--seconds", "2"]).await;
    let mut alice = world.connect_granted("alice", "order:*").await;
    assert!(follow.expect("opened").await.contains(&alice.id()));
    alice.subscribe("order:1").await;
    follow.expect("subscribed").await;
    let mut bob = world.connect_granted("bob", "order:*").await;
    bob.subscribe("order:2").await;
    world.publish(json!({"topic": "order:2"}), "of-bob", json!(1)).await;
    world.publish(json!({"topic": "order:1"}), "of-alice", json!("the-payload")).await;
    let published = follow.expect("of-alice").await;
    assert!(published.contains("published") && !published.contains("the-payload"), "{published}");
    follow.expect("ended: the time of the trace has passed").await;
    assert_eq!(follow.end().await, (Some(0), String::new()));
}

#[tokio::test]
async fn a_topic_is_followed_as_json_until_the_server_stops() {
    let world = World::start().await;
    let mut follow = Follow::begin(&world, &["--follow", "--topic", "order:1", "--json"]).await;
    world.publish(json!({"topic": "order:1"}), "news", json!(1)).await;
    let published: Value = serde_json::from_str(&follow.expect("published").await).expect("JSON");
    assert_eq!((&published["type"], &published["delivered"]), (&json!("news"), &json!(0)));
    world.stop();
    let ended: Value = serde_json::from_str(&follow.expect("ended").await).expect("JSON");
    assert_eq!(ended["reason"], "stopping");
    assert_eq!(follow.end().await, (Some(0), String::new()));
}

#[tokio::test]
async fn ctrl_c_ends_it_well_and_the_server_has_room_again() {
    let world = World::with(|config| config.limits.traces = 1).await;
    for _ in 0..2 {
        let mut follow = Follow::begin(&world, &["--follow", "--topic", "order:1"]).await;
        let id = follow.process.id().expect("it runs").to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().await.expect("kill runs").success());
        follow.expect("ended: interrupted").await;
        assert_eq!(follow.end().await, (Some(0), String::new()));
        let request = realtime_schema::TraceRequest {
            topic: Some("order:1".parse().expect("a topic")),
            ..realtime_schema::TraceRequest::default()
        };
        let freed = async {
            while world.service.trace(&request).is_err() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        timeout(DEADLINE, freed).await.expect("room in time");
    }
}
