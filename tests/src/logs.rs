//! The log lines of a test, as an operator sees them at the default level.

use std::{cell::RefCell, io, sync::Once};

use tracing::Level;

thread_local! {
    /// What this thread logged, while it records.
    static LINES: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Records the log lines of this thread at `info` and above, as JSON, until it is dropped.
pub struct Logs(());

/// Writes to the thread's own record. One subscriber serves all tests of the process: with one for each test,
/// `tracing` would cache for a moment that no test wants a line.
struct ThisThread;

impl io::Write for ThisThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| {
            if let Some(lines) = lines {
                lines.extend_from_slice(bytes);
            }
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Logs {
    /// Starts to record. The test must run on one thread, as `#[tokio::test]` does by default.
    pub fn record() -> Self {
        static SUBSCRIBER: Once = Once::new();
        SUBSCRIBER.call_once(|| {
            let lines = tracing_subscriber::fmt().with_max_level(Level::INFO).with_writer(|| ThisThread);
            lines.json().flatten_event(true).init();
        });
        LINES.set(Some(Vec::new()));
        Self(())
    }

    /// Everything recorded until now.
    pub fn text(&self) -> String {
        LINES.with_borrow(|lines| String::from_utf8_lossy(lines.as_deref().unwrap_or_default()).into_owned())
    }

    /// The lines whose field `name` is `value`.
    ///
    /// # Panics
    /// A line is not JSON.
    pub fn with(&self, name: &str, value: &str) -> Vec<serde_json::Value> {
        let text = self.text();
        let lines = text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON"));
        lines.filter(|line: &serde_json::Value| line[name] == value).collect()
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        LINES.set(None);
    }
}
