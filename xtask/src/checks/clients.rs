//! `client-typescript`: the client in TypeScript, checked by the tools of its language.

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
