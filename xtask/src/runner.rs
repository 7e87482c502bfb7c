//! Runs the checks, says how each went, and counts everything that is broken.

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use crate::{
    report::{Check, Report},
    workspace::Workspace,
};

/// Runs the checks of those names, or all of them; answers whether all are ok.
///
/// # Errors
/// A name that is no check's, or standard output is gone.
pub(crate) fn run(
    checks: &[Check],
    names: &[String],
    workspace: &Workspace,
    out: &mut impl Write,
) -> Result<bool, String> {
    let chosen = choose(checks, names)?;
    let mut tally = Tally::default();
    for check in chosen {
        let started = Instant::now();
        let report = (check.run)(workspace);
        tally.add(&report);
        print(out, check, &report, started.elapsed()).map_err(|error| error.to_string())?;
    }
    writeln!(out, "{}", tally.line()).map_err(|error| error.to_string())?;
    Ok(tally.failed == 0)
}

/// Prints the names of the checks and what each protects.
pub(crate) fn list(checks: &[Check], out: &mut impl Write) -> io::Result<()> {
    checks.iter().try_for_each(|check| writeln!(out, "{:14} {}", check.name, check.protects))
}

fn choose<'a>(checks: &'a [Check], names: &[String]) -> Result<Vec<&'a Check>, String> {
    if names.is_empty() {
        return Ok(checks.iter().collect());
    }
    let find = |name: &String| {
        checks.iter().find(|check| check.name == name).ok_or_else(|| {
            let known: Vec<_> = checks.iter().map(|check| check.name).collect();
            format!("there is no check `{name}`; there are: {}", known.join(", "))
        })
    };
    names.iter().map(find).collect()
}

#[derive(Default)]
struct Tally {
    ok: usize,
    failed: usize,
    findings: usize,
    skipped: usize,
}

impl Tally {
    fn add(&mut self, report: &Report) {
        self.ok += usize::from(report.findings.is_empty());
        self.failed += usize::from(!report.findings.is_empty());
        self.findings += report.findings.len();
        self.skipped += report.skipped.len();
    }

    fn line(&self) -> String {
        let Self { ok, failed, findings, skipped } = self;
        format!("{} checks: {ok} ok, {failed} failed ({findings} findings), {skipped} parts skipped", ok + failed)
    }
}

fn print(out: &mut impl Write, check: &Check, report: &Report, took: Duration) -> io::Result<()> {
    let verdict = if report.findings.is_empty() { "ok" } else { "FAIL" };
    writeln!(out, "{verdict:4} {:14} {}", check.name, check.protects)?;
    if !report.seen.is_empty() {
        writeln!(out, "     {:14} {} ({:.1} s)", "", report.seen, took.as_secs_f64())?;
    }
    for finding in &report.findings {
        writeln!(out, "     FAIL {}: {}", finding.at, finding.broken)?;
        writeln!(out, "          -> {}", finding.remedy)?;
    }
    for part in &report.skipped {
        writeln!(out, "     SKIPPED {part}")?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Finding;

    const CHECKS: &[Check] = &[
        Check { name: "good", protects: "one thing", run: |_| Report::of(Vec::new(), "7 files") },
        Check {
            name: "bad",
            protects: "another",
            run: |_| {
                Report::of(
                    vec![Finding::new("a.rs:1", "is wrong", "mend it"), Finding::new("b.rs", "too", "same")],
                    "2 files",
                )
            },
        },
        Check {
            name: "partial",
            protects: "a third",
            run: |_| Report { skipped: vec!["no tool here".into()], ..Report::default() },
        },
    ];

    fn told(names: &[&str]) -> (Result<bool, String>, String) {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut out = Vec::new();
        let verdict = run(CHECKS, &names, &Workspace::default(), &mut out);
        (verdict, String::from_utf8(out).expect("text"))
    }

    #[test]
    fn one_failure_does_not_hide_what_comes_after_and_fails_the_whole() {
        let (verdict, text) = told(&[]);
        assert_eq!(verdict, Ok(false));
        assert!(text.contains("FAIL bad            another"));
        assert!(text.contains("FAIL a.rs:1: is wrong\n          -> mend it"));
        assert!(text.contains("FAIL b.rs: too"));
        assert!(text.contains("SKIPPED no tool here"));
        assert!(text.ends_with("3 checks: 2 ok, 1 failed (2 findings), 1 parts skipped\n"));
    }

    #[test]
    fn only_the_named_checks_run() {
        let (verdict, text) = told(&["good"]);
        assert_eq!(verdict, Ok(true));
        assert!(text.contains("ok   good           one thing") && !text.contains("bad"));
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        assert_eq!(told(&["goood"]).0, Err("there is no check `goood`; there are: good, bad, partial".into()));
    }
}
