//! The durable store: one SQLite file with a row for each committed batch.
//!
//! The file is a journal under the memory that serves reads. A batch is one row of bytes, so that a message costs a
//! few bytes of a page and no statement of its own; an index in memory knows which records are still needed.
//! Rows without one are deleted, rows with few are written again smaller, so that the file does not grow with what
//! goes through it. Checkpoints happen while no batch waits.
//!
//! A file that can't be read is never replaced: [`SqliteLogStore::open`] refuses it, and [`move_aside`] makes room for
//! an empty one. `docs/decisions/0019-a-journal-in-sqlite.md` has the alternatives and the figures.

mod boot;
mod codec;
mod compact;
mod config;
mod database;
mod error;
mod file;
mod index;
mod ledger;
mod load;
mod node;
mod plan;
mod route;
mod sqlite;

pub use config::{Durability, StoreConfig};
pub use file::move_aside;
pub use sqlite::SqliteLogStore;
