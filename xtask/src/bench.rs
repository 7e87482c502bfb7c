//! `cargo xtask bench`: the release server beside its peers.

use crate::workspace::Workspace;

/// Builds the release server and the benchmark, and runs it with `args`.
///
/// # Errors
/// Something can't be started.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<bool, String> {
    let built = workspace
        .cargo(&["build", "--release", "--package", "realtime-server", "--package", "realtime-bench"])
        .status()
        .map_err(|error| format!("cannot start cargo build: {error}"))?;
    if !built.success() {
        return Ok(false);
    }
    let binaries = workspace.target.join("release");
    let mut command = std::process::Command::new(binaries.join("realtime-bench"));
    command.arg("run").arg("--binaries").arg(&binaries).arg("--out").arg(workspace.target.join("bench")).args(args);
    command.status().map(|status| status.success()).map_err(|error| format!("cannot start realtime-bench: {error}"))
}
