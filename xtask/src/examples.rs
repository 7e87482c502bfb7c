//! The examples: `cargo xtask test` runs those that end, by themselves or by a signal.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::workspace::Workspace;

/// Their names, what each prints when it is to be stopped by SIGTERM (nothing: it ends by itself), and what it must
/// print. Other examples are only built.
const EXAMPLES: &[(&str, &str, &str)] = &[
    ("application", "ship it: ", "drained; connections left: 0"),
    ("core_only", "", "subscribers of order:123: [("),
    ("custom_registry", "", "delivered to 1: "),
    ("custom_verifier", "", "refused: "),
    ("follow", "", "usage: REALTIME_TOKEN"),
    ("test_a_handler", "", "the handler subscribes, publishes and refuses"),
    ("test_an_application", "", "a slow client was closed with 4513"),
];

/// The longest that an example may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// Runs each; returns its name and its result.
pub(crate) fn run_all(workspace: &Workspace) -> Vec<(&'static str, Result<(), String>)> {
    // `cargo test` has just built them; `cargo run` would build them again with other features.
    let folder = workspace.target.join("debug/examples");
    EXAMPLES.iter().map(|(name, ready, prints)| (*name, run(&folder.join(name), ready, prints, DEADLINE))).collect()
}

fn run(program: &Path, ready: &'static str, prints: &str, deadline: Duration) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", program.display());
    let mut command = Command::new(program);
    command.env("APP_SECRET", "a secret of thirty-two bytes or more");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let (id, stdout) = (child.id().to_string(), child.stdout.take());
    let printed = thread::spawn(move || {
        let mut printed = String::new();
        for line in stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines()).map_while(Result::ok) {
            if !ready.is_empty() && line.contains(ready) {
                let _ = Command::new("kill").args(["-TERM", &id]).status();
            }
            printed.push_str(&line);
            printed.push('\n');
        }
        printed
    });
    let started = Instant::now();
    while child.try_wait().map_err(failed)?.is_none() {
        if started.elapsed() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("did not end within {} s", deadline.as_secs()));
        }
        thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().map_err(failed)?;
    let printed = printed.join().map_err(|_| "its output could not be read".to_owned())?;
    match output.status.success() {
        true if printed.contains(prints) => Ok(()),
        true => Err(format!("does not print `{prints}`")),
        false => Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim())),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    /// Runs a script instead of a built example.
    fn outcome(script: &str, prints: &str) -> Result<(), String> {
        let dir = tempfile::tempdir().expect("a folder");
        let program = dir.path().join("specimen");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("a script");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
        run(&program, "ready", prints, Duration::from_secs(1))
    }

    #[test]
    fn an_example_that_fails_is_silent_hangs_or_is_missing_is_reported() {
        assert_eq!(outcome("echo delivered to alice", "delivered to"), Ok(()));
        assert!(outcome("echo oh no >&2; exit 3", "").is_err_and(|error| error.contains("oh no")));
        let serves = "trap 'echo stopped; exit' TERM; echo ready; while :; do sleep 0.01; done";
        assert_eq!(outcome(serves, "stopped"), Ok(()), "stopped by a signal");
        assert_eq!(outcome("true", "delivered to"), Err("does not print `delivered to`".into()));
        assert_eq!(outcome("exec sleep 60", ""), Err("did not end within 1 s".into()));
        assert!(run(Path::new("gone"), "", "", DEADLINE).is_err_and(|error| error.contains("gone")));
    }
}
