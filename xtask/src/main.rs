//! The tasks of this workspace: `cargo xtask check`, `test`, `schemas`, `docs`, `coverage`,
//! `instructions` and `bench`.

mod bench;
mod checks;
mod coverage;
mod examples;
mod instructions;
mod report;
mod runner;
mod source;
mod test;
mod workspace;

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// The tasks of this workspace. Run them from anywhere inside it.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run the cross-crate checks: for each, one line with the verdict and what it protects
    ///
    /// Every finding is printed with its place and what to do about it; a failure does not stop the others.
    /// Ends with 0 when all are ok, with 1 when one failed, with 2 when a check could not be run at all.
    Check {
        /// Only these checks (see --list)
        names: Vec<String>,
        /// Print the names of the checks and what each protects
        #[arg(long)]
        list: bool,
    },
    /// Run every test, documentation test and runnable example; end with `N passed, N failed, N skipped`
    ///
    /// What could not run here is listed with its reason. With CI=true in the environment a skip is a failure.
    Test {
        /// Handed to `cargo test`: `cargo xtask test -- -p realtime-core session`
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Write docs/schemas/*.schema.json and docs/openapi.json from the types of realtime-schema
    Schemas,
    /// Write docs/configuration.md from the config types of realtime-server
    Docs,
    /// Print the line coverage of realtime-core by its own tests (needs cargo-tarpaulin)
    Coverage,
    /// Count the instructions of the hot path of realtime-core; fail for what grew by more than 5 % (needs valgrind)
    ///
    /// The baseline is crates/realtime-core/benches/baseline.toml. Without valgrind nothing is counted, which is said
    /// and, with CI=true in the environment, a failure.
    Instructions {
        /// Make the counts of now the baseline
        #[arg(long)]
        bless: bool,
    },
    /// Measure the release server beside its peers; write tables and a plot to target/bench
    ///
    /// Beside a floor and a handler written by hand, it runs every peer that this machine has: nginx with Nchan, NATS,
    /// and Node's ws and socket.io. `--quick` takes under two minutes, a full run about an hour.
    /// `--memory` shows instead what an idle connection's memory is made of (needs valgrind), `--hold` what idle
    /// connections cost, both at each number that `--connections` names.
    Bench {
        /// Handed to the benchmark: `--quick`, `--only "fan-out 128B"`, `--servers realtime,nchan`, `--rounds 3`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(cli: Cli) -> Result<bool, String> {
    if let Task::Check { list: true, .. } = cli.task {
        runner::list(checks::ALL, &mut io::stdout()).map_err(|error| error.to_string())?;
        return Ok(true);
    }
    let workspace = Workspace::load(&root())?;
    match cli.task {
        Task::Check { names, .. } => runner::run(checks::ALL, &names, &workspace, &mut io::stdout()),
        Task::Test { args } => test::run(&workspace, &args),
        Task::Schemas => done(checks::write_schemas(&workspace)),
        Task::Docs => done(checks::write_config_docs(&workspace)),
        Task::Coverage => coverage::run(&workspace),
        Task::Instructions { bless } => instructions::run(&workspace, bless),
        Task::Bench { args } => bench::run(&workspace, &args),
    }
}

fn done(said: Result<String, String>) -> Result<bool, String> {
    said.map(|said| {
        println!("{said}");
        true
    })
}

/// The folder above this package's, as cargo knows it at run time: a moved checkout still works.
fn root() -> PathBuf {
    let own = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&own).parent().map(Path::to_path_buf).unwrap_or_default()
}
