//! `layers`: who may depend on whom, declared once and compared with the manifests.

use cargo_metadata::DependencyKind;

use crate::report::{Check, Finding, Report};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "layers",
    protects: "crates depend only inwards, as the one table in xtask/src/checks/layers.rs declares",
    run: |workspace| {
        let names: Vec<_> = workspace.members.iter().map(|package| package.name.as_str()).collect();
        let rows: Vec<_> = LAYERS.iter().map(|(name, _)| *name).collect();
        let mut findings = unmatched(&rows, &names);
        let mut edges = 0;
        for package in &workspace.members {
            edges += package.dependencies.len();
            findings.extend(package.dependencies.iter().filter_map(|dependency| {
                let dev = dependency.kind == DependencyKind::Development;
                direction(&package.name, &dependency.name, dev, dependency.optional)
            }));
        }
        Report::of(findings, format!("{} crates, {edges} dependencies", names.len()))
    },
};

const SCHEMA: &str = "realtime-schema";
const CORE: &str = "realtime-core";
const PORTS: &str = "realtime-ports";
const CONTRACT: &str = "realtime-contract";
const ADAPTERS: &str = "realtime-adapters";
const SERVICE: &str = "realtime-service";
const SERVER: &str = "realtime-server";
const CLIENT: &str = "realtime-client";
const TESTING: &str = "realtime-testing";

/// The table of the workspace's own crates, innermost first: each with the members that it may use. What the innermost
/// may be built from stands in `closure.rs`. A new crate gets a row here.
const LAYERS: &[(&str, &[&str])] = &[
    (SCHEMA, &[]),
    (CORE, &[SCHEMA]),
    (PORTS, &[SCHEMA, CORE]),
    (CONTRACT, &[SCHEMA, CORE, PORTS]),
    (ADAPTERS, &[SCHEMA, CORE, PORTS]),
    (SERVICE, &[SCHEMA, CORE, PORTS]),
    (CLIENT, &[SCHEMA]),
    (TESTING, &[SCHEMA, CORE, PORTS, ADAPTERS, SERVICE]),
    (SERVER, &[SCHEMA, CORE, PORTS, CONTRACT, ADAPTERS, SERVICE]),
    ("realtime-tests", &[SCHEMA, CORE, PORTS, CONTRACT, ADAPTERS, SERVICE, CLIENT, TESTING, SERVER]),
    ("realtime-bench", &[]),
    ("realtime-model", &[]),
    ("xtask", &[SCHEMA]),
];

/// What a crate may use behind a feature or in its tests, never unconditionally. The service's own stories run on
/// `realtime-testing`, which runs it.
const OFFERED: &[(&str, &str)] = &[(SERVICE, ADAPTERS), (SERVICE, TESTING)];

/// The rows that belong to no crate, and the crates that have no row.
fn unmatched(rows: &[&str], crates: &[&str]) -> Vec<Finding> {
    const FILE: &str = "xtask/src/checks/layers.rs";
    let gone = rows.iter().filter(|row| !crates.contains(row)).map(|row| {
        let broken = format!("the row of `{row}` belongs to no crate");
        Finding::new(FILE, broken, "remove the row, or restore the crate")
    });
    let new = crates.iter().filter(|name| !rows.contains(name)).map(|name| {
        let broken = format!("`{name}` has no row in the table of layers");
        Finding::new(FILE, broken, "add it to LAYERS, with what it may depend on")
    });
    gone.chain(new).collect()
}

/// What is wrong with a dependency on another crate of the table, and what to do about it.
fn direction(package: &str, on: &str, dev: bool, optional: bool) -> Option<Finding> {
    let (_, may_use) = LAYERS.iter().find(|(name, _)| *name == package)?;
    let foreign = LAYERS.iter().all(|(name, _)| *name != on);
    // A crate's tests may turn on features of the crate itself.
    if foreign || may_use.contains(&on) || (dev && on == package) {
        return None;
    }
    let (broken, remedy) = match OFFERED.contains(&(package, on)) {
        true if dev || optional => return None,
        true => (" unconditionally", "make it `optional = true`, behind a feature"),
        false => (
            ", against the direction of the layers",
            "move what is shared inwards, or pass it in through a port from the layer that composes both",
        ),
    };
    Some(Finding::new(format!("{package}/Cargo.toml"), format!("depends on `{on}`{broken}"), remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_outwards_is_reported() {
        let broken = |package, on, dev| direction(package, on, dev, false).map(|finding| finding.broken);
        let outwards = Some("depends on `realtime-ports`, against the direction of the layers".into());
        assert_eq!(broken(CORE, PORTS, false), outwards);
        assert!(broken(SERVER, "realtime-tests", true).is_some(), "not even in tests");
        assert_eq!(broken(PORTS, CORE, false), None);
        assert_eq!(broken(CORE, "bytes", false), None, "libraries are the matter of `purity`");
        assert_eq!(broken(ADAPTERS, ADAPTERS, true), None, "a crate's own features");
    }

    #[test]
    fn the_service_may_offer_the_adapters_but_not_require_them() {
        let broken = |dev, optional| direction(SERVICE, ADAPTERS, dev, optional).map(|finding| finding.broken);
        assert_eq!((broken(false, true), broken(true, false)), (None, None));
        assert_eq!(broken(false, false), Some("depends on `realtime-adapters` unconditionally".into()));
    }

    #[test]
    fn a_crate_without_a_row_and_a_row_without_a_crate_are_reported() {
        let findings = unmatched(&[SCHEMA], &["realtime-redis"]);
        assert_eq!(findings.len(), 2);
        assert!(findings[0].broken.contains("`realtime-schema` belongs to no crate"));
        assert!(findings[1].broken.contains("`realtime-redis` has no row"));
    }
}
