//! `purity` and `backends`: what a crate is built from, as `cargo tree` prints it, against a list.

use std::collections::BTreeSet;

use crate::{
    report::{Check, Finding, Report},
    workspace::{Workspace, run},
};

/// The schema, the core and the ports do no I/O, read no clock, draw no random number and take no lock.
///
/// What they may depend on is listed here; what they may call of the standard library is in their `clippy.toml`.
pub(super) const PURITY: Check = Check {
    name: "purity",
    protects: "realtime-schema, -core and -ports are built from nothing that has I/O, clocks, randomness or tasks",
    run: |workspace| {
        let mut report = Report::default();
        look(workspace, "realtime-schema", "--all-features", foreign, &mut report);
        look(workspace, "realtime-core", "--all-features", foreign, &mut report);
        // Without the mocks, which only tests build.
        look(workspace, "realtime-ports", "--no-default-features", foreign, &mut report);
        report
    },
};

/// A service with an application's own adapters builds none of ours. (`deny.toml` chooses among the backends.)
pub(super) const BACKENDS: Check = Check {
    name: "backends",
    protects: "realtime-service without its adapters builds no WebSocket, HTTP or JWT library",
    run: |workspace| {
        let mut report = Report::default();
        look(workspace, "realtime-service", "--no-default-features", adapters, &mut report);
        report
    },
};

/// Everything that the pure crates may be built from, macros included. Read a crate's source before you add it.
const CLOSURE: &str = "\
    async-trait bytes dyn-clone hashbrown itoa jiff jiff-core memchr proc-macro2 quote realtime-core realtime-ports
    realtime-schema ref-cast ref-cast-impl schemars schemars_derive serde serde_core serde_derive serde_derive_internals serde_json syn
    thiserror thiserror-impl twox-hash unicode-ident uuid zmij";

/// Features that give a crate of the list a clock, a file system or a random number.
const IMPURE_FEATURES: &[(&str, &[&str])] = &[
    ("jiff", &["std", "js", "tz-system", "tzdb-bundle-always", "tzdb-zoneinfo"]),
    ("twox-hash", &["std", "random"]),
    ("uuid", &["v1", "v4", "v6", "v7", "rng", "fast-rng", "js"]),
];

/// What only the adapters need.
const ADAPTER_LIBRARIES: &[&str] =
    &["axum", "hyper", "jsonwebtoken", "realtime-adapters", "reqwest", "tokio-tungstenite", "tungstenite"];

/// What is wrong with a crate that `package` is built from: its name and the features that are on.
type Rule = fn(package: &str, name: &str, features: &[&str]) -> Vec<Finding>;

fn look(workspace: &Workspace, package: &str, features: &str, rule: Rule, report: &mut Report) {
    let tree = ["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}|{f}"];
    let tree = run(workspace.cargo(&tree).args(["--package", package, features]));
    if !tree.ok {
        report.findings.push(Finding::new(package, tree.stderr.trim(), "repair the manifest"));
        return;
    }
    // Each crate once: a repeated one ends in `(*)`.
    let built: BTreeSet<_> = tree.stdout.lines().map(|line| line.trim_end_matches("(*)").trim()).collect();
    report.seen.push_str(&format!("{package}: {} crates  ", built.len()));
    report.findings.extend(built.into_iter().flat_map(|line| violations(package, line, rule)));
}

/// Applies the rule to a line such as `name v1.2.3 (path or proc-macro)|feature,feature`.
fn violations(package: &str, line: &str, rule: Rule) -> Vec<Finding> {
    let (built, features) = line.split_once('|').unwrap_or((line, ""));
    let name = built.split_whitespace().next().unwrap_or_default();
    rule(package, name, &features.split(',').collect::<Vec<_>>())
}

fn foreign(package: &str, name: &str, features: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if CLOSURE.split_whitespace().all(|listed| listed != name) {
        let remedy = format!(
            "see `cargo tree -p {package} -i {name}`; drop it, or add it to CLOSURE in xtask/src/checks/closure.rs if it is pure"
        );
        findings.push(Finding::new(package, format!("is built from `{name}`, which is not on the list"), remedy));
    }
    let impure = IMPURE_FEATURES.iter().filter(|(crate_name, _)| *crate_name == name).flat_map(|(_, list)| *list);
    for feature in impure.filter(|feature| features.contains(feature)) {
        let broken = format!("turns on the feature `{feature}` of `{name}`");
        findings.push(Finding::new(package, broken, "turn it on in the adapter that needs it"));
    }
    findings
}

fn adapters(package: &str, name: &str, _features: &[&str]) -> Vec<Finding> {
    if !ADAPTER_LIBRARIES.contains(&name) {
        return Vec::new();
    }
    let remedy = "put it behind the feature `default-adapters` of realtime-service";
    vec![Finding::new(package, format!("builds `{name}` without default features"), remedy)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(rule: Rule, line: &str) -> Vec<String> {
        violations("p", line, rule).into_iter().map(|finding| finding.broken).collect()
    }

    #[test]
    fn a_runtime_and_a_feature_that_reads_a_clock_are_reported() {
        assert!(broken(foreign, "serde_derive v1.0.0 (proc-macro)|default").is_empty());
        assert_eq!(broken(foreign, "tokio v1.0.0|"), ["is built from `tokio`, which is not on the list"]);
        assert_eq!(broken(foreign, "uuid v1.29.3|serde,v7"), ["turns on the feature `v7` of `uuid`"]);
    }

    #[test]
    fn a_service_that_always_brings_a_websocket_is_reported() {
        assert!(broken(adapters, "tokio v1.0.0|").is_empty());
        assert_eq!(broken(adapters, "tungstenite v1.0.0|"), ["builds `tungstenite` without default features"]);
    }
}
