//! The examples that end by themselves: `cargo xtask test` runs them, too.

use std::{
    fs::{self, File},
    io,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::workspace::Workspace;

/// An example that runs to its end without input.
struct Example {
    /// The crate it belongs to.
    package: &'static str,
    /// Its name, as in `cargo run -p package --example name`.
    name: &'static str,
    /// What its output must contain: an example that prints nothing shows nothing.
    prints: &'static str,
}

/// Examples that serve until they are stopped have no row: the tests only build them.
const EXAMPLES: &[Example] = &[
    Example { package: "realtime-core", name: "core_only", prints: "subscribers of order:123: [(" },
    Example { package: "realtime-service", name: "custom_registry", prints: "delivered to 1: " },
    Example { package: "realtime-service", name: "custom_verifier", prints: "refused: " },
];

/// The longest that an example may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// Runs each; returns its name and its result.
pub(crate) fn run_all(workspace: &Workspace) -> Vec<(String, Result<(), String>)> {
    let mut outcomes: Vec<_> =
        EXAMPLES.iter().map(|example| (example.name.to_owned(), run(workspace, example, DEADLINE))).collect();
    let unlisted: Vec<_> = workspace
        .members()
        .flat_map(|package| &package.examples)
        .filter(|name| EXAMPLES.iter().all(|example| example.name != *name))
        .map(String::as_str)
        .collect();
    if !unlisted.is_empty() {
        println!("built, not run: examples {}", unlisted.join(", "));
    }
    outcomes.sort_by(|a, b| a.0.cmp(&b.0));
    outcomes
}

fn run(workspace: &Workspace, example: &Example, deadline: Duration) -> Result<(), String> {
    if !workspace
        .member(example.package)
        .is_some_and(|package| package.examples.iter().any(|name| name == example.name))
    {
        return Err(format!("is in the table of xtask/src/examples.rs, but not in {}", example.package));
    }
    // `cargo test` has just built it; `cargo run` would build it again with other features.
    let program = workspace.target.join("debug/examples").join(example.name);
    let log = workspace.target.join(format!("example-{}.txt", example.name));
    let in_file = |file: &Path, error: io::Error| format!("{}: {error}", file.display());
    let file = File::create(&log).map_err(|error| in_file(&log, error))?;
    let errors = file.try_clone().map_err(|error| in_file(&log, error))?;
    let mut command = Command::new(&program);
    command.current_dir(&workspace.root).stdin(Stdio::null()).stdout(file).stderr(errors);
    let mut child = command.spawn().map_err(|error| in_file(&program, error))?;
    let started = Instant::now();
    let status = loop {
        match child.try_wait().map_err(|error| in_file(&program, error))? {
            Some(status) => break status,
            None if started.elapsed() > deadline => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("did not end within {} s", deadline.as_secs()));
            }
            None => thread::sleep(Duration::from_millis(20)),
        }
    };
    let printed = fs::read_to_string(&log).unwrap_or_default();
    if !status.success() {
        return Err(format!("{status}: {}", printed.lines().last().unwrap_or_default()));
    }
    if printed.contains(example.prints) { Ok(()) } else { Err(format!("does not print `{}`", example.prints)) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::workspace::Package;

    /// Runs a script instead of a built example.
    fn outcome(script: &str, prints: &'static str) -> Result<(), String> {
        let dir = tempfile::tempdir().expect("a folder");
        // Not `target` below the root: cargo chooses the folder.
        let target = dir.path().join("elsewhere");
        let examples = target.join("debug/examples");
        fs::create_dir_all(&examples).expect("folders");
        fs::write(examples.join("specimen"), format!("#!/bin/sh\n{script}\n")).expect("a script");
        fs::set_permissions(examples.join("specimen"), fs::Permissions::from_mode(0o755)).expect("executable");
        let package =
            Package { name: "p".into(), member: true, examples: vec!["specimen".into()], ..Package::default() };
        let workspace = Workspace { root: dir.path().to_path_buf(), target, packages: vec![package] };
        run(&workspace, &Example { package: "p", name: "specimen", prints }, Duration::from_secs(1))
    }

    #[test]
    fn an_example_that_prints_what_it_should_passes() {
        assert_eq!(outcome("echo delivered to alice", "delivered to"), Ok(()));
    }

    #[test]
    fn one_that_fails_is_silent_or_never_ends_is_reported() {
        assert!(outcome("echo oh no; exit 3", "").is_err_and(|error| error.contains("oh no")));
        assert_eq!(outcome("true", "delivered to"), Err("does not print `delivered to`".into()));
        assert_eq!(outcome("exec sleep 60", ""), Err("did not end within 1 s".into()));
    }

    #[test]
    fn one_that_is_gone_is_reported() {
        let gone = Example { package: "p", name: "gone", prints: "" };
        assert!(run(&Workspace::default(), &gone, DEADLINE).is_err_and(|error| error.contains("not in p")));
    }
}
