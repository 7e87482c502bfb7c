//! Measures the server beside its peers, from outside and in one run. `cargo xtask bench` builds and starts it.

mod beside;
mod cases;
mod crowd;
mod hold;
mod kernel;
mod machine;
mod marker;
mod memory;
mod publisher;
mod report;
mod servers;
mod stats;
mod subscribers;
mod targets;
mod tokens;
mod written;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

/// What goes wrong in a measurement ends it: a figure from half a run is worse than none.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measures the server beside its peers, from outside.
#[derive(Parser)]
#[command(name = "realtime-bench")]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Measure: start every server that this machine has, in turns, and compare.
    Run(Options),
    /// Be the floor: one thread, one write of the ready-made frames per socket. Started by `run`.
    Floor,
    /// Be the handler that a team would write by hand. Started by `run`.
    Handwritten,
}

/// How to measure.
#[derive(Args, Clone)]
pub(crate) struct Options {
    /// Fewer rounds, messages and connections: under two minutes, and noisier.
    #[arg(long)]
    quick: bool,
    /// Only the case of this name or, if there is none, those whose name contains it.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Only these servers, with commas between (realtime, floor, handwritten, nchan, nats, ws, socket.io).
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    servers: Vec<String>,
    /// Rounds of each case; the order of the servers changes from round to round.
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Instead: what an idle connection's memory is made of, from the server under valgrind's DHAT.
    #[arg(long, conflicts_with = "hold")]
    memory: bool,
    /// Instead: what idle connections cost, at each number of them: resident and kernel memory, CPU and time to accept.
    #[arg(long)]
    hold: bool,
    /// How many connections `--memory` and `--hold` open, with commas between.
    #[arg(long, value_name = "N", value_delimiter = ',')]
    connections: Vec<usize>,
    /// How many of those handshakes are under way at once: a number beyond the server's backlog shows what it turns away.
    #[arg(long, value_name = "N", default_value_t = subscribers::AT_ONCE)]
    at_once: usize,
    /// Where the tables, the JSON and the plot are written.
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    out: PathBuf,
    /// The folder with the release builds of the server and of this program.
    #[arg(long, value_name = "DIR", default_value = "target/release")]
    binaries: PathBuf,
}

impl Options {
    /// How often each case is run.
    fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 1 } else { 5 })
    }
}

fn main() -> ExitCode {
    let done = match Cli::parse().role {
        Role::Run(options) => run(&options),
        Role::Floor => servers::floor::serve(),
        Role::Handwritten => servers::handwritten::serve(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    machine::pin_to_client_core()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if options.memory {
        return runtime.block_on(memory::run(options));
    }
    if options.hold {
        return runtime.block_on(hold::run(options));
    }
    runtime.block_on(cases::run(options))
}
