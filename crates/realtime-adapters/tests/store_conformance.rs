//! The durable store keeps every promise of its port.
#![cfg(feature = "sqlite")]

use std::sync::Arc;

use realtime_adapters::store::{Durability, SqliteLogStore, StoreConfig};
use realtime_ports::conformance::store::{Opener, store_conformance};
use tempfile::TempDir;

fn opener(durability: Durability) -> Opener {
    let dir = TempDir::new().expect("a directory");
    Box::new(move || {
        let config = StoreConfig::new(dir.path()).with_durability(durability);
        Arc::new(SqliteLogStore::open(config).expect("it opens"))
    })
}

#[test]
fn the_store_keeps_the_ports_promises() {
    store_conformance(|| opener(Durability::Process));
}

#[test]
fn the_store_keeps_them_with_an_fsync_for_each_batch() {
    store_conformance(|| opener(Durability::Power));
}
