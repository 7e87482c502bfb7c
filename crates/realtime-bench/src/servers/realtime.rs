//! The server of this repository, with everything on: a token for each connection, a key for the publisher.

use std::{net::SocketAddr, path::Path};

use serde_json::json;
use tokio::process::Command;

use super::{Start, pinned};
use crate::{
    options::{Options, Result},
    wire::Target,
};

const KEY: &str = "an-api-key-of-the-benchmarks";

/// More than any case has: all come from one address here.
const MOST_CONNECTIONS: &str = "20000";

/// Room for the largest burst of the cases in one batch: 64 messages of 16 KiB.
const LARGEST_BATCH: &str = "4194304";

/// Bytes that a frame of the cases' topic has beside its payload: the id, the topic, the type and the time.
pub(super) const ENVELOPE: usize = 128;

/// The publisher's credentials.
pub(super) const KEY_HEADER: &str = "Authorization: Bearer an-api-key-of-the-benchmarks\r\n";

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
    Ok(command)
}

/// The body of a batch.
pub(super) fn batch(messages: &[(Target, String)]) -> String {
    let publications: Vec<_> = messages.iter().map(|(target, text)| publication(target, text)).collect();
    json!({"publications": publications}).to_string()
}

/// The body of a publication.
pub(super) fn body(target: &Target, text: &str) -> String {
    publication(target, text).to_string()
}

fn publication(target: &Target, text: &str) -> serde_json::Value {
    let to = match target {
        Target::Topic(topic) => json!({"topic": topic}),
        Target::Role(role) => json!({"role": role}),
        Target::User(user) => json!({"user": user}),
    };
    json!({"to": to, "type": "bench", "payload": text})
}
