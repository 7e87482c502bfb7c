//! `client-typescript` and `client-python`: the clients in other languages, each checked by the tools of its language.

use std::{path::Path, process::Command};

use crate::{
    report::{Check, Finding, Report},
    workspace::run,
};

/// Build, tests, sizes and the package of clients/typescript.
pub(super) const TYPESCRIPT: Check = Check {
    name: "client-typescript",
    protects: "the TypeScript client keeps its promises under scenarios, random schedules and planted bugs, and its size",
    run: |workspace| typescript(&workspace.root.join("clients/typescript")),
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

fn typescript(folder: &Path) -> Report {
    let line = "npm run check, in clients/typescript";
    if !folder.join("node_modules/.bin/tsc").exists() {
        let why = "its packages are not installed: run `npm ci --prefix clients/typescript --ignore-scripts`";
        return Report { skipped: vec![why.into()], ..Report::default() };
    }
    let ran = run(Command::new("npm").args(["run", "--silent", "check"]).current_dir(folder));
    if ran.ok {
        let tests: Vec<_> = ran.stdout.lines().filter(|line| line.contains("tests ")).map(str::trim).collect();
        return Report::of(Vec::new(), format!("{line}: {}", tests.join(", ")));
    }
    let output = format!("failed\n{}{}", ran.stdout, ran.stderr).trim_end().to_owned();
    Report::of(vec![Finding::new(line, output, "repair what is said above")], line)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A folder whose `npm run check` does what `script` says.
    fn client(script: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(dir.path().join("node_modules/.bin")).expect("folders");
        fs::write(dir.path().join("node_modules/.bin/tsc"), "").expect("a file");
        let package = format!("{{\"name\":\"specimen\",\"scripts\":{{\"check\":\"{script}\"}}}}");
        fs::write(dir.path().join("package.json"), package).expect("a file");
        dir
    }

    #[test]
    fn without_packages_it_is_skipped_with_the_way_to_install_them() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(typescript(dir.path()).skipped[0].contains("npm ci --prefix clients/typescript"));
    }

    #[test]
    fn without_the_packages_of_python_it_is_skipped_with_the_way_to_install_them() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(python(dir.path(), dir.path()).skipped[0].contains("clients/python/requirements-dev.txt"));
    }

    #[test]
    fn a_failing_script_is_a_finding_with_its_output() {
        // Without npm both are findings: it can't be started.
        let report = typescript(client("echo broken && exit 1").path());
        assert!(report.findings.len() == 1 && report.skipped.is_empty(), "{report:?}");
        if Command::new("npm").arg("--version").output().is_ok() {
            assert!(report.findings[0].broken.contains("broken"), "{report:?}");
            assert_eq!(typescript(client("echo tests 3").path()).findings, []);
        }
    }
}
