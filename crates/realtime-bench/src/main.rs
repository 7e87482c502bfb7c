//! Measures the server and its peers, from outside and in one run. `cargo xtask bench` builds and starts it.

mod cases;
mod console;
mod contract;
mod figures;
mod history;
mod http;
mod idle;
mod interference;
mod kernel;
mod machine;
mod measure;
mod memory;
mod options;
mod publisher;
mod report;
mod run;
mod sequence;
mod servers;
mod stats;
mod subscribers;
mod targets;
mod tokens;
mod wire;
mod write_rate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::options::{Options, Result};

/// Measures the server and its peers, from outside.
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
    /// Be the lower bound: one thread, one write of the ready-made frames per socket. Started by `run`.
    Floor,
    /// Be the handler that a team would write by hand. Started by `run`.
    Handwritten,
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
    if options.contract {
        return runtime.block_on(contract::run(options));
    }
    if options.console {
        return runtime.block_on(console::run(options));
    }
    if options.idle {
        return runtime.block_on(idle::run(options));
    }
    runtime.block_on(run::run(options))
}
