//! How to measure: the options of the command line.

use std::path::PathBuf;

use clap::Args;

/// An error ends the measurement: a figure from half a run is worse than none.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The default number of handshakes in progress at once.
pub(crate) const AT_ONCE: usize = 64;

/// How to measure.
#[derive(Args, Clone)]
pub(crate) struct Options {
    /// Fewer rounds, messages and connections: under two minutes, and noisier.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only the case of this name or, if there is none, those whose name contains it.
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Option<String>,
    /// Only the cases of topics with history.
    #[arg(long)]
    pub(crate) history: bool,
    /// Only these servers, with commas between (realtime, floor, handwritten, centrifugo, nchan, nats, nats-jetstream,
    /// ws, socket.io, socket.io-redis).
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) servers: Vec<String>,
    /// Rounds of each case; the order of the servers changes from round to round.
    #[arg(long, value_name = "N")]
    pub(crate) rounds: Option<usize>,
    /// Instead: what the memory of an idle connection consists of, from the server under valgrind's DHAT.
    #[arg(long, conflicts_with_all = ["idle", "contract", "console"])]
    pub(crate) memory: bool,
    /// Instead: what the check of a payload with its schema costs a publication.
    #[arg(long, conflicts_with_all = ["idle", "console"])]
    pub(crate) contract: bool,
    /// Instead: what an operator's console and an open tail cost a server with idle connections.
    #[arg(long, conflicts_with = "idle")]
    pub(crate) console: bool,
    /// Instead: what idle connections cost, at each number of them: resident and kernel memory, CPU and time to accept.
    #[arg(long, alias = "hold")]
    pub(crate) idle: bool,
    /// How many connections `--memory`, `--idle` and `--console` open, with commas between.
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub(crate) connections: Vec<usize>,
    /// How many of those handshakes are in progress at once: more than the server's backlog shows how many it rejects.
    #[arg(long, value_name = "N", default_value_t = AT_ONCE)]
    pub(crate) at_once: usize,
    /// Where the tables, the JSON and the plot are written.
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    pub(crate) out: PathBuf,
    /// The folder with the release builds of the server and of this program.
    #[arg(long, value_name = "DIR", default_value = "target/release")]
    pub(crate) binaries: PathBuf,
}

impl Options {
    /// How often each case is run.
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 1 } else { 5 })
    }
}
