//! The counts that are committed, and how far the counts of today may be from them.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use serde::Deserialize;

use crate::report::Finding;

/// Where the counts are committed.
pub(super) const FILE: &str = "crates/realtime-core/benches/baseline.toml";

/// What a case may grow by before it fails, in per cent. Below it lies what a hash seed or a moved branch does.
const TOLERANCE: f64 = 5.0;

const OPENING: &str = "\
# Instructions of each case of instructions.rs, per unit that it names there. `cargo xtask instructions --bless` writes it.
# What a change adds to the hot path shows in the diff of this file: say in the commit what it buys.
";

/// The file.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Baseline {
    /// What made the counts.
    pub(super) made: Made,
    /// By case. One decimal: what costs ten instructions for each listener may not grow by one unseen.
    pub(super) instructions: BTreeMap<String, f64>,
}

/// What counts depend on beside the source.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Made {
    /// The compiler's version.
    pub(super) rustc: String,
    /// The target triple.
    pub(super) target: String,
    /// The C library, whose allocator and `memcpy` are counted too.
    pub(super) libc: String,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rustc {}, {}, {}", self.rustc, self.target, self.libc)
    }
}

/// A case as it was counted just now.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Counted {
    pub(super) name: String,
    /// What the count is per: a message, a listener.
    pub(super) unit: String,
    pub(super) instructions: f64,
}

impl Counted {
    /// By how many per cent it is above `before`.
    pub(super) fn change(&self, before: f64) -> f64 {
        (self.instructions / before - 1.0) * 100.0
    }
}

/// How the counts compare.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// What fails.
    pub(super) findings: Vec<Finding>,
    /// What is worth knowing and fails nothing.
    pub(super) notes: Vec<String>,
}

impl Baseline {
    /// The counts as a new baseline.
    pub(super) fn of(made: Made, counted: &[Counted]) -> Self {
        let instructions = counted.iter().map(|case| (case.name.clone(), case.instructions)).collect();
        Self { made, instructions }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// It is not there, or not a baseline.
    pub(super) fn read(file: &Path) -> Result<Self, String> {
        let remedy = "`cargo xtask instructions --bless` writes it anew";
        let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}; {remedy}", file.display()))?;
        toml::from_str(&text).map_err(|error| format!("{}: {error}; {remedy}", file.display()))
    }

    /// Writes the file.
    ///
    /// # Errors
    /// The file can't be written.
    pub(super) fn write(&self, file: &Path) -> Result<(), String> {
        fs::write(file, self.to_string()).map_err(|error| format!("{}: {error}", file.display()))
    }

    /// Compares every case with its entry, and the names with each other.
    pub(super) fn judge(&self, counted: &[Counted]) -> Verdict {
        let mut verdict = Verdict::default();
        for case in counted {
            let name = &case.name;
            match self.instructions.get(name) {
                None => verdict.findings.push(Finding::new(
                    format!("`{name}`"),
                    format!("has no entry in {FILE}"),
                    "`cargo xtask instructions --bless`, and commit the file",
                )),
                Some(before) if case.change(*before) > TOLERANCE => verdict.findings.push(Finding::new(
                    format!("`{name}`"),
                    format!(
                        "grew by {:.1} %, from {before:.1} to {:.1} instructions per {}; {TOLERANCE} % is allowed",
                        case.change(*before),
                        case.instructions,
                        case.unit
                    ),
                    format!(
                        "`callgrind_annotate target/instructions/{}.out` shows where; if it is worth it, --bless and say why in the commit",
                        name.replace('/', "-")
                    ),
                )),
                Some(before) if case.change(*before) < -TOLERANCE => verdict.notes.push(format!(
                    "`{name}` takes {:.1} % less than the baseline: --bless, so that it can't creep back",
                    -case.change(*before)
                )),
                Some(_) => {}
            }
        }
        for name in self.instructions.keys().filter(|name| counted.iter().all(|case| case.name != **name)) {
            verdict.findings.push(Finding::new(
                FILE,
                format!("has an entry `{name}`, which no case bears"),
                "restore the case, or `cargo xtask instructions --bless`",
            ));
        }
        verdict
    }
}

/// As TOML, an entry on each line, so that a diff reads as a table.
impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Made { rustc, target, libc } = &self.made;
        write!(f, "{OPENING}\n[made]\nrustc = {rustc:?}\ntarget = {target:?}\nlibc = {libc:?}\n\n[instructions]\n")?;
        self.instructions.iter().try_for_each(|(name, count)| writeln!(f, "{name:?} = {count:.1}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Made {
        Made { rustc: "1.95.0 (59807616e 2026-04-14)".into(), target: "x86_64".into(), libc: "glibc 2.36".into() }
    }

    fn case(name: &str, instructions: f64) -> Counted {
        Counted { name: name.into(), unit: "message".into(), instructions }
    }

    fn judged(before: &[Counted], now: &[Counted]) -> (Vec<String>, Vec<String>) {
        let verdict = Baseline::of(made(), before).judge(now);
        let findings = verdict.findings.into_iter().map(|finding| format!("{} {}", finding.at, finding.broken));
        (findings.collect(), verdict.notes)
    }

    #[test]
    fn a_case_that_grew_by_six_per_cent_is_named_and_one_that_grew_by_four_passes() {
        let before = [case("decode/a", 1000.0), case("encode/b", 1000.0)];
        let (findings, notes) = judged(&before, &[case("decode/a", 1040.0), case("encode/b", 1060.0)]);
        assert_eq!(
            findings,
            ["`encode/b` grew by 6.0 %, from 1000.0 to 1060.0 instructions per message; 5 % is allowed"]
        );
        assert!(notes.is_empty());
    }

    #[test]
    fn every_case_that_grew_is_named_not_only_the_first() {
        let (findings, _) = judged(&[case("a", 10.0), case("b", 10.0)], &[case("a", 11.0), case("b", 12.0)]);
        assert!(findings[0].starts_with("`a` grew by 10.0 %") && findings[1].starts_with("`b` grew by 20.0 %"));
    }

    #[test]
    fn a_case_without_an_entry_and_an_entry_without_a_case_are_each_named() {
        let (findings, _) = judged(&[case("gone", 10.0), case("kept", 10.0)], &[case("kept", 10.0), case("new", 10.0)]);
        assert_eq!(findings.len(), 2);
        assert!(findings[0].starts_with("`new` has no entry"), "{findings:?}");
        assert!(findings[1].ends_with("has an entry `gone`, which no case bears"), "{findings:?}");
    }

    #[test]
    fn an_improvement_is_mentioned_and_fails_nothing() {
        let (findings, notes) = judged(&[case("a", 1000.0), case("b", 1000.0)], &[case("a", 900.0), case("b", 960.0)]);
        assert!(findings.is_empty());
        assert_eq!(notes, ["`a` takes 10.0 % less than the baseline: --bless, so that it can't creep back"]);
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("baseline.toml");
        let baseline = Baseline::of(made(), &[case("encode/128-B", 3889.4), case("route/x", 9.0)]);
        baseline.write(&file).expect("writes");
        assert_eq!(Baseline::read(&file), Ok(baseline));
        assert!(fs::read_to_string(&file).expect("reads").ends_with("\"encode/128-B\" = 3889.4\n\"route/x\" = 9.0\n"));
        assert!(Baseline::read(&dir.path().join("none")).is_err_and(|error| error.contains("--bless")));
    }
}
