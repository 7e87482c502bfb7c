//! `layers`: who may depend on whom, declared once and compared with the manifests.

use crate::{
    report::{Check, Finding, Report},
    workspace::{Dependency, Package},
};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "layers",
    protects: "crates depend only inwards, as the one table in xtask/src/checks/layers.rs declares",
    run: |workspace| {
        let members: Vec<_> = workspace.members().collect();
        let edges: usize = members.iter().map(|package| package.dependencies.len()).sum();
        Report::of(violations(LAYERS, &members), format!("{} crates, {edges} dependencies", members.len()))
    },
};

/// What a crate of this workspace may depend on.
struct Layer {
    /// The package.
    name: &'static str,
    /// Members it may use.
    may_use: &'static [&'static str],
    /// Members it may use behind a feature (or in its tests), never unconditionally.
    may_offer: &'static [&'static str],
}

const SCHEMA: &str = "realtime-schema";
const CORE: &str = "realtime-core";
const PORTS: &str = "realtime-ports";
const ADAPTERS: &str = "realtime-adapters";
const SERVICE: &str = "realtime-service";
const SERVER: &str = "realtime-server";
const TESTING: &str = "realtime-testing";

const fn layer(name: &'static str, may_use: &'static [&'static str], may_offer: &'static [&'static str]) -> Layer {
    Layer { name, may_use, may_offer }
}

/// The table of the workspace's own crates, innermost first. What the innermost may be built from stands in
/// `closure.rs`. A new crate gets a row here.
const LAYERS: &[Layer] = &[
    layer(SCHEMA, &[], &[]),
    layer(CORE, &[SCHEMA], &[]),
    layer(PORTS, &[SCHEMA, CORE], &[]),
    layer(ADAPTERS, &[SCHEMA, CORE, PORTS], &[]),
    // Its own stories run on `realtime-testing`, which runs it.
    layer(SERVICE, &[SCHEMA, CORE, PORTS], &[ADAPTERS, TESTING]),
    layer(TESTING, &[SCHEMA, CORE, PORTS, ADAPTERS, SERVICE], &[]),
    layer(SERVER, &[SCHEMA, CORE, PORTS, ADAPTERS, SERVICE], &[]),
    layer("realtime-tests", &[SCHEMA, CORE, PORTS, ADAPTERS, SERVICE, TESTING, SERVER], &[]),
    layer("realtime-bench", &[], &[]),
    layer("xtask", &[SCHEMA], &[]),
];

fn violations(layers: &[Layer], members: &[&Package]) -> Vec<Finding> {
    let known = |name: &str| members.iter().any(|package| package.name == name);
    let mut findings: Vec<_> = layers
        .iter()
        .filter(|layer| !known(layer.name))
        .map(|layer| {
            let broken = format!("the row of `{}` belongs to no crate", layer.name);
            Finding::new("xtask/src/checks/layers.rs", broken, "remove the row, or restore the crate")
        })
        .collect();
    for package in members {
        let at = format!("{}/Cargo.toml", package.name);
        let Some(layer) = layers.iter().find(|layer| layer.name == package.name) else {
            let remedy = "add it to LAYERS in xtask/src/checks/layers.rs, with what it may depend on";
            findings.push(Finding::new(at, format!("`{}` has no row in the table of layers", package.name), remedy));
            continue;
        };
        // A crate's tests may turn on features of the crate itself.
        let others = package.dependencies.iter().filter(|other| !(other.dev && other.name == package.name));
        for dependency in others.filter(|other| known(&other.name)) {
            findings.extend(direction(layer, dependency).map(|(broken, remedy)| {
                Finding::new(&at, format!("depends on `{}`{broken}", dependency.name), remedy)
            }));
        }
    }
    findings
}

/// What is wrong with a dependency on another member, and what to do about it.
fn direction(layer: &Layer, dependency: &Dependency) -> Option<(&'static str, &'static str)> {
    let name = dependency.name.as_str();
    let offered = layer.may_offer.contains(&name);
    if offered && !dependency.dev && !dependency.optional {
        return Some((" unconditionally", "make it `optional = true`, behind a feature"));
    }
    (!offered && !layer.may_use.contains(&name)).then_some((
        ", against the direction of the layers",
        "move what is shared inwards, or pass it in through a port from the layer that composes both",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(name: &str) -> Dependency {
        Dependency { name: name.into(), ..Dependency::default() }
    }

    fn member(name: &str, dependencies: Vec<Dependency>) -> Package {
        Package { name: name.into(), member: true, dependencies, ..Package::default() }
    }

    /// The findings if the members follow the table, except for one more dependency of one of them.
    fn broken_by(package: &str, dependency: Dependency) -> Vec<String> {
        let follow = |layer: &Layer| member(layer.name, layer.may_use.iter().copied().map(on).collect());
        let mut members: Vec<_> = LAYERS.iter().map(follow).collect();
        members.iter_mut().find(|member| member.name == package).expect("a member").dependencies.push(dependency);
        let members: Vec<_> = members.iter().collect();
        violations(LAYERS, &members).into_iter().map(|finding| finding.broken).collect()
    }

    #[test]
    fn the_table_itself_is_followed() {
        assert!(broken_by(CORE, on("bytes")).is_empty(), "libraries are the matter of `purity`");
        assert!(broken_by(ADAPTERS, Dependency { dev: true, ..on(ADAPTERS) }).is_empty(), "a crate's own features");
    }

    #[test]
    fn an_edge_outwards_is_reported() {
        assert_eq!(broken_by(CORE, on(PORTS)), ["depends on `realtime-ports`, against the direction of the layers"]);
        assert_eq!(broken_by(ADAPTERS, on(SERVICE)).len(), 1);
        assert_eq!(broken_by(SERVER, Dependency { dev: true, ..on("realtime-tests") }).len(), 1, "not even in tests");
    }

    #[test]
    fn the_service_may_offer_the_adapters_but_not_require_them() {
        assert!(broken_by(SERVICE, Dependency { optional: true, ..on(ADAPTERS) }).is_empty());
        assert!(broken_by(SERVICE, Dependency { dev: true, ..on(ADAPTERS) }).is_empty());
        assert_eq!(broken_by(SERVICE, on(ADAPTERS)), ["depends on `realtime-adapters` unconditionally"]);
        assert_eq!(broken_by(SERVICE, on(TESTING)), ["depends on `realtime-testing` unconditionally"]);
    }

    #[test]
    fn a_crate_without_a_row_and_a_row_without_a_crate_are_reported() {
        let findings = violations(&LAYERS[..1], &[&member("realtime-redis", Vec::new())]);
        assert_eq!(findings.len(), 2);
        assert!(findings[0].broken.contains("`realtime-schema` belongs to no crate"));
        assert!(findings[1].broken.contains("`realtime-redis` has no row"));
    }
}
