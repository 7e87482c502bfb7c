//! Topics with a contract: a message that does not fit is refused where it is published, whichever its source, with the
//! place of each fault and never its value.

use std::{fs, path::Path, sync::Arc};

use async_trait::async_trait;
use realtime_core::client_message::{ClientMessage, Handled};
use realtime_ports::{ConnectionHandler, HookContext, HookError, PublishError, RealtimeService};
use realtime_schema::{ErrorCode, Payload, PublishRequest, Route};
use realtime_server::Config;
use realtime_tests::{Client, Logs, World};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A value that stands in refused payloads, and may stand nowhere else.
const SECRET: &str = "hunter2-4111111111111111";

const ORDER: &str = r#"{
    "type": "object", "required": ["status", "total"], "additionalProperties": false,
    "properties": {
        "status": {"enum": ["open", "paid"]},
        "total": {"$ref": "money.json"},
        "lines": {"type": "array", "items": {"type": "object", "required": ["sku"]}}
    }
}"#;
const MONEY: &str = r#"{"type": "integer", "minimum": 0}"#;
const NOTICE: &str =
    r#"{"type": "object", "required": ["status"], "properties": {"status": {"type": "string", "maxLength": 4}}}"#;

const NAMESPACES: &str = r#"
[[namespaces]]
pattern = "topic:order:*"
publish = "authenticated"
messages = { order-updated = "schemas/order.json" }

[[namespaces]]
pattern = "user"
messages = { order-updated = "schemas/notice.json" }
unknown_types = "allow"

[[namespaces]]
pattern = "topic:free:*"
publish = "authenticated"
"#;

/// A folder with a config and its schema files.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("schemas")).expect("a folder");
    let files = [("order.json", ORDER), ("money.json", MONEY), ("notice.json", NOTICE)];
    for (name, text) in files {
        fs::write(folder.path().join("schemas").join(name), text).expect("a file");
    }
    fs::write(folder.path().join("realtime.toml"), NAMESPACES).expect("a file");
    folder
}

/// Takes the namespaces of the config file in `folder`.
fn typed(config: &mut Config, folder: &Path) {
    let loaded = Config::load(Some(&folder.join("realtime.toml")), [], []).unwrap_or_else(|error| panic!("{error}"));
    config.namespaces = loaded.namespaces;
    config.schema_dir = loaded.schema_dir;
}

async fn world() -> World {
    let folder = folder();
    World::with(|config| typed(config, folder.path())).await
}

fn good() -> Value {
    json!({"status": "paid", "total": 5})
}

/// Wrong at three places, each time with the secret.
fn bad() -> Value {
    json!({"status": SECRET, "total": SECRET, "lines": [{"sku": 1}, {"name": SECRET}]})
}

const FAULTS: [&str; 3] = ["/payload/lines/1/sku", "/payload/status", "/payload/total"];

/// The paths of the errors of a refusal, sorted. The refusal must not have the secret.
fn paths(refusal: &Value) -> Vec<String> {
    assert_eq!((&refusal["code"], &refusal["status"]), (&json!("payload_invalid"), &json!(422)), "{refusal}");
    assert!(!refusal.to_string().contains("hunter2"), "{refusal}");
    let errors = refusal["errors"].as_array().expect("errors");
    assert!(errors.iter().all(|error| error["message"].as_str().is_some_and(|message| message.len() > 5)), "{refusal}");
    let mut paths: Vec<_> = errors.iter().map(|error| error["path"].as_str().expect("a path").to_owned()).collect();
    paths.sort();
    paths
}

fn order(payload: &Value) -> Value {
    json!({"to": {"topic": "order:1"}, "type": "order-updated", "payload": payload})
}

async fn publish(world: &World, publication: Value) -> Value {
    world.post("/api/v1/publish", publication).await.json()
}

async fn reader(world: &World) -> Client {
    let mut reader = world.connect_granted("bob", "**").await;
    reader.subscribe("order:1").await;
    reader.subscribe("free:1").await;
    reader
}

/// Publishes to the order what a client calls it with.
struct Relay;

#[async_trait]
impl ConnectionHandler for Relay {
    async fn on_message(&self, context: HookContext, message: &ClientMessage) -> Result<Handled, HookError> {
        let Some(call) = message.call() else { return Ok(Handled::Pass) };
        let payload = Payload::of(&call.read::<Value>()?)?;
        match context.service.publish_to_topic("order:1".parse()?, "order-updated".parse()?, payload).await {
            Ok(_) => Ok(Handled::ack(&"relayed")?),
            Err(PublishError::Invalid(errors)) => {
                let mut paths: Vec<_> = errors.into_iter().map(|error| error.path).collect();
                paths.sort();
                Ok(Handled::error(ErrorCode::PayloadInvalid, paths.join(" ")))
            }
            Err(error) => Err(error.into()),
        }
    }
}

#[tokio::test]
async fn every_source_is_refused_with_the_place_of_each_fault_and_the_value_is_nowhere() {
    let logs = Logs::record();
    let folder = folder();
    let world = World::with_handler(Arc::new(Relay), |config| typed(config, folder.path())).await;
    let mut bob = reader(&world).await;
    let mut alice = world.connect("alice").await;

    let refused = world.post("/api/v1/publish", order(&bad())).await;
    assert_eq!(paths(&refused.refused("payload_invalid")), FAULTS);

    let batch = json!({"publications": [order(&good()), order(&bad()), order(&good())]});
    let results = world.post("/api/v1/publish/batch", batch).await.ok("batch-response");
    assert_eq!(paths(&results["results"][1]), FAULTS);
    assert!(results["results"][0]["id"].is_string() && results["results"][2]["id"].is_string(), "{results}");

    let command =
        |payload| json!({"action": "publish", "topic": "order:1", "type": "order-updated", "payload": payload});
    assert_eq!(paths(&alice.command(command(bad())).await), FAULTS);
    assert!(alice.command(command(good())).await["message"].is_string());

    let request = |payload: &Value| {
        let topic = Route::Topic("order:1".parse().expect("a topic"));
        PublishRequest::new(topic, "order-updated".parse().expect("a type"), Payload::of(payload).expect("JSON"))
    };
    let Err(PublishError::Invalid(errors)) = world.service.publish(request(&bad())).await else { panic!("refused") };
    let mut found: Vec<_> = errors.iter().map(|error| error.path.as_str()).collect();
    found.sort_unstable();
    assert_eq!(found, FAULTS);
    assert!(!format!("{errors:?}").contains("hunter2"), "{errors:?}");
    world.service.publish(request(&good())).await.expect("published");

    let call = |payload| json!({"action": "call", "name": "relay", "payload": payload});
    assert_eq!(alice.command(call(bad())).await["message"], FAULTS.join(" "));
    assert_eq!(alice.command(call(good())).await["code"], Value::Null);

    for _ in 0..5 {
        assert_eq!(bob.publication().await["payload"], good(), "two of the batch, and one of each other source");
    }
    bob.got_nothing().await;
    assert_eq!(world.metric("realtime_payloads_refused_total").await, 5);
    assert!(!logs.text().contains("hunter2"), "{}", logs.text());
}

#[tokio::test]
async fn a_type_that_the_topic_does_not_have_is_refused_with_those_that_it_has() {
    let world = world().await;
    let mut publication = order(&good());
    publication["type"] = json!("order-updatd");
    let refused = publish(&world, publication).await;
    assert_eq!(paths(&refused), ["/type"]);
    assert!(refused["errors"][0]["message"].as_str().expect("a message").contains("order-updated"), "{refused}");

    let other = json!({"to": {"user": "bob"}, "type": "anything", "payload": [SECRET]});
    assert_eq!(publish(&world, other).await["delivered"], 0, "the streams of users allow unknown types");
    let free = json!({"to": {"topic": "free:1"}, "type": "anything", "payload": [SECRET]});
    assert_eq!(publish(&world, free).await["delivered"], 0, "this namespace has no contract");
    let direct = json!({"to": "all", "type": "order-updated", "payload": [SECRET]});
    assert_eq!(publish(&world, direct).await["delivered"], 0, "no namespace matches");
}

#[tokio::test]
async fn a_message_to_several_streams_fits_the_contract_of_each() {
    let world = world().await;
    let both = |payload: Value| json!({"to": [{"topic": "order:1"}, {"user": "bob"}, {"topic": "free:1"}], "type": "order-updated", "payload": payload});
    let mut bob = reader(&world).await;
    assert_eq!(publish(&world, both(good())).await["delivered"], 1);
    assert_eq!(bob.publication().await["payload"], good());
    // `open` fits both; what one of them refuses is refused.
    assert_eq!(paths(&publish(&world, both(json!({"status": "paid"}))).await), ["/payload/total"]);
    assert_eq!(paths(&publish(&world, both(json!({"status": "refunded", "total": 1}))).await), ["/payload/status"]);
    bob.got_nothing().await;
}

#[tokio::test]
async fn a_refused_message_is_in_no_history_and_its_key_is_free_for_the_repaired_one() {
    let folder = folder();
    let text = NAMESPACES.replacen("messages", "history = {}\nmessages", 1);
    fs::write(folder.path().join("realtime.toml"), text).expect("a file");
    let world = World::with(|config| typed(config, folder.path())).await;
    let keyed = |payload: &Value| {
        let mut publication = order(payload);
        publication["idempotency_key"] = json!("order-1-paid");
        publication
    };
    for _ in 0..2 {
        assert_eq!(paths(&publish(&world, keyed(&bad())).await), FAULTS);
    }
    let receipt = publish(&world, keyed(&good())).await;
    assert!(receipt["position"]["offset"] == 1 && receipt["duplicate"] != true, "{receipt}");
    let page = world.get("/api/v1/topics/order:1/history").await.ok("history-page");
    assert_eq!(page["publications"].as_array().map(Vec::len), Some(1), "{page}");
}

#[tokio::test]
async fn hostile_payloads_are_refused_and_the_server_serves_on() {
    let world = world().await;
    let mut bob = reader(&world).await;
    let raw = async |payload: &str| {
        let body = format!(r#"{{"to":{{"topic":"order:1"}},"type":"order-updated","payload":{payload}}}"#);
        let key = Some("an-api-key-of-the-tests");
        world.call_as(key, reqwest::Method::POST, "/api/v1/publish", Some(body)).await.json()
    };
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    assert_eq!(raw(&deep).await["code"], "payload_invalid");
    let twice = format!(r#"{{"status":"paid","total":1,"total":"{SECRET}"}}"#);
    assert_eq!(paths(&raw(&twice).await), ["/payload/total"]);
    for number in ["1e400", "-1e999", &"9".repeat(40_000)] {
        assert_eq!(paths(&raw(&format!(r#"{{"status":"paid","total":{number}}}"#)).await), ["/payload/total"]);
    }
    let surrogate = format!(r#"{{"status":"paid","total":1,"lines":["{SECRET}\ud800"]}}"#);
    assert_eq!(paths(&raw(&surrogate).await), ["/payload/lines/0"]);
    let many: Vec<_> = (0..5_000).map(|_| json!({"a": 1})).collect();
    let refused = raw(&json!({"status": "paid", "total": 1, "lines": many}).to_string()).await;
    assert_eq!(paths(&refused).len(), 16, "no more errors than 16");
    let fields: serde_json::Map<_, _> = (0..1_000).map(|at| (format!("field-{at}"), json!(SECRET))).collect();
    let found = paths(&raw(&json!(fields).to_string()).await).len();
    assert!((1..=16).contains(&found), "{found}");
    assert_eq!(publish(&world, order(&good())).await["delivered"], 1);
    assert_eq!(bob.publication().await["payload"], good());
    bob.got_nothing().await;
}

/// Applies the config file in `folder`.
async fn reload(world: &World, folder: &TempDir) -> Result<Vec<String>, String> {
    let mut config = world.config.clone();
    typed(&mut config, folder.path());
    world.reloader.reload(config).await.map(|reloaded| reloaded.applied).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_reload_replaces_all_schemas_or_none_and_no_client_is_disconnected() {
    let folder = folder();
    let schemas = folder.path().join("schemas");
    let world = World::with(|config| typed(config, folder.path())).await;
    let mut bob = reader(&world).await;
    assert!(reload(&world, &folder).await.expect("usable").is_empty(), "nothing has changed");

    // One good and one bad: neither is used.
    fs::write(schemas.join("order.json"), "{}").expect("a file");
    fs::write(schemas.join("notice.json"), r#"{"properties": {"status": {"type": "strng"}}}"#).expect("a file");
    let refused = reload(&world, &folder).await.expect_err("refused");
    assert!(
        refused.contains("namespaces[1].messages.order-updated: schemas/notice.json at /properties/status"),
        "{refused}"
    );
    assert_eq!(paths(&publish(&world, order(&bad())).await), FAULTS, "the old set is in force");

    fs::write(schemas.join("notice.json"), NOTICE).expect("a file");
    assert_eq!(reload(&world, &folder).await.expect("usable"), ["the files of namespaces.messages"]);
    assert_eq!(publish(&world, order(&json!([1]))).await["delivered"], 1, "the new schema takes anything");
    assert_eq!(bob.publication().await["payload"], json!([1]));

    fs::write(folder.path().join("realtime.toml"), "[[namespaces]]\npattern = \"topic:order:*\"\n").expect("a file");
    let applied = reload(&world, &folder).await.expect("usable");
    assert!(applied.contains(&"namespaces".to_owned()), "{applied:?}");
    let mut unknown = order(&json!([2]));
    unknown["type"] = json!("anything");
    assert_eq!(publish(&world, unknown).await["delivered"], 1, "there is no contract any more");
    assert_eq!(bob.publication().await["payload"], json!([2]));
    bob.got_nothing().await;
}
