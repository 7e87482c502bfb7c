//! `advisories`: crates and versions that must not enter, from a committed table, and from cargo-deny where it is.

use std::{collections::BTreeSet, fs, path::PathBuf};

use cargo_metadata::semver::{Version, VersionReq};
use serde::Deserialize;

use crate::{
    report::{Check, Finding, Report},
    workspace::{Built, Workspace, run as run_command},
};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "advisories",
    protects: "no dependency with a known vulnerability, and none that the project has decided against",
    run,
};

const TABLE: &str = "xtask/advisories.toml";

/// `xtask/advisories.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// Versions with a known vulnerability: may not be in `Cargo.lock`, built or not.
    advisory: Vec<Advisory>,
    /// Crates the project has decided against: may not be built.
    ban: Vec<Ban>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advisory {
    #[serde(rename = "crate")]
    name: String,
    versions: VersionReq,
    id: String,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    why: String,
}

/// The packages of `Cargo.lock`.
#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: Version,
}

fn run(workspace: &Workspace) -> Report {
    let table: Table = match load(workspace, TABLE) {
        Ok(table) => table,
        Err(error) => return Report::broken(TABLE, error, "repair it"),
    };
    let lock: Lock = match load(workspace, "Cargo.lock") {
        Ok(lock) => lock,
        Err(error) => return Report::broken("Cargo.lock", error, "run `cargo generate-lockfile`"),
    };
    let built = match workspace.tree(&["--workspace", "--all-features", "-e", "normal,build,dev"]) {
        Ok(built) => built,
        Err(error) => return Report::broken("Cargo.toml", error, "repair the manifest"),
    };
    let mut findings = known(&table.advisory, &lock.package);
    findings.extend(banned(&table.ban, &built));
    let seen = format!("{} entries against {} packages", table.advisory.len() + table.ban.len(), lock.package.len());
    let mut report = Report::of(findings, seen);
    cargo_deny(workspace, &mut report);
    report
}

fn load<T: for<'de> Deserialize<'de>>(workspace: &Workspace, file: &str) -> Result<T, String> {
    let text = fs::read_to_string(workspace.root.join(file)).map_err(|error| error.to_string())?;
    toml::from_str(&text).map_err(|error| error.to_string())
}

fn known(advisories: &[Advisory], locked: &[Locked]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in locked {
        for advisory in advisories.iter().filter(|advisory| advisory.name == package.name) {
            if advisory.versions.matches(&package.version) {
                let broken = format!("{} {} has {}: {}", package.name, package.version, advisory.id, advisory.why);
                let remedy =
                    format!("`cargo update -p {}`, or drop what brings it (`cargo tree -i {0}`)", package.name);
                findings.push(Finding::new("Cargo.lock", broken, remedy));
            }
        }
    }
    findings
}

fn banned(bans: &[Ban], built: &BTreeSet<Built>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in built {
        for ban in bans.iter().filter(|ban| ban.name == package.name) {
            let broken = format!(
                "`{}` {} is built, which this project has decided against: {}",
                package.name, package.version, ban.why
            );
            findings.push(Finding::new("Cargo.toml", broken, format!("see `cargo tree -i {}`", package.name)));
        }
    }
    findings
}

/// The same and more by the standard tool, where it and its database are installed.
fn cargo_deny(workspace: &Workspace, report: &mut Report) {
    if !run_command(&mut workspace.cargo(&["deny", "--version"])).ok {
        report.skipped.push("cargo-deny is not installed (`cargo install --locked cargo-deny`): deny.toml and the RustSec database were not consulted".into());
        return;
    }
    let mut args = vec![
        "deny",
        "--locked",
        "--offline",
        "--all-features",
        "check",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ];
    if advisory_database().is_some() {
        args.push("advisories");
    } else {
        report.skipped.push(
            "no copy of the RustSec database here (`cargo deny fetch` gets one): cargo-deny ran without it".into(),
        );
    }
    let ran = run_command(&mut workspace.cargo(&args));
    if !ran.ok {
        let said: Vec<_> = ran.stderr.lines().filter(|line| line.starts_with("error")).collect();
        let said = if said.is_empty() { ran.stderr.lines().rev().take(1).collect() } else { said };
        for line in said {
            report.findings.push(Finding::new(
                "deny.toml",
                line,
                "`cargo deny --all-features check` shows the whole story",
            ));
        }
    }
}

fn advisory_database() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")))?;
    ["advisory-dbs", "advisory-db"]
        .into_iter()
        .map(|name| home.join(name))
        .find(|path| fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/advisories.toml")).expect("the table");
        toml::from_str(&text).expect("the table is well-formed")
    }

    fn locked(name: &str, version: &str) -> Vec<String> {
        let package = Locked { name: name.into(), version: version.parse().expect("a version") };
        known(&table().advisory, &[package]).into_iter().map(|finding| finding.broken).collect()
    }

    #[test]
    fn a_vulnerable_version_is_reported_and_the_mended_one_is_not() {
        assert!(locked("jsonwebtoken", "10.2.0")[0].contains("CVE-2026-25537"));
        assert!(locked("jsonwebtoken", "11.1.0").is_empty());
        assert!(locked("rsa", "0.9.10")[0].contains("RUSTSEC-2023-0071"), "no version of rsa is mended");
    }

    #[test]
    fn a_banned_crate_is_reported_once_it_is_built() {
        let built = |name: &str| {
            BTreeSet::from([Built { name: name.into(), version: "1.0.0".into(), features: BTreeSet::new() }])
        };
        assert!(banned(&table().ban, &built("serde")).is_empty());
        let findings = banned(&table().ban, &built("ring"));
        assert!(findings[0].broken.starts_with("`ring` 1.0.0 is built"));
    }
}
