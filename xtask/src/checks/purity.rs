//! `purity`: the schema and the core do no I/O, read no clock, draw no random number and take no lock.
//!
//! Two proofs: what they are built from is on a list, and their source names nothing of the world.

use std::collections::BTreeSet;

use crate::{
    report::{Check, Finding, Report},
    source::{code_only, find_word, uses, without_tests},
    workspace::{Built, Workspace},
};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "purity",
    protects: "realtime-core and realtime-schema stay free of I/O, clocks, randomness, locks and tasks",
    run,
};

/// The crates that must be pure.
const PURE: &[&str] = &["realtime-schema", "realtime-core"];

/// Everything they may be built from, macros included. A new name here is a decision: read its source first.
const CLOSURE: &[&str] = &[
    "bytes",
    "dyn-clone",
    "itoa",
    "jiff",
    "jiff-core",
    "memchr",
    "proc-macro2",
    "quote",
    "realtime-core",
    "realtime-schema",
    "ref-cast",
    "ref-cast-impl",
    "schemars",
    "schemars_derive",
    "serde",
    "serde_core",
    "serde_derive",
    "serde_derive_internals",
    "serde_json",
    "syn",
    "thiserror",
    "thiserror-impl",
    "unicode-ident",
    "uuid",
    "zmij",
];

/// Features that give a crate of the list a clock, a file system or a random number.
const WORLDLY_FEATURES: &[(&str, &[&str])] = &[
    ("jiff", &["std", "js", "tz-system", "tzdb-bundle-always", "tzdb-zoneinfo"]),
    ("uuid", &["v1", "v4", "v6", "v7", "rng", "fast-rng", "js"]),
];

/// What the source may not name, and what to do instead.
const BANNED: &[(&[&str], &str)] = &[
    (
        &["std::net", "std::fs", "std::process", "std::env", "std::os", "std::io"],
        "return an effect, or do it in an adapter behind a port (`core::net::IpAddr` is data and allowed)",
    ),
    (
        &["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now", ".elapsed()"],
        "take `now` as an argument; the shell asks the Clock port",
    ),
    (
        &[
            "rand",
            "getrandom",
            "fastrand",
            "thread_rng",
            "Uuid::new_v4",
            "Uuid::now_v7",
            "Uuid::now_v1",
            "Uuid::now_v6",
        ],
        "take the id or the jitter as an argument; the shell asks the IdGenerator port",
    ),
    (
        &["Mutex", "RwLock", "Condvar", "Semaphore", "Barrier"],
        "take `&mut self`; who shares the value puts the lock around it",
    ),
    (
        &["std::thread", "tokio", "async_std", "smol", "async fn", ".await"],
        "return an effect; the service runs it and hands the outcome back as an input",
    ),
    (
        &["println!", "eprintln!", "print!", "eprint!", "dbg!", "tracing", "log::"],
        "return a value that says it; the shell logs",
    ),
];

fn run(workspace: &Workspace) -> Report {
    let mut report = Report::default();
    let mut lines = 0;
    let mut closure = 0;
    for name in PURE {
        match workspace.tree(&["-p", name, "-e", "normal", "--all-features"]) {
            Ok(built) => {
                closure = closure.max(built.len());
                report.findings.extend(foreign(name, &built));
            }
            Err(error) => report.findings.push(Finding::new(*name, error, "repair the manifest")),
        }
        let Some(package) = workspace.member(name) else { continue };
        for file in workspace.files(&package.dir.join("src"), "rs") {
            let shown = workspace.shown(&file);
            if is_test_file(&shown) {
                continue;
            }
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            lines += text.lines().count();
            report.findings.extend(scan(&shown, &text));
        }
    }
    report.seen = format!("{closure} crates in the closure, {lines} lines of source");
    report
}

/// What `package` is built from beyond the list.
fn foreign(package: &str, built: &BTreeSet<Built>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for found in built {
        if !CLOSURE.contains(&found.name.as_str()) {
            let broken =
                format!("`{package}` is built from `{}` {}, which is not on the list", found.name, found.version);
            let remedy = format!(
                "see `cargo tree -p {package} -i {}`; drop it, or add it to CLOSURE in xtask/src/checks/purity.rs if it touches nothing of the world",
                found.name
            );
            findings.push(Finding::new(package, broken, remedy));
        }
        let worldly =
            WORLDLY_FEATURES.iter().filter(|(name, _)| *name == found.name).flat_map(|(_, features)| *features);
        for feature in worldly.filter(|feature| found.features.contains(**feature)) {
            let broken = format!("`{package}` turns on the feature `{feature}` of `{}`", found.name);
            findings.push(Finding::new(package, broken, "turn it on in the adapter that needs it"));
        }
    }
    findings
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// What the source of one file names that it may not.
fn scan(file: &str, text: &str) -> Vec<Finding> {
    let code = without_tests(&code_only(text));
    let imports = uses(&code);
    let mut found = BTreeSet::new();
    for (needles, remedy) in BANNED {
        for needle in *needles {
            for line in find_word(&code, needle) {
                found.insert((line, *needle, *remedy));
            }
            for (line, path) in &imports {
                if path == needle || path.starts_with(&format!("{needle}::")) {
                    found.insert((*line, *needle, *remedy));
                }
            }
        }
    }
    found
        .into_iter()
        .map(|(line, needle, remedy)| Finding::new(format!("{file}:{line}"), format!("uses `{needle}`"), remedy))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(text: &str) -> Vec<String> {
        scan("x.rs", text).into_iter().map(|finding| format!("{} {}", finding.at, finding.broken)).collect()
    }

    fn built(name: &str, features: &[&str]) -> BTreeSet<Built> {
        let features = features.iter().map(|name| (*name).to_owned()).collect();
        BTreeSet::from([Built { name: name.into(), version: "1.0.0".into(), features }])
    }

    #[test]
    fn every_banned_name_is_found_inline() {
        for needle in BANNED.iter().flat_map(|(needles, _)| *needles) {
            let text = format!("fn f() {{\n    a {needle} (b);\n}}");
            let found = broken(&text);
            assert!(found.iter().any(|line| line.contains(&format!("x.rs:2 uses `{needle}`"))), "{needle}: {found:?}");
        }
    }

    #[test]
    fn a_grouped_import_does_not_hide_it() {
        assert_eq!(
            broken("use std::{\n    fmt,\n    fs::File,\n    sync::{Arc, Mutex},\n};"),
            ["x.rs:1 uses `std::fs`", "x.rs:4 uses `Mutex`"]
        );
        assert_eq!(broken("use std::{collections::HashMap, thread};"), ["x.rs:1 uses `std::thread`"]);
    }

    #[test]
    fn pure_code_passes_and_so_do_comments_strings_and_tests() {
        let text = "//! Never calls Instant::now.\nuse core::net::IpAddr;\nfn operand(now: u64) -> &'static str { \"tokio\" }\n#[cfg(test)]\nmod tests { use std::fs; fn f() { println!(\"x\"); } }\n";
        assert_eq!(broken(text), Vec::<String>::new());
        assert!(
            is_test_file("crates/realtime-core/src/auth/tests.rs") && !is_test_file("crates/realtime-core/src/auth.rs")
        );
    }

    #[test]
    fn a_runtime_in_the_closure_is_reported() {
        assert!(foreign("realtime-core", &built("serde", &["derive"])).is_empty());
        let findings = foreign("realtime-core", &built("tokio", &[]));
        assert_eq!(findings[0].broken, "`realtime-core` is built from `tokio` 1.0.0, which is not on the list");
    }

    #[test]
    fn a_feature_that_reads_a_clock_is_reported() {
        let findings = foreign("realtime-schema", &built("uuid", &["serde", "v7"]));
        assert_eq!(findings[0].broken, "`realtime-schema` turns on the feature `v7` of `uuid`");
        assert_eq!(foreign("realtime-schema", &built("jiff", &["alloc", "std"])).len(), 1);
    }
}
