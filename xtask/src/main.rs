//! The tasks of this workspace: `cargo xtask check`, `test`, `schemas`, `docs`, `coverage`,
//! `instructions` and `bench`.

mod bench;
mod checks;
mod examples;
mod instructions;
mod report;
mod test;
mod workspace;

use std::{io, path::Path, process::ExitCode};

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
    /// Run the cross-crate checks: one line for each, with the verdict and what it protects
    ///
    /// Every finding is printed with its place and what to do about it; a failure does not stop the others.
    /// A check whose tool is not installed is skipped, which is counted and, with CI=true in the environment, a failure;
    /// `.ci/run tools` installs the tools into target/ in about a minute. Exit code: 0 if all pass, 1 if one fails,
    /// 2 if the checks can't run at all.
    Check {
        /// Only these checks (see --list)
        names: Vec<String>,
        /// Print the names of the checks and what each protects
        #[arg(long)]
        list: bool,
    },
    /// Run every test, documentation test and runnable example; end with `N passed, N failed, N skipped`
    ///
    /// A test that can't run here is listed with its reason. With CI=true in the environment a skip is a failure.
    Test {
        /// Passed to `cargo test`: `cargo xtask test -- -p realtime-core session`
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Write docs/schemas/*.schema.json and docs/openapi.json from the types of realtime-schema
    Schemas,
    /// Write docs/configuration.md from the config types of realtime-server
    Docs,
    /// Print the line coverage of realtime-core by its own tests (needs cargo-tarpaulin)
    Coverage,
    /// Count the instructions of the hot path; fail if a case grew by more than 5 % (needs valgrind)
    ///
    /// The baseline is crates/realtime-core/benches/baseline.toml. Without valgrind nothing is counted: a skip, which
    /// is a failure with CI=true in the environment.
    Instructions {
        /// Write the current counts as the baseline
        #[arg(long)]
        bless: bool,
    },
    /// Measure the release server and its peers; write tables and a plot to target/bench
    ///
    /// Beside a lower bound and a handler written by hand, it runs every peer that this machine has: nginx with Nchan,
    /// NATS, and Node's ws and socket.io. `--quick` takes under two minutes, a full run about an hour. Instead,
    /// `--memory` shows what the memory of an idle connection consists of (needs valgrind) and `--idle` what idle
    /// connections cost, both at each number of connections that `--connections` lists.
    Bench {
        /// Passed to the benchmark: `--quick`, `--only "fan-out 128B"`, `--servers realtime,nchan`, `--rounds 3`
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
        checks::list(checks::ALL, &mut io::stdout()).map_err(|error| error.to_string())?;
        return Ok(true);
    }
    let workspace = Workspace::load(Path::new("."))?;
    match cli.task {
        Task::Check { names, .. } => checks::run(checks::ALL, &names, report::strict(), &workspace, &mut io::stdout()),
        Task::Test { args } => test::run(&workspace, &args),
        Task::Schemas => checks::write_schemas(&workspace),
        Task::Docs => checks::write_config_docs(&workspace),
        Task::Coverage => bench::coverage(&workspace),
        Task::Instructions { bless } => instructions::run(&workspace, bless),
        Task::Bench { args } => bench::run(&workspace, &args),
    }
}
