//! The server of this repository, with everything on: a token for each connection, a key for the publisher.

use std::{fs, net::SocketAddr, path::Path};

use serde_json::{Value, json};
use tokio::process::Command;

use super::{History, Start, process::pinned, protocol::post};
use crate::{
    options::{Options, Result},
    wire::{Client, Target},
};

const KEY: &str = "an-api-key-of-the-benchmarks";

/// More than any case has: all come from one address here.
const MOST_CONNECTIONS: &str = "20000";

/// Room for the largest burst of the cases in one batch: 64 messages of 16 KiB.
const LARGEST_BATCH: &str = "4194304";

/// Bytes that a frame of the cases' topic has beside its payload: the id, the topic, the type and the time.
pub(super) const ENVELOPE: usize = 128;

/// The publisher's credentials.
pub(crate) const KEY_HEADER: &str = "Authorization: Bearer an-api-key-of-the-benchmarks\r\n";

pub(super) fn command(options: &Options, start: &Start, folder: &Path, address: SocketAddr) -> Result<Command> {
    let (name, value) = start.tokens.trusted(folder)?;
    let mut command = pinned(start, &options.binaries.join("realtime-server"));
    command
        .args(["serve", "--listen", &address.to_string(), "--log-level", "error"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env(name, value)
        .env("REALTIME_API__KEYS", KEY)
        .env("REALTIME_METRICS__ACCESS", "open")
        .env("REALTIME_API__MAX_BODY_BYTES", LARGEST_BATCH)
        .env("REALTIME_LIMITS__CONNECTIONS", MOST_CONNECTIONS)
        .env("REALTIME_LIMITS__CONNECTIONS_PER_ADDRESS", MOST_CONNECTIONS);
    if let Some(interval) = start.ping_interval {
        command.env("REALTIME_LIVENESS__PING_INTERVAL", interval);
    }
    let config = start.history.messages().map(namespaces).or_else(|| start.contract.then(contract));
    if let Some(config) = config {
        let path = folder.join("realtime.toml");
        fs::write(&path, config)?;
        fs::write(folder.join("order.json"), ORDER)?;
        command.arg("--config").arg(path);
    }
    if let History::Durable(_) = start.history {
        command.arg("--data-dir").arg(folder.join("data"));
    }
    Ok(command)
}

/// Every topic keeps so many messages: the number decides, not their bytes.
fn namespaces(messages: usize) -> String {
    let gib: u64 = 1 << 30;
    format!(
        "[history]\ntotal_bytes = {}\n\n[[namespaces]]\npattern = \"topic:**\"\n\
         history = {{ size = {messages}, age = \"1h\", bytes = {gib} }}\n",
        4 * gib
    )
}

/// The schema of the messages of a topic with a contract.
const ORDER: &str = include_str!("../../../realtime-contract/benches/order.json");

/// Some patterns with message types; the last is for [`crate::contract`].
fn contract() -> String {
    let patterns = ["user", "role:*", "all", "topic:chat:**", "topic:cart:*", "topic:stock:*", "topic:order:*"];
    let namespace =
        |pattern| format!("[[namespaces]]\npattern = \"{pattern}\"\nmessages = {{ bench = \"order.json\" }}\n");
    patterns.map(namespace).concat()
}

/// The path that a subscriber requests, with the ticket of its last connection.
pub(super) fn path(token: &str, ticket: Option<&str>) -> String {
    let ticket = ticket.map(|ticket| format!("&resume={ticket}")).unwrap_or_default();
    format!("/ws?token={token}{ticket}")
}

/// What subscribes to a topic, and recovers what came after `since`. Its success contains [`ACK`].
pub(super) fn subscribe(id: usize, topic: &str, since: Option<&str>) -> String {
    let since = since.map(|since| format!(r#","since":{since}"#)).unwrap_or_default();
    format!(r#"{{"action":"subscribe","id":{id},"topic":"{topic}"{since}}}"#)
}

/// What resumes all topics of a client from where it stopped.
pub(super) fn resume(client: &Client) -> String {
    let streams = client.topics.iter().zip(&client.since);
    let streams: Vec<_> = streams.map(|(topic, since)| format!(r#""topic:{topic}":{since}"#)).collect();
    format!(r#"{{"action":"resume","id":1,"since":{{{}}}}}"#, streams.join(","))
}

/// A command's success contains this.
pub(super) const ACK: &str = r#""ack""#;

/// The body of a batch.
pub(super) fn batch(messages: &[(Target, String)]) -> String {
    let publications: Vec<_> = messages.iter().map(|(target, text)| publication(target, text)).collect();
    json!({"publications": publications}).to_string()
}

/// A request that publishes `payload` to `topic`: one publication, or a batch of `count`.
pub(crate) fn publish_json(topic: &str, payload: &Value, count: usize) -> String {
    let one = json!({"to": {"topic": topic}, "type": "bench", "payload": payload});
    let (path, body) = match count {
        1 => ("/api/v1/publish", one.to_string()),
        _ => ("/api/v1/publish/batch", json!({"publications": vec![one; count]}).to_string()),
    };
    post(path, KEY_HEADER, &body)
}

/// The body of a publication.
pub(super) fn body(target: &Target, text: &str) -> String {
    publication(target, text).to_string()
}

fn publication(target: &Target, text: &str) -> Value {
    let to = match target {
        Target::Topic(topic) => json!({"topic": topic}),
        Target::Role(role) => json!({"role": role}),
        Target::User(user) => json!({"user": user}),
    };
    json!({"to": to, "type": "bench", "payload": text})
}
