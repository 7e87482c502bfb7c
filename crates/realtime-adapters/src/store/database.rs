//! The statements on the open database, each a transaction or a part of one.

use std::path::{Path, PathBuf};

use realtime_ports::StoreError;
use rusqlite::{CachedStatement, Connection, params};

use super::{
    codec::text_checksum,
    error::{self, of_sqlite},
    plan::Plan,
    route,
};

/// Beyond this the log of writes is moved into the database even if batches wait, in bytes.
const WAL_MAX: u64 = 64 << 20;
/// Beyond this it is moved while no batch waits, in bytes.
const WAL_IDLE: u64 = 4 << 20;
/// About what a transaction writes to the log beyond its data, in bytes: a few pages of 4 KiB.
const WAL_OVERHEAD: u64 = 2 * 4096;

/// The open database.
#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
    path: PathBuf,
    /// About how much the log of writes holds, in bytes.
    wal: u64,
    /// Set by a failed `fsync`: what was written before may be lost, whatever a later one says.
    failed: Option<StoreError>,
    /// Bytes of the batch that could not be written, until one can.
    failing: Option<usize>,
}

impl Database {
    pub(super) fn new(connection: Connection, path: PathBuf) -> Self {
        Self { connection, path, wal: 0, failed: None, failing: None }
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a batch in one transaction: its row, what it changes beside, and the rows that go.
    pub(super) fn write(&mut self, plan: &Plan<'_>, row: u64, data: &[u8], dead: &[u64]) -> Result<(), StoreError> {
        let written = if data.is_empty() && plan.is_row_only() {
            self.failing.map_or(Ok(()), |bytes| self.probe(bytes))
        } else if plan.is_row_only() && dead.is_empty() {
            self.change(data.len(), |database| database.insert(row, data))
        } else {
            self.transaction(data.len(), |database| {
                if !data.is_empty() {
                    database.insert(row, data)?;
                }
                database.delete(dead)?;
                database.write_others(plan)
            })
        };
        self.failing = written.is_err().then(|| self.failing.unwrap_or_default().max(data.len()));
        written
    }

    /// Whether `bytes` can be written again, after a failure.
    fn probe(&mut self, bytes: usize) -> Result<(), StoreError> {
        if error::is_full(&self.path, bytes) {
            return Err(StoreError::Full);
        }
        self.change(0, |database| database.cached("UPDATE node SET clean = 0")?.execute([]).map(drop))
    }

    /// Replaces `rows` by one with this number, which is among them, in one transaction.
    pub(super) fn replace(&mut self, rows: &[u64], row: u64, data: &[u8]) -> Result<(), StoreError> {
        self.transaction(data.len(), |database| {
            database.delete(rows)?;
            database.insert(row, data)
        })
    }

    /// Deletes rows, in one transaction.
    pub(super) fn remove(&mut self, rows: &[u64]) -> Result<(), StoreError> {
        self.transaction(0, |database| database.delete(rows))
    }

    /// The bytes of a row.
    pub(super) fn read(&self, row: u64) -> Result<Vec<u8>, StoreError> {
        let read = self
            .cached("SELECT data FROM batch WHERE seq = ?1")
            .and_then(|mut statement| statement.query_row([row.cast_signed()], |row| row.get(0)));
        read.map_err(|error| of_sqlite(error, &self.path))
    }

    /// Moves the log of writes into the database if it is `due`, and returns whether it did.
    pub(super) fn checkpoint(&mut self, due: Due) -> Result<bool, StoreError> {
        let threshold = match due {
            Due::Idle => WAL_IDLE,
            Due::Pressing => WAL_MAX,
            Due::Now => 0,
        };
        if self.wal < threshold {
            return Ok(false);
        }
        let how = if matches!(due, Due::Now) { "TRUNCATE" } else { "PASSIVE" };
        self.change(0, |database| {
            database.connection.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |_| Ok(()))
        })?;
        self.wal = 0;
        Ok(true)
    }

    /// Closes the database.
    pub(super) fn close(self) -> Result<(), StoreError> {
        let Self { connection, path, .. } = self;
        connection.flush_prepared_statement_cache();
        connection.close().map_err(|(_, error)| of_sqlite(error, &path))
    }

    fn transaction(
        &mut self,
        bytes: usize,
        write: impl FnOnce(&Self) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        self.change(bytes, |database| {
            database.cached("BEGIN IMMEDIATE")?.execute([])?;
            let written = write(database).and_then(|()| database.cached("COMMIT")?.execute([]).map(drop));
            // After some errors SQLite has rolled back by itself.
            if written.is_err() && !database.connection.is_autocommit() {
                database.cached("ROLLBACK")?.execute([])?;
            }
            written
        })
    }

    /// Runs one change; refuses if an earlier `fsync` has failed.
    pub(super) fn change<T>(
        &mut self,
        bytes: usize,
        write: impl FnOnce(&Self) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        self.wal += bytes as u64 + WAL_OVERHEAD;
        write(self).map_err(|error| {
            let failed_sync = error::is_failed_sync(&error);
            let error = of_sqlite(error, &self.path);
            if failed_sync {
                self.failed = Some(error.clone());
            }
            error
        })
    }

    fn insert(&self, row: u64, data: &[u8]) -> rusqlite::Result<()> {
        self.cached("INSERT INTO batch (seq, data) VALUES (?1, ?2)")?
            .execute(params![row.cast_signed(), data])
            .map(drop)
    }

    fn delete(&self, rows: &[u64]) -> rusqlite::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut statement = self.cached("DELETE FROM batch WHERE seq = ?1")?;
        rows.iter().try_for_each(|row| statement.execute([row.cast_signed()]).map(drop))
    }

    fn write_others(&self, plan: &Plan<'_>) -> rusqlite::Result<()> {
        for (id, route) in &plan.created {
            let route = route::to_text(route).unwrap_or_default();
            self.cached("INSERT INTO stream (id, route, checksum) VALUES (?1, ?2, ?3)")?.execute(params![
                id.cast_signed(),
                route,
                text_checksum(&id.to_string(), &route)
            ])?;
        }
        for id in &plan.forgotten {
            self.cached("DELETE FROM stream WHERE id = ?1")?.execute([id.cast_signed()])?;
        }
        if let Some(reached) = plan.reached {
            self.cached("UPDATE node SET forgotten = max(forgotten, ?1)")?.execute([reached.cast_signed()])?;
        }
        if let Some(secret) = plan.secret {
            self.cached("UPDATE node SET secret = ?1")?.execute([&*secret.0])?;
        }
        for (id, revocation) in &plan.revocations {
            match revocation {
                Some(revocation) => {
                    let data = serde_json::to_string(revocation)
                        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
                    let id = id.to_string();
                    self.cached("INSERT OR REPLACE INTO revocation (id, data, checksum) VALUES (?1, ?2, ?3)")?
                        .execute(params![id, data, text_checksum(&id, &data)])?;
                }
                None => {
                    self.cached("DELETE FROM revocation WHERE id = ?1")?.execute([id.to_string()])?;
                }
            }
        }
        for ((user, topic), has) in &plan.user_topics {
            let (user, topic) = (user.as_str(), topic.as_str());
            if *has {
                self.cached("INSERT OR REPLACE INTO user_topic (user, topic, checksum) VALUES (?1, ?2, ?3)")?
                    .execute(params![user, topic, text_checksum(user, topic)])?;
            } else {
                self.cached("DELETE FROM user_topic WHERE user = ?1 AND topic = ?2")?.execute([user, topic])?;
            }
        }
        Ok(())
    }

    fn cached(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.connection.prepare_cached(sql)
    }
}

/// When a checkpoint is made.
#[derive(Clone, Copy, Debug)]
pub(super) enum Due {
    /// No batch waits: if the log is worth it.
    Idle,
    /// Batches wait: only if the log is very large.
    Pressing,
    /// Whatever its size.
    Now,
}
