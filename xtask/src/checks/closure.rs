//! `purity` and `backends`: what a crate is built from, as `cargo tree` prints it, against a list.

use std::collections::BTreeSet;

use crate::{
    report::{Check, Finding, Report},
    workspace::{Built, Workspace},
};

/// The schema, the core and the ports do no I/O, read no clock, draw no random number and take no lock.
///
/// What they may depend on is listed here; what they may call of the standard library is in their `clippy.toml`.
pub(super) const PURITY: Check = Check {
    name: "purity",
    protects: "realtime-schema, -core and -ports are built from nothing that has I/O, clocks, randomness or tasks",
    run: |workspace| {
        let mut report = Report::default();
        for name in ["realtime-schema", "realtime-core"] {
            look(workspace, &["-p", name, "-e", "normal", "--all-features"], foreign, &mut report);
        }
        // Without the mocks, which only tests build.
        look(workspace, &["-p", "realtime-ports", "-e", "normal", "--no-default-features"], foreign, &mut report);
        report
    },
};

/// A service with an application's own adapters builds none of ours. (`deny.toml` chooses among the backends.)
pub(super) const BACKENDS: Check = Check {
    name: "backends",
    protects: "realtime-service without its adapters builds no WebSocket, HTTP or JWT library",
    run: |workspace| {
        let mut report = Report::default();
        look(workspace, &["-p", "realtime-service", "-e", "normal", "--no-default-features"], adapters, &mut report);
        report
    },
};

/// Everything that the pure crates may be built from, macros included. Read a crate's source before you add it.
const CLOSURE: &str = "\
    async-trait bytes dyn-clone itoa jiff jiff-core memchr proc-macro2 quote realtime-core realtime-ports
    realtime-schema ref-cast ref-cast-impl schemars schemars_derive serde serde_core serde_derive serde_derive_internals serde_json syn
    thiserror thiserror-impl unicode-ident uuid zmij";

/// Features that give a crate of the list a clock, a file system or a random number.
const IMPURE_FEATURES: &[(&str, &[&str])] = &[
    ("jiff", &["std", "js", "tz-system", "tzdb-bundle-always", "tzdb-zoneinfo"]),
    ("uuid", &["v1", "v4", "v6", "v7", "rng", "fast-rng", "js"]),
];

/// What only the adapters need.
const ADAPTER_LIBRARIES: &[&str] =
    &["axum", "hyper", "jsonwebtoken", "realtime-adapters", "reqwest", "tokio-tungstenite", "tungstenite"];

fn look(workspace: &Workspace, args: &[&str], rule: fn(&str, &Built) -> Vec<Finding>, report: &mut Report) {
    match workspace.tree(args) {
        Ok(built) => {
            report.seen.push_str(&format!("{}: {} crates  ", args[1], built.len()));
            report.findings.extend(violations(args[1], &built, rule));
        }
        Err(error) => report.findings.push(Finding::new(args[1], error, "repair the manifest")),
    }
}

fn violations(package: &str, built: &BTreeSet<Built>, rule: fn(&str, &Built) -> Vec<Finding>) -> Vec<Finding> {
    built.iter().flat_map(|built| rule(package, built)).collect()
}

fn foreign(package: &str, Built { name, features }: &Built) -> Vec<Finding> {
    let mut findings = Vec::new();
    if CLOSURE.split_whitespace().all(|listed| listed != name) {
        let remedy = format!(
            "see `cargo tree -p {package} -i {name}`; drop it, or add it to CLOSURE in xtask/src/checks/closure.rs if it is pure"
        );
        findings.push(Finding::new(package, format!("is built from `{name}`, which is not on the list"), remedy));
    }
    let impure = IMPURE_FEATURES.iter().filter(|(crate_name, _)| crate_name == name).flat_map(|(_, list)| *list);
    for feature in impure.filter(|feature| features.contains(**feature)) {
        let broken = format!("turns on the feature `{feature}` of `{name}`");
        findings.push(Finding::new(package, broken, "turn it on in the adapter that needs it"));
    }
    findings
}

fn adapters(package: &str, Built { name, .. }: &Built) -> Vec<Finding> {
    let remedy = "put it behind the feature `default-adapters` of realtime-service";
    let unwanted = ADAPTER_LIBRARIES.contains(&name.as_str());
    unwanted
        .then(|| Finding::new(package, format!("builds `{name}` without default features"), remedy))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(rule: fn(&str, &Built) -> Vec<Finding>, name: &str, features: &[&str]) -> Vec<String> {
        let features = features.iter().map(|name| (*name).to_owned()).collect();
        rule("p", &Built { name: name.into(), features }).into_iter().map(|finding| finding.broken).collect()
    }

    #[test]
    fn a_runtime_in_the_core_is_reported() {
        assert!(broken(foreign, "serde", &["derive"]).is_empty());
        assert_eq!(broken(foreign, "tokio", &[]), ["is built from `tokio`, which is not on the list"]);
    }

    #[test]
    fn a_feature_that_reads_a_clock_is_reported() {
        assert_eq!(broken(foreign, "uuid", &["serde", "v7"]), ["turns on the feature `v7` of `uuid`"]);
        assert_eq!(broken(foreign, "jiff", &["alloc", "std"]).len(), 1);
    }

    #[test]
    fn a_service_that_always_brings_a_websocket_is_reported() {
        assert!(broken(adapters, "tokio", &[]).is_empty());
        assert_eq!(broken(adapters, "tungstenite", &[]), ["builds `tungstenite` without default features"]);
    }
}
