//! `deny-parity`: `deny.toml` says to a standard tool what the tables here say, so the two must agree.

use std::{collections::BTreeSet, fs};

use toml::{Table, Value};

use super::{
    layers::{LAYERS, Layer},
    licences::ALLOWED,
};
use crate::{
    report::{Check, Finding, Report},
    workspace::Workspace,
};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "deny-parity",
    protects: "deny.toml repeats the layers and the licences of the tables in xtask, so cargo-deny says the same",
    run,
};

const FILE: &str = "deny.toml";

fn run(workspace: &Workspace) -> Report {
    let text = match fs::read_to_string(workspace.root.join(FILE)) {
        Ok(text) => text,
        Err(error) => return Report::broken(FILE, error.to_string(), "restore it"),
    };
    match text.parse() {
        Ok(deny) => Report::of(
            differences(&deny, LAYERS, ALLOWED),
            format!("{} layers, {} licences", LAYERS.len(), ALLOWED.len()),
        ),
        Err(error) => Report::broken(FILE, error.to_string(), "repair it"),
    }
}

fn differences(deny: &Table, layers: &[Layer], allowed: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let said = names(deny.get("licenses").and_then(|licenses| licenses.get("allow")));
    let meant: BTreeSet<_> = allowed.iter().map(|name| (*name).to_owned()).collect();
    if said != meant {
        let differing: Vec<_> = said.symmetric_difference(&meant).cloned().collect();
        let remedy = "make [licenses].allow equal to ALLOWED in xtask/src/checks/licences.rs";
        findings.push(Finding::new(FILE, format!("the licences differ in {}", differing.join(", ")), remedy));
    }
    let denied = deny.get("bans").and_then(|bans| bans.get("deny")).and_then(Value::as_array);
    for layer in layers {
        let users = |user: &&Layer| user.may_use.contains(&layer.name) || user.may_offer.contains(&layer.name);
        let meant: BTreeSet<_> = layers.iter().filter(users).map(|user| user.name.to_owned()).collect();
        let entry =
            denied.into_iter().flatten().find(|entry| entry.get("crate").and_then(Value::as_str) == Some(layer.name));
        // Nothing may depend on the outermost crates, which is a ban without wrappers; but they are roots of the
        // graph, and cargo-deny would refuse the roots themselves.
        if meant.is_empty() {
            continue;
        }
        let said = names(entry.and_then(|entry| entry.get("wrappers")));
        if said != meant {
            let broken = format!("the wrappers of `{}` are {said:?}, the table says {meant:?}", layer.name);
            findings.push(Finding::new(
                FILE,
                broken,
                "make [bans].deny agree with LAYERS in xtask/src/checks/layers.rs",
            ));
        }
    }
    findings
}

fn names(list: Option<&Value>) -> BTreeSet<String> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYERS: &[Layer] = &[
        Layer { name: "inner", may_use: &[], may_offer: &[], external: None },
        Layer { name: "outer", may_use: &["inner"], may_offer: &[], external: None },
    ];

    const DENY: &str = "[licenses]\nallow = [\"MIT\"]\n[bans]\ndeny = [{ crate = \"inner\", wrappers = [\"outer\"] }]";

    fn findings(deny: &str) -> Vec<String> {
        let deny = deny.parse().expect("toml");
        differences(&deny, LAYERS, &["MIT"]).into_iter().map(|finding| finding.broken).collect()
    }

    #[test]
    fn the_same_edges_and_licences_pass() {
        assert!(findings(DENY).is_empty());
    }

    #[test]
    fn an_edge_too_many_and_one_missing_are_reported() {
        assert_eq!(findings(&DENY.replace("[\"outer\"]", "[\"outer\", \"other\"]")).len(), 1);
        assert!(findings(&DENY.replace("inner", "else"))[0].contains("the wrappers of `inner` are {}"));
    }

    #[test]
    fn a_licence_too_many_is_reported() {
        assert_eq!(findings(&DENY.replace("\"MIT\"", "\"MIT\", \"GPL-3.0\"")), ["the licences differ in GPL-3.0"]);
    }
}
