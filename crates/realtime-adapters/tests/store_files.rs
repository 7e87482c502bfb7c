//! What happens to the files of a durable store on a bad day.
#![cfg(feature = "sqlite")]

use std::{
    fs::{self, OpenOptions},
    io::{Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use realtime_adapters::store::{Durability, SqliteLogStore, StoreConfig, move_aside};
use realtime_ports::{
    Appended, Loaded, LogStore, Record, StoreError,
    conformance::store::{Retained, message},
};
use realtime_schema::Route;
use tempfile::TempDir;

fn directory() -> TempDir {
    TempDir::new().expect("a directory")
}

fn open(dir: &Path) -> Result<SqliteLogStore, StoreError> {
    SqliteLogStore::open(StoreConfig::new(dir))
}

fn file(dir: &TempDir, name: &str) -> PathBuf {
    dir.path().join(name)
}

/// A message with a text of `bytes` bytes.
fn large(offset: u64, bytes: usize) -> Record {
    let Record::Appended(message) = message(&Route::All, 1, offset) else { unreachable!("a message") };
    Record::Appended(Appended { text: vec![b'x'; bytes].into(), ..message })
}

/// Commits `batches` of one message each, and ends without a close.
fn written(config: StoreConfig, batches: u64) -> Loaded {
    let store = SqliteLogStore::open(config).expect("it opens");
    let (loaded, retained) = Retained::load(&store).expect("it loads");
    let top = retained.streams.values().next().map_or(0, |stream| stream.position.1);
    for n in 1..=batches {
        store.commit(&[large(top + n, 1_000)]).expect("committed");
    }
    loaded
}

fn count(store: &SqliteLogStore) -> (Loaded, usize) {
    let (loaded, retained) = Retained::load(store).expect("it loads");
    (loaded, retained.streams.values().map(|stream| stream.messages.len()).sum())
}

#[test]
fn a_second_process_on_one_directory_is_refused() {
    let dir = directory();
    let first = open(dir.path()).expect("it opens");
    let error = open(dir.path()).expect_err("refused");
    assert!(matches!(error, StoreError::InUse(_)), "{error:?}");
    assert!(error.to_string().contains("in use by another process: stop that one first"), "{error}");
    assert!(matches!(move_aside(dir.path()), Err(StoreError::InUse(_))), "nor is it moved away");
    first.load(&mut |_| {}).expect("the first notices nothing");
    drop(first);
    open(dir.path()).expect("afterwards it opens");
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_as_it_is() {
    let cases = [("nothing", Vec::new()), ("garbage", b"garbage ".repeat(2_000)), ("a short text", b"hello".to_vec())];
    for (what, contents) in cases {
        let dir = directory();
        fs::write(file(&dir, "realtime.db"), &contents).expect("written");
        let error = open(dir.path()).expect_err("refused");
        assert!(matches!(error, StoreError::Damaged(_)), "{what}: {error:?}");
        assert!(error.to_string().contains("move "), "{what}: it says what to do: {error}");
        assert!(fs::read(file(&dir, "realtime.db")).expect("read") == contents, "{what} is left as it is");
    }
}

#[test]
fn a_store_with_a_changed_byte_is_refused_wherever_it_is() {
    let dir = directory();
    written(StoreConfig::new(dir.path()), 60);
    let closed = open(dir.path()).expect("it opens");
    let (_, expected) = Retained::load(&closed).expect("it loads");
    closed.close().expect("closed");
    drop(closed);
    let original = fs::read(file(&dir, "realtime.db")).expect("read");
    let mut damaged = 0;
    for at in (16..original.len()).step_by(original.len() / 80) {
        let mut changed = original.clone();
        changed[at] ^= 0x55;
        fs::write(file(&dir, "realtime.db"), &changed).expect("written");
        let _ = fs::remove_file(file(&dir, "realtime.db-wal"));
        match open(dir.path()).and_then(|store| Retained::load(&store)) {
            Err(StoreError::Damaged(_)) => damaged += 1,
            // An unused byte of a page.
            Ok((_, retained)) => assert_eq!(retained, expected, "byte {at}"),
            Err(error) => panic!("byte {at}: {error:?}"),
        }
    }
    assert!(damaged > 40, "only {damaged} of 80 changes were noticed");
}

#[test]
fn a_store_of_a_newer_release_is_refused() {
    let dir = directory();
    written(StoreConfig::new(dir.path()), 1);
    let _ = fs::remove_file(file(&dir, "realtime.db-wal"));
    // `user_version`, at byte 60: https://sqlite.org/fileformat.html#the_database_header
    let mut file = OpenOptions::new().write(true).open(file(&dir, "realtime.db")).expect("opened");
    file.seek(SeekFrom::Start(60)).and_then(|_| file.write_all(&9_u32.to_be_bytes())).expect("written");
    let error = open(dir.path()).expect_err("refused");
    assert!(error.to_string().contains("it has format 9, and this release reads format 1"), "{error}");
}

#[test]
fn a_store_moved_aside_is_kept_and_the_next_one_is_empty() {
    let dir = directory();
    assert_eq!(move_aside(dir.path()).expect("nothing to do"), None);
    let before = written(StoreConfig::new(dir.path()), 3);
    let aside = move_aside(dir.path()).expect("moved").expect("there was one");
    let (loaded, messages) = count(&open(dir.path()).expect("it opens"));
    assert_eq!(messages, 0);
    assert_ne!(loaded.generation, before.generation, "a new store is a new generation");
    // The old one can be put back.
    let back = directory();
    let wal = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
    fs::copy(&aside, file(&back, "realtime.db")).expect("copied");
    fs::copy(wal(&aside), wal(&file(&back, "realtime.db"))).expect("copied");
    let (loaded, messages) = count(&open(back.path()).expect("it opens"));
    assert_eq!((loaded.generation, messages), (before.generation, 3));
}

#[test]
fn a_database_without_its_file_is_refused() {
    let dir = directory();
    written(StoreConfig::new(dir.path()), 3);
    fs::remove_file(file(&dir, "realtime.db")).expect("removed");
    let error = open(dir.path()).expect_err("refused");
    assert!(matches!(&error, StoreError::Damaged(text) if text.contains("is missing")), "{error:?}");
}

#[test]
fn only_a_loss_changes_the_generation() {
    use Durability::{Power, Process};
    // Durability, whether it was closed, the ids of the kernel's starts, whether messages may be lost.
    let cases = [
        (Process, false, [Some("a"), Some("a")], false),
        (Process, false, [Some("a"), Some("b")], true),
        (Process, true, [Some("a"), Some("b")], false),
        (Power, false, [Some("a"), Some("b")], false),
        (Process, false, [None, None], true),
        (Process, true, [None, None], false),
        (Power, false, [None, None], false),
    ];
    for (durability, closed, [first, second], lost) in cases {
        let case = format!("{durability:?}, closed: {closed}, {first:?} then {second:?}");
        let dir = directory();
        let config = StoreConfig::new(dir.path()).with_durability(durability);
        let mut before = written(config.clone().with_boot_id(first), 2);
        if closed {
            let store = SqliteLogStore::open(config.clone().with_boot_id(first)).expect("it opens");
            before = count(&store).0;
            store.close().expect("closed");
        }
        // What counts is how the last process wrote, not how this one will.
        for round in 0..2 {
            let other = StoreConfig::new(dir.path()).with_boot_id(second);
            let store = SqliteLogStore::open(other.with_durability(Power)).expect("it opens");
            let (after, messages) = count(&store);
            if round == 0 {
                assert_eq!((after.rolled_back, messages), (lost, 2), "{case}");
                assert_eq!(after.generation != before.generation, lost, "{case}");
            } else {
                assert!(!after.rolled_back, "{case}: a loss is told once");
            }
        }
    }
}

#[test]
fn a_torn_log_of_writes_leaves_whole_batches_from_the_first_on() {
    let dir = directory();
    written(StoreConfig::new(dir.path()).with_boot_id(Some("a")), 50);
    let wal = fs::read(file(&dir, "realtime.db-wal")).expect("read");
    let database = fs::read(file(&dir, "realtime.db")).expect("read");
    let mut last = 0;
    for cut in (0..=wal.len()).step_by(wal.len() / 40) {
        let torn = directory();
        fs::write(file(&torn, "realtime.db"), &database).expect("written");
        fs::write(file(&torn, "realtime.db-wal"), &wal[..cut]).expect("written");
        let config = StoreConfig::new(torn.path()).with_boot_id(Some("b"));
        let (loaded, retained) = Retained::load(&SqliteLogStore::open(config).expect("it opens")).expect("it loads");
        assert!(loaded.rolled_back, "the loss is told");
        let messages = retained.streams.values().next().map_or(&[][..], |stream| &stream.messages);
        let offsets: Vec<_> = messages.iter().map(|message| message.offset).collect();
        assert_eq!(offsets, (1..=offsets.len() as u64).collect::<Vec<_>>(), "no hole");
        assert!(offsets.len() >= last, "a longer log has more");
        last = offsets.len();
    }
    assert!((45..=50).contains(&last), "the whole log has all, or all but its end: {last}");
}

#[test]
fn a_log_of_writes_that_was_deleted_is_a_loss() {
    let dir = directory();
    let before = written(StoreConfig::new(dir.path()), 5);
    fs::remove_file(file(&dir, "realtime.db-wal")).expect("removed");
    let (after, _) = count(&open(dir.path()).expect("it opens"));
    assert!(after.rolled_back && after.generation != before.generation);
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let dir = directory();
    let path = file(&dir, "file");
    fs::write(&path, "").expect("written");
    let error = open(&path.join("data")).expect_err("a file is no directory");
    assert!(matches!(&error, StoreError::Unavailable(_)), "{error:?}");
    let store: Arc<dyn LogStore> = Arc::new(open(&dir.path().join("a/b/c")).expect("missing directories are made"));
    assert!(store.usage().file_bytes > 0);
}
