//! A publisher that measures how long each of its requests takes, undisturbed by the clients of this program.

use std::{
    fs,
    net::SocketAddr,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{cases::TOPIC, http::Http, options::Result, sequence, servers::Dialect, stats::Histogram, wire::Target};

/// The time between two publications.
const INTERVAL: Duration = Duration::from_millis(10);

/// A publisher in a thread of its own.
pub(super) struct TimedPublisher {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Published>>,
}

/// What it published.
pub(super) struct Published {
    pub(super) count: u64,
    /// Microseconds from a request to its response.
    pub(super) latency: Histogram,
}

impl TimedPublisher {
    /// Publishes messages `first` and up to [`TOPIC`] until it is stopped.
    pub(super) fn start(address: SocketAddr, dialect: Dialect, first: u64, start: Instant) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::spawn(move || publish(address, dialect, first, start, &stopped));
        Self { stop, thread }
    }

    /// Stops it.
    pub(super) async fn finish(self) -> Result<Published> {
        self.stop.store(true, Relaxed);
        let joined = tokio::task::spawn_blocking(|| self.thread.join()).await?;
        joined.map_err(|_| "the publisher panicked")?
    }
}

fn publish(
    address: SocketAddr,
    dialect: Dialect,
    first: u64,
    start: Instant,
    stopped: &AtomicBool,
) -> Result<Published> {
    prefer_this_thread();
    let mut http = Http::connect(address)?;
    let mut published = Published { count: 0, latency: Histogram::default() };
    let begun = Instant::now();
    while !stopped.load(Relaxed) {
        let due = begun + INTERVAL * u32::try_from(published.count)?;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let text = sequence::message(first + published.count, sequence::micros(start), 128);
        let request = dialect.publications(&[(Target::Topic(TOPIC.into()), text)]);
        let sent = Instant::now();
        http.request(request.as_bytes())?;
        published.latency.record(sequence::micros(sent));
        published.count += 1;
    }
    Ok(published)
}

/// Lets this thread run before the readers, which share its core: it is the server that is measured. It mostly sleeps.
/// Without the right to do so (`CAP_SYS_NICE`) the figures contain the readers' work.
fn prefer_this_thread() {
    let thread = fs::read_link("/proc/thread-self").ok();
    let Some(id) = thread.as_ref().and_then(|path| path.file_name()) else { return };
    let _ = Command::new("chrt").args(["--fifo", "--pid", "1"]).arg(id).output();
}
