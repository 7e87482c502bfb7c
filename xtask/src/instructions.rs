//! `cargo xtask instructions`: the instructions of the hot path, and which cases grew.
//!
//! Instructions rather than time: they are the same on a busy machine as on an idle one. Only valgrind is needed.

use std::{
    collections::BTreeMap,
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use cargo_metadata::Message;
use serde::{Deserialize, Serialize};

use crate::{
    report,
    workspace::{Workspace, run as run_command},
};

/// The crates with cases. Each has its counts in `benches/baseline.toml`.
const CRATES: [&str; 2] = ["realtime-core", "realtime-contract"];

/// The bench target, and the function in it whose callees are counted.
const BENCH: &str = "instructions";
const COUNTED: &str = "*counted::measured*";

/// The growth of a case that is a failure, in per cent. Hash seeds and moved branches stay below it.
const TOLERANCE: f64 = 5.0;

/// Keeps the C library from choosing its `memcpy` and `memcmp` by the processor: their plainest versions run
/// everywhere, and valgrind counts each byte of a `rep movsb` as an instruction.
const PLAIN_LIBC: (&str, &str) = ("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2,-AVX_Fast_Unaligned_Load,-ERMS");

const OPENING: &str = "\
# Instructions of each case of instructions.rs, per unit that it names there; `cargo xtask instructions --bless` writes it.
# The diff of this file shows what a change adds to the hot path: say in the commit what the change gains.
";

/// The committed file.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Baseline {
    /// What the counts depend on beside the source: `rustc`, `target` and `libc` (its `memcpy` is counted, too).
    made: BTreeMap<String, String>,
    /// By case. One decimal: what costs ten instructions for each listener may not grow by one unseen.
    instructions: BTreeMap<String, f64>,
}

/// A case as it was counted now.
struct Counted {
    name: String,
    /// What the count is per: a message, a listener.
    unit: String,
    instructions: f64,
}

/// Counts each case and compares it with the baseline, or writes the counts as the baseline; returns whether all pass.
///
/// # Errors
/// A benchmark does not build or run, or a baseline can't be read or written.
pub(crate) fn run(workspace: &Workspace, bless: bool) -> Result<bool, String> {
    let made = made()?;
    let mut baselines = Vec::new();
    for package in CRATES {
        let baseline = match bless {
            true => Baseline { made: made.clone(), instructions: BTreeMap::new() },
            false => Baseline::read(workspace, package)?,
        };
        baselines.push((package, baseline));
    }
    let foreign = baselines.iter().find(|(_, baseline)| baseline.made.get("target") != made.get("target"));
    let why = if !run_command(Command::new("valgrind").arg("--version")).ok {
        Some("valgrind is not installed (`apt-get install valgrind`)".to_owned())
    } else {
        foreign.map(|(package, _)| format!("{} is of another target than {}", file(package), made["target"]))
    };
    if let Some(why) = why {
        let failure = if report::strict() { ", a failure with CI=true" } else { "" };
        println!("SKIPPED instructions: {why}: nothing was counted{failure}");
        return Ok(!report::strict() && !bless);
    }

    let executables = build(workspace)?;
    let results = workspace.target.join("instructions");
    fs::create_dir_all(&results).map_err(|error| format!("{}: {error}", results.display()))?;
    let mut passed = true;
    for (package, mut baseline) in baselines {
        let executable =
            executables.get(package).ok_or_else(|| format!("cargo bench names no executable of {package}"))?;
        let mut counted = Vec::new();
        for (name, unit) in cases(executable)? {
            let instructions = count(executable, &name, &results)?;
            counted.push(Counted { name, unit, instructions });
        }
        if bless {
            baseline.instructions = counted.iter().map(|case| (case.name.clone(), case.instructions)).collect();
            baseline.write(workspace, package)?;
            println!("{} cases written to {}", counted.len(), file(package));
            continue;
        }
        if baseline.made != made {
            println!("NOTE the baseline is of {:?}, this is {made:?}: counts may differ for that alone", baseline.made);
        }
        let (table, findings) = baseline.compare(&file(package), &counted);
        print!("{table}");
        passed &= findings == 0;
    }
    Ok(passed)
}

/// Where the counts of a crate are committed.
fn file(package: &str) -> String {
    format!("crates/{package}/benches/baseline.toml")
}

fn in_file(package: &str, error: &dyn std::fmt::Display) -> String {
    format!("{}: {error}; `cargo xtask instructions --bless` writes a new one", file(package))
}

/// What the counts on this machine depend on, as `rustc -vV` and the C library say it.
fn made() -> Result<BTreeMap<String, String>, String> {
    let rustc = run_command(Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-vV"));
    let line = |label: &str| {
        let found = rustc.stdout.lines().find_map(|line| line.strip_prefix(label));
        found.map(str::to_owned).ok_or_else(|| format!("rustc -vV has no line `{label}`: {}", rustc.stderr.trim()))
    };
    let libc = run_command(Command::new("getconf").arg("GNU_LIBC_VERSION")).stdout.trim().to_owned();
    let made = [("rustc", line("rustc ")?), ("target", line("host: ")?), ("libc", libc)];
    Ok(made.map(|(name, value)| (name.to_owned(), value)).into())
}

/// Builds the benchmarks with the release profile; returns their paths by crate. In one go, so that what both use is built
/// once.
fn build(workspace: &Workspace) -> Result<BTreeMap<&'static str, PathBuf>, String> {
    let mut command = workspace.cargo(&["bench", "--locked", "--no-run", "--bench", BENCH]);
    CRATES.iter().for_each(|package| _ = command.args(["--package", package]));
    command.args(["--message-format", "json-render-diagnostics"]).stderr(Stdio::inherit());
    let output = command.output().map_err(|error| format!("cannot start cargo bench: {error}"))?;
    if !output.status.success() {
        return Err("the benchmarks do not build (see above)".into());
    }
    let executables = Message::parse_stream(output.stdout.as_slice()).filter_map(|message| match message {
        Ok(Message::CompilerArtifact(artifact)) if artifact.target.name == BENCH => {
            let folder = artifact.manifest_path.parent()?.file_name()?;
            let package = CRATES.into_iter().find(|package| *package == folder)?;
            Some((package, PathBuf::from(artifact.executable?)))
        }
        _ => None,
    });
    Ok(executables.collect())
}

/// The names of the cases, and what each is counted per.
fn cases(executable: &Path) -> Result<Vec<(String, String)>, String> {
    let ran = run_command(Command::new(executable).arg("--list"));
    let pairs = ran.stdout.lines().filter_map(|line| line.split_once(' '));
    let cases: Vec<_> = pairs.map(|(name, unit)| (name.to_owned(), unit.to_owned())).collect();
    if ran.ok && !cases.is_empty() { Ok(cases) } else { Err(format!("the benchmark lists no case: {}", ran.stderr)) }
}

/// Runs a case under callgrind; returns instructions per unit, to one decimal. The profile stays in `results`.
fn count(executable: &Path, name: &str, results: &Path) -> Result<f64, String> {
    let profile = results.join(format!("{}.out", name.replace('/', "-")));
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", &format!("--toggle-collect={COUNTED}")]);
    command.arg(format!("--callgrind-out-file={}", profile.display()));
    command.arg(executable).arg(name).env(PLAIN_LIBC.0, PLAIN_LIBC.1);
    let ran = run_command(&mut command);
    let failed = |why: &str| format!("case `{name}` under valgrind: {why}");
    if !ran.ok {
        return Err(failed(&ran.stderr));
    }
    let units: u32 = ran.stdout.trim().parse().map_err(|_| failed("it does not print how many units it ran"))?;
    let text = fs::read_to_string(&profile).map_err(|error| failed(&error.to_string()))?;
    let sum =
        collected(&text).ok_or_else(|| failed("nothing was collected; does the function `measured` still exist?"))?;
    Ok((sum / f64::from(units.max(1)) * 10.0).round() / 10.0)
}

/// The sum of the whole run in a profile (Callgrind Format Specification, `summary:`), if anything was collected.
fn collected(profile: &str) -> Option<f64> {
    let summary = profile.lines().find_map(|line| line.strip_prefix("summary:"))?;
    summary.trim().parse().ok().filter(|sum| *sum > 0.0)
}

impl Baseline {
    fn read(workspace: &Workspace, package: &str) -> Result<Self, String> {
        let text = fs::read_to_string(workspace.root.join(file(package))).map_err(|error| in_file(package, &error))?;
        toml::from_str(&text).map_err(|error| in_file(package, &error))
    }

    fn write(&self, workspace: &Workspace, package: &str) -> Result<(), String> {
        let text = toml::to_string(self).map_err(|error| in_file(package, &error))?;
        let path = workspace.root.join(file(package));
        fs::write(path, format!("{OPENING}\n{text}")).map_err(|error| in_file(package, &error))
    }

    /// A table of every case beside its entry in `file`, and how many findings it ends with.
    fn compare(&self, file: &str, counted: &[Counted]) -> (String, usize) {
        let mut table = format!("{:28} {:>12} {:>12} {:>9}  per\n", "case", "instructions", "baseline", "change");
        let mut findings = Vec::new();
        for Counted { name, unit, instructions } in counted {
            let Some(before) = self.instructions.get(name) else {
                findings.push(format!("`{name}` has no entry in {file}"));
                continue;
            };
            let change = (instructions / before - 1.0) * 100.0;
            let _ = writeln!(table, "{name:28} {instructions:>12.1} {before:>12.1} {change:>+8.1}%  {unit}");
            if change > TOLERANCE {
                let profile = format!("target/instructions/{}.out", name.replace('/', "-"));
                findings.push(format!(
                    "`{name}` grew by {change:.1} % ({TOLERANCE} % is allowed); `callgrind_annotate {profile}` shows where"
                ));
            } else if change < -TOLERANCE {
                let _ =
                    writeln!(table, "NOTE `{name}` is {:.1} % below the baseline: use --bless to keep that", -change);
            }
        }
        let gone = self.instructions.keys().filter(|name| counted.iter().all(|case| case.name != **name));
        findings.extend(gone.map(|name| format!("{file} has an entry `{name}`, but there is no such case")));
        let remedy = "if this is intended: `cargo xtask instructions --bless`, and say why in the commit";
        table.extend(findings.iter().map(|finding| format!("FAIL {finding}\n     -> {remedy}\n")));
        let _ = writeln!(table, "{} cases, {} findings", counted.len(), findings.len());
        (table, findings.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comparing the counts of some cases with a baseline prints, and the number of findings.
    fn compare(before: &[(&str, f64)], now: &[(&str, f64)]) -> (String, usize) {
        let instructions = before.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        let case = |(name, count): &(&str, f64)| Counted {
            name: (*name).to_owned(),
            unit: "message".to_owned(),
            instructions: *count,
        };
        let written = toml::to_string(&Baseline { made: BTreeMap::new(), instructions }).expect("TOML");
        let baseline: Baseline = toml::from_str(&written).expect("what is written can be read");
        baseline.compare("baseline.toml", &now.iter().map(case).collect::<Vec<_>>())
    }

    #[test]
    fn growth_of_six_per_cent_fails_growth_of_four_passes_and_an_improvement_is_noted() {
        let before = [("decode/a", 1000.0), ("encode/b", 1000.0), ("c", 1000.0)];
        let (table, findings) = compare(&before, &[("decode/a", 1040.0), ("encode/b", 1060.0), ("c", 900.0)]);
        assert!(findings == 1 && table.contains("FAIL `encode/b` grew by 6.0 %"), "{table}");
        assert!(table.contains("decode/a                           1040.0       1000.0     +4.0%  message"), "{table}");
        assert!(table.contains("NOTE `c` is 10.0 % below") && table.ends_with("3 cases, 1 findings\n"), "{table}");
    }

    #[test]
    fn a_case_without_an_entry_and_an_entry_without_a_case_are_each_named() {
        let (table, findings) = compare(&[("gone", 10.0)], &[("new", 10.0)]);
        assert!(findings == 2 && table.contains("`new` has no entry") && table.contains("an entry `gone`"), "{table}");
    }

    #[test]
    fn the_sum_of_a_profile_is_read_and_zero_is_no_count() {
        assert_eq!(collected("version: 1\nevents: Ir\nsummary: 408816\n\nfn=(1) f\n"), Some(408_816.0));
        assert_eq!((collected("events: Ir\nsummary: 0\n"), collected("version: 1\n")), (None, None));
    }
}
