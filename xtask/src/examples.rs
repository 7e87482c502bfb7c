//! The examples that end by themselves: `cargo xtask test` runs them as well as building them.

use std::{
    fs::{self, File},
    process::Stdio,
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
    says: &'static str,
}

/// The table. Examples that serve until they are stopped are built by the tests and have no row here.
const EXAMPLES: &[Example] = &[
    Example { package: "realtime-core", name: "core_only", says: "subscribers of order:123: [(" },
    Example { package: "realtime-service", name: "custom_registry", says: "delivered to 1: " },
    Example { package: "realtime-service", name: "custom_verifier", says: "refused: " },
];

/// How long an example may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// Runs each; the name and how it went.
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
    let file = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
    let errors = file.try_clone().map_err(|error| error.to_string())?;
    let mut child = std::process::Command::new(&program)
        .current_dir(&workspace.root)
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(errors)
        .spawn()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let started = Instant::now();
    let status = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break status,
            None if started.elapsed() > deadline => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("did not end within {} s", deadline.as_secs()));
            }
            None => thread::sleep(Duration::from_millis(20)),
        }
    };
    let said = fs::read_to_string(&log).unwrap_or_default();
    if !status.success() {
        return Err(format!("{status}: {}", said.lines().last().unwrap_or_default()));
    }
    if said.contains(example.says) { Ok(()) } else { Err(format!("does not say `{}`", example.says)) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::workspace::Package;

    /// Runs a script in the place of a built example.
    fn outcome(script: &str, says: &'static str) -> Result<(), String> {
        let dir = tempfile::tempdir().expect("a folder");
        // Not `target` below the root: the folder is cargo's to say.
        let target = dir.path().join("elsewhere");
        let examples = target.join("debug/examples");
        fs::create_dir_all(&examples).expect("folders");
        fs::write(examples.join("specimen"), format!("#!/bin/sh\n{script}\n")).expect("a script");
        fs::set_permissions(examples.join("specimen"), fs::Permissions::from_mode(0o755)).expect("executable");
        let package =
            Package { name: "p".into(), member: true, examples: vec!["specimen".into()], ..Package::default() };
        let workspace = Workspace { root: dir.path().to_path_buf(), target, packages: vec![package] };
        run(&workspace, &Example { package: "p", name: "specimen", says }, Duration::from_secs(1))
    }

    #[test]
    fn an_example_that_says_what_it_should_passes() {
        assert_eq!(outcome("echo delivered to alice", "delivered to"), Ok(()));
    }

    #[test]
    fn one_that_fails_is_silent_or_never_ends_is_reported() {
        assert!(outcome("echo oh no; exit 3", "").is_err_and(|error| error.contains("oh no")));
        assert_eq!(outcome("true", "delivered to"), Err("does not say `delivered to`".into()));
        assert_eq!(outcome("exec sleep 60", ""), Err("did not end within 1 s".into()));
    }

    #[test]
    fn one_that_is_gone_is_reported() {
        let gone = Example { package: "p", name: "gone", says: "" };
        assert!(run(&Workspace::default(), &gone, DEADLINE).is_err_and(|error| error.contains("not in p")));
    }
}
