//! `cargo xtask coverage`: which lines of the core its own tests run.

use crate::workspace::Workspace;

/// Runs cargo-tarpaulin over `realtime-core`; its last line is the figure.
///
/// In a target folder of its own: its flags would make every later build start anew.
///
/// # Errors
/// It is not installed.
pub(crate) fn run(workspace: &Workspace) -> Result<bool, String> {
    let installed = workspace.cargo(&["tarpaulin", "--version"]).output().is_ok_and(|output| output.status.success());
    if !installed {
        return Err("cargo-tarpaulin is not installed; `cargo install --locked cargo-tarpaulin`".into());
    }
    let mut command = workspace.cargo(&["tarpaulin", "--package", "realtime-core", "--lib", "--skip-clean"]);
    command.args(["--engine", "ptrace", "--out", "Stdout"]).arg("--target-dir").arg(workspace.target.join("coverage"));
    command.args(["--include-files", "crates/realtime-core/src/*", "--include-files", "crates/realtime-core/src/**/*"]);
    command.status().map(|status| status.success()).map_err(|error| format!("cannot start cargo tarpaulin: {error}"))
}
