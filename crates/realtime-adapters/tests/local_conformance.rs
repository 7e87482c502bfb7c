//! The single node in memory keeps every promise of its ports, and so do the socket and the store that tests use.
#![cfg(all(feature = "local", feature = "testing"))]

use std::sync::Arc;

use realtime_adapters::{
    local::{LocalBus, LocalPubSub, LocalRegistry, SystemClock, UuidGenerator},
    testing::{MemoryLogStore, TestWebSocketConnection},
};
use realtime_ports::conformance::{
    bus::bus_conformance,
    clock::clock_conformance,
    connection::{ConnectionSpec, ConnectionUnderTest, connection_conformance},
    ids::ids_conformance,
    pubsub::pubsub_conformance,
    registry::registry_conformance,
    store::store_conformance,
};

#[test]
fn the_registry_keeps_the_ports_promises() {
    registry_conformance(LocalRegistry::new);
    registry_conformance(|| LocalRegistry::with_seed(7));
}

#[test]
fn the_pubsub_manager_keeps_the_ports_promises() {
    pubsub_conformance(LocalPubSub::new);
    pubsub_conformance(|| LocalPubSub::with_seed(7));
}

#[tokio::test]
async fn the_bus_keeps_the_ports_promises() {
    bus_conformance(LocalBus::new).await;
}

#[test]
fn the_clock_keeps_the_ports_promises() {
    clock_conformance(SystemClock::new);
}

#[test]
fn the_id_generator_keeps_the_ports_promises() {
    ids_conformance(UuidGenerator::new);
}

#[test]
fn the_test_socket_keeps_the_ports_promises() {
    connection_conformance(|ConnectionSpec { id, client, capacity, .. }| {
        let mut socket = TestWebSocketConnection::new(id).with_capacity(capacity);
        if let Some(client) = client {
            socket = socket.with_client(client);
        }
        let socket = Arc::new(socket);
        let (reader, watcher) = (Arc::clone(&socket), Arc::clone(&socket));
        ConnectionUnderTest {
            socket,
            texts: Box::new(move || reader.texts()),
            closing: Box::new(move || watcher.closing()),
        }
    });
}

#[test]
fn the_test_store_keeps_the_ports_promises() {
    store_conformance(|| {
        let mut last: Option<Arc<MemoryLogStore>> = None;
        Box::new(move || {
            let next = Arc::new(last.as_ref().map_or_else(MemoryLogStore::new, |store| store.reopened()));
            last = Some(Arc::clone(&next));
            next
        })
    });
}
