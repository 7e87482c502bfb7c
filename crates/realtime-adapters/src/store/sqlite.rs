//! The store itself.

use std::{
    fs::File,
    path::PathBuf,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use realtime_ports::{Loaded, Loader, LogStore, Record, StoreError, Usage};

use super::{
    codec,
    compact::{Compactor, DELETE_ROWS},
    config::StoreConfig,
    database::{Database, Due},
    error::damaged,
    file::{self, Opened},
    index::Index,
    load, node,
    plan::Plan,
};

/// A [`LogStore`] in one SQLite file: `realtime.db` in its directory, with `realtime.db-wal` beside it while it is open.
#[derive(Debug)]
pub struct SqliteLogStore {
    config: StoreConfig,
    had_wal: bool,
    path: PathBuf,
    /// As of the last commit, so that a reader of the metrics waits for none.
    live_bytes: AtomicU64,
    state: Mutex<State>,
    /// On the directory, until this is dropped.
    _lock: File,
}

#[derive(Debug)]
struct State {
    /// `None` after the close.
    database: Option<Database>,
    /// `None` before the load.
    index: Option<Index>,
    compactor: Compactor,
}

impl SqliteLogStore {
    /// Opens the store of `config`, or makes an empty one if there is none, and checks it. Blocks.
    ///
    /// # Errors
    /// - [`StoreError::InUse`]: another process has it open.
    /// - [`StoreError::Damaged`]: it is damaged, or not a store, or of a newer release. It is left as it is.
    /// - [`StoreError::Full`], [`StoreError::Unavailable`]: the directory or the file can't be read or written.
    pub fn open(config: StoreConfig) -> Result<Self, StoreError> {
        let Opened { connection, path, had_wal, _lock } = file::open(&config.dir, config.durability)?;
        let database = Some(Database::new(connection, path.clone()));
        let state = Mutex::new(State { database, index: None, compactor: Compactor::default() });
        Ok(Self { config, had_wal, path, live_bytes: AtomicU64::new(0), state, _lock })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogStore for SqliteLogStore {
    fn load(&self, into: &mut dyn Loader) -> Result<Loaded, StoreError> {
        let mut state = self.lock();
        let State { database: Some(database), index: None, .. } = &mut *state else {
            return Err(StoreError::Misused("it is loaded once, before the close"));
        };
        let mut index = load::index(database)?;
        let config = &self.config;
        // Only now: a store that can't be read stays as it was.
        let node = database.change(0, |database| {
            node::begin(database.connection(), config.boot_id.as_deref(), config.durability, self.had_wal)
        })?;
        let node = node.ok_or_else(|| damaged(database.path(), "the row about the node is missing"))?;
        // Without the log of writes, the file itself must say that it is in use.
        database.checkpoint(Due::Now)?;
        index.expire(now());
        let loaded = load::replay(database, &index, &node, into)?;
        self.live_bytes.store(index.ledger.bytes().0, Relaxed);
        state.index = Some(index);
        Ok(loaded)
    }

    fn commit(&self, batch: &[Record]) -> Result<(), StoreError> {
        let mut state = self.lock();
        let State { database: Some(database), index: Some(index), compactor } = &mut *state else {
            return Err(StoreError::Misused("a commit follows the load and precedes the close"));
        };
        index.expire(now());
        let mut plan = Plan::new(index, batch)?;
        let (row, data) = (index.ledger.next(), plan.take_row());
        let dead = index.ledger.take_dead(if data.is_empty() { 0 } else { DELETE_ROWS });
        if let Err(error) = write(database, &plan, row, &data, &dead) {
            index.ledger.still_dead(dead);
            return Err(error);
        }
        plan.forgotten.iter().for_each(|id| index.forget(*id));
        for (id, route) in plan.created {
            index.create(id, route.clone());
        }
        if !data.is_empty() {
            index.ledger.begin(row, data.len());
            for (record, bytes) in codec::records(&data).filter_map(Result::ok) {
                index.add(row, &record, bytes);
            }
            index.ledger.settle();
        }
        compactor.renew();
        relieve(database, index, compactor);
        self.live_bytes.store(index.ledger.bytes().0, Relaxed);
        Ok(())
    }

    fn idle(&self) -> bool {
        let mut state = self.lock();
        let State { database: Some(database), index: Some(index), compactor } = &mut *state else { return false };
        tidy(database, index, compactor).unwrap_or(false)
    }

    fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        usage.file_bytes = file::size(&self.path);
        usage.live_bytes = self.live_bytes.load(Relaxed);
        usage
    }

    fn close(&self) -> Result<(), StoreError> {
        let mut state = self.lock();
        if state.index.is_none() {
            return Err(StoreError::Misused("a close follows the load"));
        }
        let Some(mut database) = state.database.take() else { return Ok(()) };
        // The file is complete before it says so.
        database.checkpoint(Due::Now)?;
        database.change(0, |database| node::end(database.connection()))?;
        database.checkpoint(Due::Now)?;
        database.close()
    }
}

/// Writes a batch. A full disk is tried once more after the log of writes was moved into the file, which needs no space
/// where rows have gone.
fn write(database: &mut Database, plan: &Plan<'_>, row: u64, data: &[u8], dead: &[u64]) -> Result<(), StoreError> {
    match database.write(plan, row, data, dead) {
        Err(StoreError::Full) if database.checkpoint(Due::Now).is_ok() => database.write(plan, row, data, dead),
        written => written,
    }
}

/// What can't wait, after a commit. The batch is stored: an error shows at the next one.
fn relieve(database: &mut Database, index: &mut Index, compactor: &mut Compactor) {
    if compactor.is_pressing(index) {
        let _ = compactor.step(index, database);
    }
    let _ = database.checkpoint(Due::Pressing);
}

/// A piece of the maintenance; returns whether more is left.
fn tidy(database: &mut Database, index: &mut Index, compactor: &mut Compactor) -> Result<bool, StoreError> {
    index.expire(now());
    if database.checkpoint(Due::Idle)? {
        return Ok(true);
    }
    // The next batches delete a few.
    if index.ledger.dead() > DELETE_ROWS / 4 {
        let dead = index.ledger.take_dead(DELETE_ROWS);
        if let Err(error) = database.remove(&dead) {
            index.ledger.still_dead(dead);
            return Err(error);
        }
        return Ok(true);
    }
    if compactor.is_due(index) {
        compactor.step(index, database)?;
        return Ok(true);
    }
    Ok(false)
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
