//! SQLite's errors, as those of the port.

use std::{fs, io, path::Path, sync::Arc};

use realtime_ports::StoreError;
use rusqlite::ErrorCode;

/// An I/O error.
pub(super) fn of_io(error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::Unavailable(Arc::new(error)),
    }
}

/// An error of SQLite on the database at `path`.
pub(super) fn of_sqlite(error: rusqlite::Error, path: &Path) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full,
        Some(ErrorCode::SystemIoFailure) if is_full(path, 0) => StoreError::Full,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => damaged(path, &error.to_string()),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => in_use(path),
        _ => StoreError::Unavailable(Arc::new(error)),
    }
}

/// Whether a failed `fsync` may have lost what was written: the kernel drops such pages, and a second try succeeds
/// without them.
pub(super) fn is_failed_sync(error: &rusqlite::Error) -> bool {
    // SQLITE_IOERR_FSYNC and SQLITE_IOERR_DIR_FSYNC: https://sqlite.org/rescode.html
    error.sqlite_error().is_some_and(|error| matches!(error.extended_code, 1034 | 1290))
}

/// The database at `path` can't be read.
pub(super) fn damaged(path: &Path, what: &str) -> StoreError {
    let path = path.display();
    StoreError::Damaged(
        format!(
            "the store {path} is damaged: {what}. It is left as it is. To begin an empty one, move {path} and \
             {path}-wal to another directory; `sqlite3 {path} .recover` can show what is left in them"
        )
        .into(),
    )
}

/// Another process has the database at `path` open.
pub(super) fn in_use(path: &Path) -> StoreError {
    let dir = path.parent().unwrap_or(path).display();
    StoreError::InUse(format!("the store in {dir} is in use by another process: stop that one first").into())
}

/// Whether the disk or the quota has no room for `bytes`, and 64 KiB: SQLite reports a quota as a general I/O error.
pub(super) fn is_full(path: &Path, bytes: usize) -> bool {
    let probe = path.with_extension("probe");
    let written = fs::write(&probe, vec![0; bytes + (64 << 10)]);
    let _ = fs::remove_file(probe);
    written.is_err_and(|error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
}
