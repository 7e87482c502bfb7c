//! `cargo xtask bench` and `cargo xtask coverage`.

use std::process::Command;

use crate::workspace::Workspace;

/// Builds the release server and the benchmark, and runs it with `args`.
///
/// # Errors
/// A program can't be started.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<bool, String> {
    let build = ["build", "--release", "--package", "realtime-server", "--package", "realtime-bench"];
    if !succeeds(&mut workspace.cargo(&build))? {
        return Ok(false);
    }
    let binaries = workspace.target.join("release");
    let mut command = Command::new(binaries.join("realtime-bench"));
    command.arg("run").arg("--binaries").arg(&binaries).arg("--out").arg(workspace.target.join("bench")).args(args);
    succeeds(&mut command)
}

/// Runs cargo-tarpaulin over `realtime-core`; its last line is the figure.
///
/// In a target folder of its own: its flags would make every later build start from scratch.
///
/// # Errors
/// It is not installed.
pub(crate) fn coverage(workspace: &Workspace) -> Result<bool, String> {
    if !workspace.cargo(&["tarpaulin", "--version"]).output().is_ok_and(|output| output.status.success()) {
        return Err("cargo-tarpaulin is not installed; `cargo install --locked cargo-tarpaulin`".into());
    }
    let mut command = workspace.cargo(&["tarpaulin", "--package", "realtime-core", "--lib", "--skip-clean"]);
    command.args(["--engine", "ptrace", "--out", "Stdout"]).arg("--target-dir").arg(workspace.target.join("coverage"));
    command.args(["--include-files", "crates/realtime-core/src/*", "--include-files", "crates/realtime-core/src/**/*"]);
    succeeds(&mut command)
}

fn succeeds(command: &mut Command) -> Result<bool, String> {
    command.status().map(|status| status.success()).map_err(|error| format!("cannot start {command:?}: {error}"))
}
