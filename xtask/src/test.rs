//! `cargo xtask test`: every test, documentation test and runnable example, and what was skipped and why.

use std::{
    collections::BTreeSet,
    fmt, fs,
    io::{self, BufRead, BufReader, Write},
    process::Stdio,
};

use crate::{examples, report, workspace::Workspace};

/// Names the file to which a test that can't run here appends `its name: why`.
const SKIPS_VARIABLE: &str = "REALTIME_SKIPS";

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
    command.args(args).env(SKIPS_VARIABLE, &skips_file).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("cannot start cargo test: {error}"))?;
    let stdout = child.stdout.take().ok_or("cargo test has no output")?;
    let mut screen = io::stdout();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.map_err(|error| error.to_string())?;
        let line = String::from_utf8_lossy(&line);
        tally.read(&line);
        writeln!(screen, "{line}").map_err(|error| error.to_string())?;
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

    let strict = report::strict();
    print!("{}", Summary { tally: &tally, strict });
    Ok(tally.succeeded(strict))
}

/// The results of all test binaries.
#[derive(Debug, Default)]
struct Tally {
    /// As the test binaries count: includes the tests that skipped themselves.
    passed: usize,
    failed: Vec<String>,
    /// Marked `#[ignore]`: name, and the reason given there.
    ignored: Vec<(String, Option<String>)>,
    /// Tests that can't run on this machine: name and reason.
    skips: BTreeSet<(String, String)>,
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

    /// The three figures of the last line. A test that skipped itself proved nothing, so it has not passed.
    fn figures(&self) -> (usize, usize, usize) {
        let skipped_themselves = self.skips.iter().map(|(name, _)| name).collect::<BTreeSet<_>>().len();
        (self.passed.saturating_sub(skipped_themselves), self.failed.len(), skipped_themselves + self.ignored.len())
    }

    fn succeeded(&self, strict: bool) -> bool {
        let unexplained = self.ignored.iter().any(|(_, reason)| reason.is_none());
        self.failed.is_empty() && !(strict && (unexplained || !self.skips.is_empty()))
    }
}

/// The end of the output; its last line is `N passed, N failed, N skipped`.
struct Summary<'a> {
    tally: &'a Tally,
    strict: bool,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tally, strict } = self;
        writeln!(f, "\n==== summary")?;
        for name in &tally.failed {
            writeln!(f, "FAILED  {name}")?;
        }
        for (name, reason) in &tally.skips {
            writeln!(f, "SKIPPED {name}: {reason}")?;
        }
        for (name, reason) in &tally.ignored {
            let reason = reason.as_deref().unwrap_or("NO REASON GIVEN: write #[ignore = \"why\"]");
            writeln!(f, "IGNORED {name}: {reason}")?;
        }
        if *strict && tally.failed.is_empty() && !tally.succeeded(true) {
            writeln!(f, "CI=true: what was skipped above must run here, so this is a failure")?;
        }
        let (passed, failed, skipped) = tally.figures();
        writeln!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

fn read_skips(text: &str) -> BTreeSet<(String, String)> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let named = lines.map(|line| line.split_once(": ").unwrap_or((line, "no reason given")));
    named.map(|(name, reason)| (name.trim().to_owned(), reason.trim().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.read(line));
        tally
    }

    fn last_line(tally: &Tally) -> String {
        Summary { tally, strict: false }.to_string().lines().last().unwrap_or_default().to_owned()
    }

    #[test]
    fn the_results_of_all_binaries_are_added_up() {
        let result = |passed| format!("test result: ok. {passed} passed; 0 failed; 0 ignored; finished in 0.01s");
        let tally = tally(&["running 3 tests", "test a::b ... ok", &result(12), &result(30)]);
        assert_eq!(last_line(&tally), "42 passed, 0 failed, 0 skipped");
        assert!(tally.succeeded(true));
    }

    #[test]
    fn a_failed_test_fails_the_run_and_is_named() {
        let tally = tally(&["test a::b ... FAILED", "test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured"]);
        assert_eq!(last_line(&tally), "1 passed, 1 failed, 0 skipped");
        assert!(!tally.succeeded(false));
        assert!(Summary { tally: &tally, strict: false }.to_string().contains("FAILED  a::b"));
    }

    #[test]
    fn a_skip_is_listed_is_no_pass_and_fails_continuous_integration() {
        let mut tally = tally(&["test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured"]);
        tally.skips = read_skips("dev_page: no chromium here\ndev_page: no chromium here\n\n");
        assert_eq!(last_line(&tally), "2 passed, 0 failed, 1 skipped");
        assert!(tally.succeeded(false) && !tally.succeeded(true));
        let text = Summary { tally: &tally, strict: true }.to_string();
        assert!(text.contains("SKIPPED dev_page: no chromium here") && text.contains("CI=true"));
    }

    #[test]
    fn an_ignored_test_needs_a_reason_in_continuous_integration() {
        let explained = tally(&["test a ... ignored, takes minutes", "test result: ok. 1 passed; 0 failed; 1 ignored"]);
        assert_eq!(last_line(&explained), "1 passed, 0 failed, 1 skipped");
        assert!(explained.succeeded(true));
        let silent = tally(&["test src/lib.rs - f (line 3) ... ignored"]);
        assert!(silent.succeeded(false) && !silent.succeeded(true));
    }
}
