//! The files of a store: made, locked, opened, checked, moved aside.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use realtime_ports::StoreError;
use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{
    config::Durability,
    error::{damaged, in_use, of_io, of_sqlite},
    node,
};

const NAME: &str = "realtime.db";
/// "RTL1": names the file's format to tools.
const APPLICATION: i32 = 0x5254_4C31;
/// The version of the tables.
const SCHEMA: i64 = 1;

const TABLES: &str = "
    CREATE TABLE batch (seq INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
    CREATE TABLE stream (id INTEGER PRIMARY KEY, route TEXT NOT NULL, checksum INTEGER NOT NULL) STRICT;
    CREATE TABLE revocation (id TEXT PRIMARY KEY, data TEXT NOT NULL, checksum INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE user_topic (
        user TEXT NOT NULL, topic TEXT NOT NULL, checksum INTEGER NOT NULL, PRIMARY KEY (user, topic)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE node (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        generation INTEGER NOT NULL,
        boot_id TEXT NOT NULL,
        clean INTEGER NOT NULL,
        power INTEGER NOT NULL,
        forgotten INTEGER NOT NULL,
        secret BLOB
    ) STRICT;
";

/// An open database with the lock on its directory.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    /// Whether the log of writes was there. It is while a store is in use, and after a crash.
    pub(super) had_wal: bool,
    /// Held until the store is dropped.
    pub(super) _lock: File,
}

/// Opens the store in `dir`; makes it if there is none.
pub(super) fn open(dir: &Path, durability: Durability) -> Result<Opened, StoreError> {
    create_dir(dir).map_err(of_io)?;
    let path = dir.join(NAME);
    let lock = lock(dir, &path)?;
    let wal = wal_of(&path);
    let had_wal = wal.exists();
    if !path.try_exists().map_err(of_io)? {
        if had_wal {
            return Err(damaged(&path, "the file is missing, but its -wal file is there"));
        }
        create(dir, &path)?;
    }
    check_header(&path)?;
    let connection = connect(&path, durability).and_then(|connection| check(&path, connection))?;
    Ok(Opened { connection, path, had_wal, _lock: lock })
}

/// Moves the store in `dir` aside, within that directory, and returns its new path; `None` if there is none. The next
/// [open](super::SqliteLogStore::open) makes an empty one with a generation of its own.
///
/// # Errors
/// Another process has it open, or the directory can't be written.
pub fn move_aside(dir: &Path) -> Result<Option<PathBuf>, StoreError> {
    let path = dir.join(NAME);
    let wal = wal_of(&path);
    if !path.try_exists().map_err(of_io)? && !wal.try_exists().map_err(of_io)? {
        return Ok(None);
    }
    let _lock = lock(dir, &path)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let aside = (now..).map(|n| dir.join(format!("realtime-before-reset-{n}.db"))).find(|path| !path.exists());
    let aside = aside.unwrap_or_else(|| dir.join("realtime-before-reset.db"));
    // The log of writes second: a crash between leaves a `-wal` alone, which is refused.
    for (from, to) in [(&path, &aside), (&wal, &wal_of(&aside))] {
        match fs::rename(from, to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            moved => moved.map_err(of_io)?,
        }
    }
    sync_dir(dir).map_err(of_io)?;
    Ok(Some(aside))
}

/// The file of SQLite's write-ahead log.
pub(super) fn wal_of(path: &Path) -> PathBuf {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    wal.into()
}

/// Bytes of the database's files.
pub(super) fn size(path: &Path) -> u64 {
    let length = |path: &Path| path.metadata().map_or(0, |metadata| metadata.len());
    length(path) + length(&wal_of(path))
}

fn create_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    // Messages and a secret are in it: for this user only.
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

fn lock(dir: &Path, path: &Path) -> Result<File, StoreError> {
    let lock = File::options().create(true).truncate(false).write(true).open(dir.join("lock")).map_err(of_io)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(in_use(path)),
        Err(TryLockError::Error(error)) => Err(of_io(error)),
    }
}

/// Makes a complete empty store under another name first: a file under its own name always has its tables, and an
/// empty one is damaged.
fn create(dir: &Path, path: &Path) -> Result<(), StoreError> {
    let new = dir.join("realtime-new.db");
    for leftover in [new.clone(), wal_of(&new)] {
        match fs::remove_file(leftover) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.map_err(of_io)?,
        }
    }
    let sqlite = |error| of_sqlite(error, &new);
    let connection = connect(&new, Durability::Power)?;
    connection.execute_batch(&format!("BEGIN; {TABLES} COMMIT")).map_err(sqlite)?;
    node::insert(&connection).map_err(sqlite)?;
    connection.pragma_update(None, "application_id", APPLICATION).map_err(sqlite)?;
    connection.pragma_update(None, "user_version", SCHEMA).map_err(sqlite)?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(sqlite)?;
    connection.close().map_err(|(_, error)| sqlite(error))?;
    fs::remove_file(wal_of(&new)).map_err(of_io)?;
    fs::rename(&new, path).and_then(|()| sync_dir(dir)).map_err(of_io)
}

/// Whether it is a store of ours, by its first bytes: SQLite would change another file while it opens it, and fill an
/// empty one.
fn check_header(path: &Path) -> Result<(), StoreError> {
    // https://sqlite.org/fileformat.html#the_database_header
    let mut header = [0; 100];
    match File::open(path).and_then(|mut file| file.read_exact(&mut header)) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(damaged(path, "it is too short")),
        Err(error) => Err(of_io(error)),
        Ok(()) if &header[..16] != b"SQLite format 3\0" => Err(damaged(path, "it is not an SQLite file")),
        Ok(()) if header[68..72] != APPLICATION.to_be_bytes() => {
            Err(damaged(path, "it is an SQLite file of another application"))
        }
        Ok(()) => Ok(()),
    }
}

fn connect(path: &Path, durability: Durability) -> Result<Connection, StoreError> {
    let sqlite = |error| of_sqlite(error, path);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
    // The log of writes stays when a store is dropped without a close: it is the sign that nothing of it was lost.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(sqlite)?;
    let set = |name, value: &str| {
        // Some of them return a row and some don't.
        connection.pragma_update_and_check(None, name, value, |_| Ok(())).or_else(|error| match error {
            rusqlite::Error::QueryReturnedNoRows => Ok(()),
            error => Err(sqlite(error)),
        })
    };
    // Before anything is read: then the index of the log is in this process's memory, and no other process gets in.
    set("locking_mode", "EXCLUSIVE")?;
    set("journal_mode", "WAL")?;
    set("synchronous", if durability == Durability::Power { "FULL" } else { "NORMAL" })?;
    // Checkpoints are made while no batch waits.
    set("wal_autocheckpoint", "0")?;
    // After a burst the log gives its space back.
    set("journal_size_limit", "16777216")?;
    set("cell_size_check", "ON")?;
    set("trusted_schema", "OFF")?;
    Ok(connection)
}

/// Whether it is complete and of a known version.
fn check(path: &Path, connection: Connection) -> Result<Connection, StoreError> {
    let sqlite = |error| of_sqlite(error, path);
    let schema: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(sqlite)?;
    if schema != SCHEMA {
        return Err(damaged(path, &format!("it has format {schema}, and this release reads format {SCHEMA}")));
    }
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(sqlite)?;
    if found != "ok" {
        return Err(damaged(path, &found));
    }
    Ok(connection)
}

#[cfg(unix)]
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync_dir(_: &Path) -> io::Result<()> {
    Ok(())
}
