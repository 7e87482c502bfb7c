//! `cargo xtask test`: every test, documentation test and runnable example, and what was skipped and why.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, BufRead, BufReader, Write},
    process::Stdio,
};

use crate::{examples, report, workspace::Workspace};

/// Runs the tests; returns whether all passed.
///
/// `args` are passed to `cargo test`. In continuous integration (`CI=true`) a skip is a failure: everything that a
/// test needs must be installed there.
///
/// # Errors
/// The tests can't be started: why.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> Result<bool, String> {
    let skips_file = workspace.target.join("test-skips.txt");
    fs::create_dir_all(&workspace.target)
        .and_then(|()| fs::write(&skips_file, ""))
        .map_err(|error| format!("{}: {error}", skips_file.display()))?;

    let mut tally = Tally::default();
    let picks_packages = args.iter().any(|arg| arg == "-p" || arg.starts_with("--package"));
    let mut command = workspace.cargo(&["test", "--locked", "--all-features", "--no-fail-fast"]);
    if !picks_packages {
        command.arg("--workspace");
    }
    // A test that can't run here appends `its name: why` to that file.
    command.args(args).env("REALTIME_SKIPS", &skips_file).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("cannot start cargo test: {error}"))?;
    let stdout = child.stdout.take().ok_or("cargo test has no output")?;
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.map_err(|error| error.to_string())?;
        let line = String::from_utf8_lossy(&line);
        tally.read(&line);
        writeln!(io::stdout(), "{line}").map_err(|error| error.to_string())?;
    }
    let ok = child.wait().map_err(|error| error.to_string())?.success();
    if !ok && tally.failed.is_empty() {
        tally.failed.push("cargo test itself: something did not build, or a test process died (see above)".into());
    }

    // A run of selected tests runs those alone.
    if args.is_empty() && ok {
        for (name, outcome) in examples::run_all(workspace) {
            println!("example {name} ... {}", if outcome.is_ok() { "ok" } else { "FAILED" });
            match outcome {
                Ok(()) => tally.passed += 1,
                Err(error) => tally.failed.push(format!("example {name}: {error}")),
            }
        }
    }
    tally.skips = read_skips(&fs::read_to_string(&skips_file).unwrap_or_default());
    print!("{}", tally.summary(report::strict()));
    Ok(tally.succeeded(report::strict()))
}

/// The results of all test binaries.
#[derive(Default)]
struct Tally {
    /// As the test binaries count: includes the tests that skipped themselves.
    passed: usize,
    failed: Vec<String>,
    /// Marked `#[ignore]`: name, and the reason given there.
    ignored: Vec<(String, Option<String>)>,
    /// Tests that can't run on this machine: name and reason.
    skips: BTreeMap<String, String>,
}

impl Tally {
    /// Counts a line of the output of `cargo test`.
    fn read(&mut self, line: &str) {
        if let Some(result) = line.strip_prefix("test result: ") {
            let count =
                result.split(['.', ';']).find_map(|part| part.trim().strip_suffix(" passed")?.parse::<usize>().ok());
            self.passed += count.unwrap_or(0);
        } else if let Some((name, outcome)) = line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... ")) {
            if outcome.starts_with("FAILED") {
                self.failed.push(name.to_owned());
            } else if let Some(reason) = outcome.strip_prefix("ignored") {
                let reason = reason.trim_start_matches(',').trim();
                self.ignored.push((name.to_owned(), (!reason.is_empty()).then(|| reason.to_owned())));
            }
        }
    }

    fn succeeded(&self, strict: bool) -> bool {
        let unexplained = self.ignored.iter().any(|(_, reason)| reason.is_none());
        self.failed.is_empty() && !(strict && (unexplained || !self.skips.is_empty()))
    }

    /// The end of the output; its last line is `N passed, N failed, N skipped`.
    fn summary(&self, strict: bool) -> String {
        let mut lines = vec!["\n==== summary".to_owned()];
        lines.extend(self.failed.iter().map(|name| format!("FAILED  {name}")));
        lines.extend(self.skips.iter().map(|(name, reason)| format!("SKIPPED {name}: {reason}")));
        lines.extend(self.ignored.iter().map(|(name, reason)| {
            format!("IGNORED {name}: {}", reason.as_deref().unwrap_or("NO REASON GIVEN: write #[ignore = \"why\"]"))
        }));
        if self.failed.is_empty() && !self.succeeded(strict) {
            lines.push("CI=true: what was skipped above must run here, so this is a failure".into());
        }
        // As the test binaries count, a test that skipped itself has passed; but it proved nothing.
        let (passed, skipped) = (self.passed.saturating_sub(self.skips.len()), self.skips.len() + self.ignored.len());
        lines.push(format!("{passed} passed, {} failed, {skipped} skipped\n", self.failed.len()));
        lines.join("\n")
    }
}

/// The reason of each test, from lines such as `its name: why`.
fn read_skips(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let named = lines.map(|line| line.split_once(": ").unwrap_or((line, "no reason given")));
    named.map(|(name, reason)| (name.trim().to_owned(), reason.trim().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(text: &str) -> Tally {
        let mut tally = Tally::default();
        text.lines().for_each(|line| tally.read(line));
        tally
    }

    #[test]
    fn the_results_of_all_binaries_are_added_up_and_a_failed_test_is_named() {
        let good = "running 3 tests\ntest a::b ... ok\ntest result: ok. 12 passed; 0 failed; finished in 0.01s\n";
        assert!(tally(good).succeeded(true));
        let bad = tally(&format!("{good}test a::c ... FAILED\ntest result: FAILED. 30 passed; 1 failed; 0 ignored"));
        assert!(!bad.succeeded(false));
        assert_eq!(bad.summary(false), "\n==== summary\nFAILED  a::c\n42 passed, 1 failed, 0 skipped\n");
    }

    #[test]
    fn a_skip_is_listed_is_no_pass_and_fails_continuous_integration() {
        let mut tally = tally("test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured");
        tally.skips = read_skips("dev_page: no chromium here\ndev_page: no chromium here\n\n");
        assert!(tally.succeeded(false) && !tally.succeeded(true));
        let text = tally.summary(true);
        assert!(text.contains("SKIPPED dev_page: no chromium here") && text.contains("CI=true"), "{text}");
        assert!(text.ends_with("\n2 passed, 0 failed, 1 skipped\n"), "{text}");
    }

    #[test]
    fn an_ignored_test_needs_a_reason_in_continuous_integration() {
        let explained = tally("test a ... ignored, takes minutes\ntest result: ok. 1 passed; 0 failed; 1 ignored");
        assert!(explained.succeeded(true) && explained.summary(true).ends_with("1 passed, 0 failed, 1 skipped\n"));
        let silent = tally("test src/lib.rs - f (line 3) ... ignored");
        assert!(silent.succeeded(false) && !silent.succeeded(true));
    }
}
