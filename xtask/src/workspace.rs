//! The workspace as the tasks see it: its folders and members, from one call of `cargo metadata`, and cargo itself.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use cargo_metadata::{MetadataCommand, Package};

/// The workspace. Plain data, so that a test can build an invalid one.
#[derive(Default)]
pub(crate) struct Workspace {
    /// The folder of the top `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Where cargo builds and the tasks write: follows `CARGO_TARGET_DIR` and cargo's own config.
    pub(crate) target: PathBuf,
    /// Its own packages, without what they depend on.
    pub(crate) members: Vec<Package>,
}

/// The result of a command.
pub(crate) struct Run {
    pub(crate) ok: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Workspace {
    /// Reads the workspace that the folder `dir` is in.
    ///
    /// # Errors
    /// Cargo rejects it: cargo's message.
    pub(crate) fn load(dir: &Path) -> Result<Self, String> {
        let mut command = MetadataCommand::new();
        let metadata = command.current_dir(dir).no_deps().exec().map_err(|error| error.to_string())?;
        let (root, target) = (metadata.workspace_root.into(), metadata.target_directory.into());
        Ok(Self { root, target, members: metadata.packages })
    }

    /// Cargo, in the root of this workspace; it also finds the tools that `.ci/run tools` installs.
    pub(crate) fn cargo(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        let path = env::var_os("PATH").unwrap_or_default();
        let tools = [self.target.join("ci/tools/bin")].into_iter().chain(env::split_paths(&path));
        if let Ok(path) = env::join_paths(tools) {
            command.env("PATH", path);
        }
        // cargo-machete takes its presence for `cargo run`, and then reads its arguments differently.
        command.env_remove("CARGO_PKG_NAME").current_dir(&self.root).args(args);
        command
    }
}

/// Runs a command to its end; one that can't be started has failed, with the reason in `stderr`.
pub(crate) fn run(command: &mut Command) -> Run {
    match command.output() {
        Ok(output) => Run {
            ok: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        },
        Err(error) => Run { ok: false, stdout: String::new(), stderr: format!("cannot start {command:?}: {error}") },
    }
}
