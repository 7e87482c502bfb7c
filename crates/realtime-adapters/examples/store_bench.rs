//! Measures the durable store beside a bare file:
//!
//! ```sh
//! cargo run --release -p realtime-adapters --example store_bench --features sqlite -- DIRECTORY [RUNS]
//! ```
//!
//! The directory should be on the disk that the server will use. Each figure is the median of RUNS (5) runs; the bare
//! file, written or written and synced once for each batch, says what the disk and the machine allow at that time.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use realtime_adapters::store::{Durability, SqliteLogStore, StoreConfig};
use realtime_ports::{Appended, LogStore, Record};
use realtime_schema::{MessageType, Route, Timestamp, Topic};

/// Bytes of a message's frame.
const FRAME: usize = 250;
const STREAMS: usize = 1_000;
/// Messages that a stream retains.
const KEPT: u64 = 100;
/// The limits of one batch, as the server's writer has them.
const BATCH_MESSAGES: usize = 1_000;
const BATCH_BYTES: usize = 1 << 20;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().expect("give the directory to write to"));
    let runs = arguments.next().map_or(5, |runs| runs.parse().expect("a number of runs"));
    cpu(&dir, runs);
    publishers(&dir, runs);
    turnovers(&dir);
    start(&dir, runs);
}

/// What takes batches.
trait Sink: Send {
    fn commit(&mut self, batch: &[Record]);
    /// While no batch waits.
    fn idle(&mut self);
}

struct Sqlite(SqliteLogStore);

impl Sink for Sqlite {
    fn commit(&mut self, batch: &[Record]) {
        self.0.commit(batch).expect("committed");
    }

    fn idle(&mut self) {
        self.0.idle();
    }
}

struct BareFile {
    file: File,
    sync: bool,
    buffer: Vec<u8>,
}

impl Sink for BareFile {
    fn commit(&mut self, batch: &[Record]) {
        self.buffer.clear();
        for record in batch {
            if let Record::Appended(message) = record {
                self.buffer.extend_from_slice(&message.text);
            }
        }
        self.file.write_all(&self.buffer).expect("written");
        if self.sync {
            self.file.sync_data().expect("synced");
        }
    }

    fn idle(&mut self) {}
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Sqlite,
    BareFile,
}

const KINDS: [(Kind, &str); 2] = [(Kind::Sqlite, "sqlite"), (Kind::BareFile, "bare file")];
const DEGREES: [(Durability, &str); 2] = [(Durability::Process, "process"), (Durability::Power, "power")];

/// A fresh one in `dir`, which is emptied before.
fn fresh(dir: &Path, kind: Kind, durability: Durability) -> Box<dyn Sink> {
    let dir = dir.join("store-bench");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("created");
    match kind {
        Kind::Sqlite => {
            let store = SqliteLogStore::open(StoreConfig::new(dir).with_durability(durability)).expect("opened");
            store.load(&mut |_| {}).expect("loaded");
            Box::new(Sqlite(store))
        }
        Kind::BareFile => {
            let file = File::create(dir.join("file")).expect("created");
            Box::new(BareFile { file, sync: durability == Durability::Power, buffer: Vec::new() })
        }
    }
}

/// Makes messages, one stream after the other, each with the trim that keeps its stream short.
struct Messages {
    routes: Vec<Route>,
    kind: MessageType,
    next: usize,
}

impl Messages {
    fn new() -> Self {
        let topic = |n| Route::Topic(Topic::new(format!("order:{n}")).expect("a topic"));
        Self { routes: (0..STREAMS).map(topic).collect(), kind: MessageType::new("changed").expect("a type"), next: 0 }
    }

    fn push(&mut self, batch: &mut Vec<Record>) {
        let route = &self.routes[self.next % STREAMS];
        let offset = (self.next / STREAMS) as u64 + 1;
        self.next += 1;
        batch.push(Record::Appended(Appended {
            route: route.clone(),
            epoch: 1 << 40,
            offset,
            at: Timestamp::from_millis(1_795_442_400_000),
            kind: self.kind.clone(),
            text: Bytes::from(vec![b'x'; FRAME]),
            except: None,
        }));
        if offset > KEPT {
            batch.push(Record::Trimmed { route: route.clone(), through: offset - KEPT });
        }
    }

    fn batch(&mut self, messages: usize) -> Vec<Record> {
        let mut batch = Vec::with_capacity(2 * messages);
        (0..messages).for_each(|_| self.push(&mut batch));
        batch
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// CPU time of this thread: proc(5), `schedstat`.
fn cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    Duration::from_nanos(stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("nanoseconds"))
}

/// CPU per message and the time of a commit, by the size of a batch, with full streams.
fn cpu(dir: &Path, runs: usize) {
    println!("| durability | store | batch | CPU µs per message | messages/s | p50 µs | p99 µs | longest ms |");
    println!("|---|---|---|---|---|---|---|---|");
    for (durability, degree) in DEGREES {
        for (kind, name) in KINDS {
            for (size, count) in [(1, 20_000), (32, 100_000), (1_000, 200_000)] {
                let count = if durability == Durability::Power { count / 4 } else { count };
                let mut figures = vec![Vec::new(); 5];
                for _ in 0..runs {
                    let (mut sink, mut messages) = (fresh(dir, kind, durability), Messages::new());
                    for _ in 0..STREAMS * KEPT as usize / 1_000 {
                        sink.commit(&messages.batch(1_000));
                    }
                    let batches: Vec<_> = (0..count / size).map(|_| messages.batch(size)).collect();
                    let mut times = Vec::with_capacity(batches.len());
                    let (cpu, started) = (cpu_time(), Instant::now());
                    for batch in &batches {
                        let commit = Instant::now();
                        sink.commit(batch);
                        times.push(commit.elapsed().as_secs_f64() * 1e6);
                    }
                    let (cpu, wall) = (cpu_time() - cpu, started.elapsed());
                    times.sort_by(f64::total_cmp);
                    let figure = [
                        cpu.as_secs_f64() * 1e6 / count as f64,
                        count as f64 / wall.as_secs_f64(),
                        times[times.len() / 2],
                        times[times.len() * 99 / 100],
                        times[times.len() - 1] / 1e3,
                    ];
                    figures.iter_mut().zip(figure).for_each(|(all, one)| all.push(one));
                }
                let [cpu, rate, p50, p99, max] = figures.into_iter().map(median).collect::<Vec<_>>()[..] else {
                    unreachable!("five figures")
                };
                println!("| {degree} | {name} | {size} | {cpu:.2} | {rate:.0} | {p50:.0} | {p99:.0} | {max:.1} |");
            }
        }
    }
}

/// Publishers that wait for each of their messages, and one writer that commits what waits together.
fn publishers(dir: &Path, runs: usize) {
    println!("\n| durability | store | publishers | messages/s | messages per commit | p50 µs | p99 µs |");
    println!("|---|---|---|---|---|---|---|");
    for (durability, degree) in DEGREES {
        for (kind, name) in KINDS {
            for publishers in [1, 100] {
                let mut figures = vec![Vec::new(); 4];
                for _ in 0..runs {
                    let figure = publish(fresh(dir, kind, durability), publishers, Duration::from_secs(2));
                    figures.iter_mut().zip(figure).for_each(|(all, one)| all.push(one));
                }
                let [rate, group, p50, p99] = figures.into_iter().map(median).collect::<Vec<_>>()[..] else {
                    unreachable!("four figures")
                };
                println!("| {degree} | {name} | {publishers} | {rate:.0} | {group:.1} | {p50:.0} | {p99:.0} |");
            }
        }
    }
}

fn publish(mut sink: Box<dyn Sink>, publishers: usize, during: Duration) -> [f64; 4] {
    let (sender, receiver): (SyncSender<SyncSender<()>>, Receiver<_>) = sync_channel(10_000);
    let times = Arc::new(Mutex::new(Vec::new()));
    let end = Instant::now() + during;
    let threads: Vec<_> = (0..publishers)
        .map(|_| {
            let (sender, times) = (sender.clone(), Arc::clone(&times));
            thread::spawn(move || {
                let (acknowledge, acknowledged) = sync_channel(1);
                let mut own = Vec::new();
                while Instant::now() < end {
                    let started = Instant::now();
                    sender.send(acknowledge.clone()).expect("the writer runs");
                    acknowledged.recv().expect("the writer runs");
                    own.push(started.elapsed().as_secs_f64() * 1e6);
                }
                times.lock().expect("no panic").extend(own);
            })
        })
        .collect();
    drop(sender);
    let (mut messages, mut commits) = (Messages::new(), 0_u64);
    while let Ok(first) = receiver.recv() {
        let (mut waiting, mut batch) = (vec![first], Vec::new());
        messages.push(&mut batch);
        while waiting.len() < BATCH_MESSAGES && waiting.len() * FRAME < BATCH_BYTES {
            let Ok(next) = receiver.try_recv() else { break };
            messages.push(&mut batch);
            waiting.push(next);
        }
        sink.commit(&batch);
        commits += 1;
        for acknowledge in waiting {
            let _ = acknowledge.send(());
        }
        sink.idle();
    }
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    let mut times = std::mem::take(&mut *times.lock().expect("no panic"));
    times.sort_by(f64::total_cmp);
    let count = times.len() as f64;
    [count / during.as_secs_f64(), count / commits as f64, times[times.len() / 2], times[times.len() * 99 / 100]]
}

/// How the files grow when everything retained is replaced again and again.
fn turnovers(dir: &Path) {
    println!("\n| turnover | needed MiB | files MiB, never idle | files MiB, idle after each batch |");
    println!("|---|---|---|---|");
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let mut columns = Vec::new();
    for idle in [false, true] {
        let store_dir = dir.join("store-bench");
        let _ = fs::remove_dir_all(&store_dir);
        let store = SqliteLogStore::open(StoreConfig::new(store_dir)).expect("opened");
        store.load(&mut |_| {}).expect("loaded");
        let mut messages = Messages::new();
        let column: Vec<_> = (0..11)
            .map(|_| {
                for _ in 0..STREAMS * KEPT as usize / 32 {
                    store.commit(&messages.batch(32)).expect("committed");
                    if idle {
                        store.idle();
                    }
                }
                store.usage()
            })
            .collect();
        columns.push(column);
    }
    for (turnover, (busy, idle)) in columns[0].iter().zip(&columns[1]).enumerate() {
        let needed = mebibytes(busy.live_bytes);
        println!(
            "| {turnover} | {needed:.1} | {:.1} | {:.1} |",
            mebibytes(busy.file_bytes),
            mebibytes(idle.file_bytes)
        );
    }
}

/// How long a start takes with a million messages.
fn start(dir: &Path, runs: usize) {
    println!("\n| messages | batches of | files MiB | open, with the check, s | load s |");
    println!("|---|---|---|---|---|");
    for size in [1, 32, 1_000] {
        let store_dir = dir.join("store-bench");
        let _ = fs::remove_dir_all(&store_dir);
        let open = || SqliteLogStore::open(StoreConfig::new(&store_dir)).expect("opened");
        let store = open();
        store.load(&mut |_| {}).expect("loaded");
        let mut messages = Messages::new();
        for _ in 0..1_000_000 / size {
            let batch: Vec<_> = messages.batch(size).into_iter().filter(|r| matches!(r, Record::Appended(_))).collect();
            store.commit(&batch).expect("committed");
            if size > 1 {
                store.idle();
            }
        }
        let mebibytes = store.usage().file_bytes >> 20;
        drop(store);
        let (mut opens, mut loads) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            let started = Instant::now();
            let store = open();
            opens.push(started.elapsed().as_secs_f64());
            let (started, mut kept) = (Instant::now(), Vec::with_capacity(1_000_000));
            // As a node does: it copies each text.
            let loaded = store.load(&mut |record| {
                if let Record::Appended(message) = record {
                    kept.push(Bytes::copy_from_slice(&message.text));
                }
            });
            loads.push(started.elapsed().as_secs_f64());
            assert_eq!(loaded.expect("loaded").messages as usize, kept.len());
        }
        println!("| 1,000,000 | {size} | {mebibytes} | {:.2} | {:.2} |", median(opens), median(loads));
    }
    let _ = fs::remove_dir_all(dir.join("store-bench"));
}
