//! `cargo xtask instructions`: what the hot path of the core costs in instructions, and what of it has grown.
//!
//! Instructions rather than time: they are the same on a busy machine as on an idle one. Valgrind is all it takes.

mod baseline;

use std::{
    ffi::OsString,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use cargo_metadata::Message;

use self::baseline::{Baseline, Counted, Made, Verdict};
use crate::{
    report,
    workspace::{Workspace, run as run_command, rustc_says},
};

/// The bench target, and the function in it whose callees are counted.
const BENCH: &str = "instructions";
const COUNTED: &str = "*instructions::measured*";

/// Keeps the C library from choosing its `memcpy` and `memcmp` by the processor: their plainest versions run
/// everywhere, and valgrind counts each byte of a `rep movsb` as an instruction.
const PLAIN_LIBC: (&str, &str) = ("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2,-AVX_Fast_Unaligned_Load,-ERMS");

/// Counts each case and compares it with the baseline, or makes the counts the baseline; answers whether all is well.
///
/// # Errors
/// The benchmark does not build or run, or the baseline can't be read or written.
pub(crate) fn run(workspace: &Workspace, bless: bool) -> Result<bool, String> {
    let made = Made {
        rustc: rustc_says("rustc ")?,
        target: rustc_says("host: ")?,
        libc: run_command(Command::new("getconf").arg("GNU_LIBC_VERSION")).stdout.trim().to_owned(),
    };
    let file = workspace.root.join(baseline::FILE);
    let baseline = if bless { None } else { Some(Baseline::read(&file)?) };
    let mut out = io::stdout();
    let here = cannot_count(baseline.as_ref(), &made);
    match here {
        Some(why) if bless => return Err(why),
        Some(why) => return skip(&mut out, &why, report::strict()).map_err(|error| error.to_string()),
        None => {}
    }

    let executable = build(workspace)?;
    let results = workspace.target.join("instructions");
    fs::create_dir_all(&results).map_err(|error| format!("{}: {error}", results.display()))?;
    let counted = cases(&executable)?
        .into_iter()
        .map(|(name, unit)| {
            let instructions = count(&executable, &name, &results)?;
            Ok(Counted { name, unit, instructions })
        })
        .collect::<Result<Vec<_>, String>>()?;

    match baseline {
        None => {
            Baseline::of(made, &counted).write(&file)?;
            println!("{} cases written to {}", counted.len(), baseline::FILE);
            Ok(true)
        }
        Some(baseline) => {
            let verdict = baseline.judge(&counted);
            print(&mut out, &baseline, &made, &counted, &verdict).map_err(|error| error.to_string())?;
            Ok(verdict.findings.is_empty())
        }
    }
}

/// Why nothing can be counted, or compared, on this machine.
fn cannot_count(baseline: Option<&Baseline>, made: &Made) -> Option<String> {
    if !run_command(Command::new("valgrind").arg("--version")).ok {
        return Some("valgrind is not installed (`apt-get install valgrind`)".into());
    }
    let of = &baseline?.made.target;
    (*of != made.target).then(|| format!("{} is of {of}, this is {}", baseline::FILE, made.target))
}

fn skip(out: &mut impl Write, why: &str, strict: bool) -> io::Result<bool> {
    writeln!(out, "SKIPPED instructions: {why}: nothing was counted")?;
    if strict {
        writeln!(out, "CI=true: what was skipped above must run here, so this is a failure")?;
    }
    Ok(!strict)
}

/// Builds the benchmark as a release is built, and answers where it is.
fn build(workspace: &Workspace) -> Result<PathBuf, String> {
    let args = ["bench", "--locked", "--no-run", "--package", "realtime-core", "--bench", BENCH];
    let mut command = workspace.cargo(&args);
    command.args(["--message-format", "json-render-diagnostics"]).stderr(Stdio::inherit());
    let output = command.output().map_err(|error| format!("cannot start cargo bench: {error}"))?;
    if !output.status.success() {
        return Err("the benchmark does not build (see above)".into());
    }
    let executable = Message::parse_stream(output.stdout.as_slice()).find_map(|message| match message {
        Ok(Message::CompilerArtifact(artifact)) if artifact.target.name == BENCH => artifact.executable,
        _ => None,
    });
    executable.map(PathBuf::from).ok_or_else(|| "cargo bench names no executable".into())
}

/// The names of the cases, and what each is counted per.
fn cases(executable: &Path) -> Result<Vec<(String, String)>, String> {
    let ran = run_command(Command::new(executable).arg("--list"));
    let cases: Vec<_> = ran
        .stdout
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, unit)| (name.to_owned(), unit.to_owned()))
        .collect();
    if ran.ok && !cases.is_empty() { Ok(cases) } else { Err(format!("the benchmark lists no case: {}", ran.stderr)) }
}

/// Runs a case under callgrind; instructions per unit, to one decimal as in the baseline. What callgrind wrote stays in `results`.
fn count(executable: &Path, name: &str, results: &Path) -> Result<f64, String> {
    let profile = results.join(format!("{}.out", name.replace('/', "-")));
    let mut command = Command::new("valgrind");
    let mut profile_to = OsString::from("--callgrind-out-file=");
    profile_to.push(&profile);
    command.args(["--tool=callgrind", &format!("--toggle-collect={COUNTED}")]).arg(profile_to);
    command.arg(executable).arg(name).env(PLAIN_LIBC.0, PLAIN_LIBC.1);
    let ran = run_command(&mut command);
    let failed = |why: &str| format!("case `{name}` under valgrind: {why}");
    if !ran.ok {
        return Err(failed(&ran.stderr));
    }
    let units: u32 = ran.stdout.trim().parse().map_err(|_| failed("it does not say how much it did"))?;
    let text = fs::read_to_string(&profile).map_err(|error| failed(&error.to_string()))?;
    let sum =
        collected(&text).ok_or_else(|| failed("nothing was collected; is `measured` still there by that name?"))?;
    Ok((sum / f64::from(units.max(1)) * 10.0).round() / 10.0)
}

/// The sum that a profile gives for the whole run (Callgrind Format Specification, `summary:`), if there is any.
fn collected(profile: &str) -> Option<f64> {
    let summary = profile.lines().find_map(|line| line.strip_prefix("summary:"))?;
    summary.trim().parse().ok().filter(|sum| *sum > 0.0)
}

fn print(
    out: &mut impl Write,
    baseline: &Baseline,
    made: &Made,
    counted: &[Counted],
    verdict: &Verdict,
) -> io::Result<()> {
    writeln!(out, "{:28} {:>12} {:>12} {:>9}  per", "case", "instructions", "baseline", "change")?;
    for case in counted {
        let (before, change) = match baseline.instructions.get(&case.name) {
            Some(before) => (format!("{before:.1}"), format!("{:+.1} %", case.change(*before))),
            None => ("-".into(), "-".into()),
        };
        writeln!(out, "{:28} {:>12.1} {before:>12} {change:>9}  {}", case.name, case.instructions, case.unit)?;
    }
    if baseline.made != *made {
        writeln!(out, "NOTE the baseline is of {}; this is {}: counts may differ for that alone", baseline.made, made)?;
    }
    for note in &verdict.notes {
        writeln!(out, "NOTE {note}")?;
    }
    for finding in &verdict.findings {
        writeln!(out, "FAIL {}: {}\n     -> {}", finding.at, finding.broken, finding.remedy)?;
    }
    writeln!(out, "{} cases, {} findings", counted.len(), verdict.findings.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(strict: bool) -> (bool, String) {
        let mut out = Vec::new();
        let verdict = skip(&mut out, "valgrind is not installed", strict).expect("memory");
        (verdict, String::from_utf8(out).expect("text"))
    }

    #[test]
    fn a_skip_is_said_loudly_and_fails_continuous_integration_alone() {
        let (well, text) = said(false);
        assert!(well && text.starts_with("SKIPPED instructions: valgrind is not installed"));
        let (well, text) = said(true);
        assert!(!well && text.contains("SKIPPED instructions") && text.contains("CI=true"));
    }

    #[test]
    fn the_sum_of_a_profile_is_read_and_none_is_no_count() {
        assert_eq!(collected("version: 1\nevents: Ir\nsummary: 408816\n\nfn=(1) f\n"), Some(408_816.0));
        assert_eq!(collected("version: 1\nevents: Ir\nsummary: 0\n"), None);
        assert_eq!(collected("version: 1\n"), None);
    }

    #[test]
    fn what_is_counted_is_a_function_of_the_benchmark() {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/realtime-core/benches/instructions.rs");
        let text = fs::read_to_string(source).expect("the benchmark");
        let name = COUNTED.trim_matches('*').rsplit(':').next().expect("a name");
        assert!(text.contains(&format!("#[inline(never)]\nfn {name}(")));
    }

    #[test]
    fn the_table_names_every_case_and_the_last_line_counts_the_findings() {
        let made = Made { rustc: "1.0".into(), target: "t".into(), libc: "l".into() };
        let case = |instructions| Counted { name: "encode/a".into(), unit: "message".into(), instructions };
        let baseline = Baseline::of(made.clone(), &[case(100.0)]);
        let newer = Made { rustc: "1.1".into(), ..made };
        let counted = [case(106.0)];
        let mut out = Vec::new();
        print(&mut out, &baseline, &newer, &counted, &baseline.judge(&counted)).expect("memory");
        let text = String::from_utf8(out).expect("text");
        assert!(text.contains("encode/a                            106.0        100.0    +6.0 %  message"), "{text}");
        assert!(text.contains("NOTE the baseline is of rustc 1.0, t, l; this is rustc 1.1, t, l"), "{text}");
        assert!(text.contains("FAIL `encode/a`") && text.ends_with("1 cases, 1 findings\n"), "{text}");
    }
}
