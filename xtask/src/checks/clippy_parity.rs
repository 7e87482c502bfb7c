//! `clippy-parity`: a crate's `clippy.toml` replaces the root's, so it must repeat it.

use std::{fs, path::Path};

use toml::{Table, Value};

use crate::{
    report::{Check, Finding, Report},
    workspace::Workspace,
};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "clippy-parity",
    protects: "a crate with its own clippy.toml keeps every rule of the root's, which it replaces",
    run,
};

fn run(workspace: &Workspace) -> Report {
    let root = match read(&workspace.root.join("clippy.toml")) {
        Ok(Some(root)) => root,
        Ok(None) => return Report::broken("clippy.toml", "is missing", "restore it"),
        Err(error) => return Report::broken("clippy.toml", error, "repair it"),
    };
    let mut findings = Vec::new();
    let mut seen = 0;
    for package in workspace.members() {
        let path = package.dir.join("clippy.toml");
        let shown = workspace.shown(&path);
        match read(&path) {
            Ok(Some(own)) => {
                seen += 1;
                findings.extend(lost(&shown, &root, &own));
            }
            Ok(None) => {}
            Err(error) => findings.push(Finding::new(shown, error, "repair it")),
        }
    }
    if !workspace.root.join("crates/realtime-core/clippy.toml").exists() {
        let broken = "is missing: the core's bans on clocks, sockets and locks are gone";
        findings.push(Finding::new("crates/realtime-core/clippy.toml", broken, "restore it"));
    }
    Report::of(findings, format!("{seen} files beside the root's"))
}

fn read(path: &Path) -> Result<Option<Table>, String> {
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    text.parse().map(Some).map_err(|error: toml::de::Error| error.to_string())
}

/// What of the root's rules `own` lacks or says otherwise.
fn lost(file: &str, root: &Table, own: &Table) -> Vec<Finding> {
    let mut findings = Vec::new();
    let remedy = "copy it from the root's clippy.toml";
    for (key, value) in root {
        match (value, own.get(key)) {
            (Value::Array(shared), Some(Value::Array(own))) => {
                for entry in shared.iter().filter(|entry| !own.contains(entry)) {
                    findings.push(Finding::new(file, format!("`{key}` lacks or changes {}", named(entry)), remedy));
                }
            }
            (value, Some(own)) if value == own => {}
            (_, Some(_)) => findings.push(Finding::new(file, format!("`{key}` differs from the root's"), remedy)),
            (_, None) => findings.push(Finding::new(file, format!("`{key}` of the root is missing"), remedy)),
        }
    }
    for (key, value) in own {
        let reasonless = value.as_array().into_iter().flatten().filter(|entry| {
            key.starts_with("disallowed-") && entry.get("reason").and_then(Value::as_str).is_none_or(str::is_empty)
        });
        for entry in reasonless {
            findings.push(Finding::new(file, format!("{} has no reason", named(entry)), "say what to use instead"));
        }
    }
    findings
}

fn named(entry: &Value) -> String {
    entry.get("path").or(Some(entry)).map(|name| format!("`{name}`").replace('"', "")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "max = 7\ndisallowed-methods = [{ path = \"a::b\", reason = \"c\" }]";

    fn findings(own: &str) -> Vec<String> {
        let (root, own) = (ROOT.parse().expect("toml"), own.parse().expect("toml"));
        lost("x", &root, &own).into_iter().map(|finding| finding.broken).collect()
    }

    #[test]
    fn the_roots_rules_and_more_pass() {
        assert!(findings(ROOT).is_empty());
        assert!(findings(&ROOT.replace("[{", "[{ path = \"d\", reason = \"e\" }, {")).is_empty());
    }

    #[test]
    fn a_rule_that_is_missing_or_changed_is_reported() {
        assert_eq!(findings("max = 7"), ["`disallowed-methods` of the root is missing"]);
        assert_eq!(findings(&ROOT.replace("max = 7", "max = 8")), ["`max` differs from the root's"]);
        assert_eq!(findings(&ROOT.replace("\"c\"", "\"other\"")), ["`disallowed-methods` lacks or changes `a::b`"]);
        assert_eq!(findings(&ROOT.replace("a::b", "a::z")), ["`disallowed-methods` lacks or changes `a::b`"]);
    }

    #[test]
    fn a_ban_without_a_reason_is_reported() {
        let own = ROOT.replace("[{", "[{ path = \"d\" }, {");
        assert_eq!(findings(&own), ["`d` has no reason"]);
    }
}
