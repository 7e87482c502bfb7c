//! The workspace as the checks see it: its packages from one call of `cargo metadata`, its files, and cargo itself.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use cargo_metadata::{DependencyKind, MetadataCommand, TargetKind};

/// The workspace. Plain data, so that a test can build an invalid one.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    /// The folder of the top `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Where cargo builds and the tasks write: follows `CARGO_TARGET_DIR` and cargo's own config.
    pub(crate) target: PathBuf,
    /// Members and everything they are built from on this machine.
    pub(crate) packages: Vec<Package>,
}

/// A package: a member of the workspace, or a dependency.
#[derive(Clone, Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Whether it is a member of this workspace.
    pub(crate) member: bool,
    /// Whether it has a library.
    pub(crate) library: bool,
    /// The folder of its manifest.
    pub(crate) dir: PathBuf,
    /// As declared in the manifest: direct, with the optional ones and those of other platforms.
    pub(crate) dependencies: Vec<Dependency>,
}

/// A direct dependency, as declared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) optional: bool,
    /// A dev-dependency: used by tests and examples alone.
    pub(crate) dev: bool,
}

/// A crate in `cargo tree`: what is built, with the features that are on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Built {
    pub(crate) name: String,
    pub(crate) features: BTreeSet<String>,
}

/// The result of a command.
pub(crate) struct Run {
    pub(crate) ok: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Workspace {
    /// Reads the workspace at `root`.
    ///
    /// # Errors
    /// Cargo rejects it: cargo's message.
    pub(crate) fn load(root: &Path) -> Result<Self, String> {
        let mut command = MetadataCommand::new();
        command.manifest_path(root.join("Cargo.toml"));
        // Without the filter cargo would download what only other platforms build.
        command.other_options(["--locked".into(), "--filter-platform".into(), rustc_version("host: ")?]);
        let metadata = command.exec().map_err(|error| error.to_string())?;
        let packages = metadata.packages.iter().map(|package| {
            let dependencies = package.dependencies.iter().map(|dependency| Dependency {
                name: dependency.name.clone(),
                optional: dependency.optional,
                dev: dependency.kind == DependencyKind::Development,
            });
            Package {
                name: package.name.to_string(),
                version: package.version.to_string(),
                member: metadata.workspace_members.contains(&package.id),
                library: package.targets.iter().any(|target| target.kind.contains(&TargetKind::Lib)),
                dir: package.manifest_path.parent().map(|dir| dir.as_std_path().to_path_buf()).unwrap_or_default(),
                dependencies: dependencies.collect(),
            }
        });
        let target = metadata.target_directory.as_std_path().to_path_buf();
        Ok(Self { root: root.to_path_buf(), target, packages: packages.collect() })
    }

    /// The members of the workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.member)
    }

    /// The member of that name.
    pub(crate) fn member(&self, name: &str) -> Option<&Package> {
        self.members().find(|package| package.name == name)
    }

    /// The path relative to the root, as findings print it.
    pub(crate) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
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

    /// What cargo builds for `args` (such as `-p NAME -e normal`), each crate once, on this platform.
    ///
    /// # Errors
    /// Cargo rejects it: cargo's message.
    pub(crate) fn tree(&self, args: &[&str]) -> Result<BTreeSet<Built>, String> {
        let mut command = self.cargo(&["tree", "--locked", "--prefix", "none", "--format", "{p}|{f}"]);
        let run = run(command.args(args));
        if run.ok { Ok(parse_tree(&run.stdout)) } else { Err(run.stderr.trim().to_owned()) }
    }

    /// The files below `dir` that end in `.extension`, in order; build output and hidden folders left out.
    pub(crate) fn files(&self, dir: &Path, extension: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = vec![dir.to_path_buf()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
                let (path, name) = (entry.path(), entry.file_name());
                let name = name.to_string_lossy();
                if path.is_dir() {
                    if !name.starts_with('.') && name != "target" && name != "node_modules" {
                        open.push(path);
                    }
                } else if path.extension().is_some_and(|found| found == extension) {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }
}

/// Runs a command to its end and returns what it printed.
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

/// The rest of the line of `rustc -vV` that starts with `label`: `host: ` gives the target triple of this machine.
///
/// # Errors
/// There is no such line.
pub(crate) fn rustc_version(label: &str) -> Result<String, String> {
    let run = run(Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-vV"));
    run.stdout
        .lines()
        .find_map(|line| line.strip_prefix(label))
        .map(str::to_owned)
        .ok_or_else(|| format!("rustc -vV has no line `{label}`: {}", run.stderr.trim()))
}

/// Reads lines such as `name v1.2.3 (path or proc-macro)|feature,feature (*)`.
fn parse_tree(text: &str) -> BTreeSet<Built> {
    let lines = text.lines().filter_map(|line| {
        let (package, features) = line.split_once('|')?;
        let features = features.trim_end_matches("(*)").trim().split(',').filter(|name| !name.is_empty());
        Some(Built {
            name: package.split_whitespace().next()?.to_owned(),
            features: features.map(str::to_owned).collect(),
        })
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_read_with_its_features_and_without_its_repetitions() {
        let text = "core v0.1.0 (/w/core)|\nuuid v1.29.3|serde,std\nsyn v3.0.1 (proc-macro)|full (*)\n\nuuid v1.29.3|serde,std (*)\n";
        let built: Vec<_> =
            parse_tree(text).into_iter().map(|built| format!("{} {:?}", built.name, built.features)).collect();
        assert_eq!(built, ["core {}", "syn {\"full\"}", "uuid {\"serde\", \"std\"}"]);
    }
}
