//! A backend in another process's place: it decides on clients by HTTP hooks, over real sockets.

use std::{
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use realtime_schema::HookName;
use realtime_server::{Config, Span};
use realtime_tests::{Client, DEADLINE, World, program, schemas, skip};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::{net::TcpListener, process::Command, sync::watch, task::JoinHandle, time::timeout};

#[path = "http_hooks/reads.rs"]
mod reads;

const SECRET: &str = "a-secret-of-the-tests-with-32-bytes";

/// An application's backend: an order can be seen by its owner, `mallory` is not admitted, and `order.place` is a call.
struct Backend {
    url: String,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    received: Mutex<Vec<(HeaderMap, Bytes)>>,
    arrivals: watch::Sender<usize>,
    away: Mutex<bool>,
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Backend {
    async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/realtime", listener.local_addr().expect("an address"));
        let routes = Router::new().route("/realtime/{hook}", post(hook)).with_state(shared.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.expect("it serves") });
        Self { url, shared, serving }
    }

    fn goes_away(&self) {
        *self.shared.away.lock().expect("a flag") = true;
    }

    fn comes_back(&self) {
        *self.shared.away.lock().expect("a flag") = false;
    }

    /// The bodies of the requests of a hook.
    fn received(&self, hook: &str) -> Vec<Value> {
        let received = self.shared.received.lock().expect("the list");
        let bodies = received.iter().map(|(_, body)| serde_json::from_slice::<Value>(body).expect("JSON"));
        bodies.filter(|body| body["hook"] == hook).collect()
    }

    async fn has_received(&self, number: usize) {
        let mut arrivals = self.shared.arrivals.subscribe();
        timeout(DEADLINE, arrivals.wait_for(|n| *n >= number)).await.expect("requests in time").expect("a backend");
    }
}

async fn hook(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).expect("JSON");
    shared.received.lock().expect("the list").push((headers, body));
    shared.arrivals.send_modify(|n| *n += 1);
    if *shared.away.lock().expect("a flag") {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let user = request["user"].as_str().unwrap_or_default();
    let answer = match request["hook"].as_str().unwrap_or_default() {
        "connect" if user == "mallory" => json!({"allow": false, "message": "the account is closed", "code": 4001}),
        "connect" => json!({
            "allow": true, "roles": ["beta"], "metadata": {"plan": "gold"}, "subscriptions": [format!("inbox:{user}")],
        }),
        "subscribe" | "history" | "presence" => {
            json!({"allow": request["topic"] == format!("order:{user}"), "message": "not your order"})
        }
        "publish" => json!({"allow": request["payload"] != "rude", "message": "you are muted"}),
        "call" if request["name"] == "order.place" => json!({"result": {"order": 7, "item": request["payload"]}}),
        "call" => json!({"error": {"code": "not_found", "message": "call `order.place`"}}),
        _ => json!({}),
    };
    Json(answer).into_response()
}

async fn world(backend: &Backend, change: impl FnOnce(&mut Config)) -> World {
    World::with(|config| {
        let hooks = &mut config.hooks;
        hooks.enabled = vec![HookName::Connect, HookName::Subscribe, HookName::Call, HookName::Disconnect];
        hooks.url = Some(backend.url.clone());
        hooks.secrets = vec![SecretString::from(SECRET)];
        hooks.breaker_failures = 1_000;
        change(config);
    })
    .await
}

async fn subscribe(client: &mut Client, topic: &str) -> Value {
    client.command(json!({"action": "subscribe", "topic": topic})).await
}

#[tokio::test]
async fn a_backend_admits_a_client_with_roles_topics_and_data_of_its_own() {
    let backend = Backend::start().await;
    let world = world(&backend, |_| {}).await;
    let mut alice = world.connect_with("alice", &json!({"roles": ["member"]})).await;
    assert_eq!(alice.welcome()["roles"], json!(["beta", "member"]));
    assert_eq!(alice.next().await["payload"]["topic"], "inbox:alice");
    assert_eq!(world.publish(json!({"topic": "inbox:alice"}), "mail", json!(1)).await, 1);
    assert_eq!(alice.publication().await["payload"], 1);
    assert_eq!(world.publish(json!({"role": "beta"}), "news", json!(2)).await, 1);
    assert_eq!(alice.publication().await["payload"], 2);
    let info = world.get(&format!("/api/v1/connections/{}", alice.id())).await.ok("connection-info");
    assert_eq!(info["metadata"], json!({"plan": "gold"}));

    let refusal = world.try_connect(&format!("/ws?token={}", world.token("mallory", &json!({}))), &[]).await;
    let refusal = refusal.err().expect("refused");
    assert_eq!(
        (&refusal.problem["status"], &refusal.problem["detail"]),
        (&json!(403), &json!("the account is closed"))
    );
    for request in backend.received("connect") {
        schemas().check("hook-connect-request", &request);
        assert!(!request.to_string().contains("eyJ"), "a token: {request}");
    }
}

#[tokio::test]
async fn a_backend_decides_what_neither_a_token_nor_a_namespace_allows() {
    let backend = Backend::start().await;
    let world = world(&backend, |_| {}).await;
    let mut alice = world.connect_granted("alice", "news").await;
    alice.next().await;
    subscribe(&mut alice, "news").await;
    assert_eq!(backend.received("subscribe").len(), 0, "the token allows it");
    assert!(subscribe(&mut alice, "order:alice").await["code"].is_null(), "its owner");
    let refused = subscribe(&mut alice, "order:bob").await;
    assert_eq!((&refused["code"], &refused["message"]), (&json!("forbidden"), &json!("not your order")));
    assert_eq!(world.publish(json!({"topic": "order:alice"}), "paid", json!(1)).await, 1);
    assert_eq!(world.publish(json!({"topic": "order:bob"}), "paid", json!(1)).await, 0);
    for request in backend.received("subscribe") {
        schemas().check("hook-access-request", &request);
    }
}

#[tokio::test]
async fn a_backend_decides_on_what_its_clients_publish() {
    let backend = Backend::start().await;
    let world = world(&backend, |config| config.hooks.enabled.push(HookName::Publish)).await;
    let mut alice = world.connect("alice").await;
    let mut bob = world.connect_granted("bob", "chat:*").await;
    alice.next().await;
    bob.next().await;
    subscribe(&mut bob, "chat:7").await;
    let say = |text: &str| json!({"action": "publish", "topic": "chat:7", "type": "said", "payload": text});
    let refused = alice.command(say("rude")).await;
    assert_eq!((&refused["code"], &refused["message"]), (&json!("forbidden"), &json!("you are muted")));
    let ack = alice.command(say("hello")).await;
    assert!(ack["message"].is_string(), "{ack}");
    assert_eq!(bob.publication().await["payload"], "hello");
    bob.got_nothing().await;
    let asked = backend.received("publish");
    assert_eq!((&asked[0]["type"], &asked[0]["topic"]), (&json!("said"), &json!("chat:7")));
    schemas().check("hook-access-request", &asked[0]);
}

#[tokio::test]
async fn a_client_calls_a_backend_in_any_language() {
    let backend = Backend::start().await;
    let world = world(&backend, |_| {}).await;
    let mut alice = world.connect("alice").await;
    alice.next().await;
    let ack = alice.command(json!({"action": "call", "name": "order.place", "payload": "tea"})).await;
    assert_eq!(ack["result"], json!({"order": 7, "item": "tea"}));
    let error = alice.command(json!({"action": "call", "name": "order.cancel"})).await;
    assert_eq!((&error["code"], &error["message"]), (&json!("not_found"), &json!("call `order.place`")));
    for request in backend.received("call") {
        schemas().check("hook-call-request", &request);
    }
}

#[tokio::test]
async fn while_the_backend_is_away_nothing_is_allowed_and_the_ends_of_connections_are_delivered_later() {
    let backend = Backend::start().await;
    let world = world(&backend, |config| {
        config.hooks.retries = 0;
        config.hooks.attempt_timeout = Span::secs(2);
    })
    .await;
    let (mut alice, bob) = (world.connect("alice").await, world.connect("bob").await);
    alice.next().await;
    backend.goes_away();
    let error = subscribe(&mut alice, "order:alice").await;
    assert_eq!((&error["code"], &error["retry"]), (&json!("unavailable"), &json!(true)));
    let error = alice.command(json!({"action": "call", "name": "order.place"})).await;
    assert_eq!(error["code"], "unavailable");
    let refusal = world.try_connect(&format!("/ws?token={}", world.token("carol", &json!({}))), &[]).await;
    assert_eq!(refusal.err().expect("refused").problem["status"], 503);
    world.until("realtime_hook_failures_total{hook=\"subscribe\",kind=\"status\"}", 1).await;

    bob.close().await;
    world.until("realtime_hook_queued{hook=\"disconnect\"}", 1).await;
    backend.comes_back();
    world.until("realtime_hook_queued{hook=\"disconnect\"}", 0).await;
    let ended = backend.received("disconnect").pop().expect("it was delivered");
    schemas().check("hook-disconnect-request", &ended);
    assert_eq!(ended["user"], "bob");
    assert_eq!(subscribe(&mut alice, "order:alice").await["code"], Value::Null, "allowed again");
}

#[tokio::test]
async fn a_server_that_stops_delivers_the_end_of_every_connection() {
    let backend = Backend::start().await;
    let world = world(&backend, |_| {}).await;
    let clients = [world.connect("alice").await, world.connect("bob").await];
    world.stop();
    world.stopped().await;
    drop(clients);
    let mut users: Vec<_> = backend.received("disconnect").iter().map(|body| body["user"].to_string()).collect();
    users.sort_unstable();
    assert_eq!(users, ["\"alice\"", "\"bob\""]);
}

/// The example of docs/hooks.md, run on requests that a backend received.
#[tokio::test]
async fn the_documented_check_accepts_the_signature_and_refuses_any_other() {
    let test = "the_documented_check_accepts_the_signature_and_refuses_any_other";
    let Some(python) = program(test, &["python3", "python"]) else { return };
    let document =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/hooks.md")).expect("docs");
    let (_, example) = document.split_once("```python\n").expect("an example");
    let (example, _) = example.split_once("```").expect("its end");

    let backend = Backend::start().await;
    let more = "another-secret-of-the-tests-of-32-bytes";
    let world = world(&backend, |config| config.hooks.secrets.push(SecretString::from(more))).await;
    world.connect("alice").await;
    backend.has_received(1).await;
    let (headers, body) = backend.shared.received.lock().expect("the list")[0].clone();
    let header = |name: &str| headers[name].to_str().expect("text").to_owned();
    let script = format!(
        "{example}\nimport sys\nsecret, timestamp, signature = sys.argv[1:]\n\
         print(is_genuine(secret.encode(), timestamp, signature, sys.stdin.buffer.read()))"
    );
    let is_genuine = async |secret: &str, timestamp: &str, body: &[u8]| {
        let mut process = Command::new(&python)
            .args(["-c", &script, secret, timestamp, &header("x-realtime-signature")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("python starts");
        let mut input = process.stdin.take().expect("its input");
        tokio::io::AsyncWriteExt::write_all(&mut input, body).await.expect("written");
        drop(input);
        let output = timeout(DEADLINE, process.wait_with_output()).await.expect("an end in time").expect("its output");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    };
    let timestamp = header("x-realtime-timestamp");
    assert_eq!(is_genuine(SECRET, &timestamp, &body).await, "True");
    assert_eq!(is_genuine(more, &timestamp, &body).await, "True", "any of the secrets will do");
    assert_eq!(is_genuine("a-secret-of-someone-else-of-32-bytes", &timestamp, &body).await, "False");
    assert_eq!(is_genuine(SECRET, &timestamp, &[&body[..], b" "].concat()).await, "False", "another body");
    assert_eq!(is_genuine(SECRET, "1795438800", &body).await, "False", "another time");
}

/// A client that is not ours: the npm package `ws`.
#[tokio::test]
async fn the_npm_client_gets_what_the_backend_gave_it() {
    let test = "the_npm_client_gets_what_the_backend_gave_it";
    let Some(node) = program(test, &["node", "nodejs"]) else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign");
    if !folder.join("node_modules/ws").is_dir() {
        return skip(test, "its packages are not installed; run `npm ci --prefix tests/foreign --ignore-scripts`");
    }
    let backend = Backend::start().await;
    let world = world(&backend, |_| {}).await;
    let mut process = Command::new(node)
        .arg(folder.join("client.mjs"))
        .arg(format!("ws://{}/ws?token={}", world.address, world.token("alice", &json!({}))))
        .args([
            r#"{"action":"call","id":1,"name":"order.place"}"#,
            r#"{"action":"subscribe","id":2,"topic":"order:alice"}"#,
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("node starts");
    backend.has_received(3).await;
    world.until("realtime_subscriptions", 2).await;
    assert_eq!(world.publish(json!({"topic": "order:alice"}), "paid", json!(9)).await, 1);
    let connections = world.delete("/api/v1/users/alice/connections").await;
    assert_eq!(connections.status, 200);
    drop(process.stdin.take());
    let output = timeout(DEADLINE, process.wait_with_output()).await.expect("an end in time").expect("its output");
    let lines = String::from_utf8(output.stdout).expect("text");
    let frames: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let kinds: Vec<_> = frames.iter().map(|frame| frame["type"].as_str().unwrap_or_default()).collect();
    assert_eq!(kinds, ["welcome", "subscribed", "ack", "ack", "paid", "closing"]);
    assert_eq!(frames[2]["payload"]["result"]["order"], 7);
}
