//! A process that is killed at any moment loses nothing that it acknowledged.
#![cfg(all(feature = "sqlite", unix))]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use bytes::Bytes;
use realtime_adapters::store::{SqliteLogStore, StoreConfig};
use realtime_ports::{Appended, LogStore, Once, Record, conformance::store::Retained};
use realtime_schema::{MessageId, MessageType, Receipt, Route, Timestamp, Topic};
use tempfile::TempDir;

/// Set for the process that is killed: the directory of its store.
const CHILD: &str = "REALTIME_STORE_KILL_DIR";
const STREAMS: u64 = 40;
const KEPT: u64 = 30;

fn route(n: u64) -> Route {
    Route::Topic(Topic::new(format!("order:{n}")).expect("a topic"))
}

/// The batch with number `n`: the same whoever makes it. Each fifth stream's messages are large.
fn batch(n: u64) -> Vec<Record> {
    let mut batch: Vec<_> = (0..10)
        .flat_map(|i| {
            let (stream, offset) = ((n * 10 + i) % STREAMS, (n * 10 + i) / STREAMS + 1);
            let text = format!(r#"{{"n":{n},"text":"{}"}}"#, "x".repeat(if stream % 5 == 0 { 9_000 } else { 200 }));
            let message = Appended {
                route: route(stream),
                epoch: 1,
                offset,
                at: Timestamp::from_millis(1_795_442_400_000),
                kind: MessageType::new("note").expect("a type"),
                text: Bytes::from(text),
                except: None,
            };
            let trimmed = Record::Trimmed { route: route(stream), through: offset.saturating_sub(KEPT) };
            [Record::Appended(message), trimmed]
        })
        .collect();
    let id = MessageId("019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse().expect("an id"));
    let receipt = Receipt { id, delivered: n, other_nodes: false, position: None, duplicate: false };
    let expires_at = Timestamp::from_millis(253_370_764_800_000);
    batch.push(Record::Once(Once { key: "last".into(), fingerprint: n.into(), receipt, expires_at }));
    batch
}

/// The number of the last batch that is stored.
fn last(retained: &Retained) -> u64 {
    retained.once.values().next().map_or(0, |once| u64::try_from(once.fingerprint).expect("a number of a batch"))
}

fn load(dir: &Path) -> (SqliteLogStore, Retained) {
    let store = SqliteLogStore::open(StoreConfig::new(dir)).expect("it opens after a kill");
    let (loaded, retained) = Retained::load(&store).expect("it loads");
    assert!(!loaded.rolled_back, "the end of a process loses nothing");
    (store, retained)
}

/// What the killed process runs: it commits, acknowledges on its output, and looks after its file. Without the variable,
/// nothing: it is run by the test below, in a process of its own.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let (store, retained) = load(Path::new(&dir));
    let mut output = std::io::stdout().lock();
    for n in last(&retained) + 1.. {
        store.commit(&batch(n)).expect("committed");
        writeln!(output, "acknowledged {n}").and_then(|()| output.flush()).expect("the parent reads");
        if n % 3 == 0 {
            store.idle();
        }
    }
}

fn survives(kills: u64) {
    let dir = TempDir::new().expect("a directory");
    let (mut expected, mut done) = (Retained::default(), 0);
    for kill in 0..kills {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "child", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        // From 1 to 200 acknowledgements, in no regular order.
        let wait = 1 + (kill * 7_919) % 200;
        let mut acknowledged = 0;
        let mut read = |line: std::io::Result<String>| {
            if let Some(n) = line.ok().and_then(|line| line.strip_prefix("acknowledged ")?.parse().ok()) {
                acknowledged = n;
            }
            acknowledged
        };
        for line in lines.by_ref() {
            if read(line) >= done + wait {
                break;
            }
        }
        child.kill().expect("killed");
        child.wait().expect("ended");
        for line in lines {
            read(line);
        }

        let (_, retained) = load(dir.path());
        let stored = last(&retained);
        assert!(
            (acknowledged..=acknowledged + 1).contains(&stored),
            "kill {kill}: {acknowledged} were acknowledged, {stored} are stored"
        );
        (done + 1..=stored).flat_map(batch).for_each(|record| expected.apply(&record));
        assert_eq!(retained, expected, "kill {kill}: each stored batch is whole, and nothing is there twice");
        done = stored;
    }
    eprintln!("{kills} kills, {done} batches");
}

/// How many kills there are: 10, or as many as this variable says. Two hundred take a minute or two.
const KILLS: &str = "REALTIME_STORE_KILLS";

#[test]
fn kills_at_any_moment_lose_nothing_that_was_acknowledged() {
    let kills = std::env::var(KILLS).map_or(10, |kills| kills.parse().expect("a number of kills"));
    survives(kills);
}
