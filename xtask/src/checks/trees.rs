//! `no-runtime` and `backends`: what is really built, in the words of `cargo tree`.

use std::collections::BTreeSet;

use crate::{
    report::{Check, Finding, Report},
    workspace::{Built, Workspace},
};

/// The core is usable without an async runtime.
pub(super) const NO_RUNTIME: Check = Check {
    name: "no-runtime",
    protects: "whoever depends on realtime-core alone builds no async runtime",
    run: no_runtime,
};

/// One crypto backend, one WebSocket library, and neither where it is not asked for.
pub(super) const BACKENDS: Check = Check {
    name: "backends",
    protects: "one JWT crypto backend (aws_lc_rs), one tungstenite, and none of them in a service without adapters",
    run: backends,
};

const RUNTIMES: &[&str] = &[
    "async-executor",
    "async-io",
    "async-std",
    "embassy-executor",
    "futures-executor",
    "glommio",
    "mio",
    "monoio",
    "smol",
    "tokio",
];

/// What a service with ports of its own must not pay for.
const ADAPTER_LIBRARIES: &[&str] =
    &["axum", "hyper", "jsonwebtoken", "realtime-adapters", "reqwest", "tokio-tungstenite", "tungstenite"];

fn no_runtime(workspace: &Workspace) -> Report {
    let package = "realtime-core";
    match workspace.tree(&["-p", package, "-e", "normal", "--all-features"]) {
        Ok(built) => Report::of(
            present(
                package,
                &built,
                RUNTIMES,
                "an async runtime",
                "the core awaits nothing: move what needs it to the service",
            ),
            format!("{} crates", built.len()),
        ),
        Err(error) => Report::broken(package, error, "repair the manifest"),
    }
}

fn backends(workspace: &Workspace) -> Report {
    let bare = workspace.tree(&["-p", "realtime-service", "-e", "normal", "--no-default-features"]);
    let all = workspace.tree(&["--workspace", "--all-features", "-e", "normal,build,dev"]);
    match (bare, all) {
        (Ok(bare), Ok(all)) => {
            let remedy = "put it behind the feature `default-adapters` of realtime-service";
            let mut findings = present(
                "realtime-service --no-default-features",
                &bare,
                ADAPTER_LIBRARIES,
                "an adapter's library",
                remedy,
            );
            findings.extend(choices(&all));
            Report::of(findings, format!("{} crates without adapters, {} with all", bare.len(), all.len()))
        }
        (Err(error), _) | (_, Err(error)) => Report::broken("Cargo.toml", error, "repair the manifest"),
    }
}

fn present(package: &str, built: &BTreeSet<Built>, unwanted: &[&str], what: &str, remedy: &str) -> Vec<Finding> {
    let unwanted = built.iter().filter(|found| unwanted.contains(&found.name.as_str()));
    unwanted
        .map(|found| Finding::new(package, format!("builds `{}` {}: {what}", found.name, found.version), remedy))
        .collect()
}

/// What the whole workspace must agree on.
fn choices(built: &BTreeSet<Built>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let of = |name: &'static str| built.iter().filter(move |found| found.name == name);
    for library in ["jsonwebtoken", "tungstenite"] {
        let versions: BTreeSet<_> = of(library).map(|found| found.version.as_str()).collect();
        if versions.len() != 1 {
            let broken = format!("`{library}` is built in {} versions: {versions:?}", versions.len());
            findings.push(Finding::new("Cargo.lock", broken, "exactly one; their types do not mix"));
        }
    }
    for jwt in of("jsonwebtoken") {
        let on: Vec<_> = ["aws_lc_rs", "rust_crypto"].into_iter().filter(|name| jwt.features.contains(*name)).collect();
        if on != ["aws_lc_rs"] {
            let broken = format!("jsonwebtoken's crypto backends that are on: {on:?}");
            let remedy = "exactly `aws_lc_rs`: with none or both it panics at the first token, and `rust_crypto` brings RUSTSEC-2023-0071";
            findings.push(Finding::new("Cargo.toml", broken, remedy));
        }
    }
    if of("axum").any(|axum| axum.features.contains("ws")) {
        let remedy = "sockets are realtime-adapters' `ws`; axum's brings a second tungstenite";
        findings.push(Finding::new("Cargo.toml", "axum's feature `ws` is on", remedy));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(list: &[(&str, &str, &[&str])]) -> BTreeSet<Built> {
        let built = list.iter().map(|(name, version, features)| Built {
            name: (*name).into(),
            version: (*version).into(),
            features: features.iter().map(|name| (*name).to_owned()).collect(),
        });
        built.collect()
    }

    const GOOD: &[(&str, &str, &[&str])] =
        &[("jsonwebtoken", "11.1.0", &["aws_lc_rs"]), ("tungstenite", "0.30.0", &[]), ("axum", "0.8.9", &["json"])];

    #[test]
    fn the_choices_as_made_pass() {
        assert!(choices(&built(GOOD)).is_empty());
    }

    #[test]
    fn both_and_neither_crypto_backend_are_reported() {
        for features in [&["aws_lc_rs", "rust_crypto"][..], &[], &["rust_crypto"]] {
            let findings = choices(&built(&[("jsonwebtoken", "11.1.0", features), GOOD[1]]));
            assert!(findings[0].broken.contains("crypto backends"), "{features:?}: {findings:?}");
        }
    }

    #[test]
    fn a_second_tungstenite_and_the_ws_of_axum_are_reported() {
        let findings = choices(&built(&[GOOD[0], GOOD[1], ("tungstenite", "0.29.0", &[]), ("axum", "0.8.9", &["ws"])]));
        assert_eq!(findings.len(), 2);
        assert!(findings[0].broken.contains("2 versions") && findings[1].broken.contains("`ws`"));
    }

    #[test]
    fn a_runtime_in_the_core_is_reported() {
        assert!(present("realtime-core", &built(GOOD), RUNTIMES, "an async runtime", "").is_empty());
        let findings = present("realtime-core", &built(&[("tokio", "1.54.1", &[])]), RUNTIMES, "an async runtime", "");
        assert_eq!(findings[0].broken, "builds `tokio` 1.54.1: an async runtime");
    }

    #[test]
    fn a_service_that_always_brings_a_websocket_is_reported() {
        let found = present("realtime-service", &built(GOOD), ADAPTER_LIBRARIES, "an adapter's library", "");
        assert_eq!(found.len(), 3, "axum, jsonwebtoken and tungstenite: {found:?}");
    }
}
