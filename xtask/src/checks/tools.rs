//! `fmt`, `clippy` and `rustdoc`: the toolchain's own checks, each complaint a finding.

use std::process::Command;

use crate::{
    report::{Check, Finding, Report},
    workspace::{Workspace, run},
};

/// One format for everyone.
pub(super) const FMT: Check =
    Check { name: "fmt", protects: "one format, so that a diff shows what changed and nothing else", run: fmt };

/// The lints of the workspace, as errors.
pub(super) const CLIPPY: Check = Check {
    name: "clippy",
    protects: "the workspace's lints hold in every target with every feature",
    run: |workspace| {
        let args = [
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--keep-going",
            "--message-format",
            "short",
        ];
        let mut command = workspace.cargo(&args);
        compiler(command.args(["--", "-D", "warnings"]), "see `cargo clippy --workspace --all-targets --all-features`")
    },
};

/// The documentation builds, and its links lead somewhere.
pub(super) const RUSTDOC: Check = Check {
    name: "rustdoc",
    protects: "the documentation of every public item builds, and its links lead somewhere",
    run: |workspace| {
        let args = [
            "doc",
            "--locked",
            "--workspace",
            "--no-deps",
            "--all-features",
            "--keep-going",
            "--message-format",
            "short",
        ];
        let mut command = workspace.cargo(&args);
        compiler(
            command.env("RUSTDOCFLAGS", "-D warnings"),
            "see `RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --all-features`",
        )
    },
};

fn fmt(workspace: &Workspace) -> Report {
    let ran = run(&mut workspace.cargo(&["fmt", "--all", "--check", "--", "-l"]));
    let mut findings: Vec<_> = ran
        .stdout
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|file| Finding::new(workspace.shown(file.trim().as_ref()), "is not formatted", "run `cargo fmt`"))
        .collect();
    findings.sort_by(|a, b| a.at.cmp(&b.at));
    findings.dedup();
    if !ran.ok && findings.is_empty() {
        findings.push(Finding::new("cargo fmt", first_words(&ran.stderr), "run `cargo fmt --check`"));
    }
    Report::of(findings, "every crate")
}

/// Runs a command of the compiler family; each error of its short form is a finding.
fn compiler(command: &mut Command, remedy: &str) -> Report {
    let ran = run(command);
    let mut findings = if ran.ok { Vec::new() } else { complaints(&ran.stderr, remedy) };
    if !ran.ok && findings.is_empty() {
        findings.push(Finding::new("cargo", first_words(&ran.stderr), remedy));
    }
    Report::of(findings, "every crate")
}

/// `path:line:column: error[code]: message` by line; a target compiled twice says so twice.
fn complaints(stderr: &str, remedy: &str) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for line in stderr.lines() {
        let Some((place, rest)) = line.split_once(": error") else { continue };
        let Some((_, message)) = rest.split_once(": ") else { continue };
        let finding = Finding::new(place, message, remedy);
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    findings
}

pub(super) fn first_words(stderr: &str) -> String {
    let line = stderr.lines().find(|line| line.starts_with("error")).or(stderr.lines().last());
    line.unwrap_or("it failed without a word").to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A package of one file in a folder of its own.
    fn package(source: &str) -> (tempfile::TempDir, Workspace) {
        let dir = tempfile::tempdir().expect("a folder");
        let manifest = "[package]\nname = \"specimen\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
        fs::create_dir(dir.path().join("src")).expect("src");
        fs::write(dir.path().join("Cargo.toml"), manifest).expect("Cargo.toml");
        fs::write(
            dir.path().join("Cargo.lock"),
            "version = 4\n\n[[package]]\nname = \"specimen\"\nversion = \"0.1.0\"\n",
        )
        .expect("Cargo.lock");
        fs::write(dir.path().join("src/lib.rs"), source).expect("lib.rs");
        let workspace = Workspace { root: dir.path().canonicalize().expect("a path"), ..Workspace::default() };
        (dir, workspace)
    }

    /// What a check says of that source.
    fn said(check: &Check, source: &str) -> Vec<String> {
        let (_dir, workspace) = package(source);
        (check.run)(&workspace)
            .findings
            .into_iter()
            .map(|finding| format!("{} {}", finding.at, finding.broken))
            .collect()
    }

    #[test]
    fn an_unformatted_file_is_reported() {
        assert_eq!(said(&FMT, "//! x\n"), Vec::<String>::new());
        assert_eq!(said(&FMT, "//! x\nfn  f( ){}\n"), ["src/lib.rs is not formatted"]);
    }

    #[test]
    fn a_lint_is_reported_with_its_place() {
        let found = said(&CLIPPY, "//! x\n/// f\npub fn f(x: &Vec<u8>) -> bool {\n    x.len() == 0\n}\n");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().any(|line| line.starts_with("src/lib.rs:4:5 ")), "{found:?}");
    }

    #[test]
    fn the_bans_of_the_core_are_enforced() {
        let source = "//! x\nuse std::{sync::Mutex, time::Instant};\n/// f\npub fn f() -> Mutex<Instant> {\n    Mutex::new(Instant::now())\n}\n";
        let (dir, workspace) = package(source);
        let bans = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/realtime-core/clippy.toml");
        fs::copy(bans, dir.path().join("clippy.toml")).expect("the core's clippy.toml");
        let found: Vec<_> = (CLIPPY.run)(&workspace).findings.into_iter().map(|finding| finding.broken).collect();
        assert!(found.iter().any(|broken| broken.contains("std::sync::Mutex")), "{found:?}");
        assert!(found.iter().any(|broken| broken.contains("std::time::Instant::now")), "{found:?}");
    }

    #[test]
    fn a_broken_link_in_the_documentation_is_reported() {
        let found = said(&RUSTDOC, "//! See [`Nowhere`].\n");
        assert!(found.len() == 1 && found[0].contains("Nowhere"), "{found:?}");
    }

    #[test]
    fn complaints_are_read_once_each() {
        let stderr = "a.rs:1:2: error[E0425]: cannot find x\na.rs:1:2: error[E0425]: cannot find x\nb.rs:3:4: error: unused\nwarning: z\n";
        let found: Vec<_> =
            complaints(stderr, "").into_iter().map(|finding| format!("{} {}", finding.at, finding.broken)).collect();
        assert_eq!(found, ["a.rs:1:2 cannot find x", "b.rs:3:4 unused"]);
    }
}
