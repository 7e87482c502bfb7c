//! `clippy-parity`: a crate's `clippy.toml` replaces the root's, so it must repeat the root's entries.

use std::fs;

use crate::report::{Check, Finding, Report};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "clippy-parity",
    protects: "a crate's clippy.toml repeats every entry of the root's, which it replaces; the pure crates have the same one",
    run: |workspace| {
        let read = |dir: &str| fs::read_to_string(workspace.root.join(dir).join("clippy.toml")).unwrap_or_default();
        let (root, core, schema) = (read("."), read("crates/realtime-core"), read("crates/realtime-schema"));
        Report::of(differences(&root, &core, &schema), format!("{} entries of the root", entries(&root).count()))
    },
};

fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| line.starts_with("{ path"))
}

fn differences(root: &str, core: &str, schema: &str) -> Vec<Finding> {
    let file = "crates/realtime-core/clippy.toml";
    let mut findings: Vec<_> = entries(root)
        .filter(|entry| !entries(core).any(|own| own == *entry))
        .map(|entry| Finding::new(file, format!("lacks {entry}"), "copy it from the root's clippy.toml"))
        .collect();
    if core != schema {
        let remedy = "cp crates/realtime-core/clippy.toml crates/realtime-schema/";
        findings.push(Finding::new("crates/realtime-schema/clippy.toml", "differs from the core's", remedy));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "disallowed-methods = [\n    { path = \"a::b\", reason = \"c\" },\n]\n";

    #[test]
    fn an_entry_that_is_missing_or_changed_is_reported_and_more_entries_pass() {
        let more = ROOT.replace("[\n", "[\n    { path = \"d\", reason = \"e\" },\n");
        assert!(differences(ROOT, &more, &more).is_empty());
        assert_eq!(differences(ROOT, "", "").len(), 1);
        let changed = ROOT.replace("\"c\"", "\"other\"");
        assert_eq!(differences(ROOT, &changed, &changed)[0].broken, "lacks { path = \"a::b\", reason = \"c\" },");
        assert_eq!(differences(ROOT, &more, ROOT)[0].broken, "differs from the core's");
    }
}
