//! Streams with a history, for stories about them.

use realtime_server::{Config, NamespaceConfig, NamespaceHistory};
use serde_json::{Value, json};

use crate::world::World;

/// Every stream has a history of at most `size` messages, which its receivers may read.
pub fn kept(size: u32) -> impl FnOnce(&mut Config) {
    move |config| {
        let namespace = |pattern: &str| {
            let mut namespace = NamespaceConfig::new(pattern.parse().expect("a pattern"));
            namespace.history = Some(NamespaceHistory { size, ..NamespaceHistory::default() });
            namespace
        };
        config.namespaces = ["topic:order:*", "user", "role:*", "all"].map(namespace).into();
    }
}

/// A message to `to` with the number `n`; returns its position.
pub async fn publish_kept(world: &World, to: Value, n: u64) -> Value {
    let receipt = world.post("/api/v1/publish", json!({"to": to, "type": "news", "payload": n})).await;
    receipt.ok("receipt")["position"].clone()
}

/// The offsets of a page.
pub fn offsets(page: &Value) -> Vec<u64> {
    let publications = page["publications"].as_array().expect("a page");
    publications.iter().map(|frame| frame["offset"].as_u64().expect("an offset")).collect()
}
