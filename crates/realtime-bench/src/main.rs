//! Measures the server beside its peers, from outside and in one run. `cargo xtask bench` builds and starts it.

mod cases;
mod machine;
mod marker;
mod publisher;
mod report;
mod servers;
mod stats;
mod subscribers;
mod tokens;

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
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(cases::run(options))
}
