//! The checks: every one, and how they are run, printed and counted.

mod clients;
mod closure;
mod generated;
mod layers;
mod tidy;
mod tools;

pub(crate) use generated::{write_config_docs, write_schemas};

use std::{
    io::{self, Write},
    time::Instant,
};

use crate::{report::Check, workspace::Workspace};

/// Every check, in the order in which they run: the quick ones first.
pub(crate) const ALL: &[Check] = &[
    layers::CHECK,
    closure::PURITY,
    closure::BACKENDS,
    tidy::CLIPPY_PARITY,
    tidy::TIDY,
    generated::SCHEMAS,
    generated::OPENAPI,
    tools::DENY,
    tools::UNUSED,
    tools::FMT,
    tools::CLIPPY,
    tools::RUSTDOC,
    generated::CONFIG_DOCS,
    tools::FEATURES,
    clients::TYPESCRIPT,
    clients::PYTHON,
    clients::CONSOLE,
];

/// Runs the named checks, or all of them; returns whether all pass. If `strict`, a skipped part is a failure.
///
/// # Errors
/// An unknown name, or standard output is closed.
pub(crate) fn run(
    checks: &[Check],
    names: &[String],
    strict: bool,
    workspace: &Workspace,
    out: &mut impl Write,
) -> Result<bool, String> {
    if let Some(unknown) = names.iter().find(|name| checks.iter().all(|check| check.name != **name)) {
        let known: Vec<_> = checks.iter().map(|check| check.name).collect();
        return Err(format!("unknown check `{unknown}`; the checks are: {}", known.join(", ")));
    }
    let (mut ok, mut failed, mut findings, mut skipped) = (0, 0, 0, 0);
    for check in checks.iter().filter(|check| names.is_empty() || names.iter().any(|name| name == check.name)) {
        let started = Instant::now();
        let report = (check.run)(workspace);
        let passes = report.findings.is_empty() && (report.skipped.is_empty() || !strict);
        let verdict = if passes { "ok" } else { "FAIL" };
        let mut text = format!("{verdict:4} {:14} {}\n", check.name, check.protects);
        text += &format!("     {:14} {} ({:.1} s)\n", "", report.seen, started.elapsed().as_secs_f64());
        for finding in &report.findings {
            text += &format!("     FAIL {}: {}\n          -> {}\n", finding.at, finding.broken, finding.remedy);
        }
        for part in &report.skipped {
            text += &format!("     SKIPPED {part}\n");
        }
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| error.to_string())?;
        ok += usize::from(passes);
        failed += usize::from(!passes);
        findings += report.findings.len();
        skipped += report.skipped.len();
    }
    let mut last = format!("{} checks: {ok} ok, {failed} failed ({findings} findings), {skipped} skipped", ok + failed);
    if strict && skipped > 0 {
        last.insert_str(0, "CI=true: what was skipped above must run here, so each is a failure\n");
    }
    writeln!(out, "{last}").map_err(|error| error.to_string())?;
    Ok(failed == 0)
}

/// Prints the names of the checks and what each protects.
pub(crate) fn list(checks: &[Check], out: &mut impl Write) -> io::Result<()> {
    checks.iter().try_for_each(|check| writeln!(out, "{:14} {}", check.name, check.protects))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Finding, Report};

    const CHECKS: &[Check] = &[
        Check { name: "good", protects: "one thing", run: |_| Report::of(Vec::new(), "7 files") },
        Check {
            name: "bad",
            protects: "another",
            run: |_| {
                let finding = |at| Finding::new(at, "is wrong", "repair it");
                Report::of(vec![finding("a.rs:1"), finding("b.rs")], "2 files")
            },
        },
        Check {
            name: "partial",
            protects: "a third",
            run: |_| Report { skipped: vec!["tool is not installed".into()], ..Report::default() },
        },
    ];

    fn outcome(names: &[&str], strict: bool) -> (Result<bool, String>, String) {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut out = Vec::new();
        let verdict = run(CHECKS, &names, strict, &Workspace::default(), &mut out);
        (verdict, String::from_utf8(out).expect("text"))
    }

    #[test]
    fn one_failure_does_not_hide_what_comes_after_and_fails_the_whole() {
        let (verdict, text) = outcome(&[], false);
        assert_eq!(verdict, Ok(false));
        assert!(text.contains("FAIL a.rs:1: is wrong\n          -> repair it") && text.contains("FAIL b.rs: is wrong"));
        assert!(text.contains("SKIPPED tool is not installed"));
        assert!(text.ends_with("3 checks: 2 ok, 1 failed (2 findings), 1 skipped\n"));
    }

    #[test]
    fn a_check_that_could_not_run_fails_continuous_integration_alone() {
        assert_eq!(outcome(&["partial"], false).0, Ok(true));
        let (verdict, text) = outcome(&["partial"], true);
        assert!(verdict == Ok(false) && text.contains("FAIL partial") && text.contains("CI=true"), "{text}");
    }

    #[test]
    fn only_the_named_checks_run_and_an_unknown_name_is_rejected() {
        let (verdict, text) = outcome(&["good"], false);
        assert!(verdict == Ok(true) && text.contains("ok   good           one thing") && !text.contains("bad"));
        assert!(outcome(&["goood"], false).0.is_err_and(|error| error.ends_with("the checks are: good, bad, partial")));
    }
}
