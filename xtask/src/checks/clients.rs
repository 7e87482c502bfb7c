//! `client-typescript`, `client-python` and `console`: what is written in other languages, each checked by the tools of
//! its language.

use std::{path::Path, process::Command};

use crate::{
    report::{Check, Finding, Report},
    workspace::run,
};

/// Build, tests, sizes and the package of clients/typescript.
pub(super) const TYPESCRIPT: Check = Check {
    name: "client-typescript",
    protects: "the TypeScript client keeps its promises under scenarios, random schedules and planted bugs, and its size",
    run: |workspace| npm(&workspace.root, "clients/typescript"),
};

/// Types, tests and built files of the console.
pub(super) const CONSOLE: Check = Check {
    name: "console",
    protects: "the committed files of the console are, byte by byte, what its source builds",
    run: |workspace| npm(&workspace.root, "crates/realtime-server/console"),
};

/// Types, generated models and tests of clients/python.
pub(super) const PYTHON: Check = Check {
    name: "client-python",
    protects: "the Python client is typed, and keeps its promises under scenarios, random schedules and planted bugs",
    run: |workspace| python(&workspace.root.join("clients/python"), &workspace.root.join("target/ci/venv/bin")),
};

/// `bin`: the programs of the virtual environment that has the packages.
fn python(folder: &Path, bin: &Path) -> Report {
    let programs = ["datamodel-codegen", "mypy", "pytest"].map(|program| bin.join(program));
    if !programs.iter().all(|program| program.exists()) {
        let why = "its packages are not installed: run `python3 -m venv target/ci/venv` and `target/ci/venv/bin/pip install -r tests/foreign/requirements.txt -r clients/python/requirements-dev.txt`";
        return Report { skipped: vec![why.into()], ..Report::default() };
    }
    let mut findings = Vec::new();
    let mut seen = Vec::new();
    for line in [
        ["python", "scripts/models.py", "--check"],
        ["mypy", "--strict", "--no-incremental"],
        ["pytest", "-q", "-p no:cacheprovider"],
    ] {
        let mut command = Command::new(bin.join(line[0]));
        command.args(&line[1..]).env("PYTHONDONTWRITEBYTECODE", "1").current_dir(folder);
        let ran = run(&mut command);
        let line = line.join(" ");
        if ran.ok {
            seen.extend(ran.stdout.trim().lines().last().map(str::to_owned));
        } else {
            let output = format!("failed\n{}{}", ran.stdout, ran.stderr).trim_end().to_owned();
            findings.push(Finding::new(format!("{line}, in clients/python"), output, "repair what is said above"));
        }
    }
    Report::of(findings, format!("clients/python: {}", seen.join(", ")))
}

/// `npm run check` in a folder of the workspace.
fn npm(root: &Path, folder: &str) -> Report {
    let line = format!("npm run check, in {folder}");
    if !root.join(folder).join("node_modules/.bin/tsc").exists() {
        let why = format!("its packages are not installed: run `npm ci --prefix {folder} --ignore-scripts`");
        return Report { skipped: vec![why], ..Report::default() };
    }
    let ran = run(Command::new("npm").args(["run", "--silent", "check"]).current_dir(root.join(folder)));
    if ran.ok {
        let told = |line: &&str| line.contains("tests ") || line.contains("bytes gzipped");
        let seen: Vec<_> = ran.stdout.lines().filter(told).map(str::trim).collect();
        return Report::of(Vec::new(), format!("{line}: {}", seen.join(", ")));
    }
    let output = format!("failed\n{}{}", ran.stdout, ran.stderr).trim_end().to_owned();
    Report::of(vec![Finding::new(line.as_str(), output, "repair what is said above")], line.as_str())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A root with a folder `client` whose `npm run check` does what `script` says.
    fn root(script: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        let client = dir.path().join("client");
        fs::create_dir_all(client.join("node_modules/.bin")).expect("folders");
        fs::write(client.join("node_modules/.bin/tsc"), "").expect("a file");
        let package = format!("{{\"name\":\"specimen\",\"scripts\":{{\"check\":\"{script}\"}}}}");
        fs::write(client.join("package.json"), package).expect("a file");
        dir
    }

    #[test]
    fn without_packages_it_is_skipped_with_the_way_to_install_them() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(npm(dir.path(), "clients/typescript").skipped[0].contains("npm ci --prefix clients/typescript"));
    }

    #[test]
    fn without_the_packages_of_python_it_is_skipped_with_the_way_to_install_them() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(python(dir.path(), dir.path()).skipped[0].contains("clients/python/requirements-dev.txt"));
    }

    #[test]
    fn a_failing_script_is_a_finding_with_its_output() {
        // Without npm both are findings: it can't be started.
        let report = npm(root("echo broken && exit 1").path(), "client");
        assert!(report.findings.len() == 1 && report.skipped.is_empty(), "{report:?}");
        if Command::new("npm").arg("--version").output().is_ok() {
            assert!(report.findings[0].broken.contains("broken"), "{report:?}");
            assert_eq!(npm(root("echo tests 3").path(), "client").findings, []);
        }
    }
}
