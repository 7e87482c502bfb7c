//! What happens to a durable store on a disk that is full.
//!
//! In a test program of its own, because it runs commands: a child shares its parent's open files until it runs the
//! command, and with them the locks on the stores of tests that run at the same time.
#![cfg(feature = "sqlite")]

use std::{fs, process::Command};

use realtime_adapters::store::{SqliteLogStore, StoreConfig};
use realtime_ports::{
    Appended, LogStore, Record, StoreError,
    conformance::store::{Retained, message},
};
use realtime_schema::Route;
use tempfile::TempDir;

/// A message with a text of `bytes` bytes.
fn large(offset: u64, bytes: usize) -> Record {
    let Record::Appended(message) = message(&Route::All, 1, offset) else { unreachable!("a message") };
    Record::Appended(Appended { text: vec![b'x'; bytes].into(), ..message })
}

/// A file system of `bytes` bytes in memory, unmounted at the end; `None` where this user may not mount.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn new(bytes: u64) -> Option<Self> {
        let dir = TempDir::new().expect("a directory");
        let size = format!("size={bytes}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir.path()).output();
        let mounted = mounted.is_ok_and(|output| output.status.success());
        mounted.then_some(Self(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_named_and_the_store_works_again_when_there_is_space() {
    let Some(disk) = SmallDisk::new(8 << 20) else {
        eprintln!("SKIPPED: this user may not mount a tmpfs, so no disk was filled");
        return;
    };
    let (dir, filler) = (disk.0.path().join("data"), disk.0.path().join("filler"));
    let store = SqliteLogStore::open(StoreConfig::new(&dir)).expect("it opens");
    let mut expected = Retained::load(&store).expect("it loads").1;
    fs::write(&filler, vec![0; 4 << 20]).expect("written");
    let mut offset = 0;
    let error = loop {
        let batch = [large(offset + 1, 20_000), large(offset + 2, 20_000)];
        match store.commit(&batch) {
            Ok(()) => batch.iter().for_each(|record| expected.apply(record)),
            Err(error) => break error,
        }
        offset += 2;
        assert!(offset < 1_000, "the disk has 8 MiB");
    };
    assert!(matches!(error, StoreError::Full), "{error:?}");
    assert!(matches!(store.commit(&[large(offset + 1, 20_000)]), Err(StoreError::Full)), "and again");
    while store.idle() {}
    assert!(matches!(store.commit(&[]), Err(StoreError::Full)), "an empty batch finds out without a message");
    fs::remove_file(&filler).expect("removed");
    store.commit(&[]).expect("and finds out that there is space");
    let batch = [large(offset + 1, 20_000)];
    store.commit(&batch).expect("there is space again");
    batch.iter().for_each(|record| expected.apply(record));
    drop(store);
    let store = SqliteLogStore::open(StoreConfig::new(&dir)).expect("it opens");
    assert_eq!(Retained::load(&store).expect("it loads").1, expected, "exactly what was acknowledged is there");
    drop(store);
    drop(disk);
}
