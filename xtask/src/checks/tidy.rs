//! `tidy` and `clippy-parity`: the rules of this workspace that no other tool knows.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    report::{Check, Finding, Report},
    workspace::Workspace,
};

/// Sources, manifests and links.
pub(super) const TIDY: Check = Check {
    name: "tidy",
    protects: "each file opens with its purpose and stays short, no crate re-exports another's names, links in documents resolve",
    run: tidy,
};

/// A crate's `clippy.toml` replaces the root's, so it must repeat the root's entries.
pub(super) const CLIPPY_PARITY: Check = Check {
    name: "clippy-parity",
    protects: "a crate's clippy.toml repeats every entry of the root's, which it replaces; the pure crates have the same one",
    run: |workspace| {
        let read = |dir: &str| read(&workspace.root.join(dir).join("clippy.toml"));
        let (root, core, schema) = (read("."), read("crates/realtime-core"), read("crates/realtime-schema"));
        Report::of(differences(&root, &core, &schema), format!("{} entries of the root", entries(&root).count()))
    },
};

/// The most lines of a file: a longer one has more than one concern.
const LONGEST: usize = 400;

fn tidy(workspace: &Workspace) -> Report {
    let root = &workspace.root;
    let mut findings = Vec::new();
    for package in &workspace.members {
        if !read(package.manifest_path.as_std_path()).contains("[lints]\nworkspace = true") {
            let remedy = "add `[lints]` with `workspace = true`";
            findings.push(Finding::new(package.name.as_str(), "does not take the workspace's lints", remedy));
        }
    }
    let (mut sources, mut documents) = (Vec::new(), Vec::new());
    collect(root, &mut sources, &mut documents);
    for file in &sources {
        findings.extend(source_rules(&shown(root, file), &read(file)));
    }
    for file in &documents {
        findings.extend(link_rules(root, file, &read(file)));
    }
    Report::of(findings, format!("{} sources, {} documents", sources.len(), documents.len()))
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

/// The path below the root, as findings print it.
fn shown(root: &Path, file: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).display().to_string()
}

/// The Rust files and the documents below `dir`, in order; build output and hidden folders left out.
fn collect(dir: &Path, sources: &mut Vec<PathBuf>, documents: &mut Vec<PathBuf>) {
    let mut paths: Vec<_> = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "node_modules" {
                collect(&path, sources, documents);
            }
        } else if name.ends_with(".rs") {
            sources.push(path);
        } else if name.ends_with(".md") {
            documents.push(path);
        }
    }
}

fn source_rules(file: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !text.starts_with("//!") {
        findings.push(Finding::new(file, "does not open with `//!`", "say in a line what the file is for"));
    }
    let lines = text.lines().count();
    if lines > LONGEST {
        let broken = format!("has {lines} lines, {LONGEST} is the most");
        findings.push(Finding::new(file, broken, "move the second concern to a file of its own"));
    }
    for (number, line) in (1..).zip(text.lines().map(str::trim_start)) {
        if line.starts_with("pub use realtime_") || line.starts_with("pub use ::realtime_") {
            let remedy = "one public name per item: let users name the crate that defines it";
            findings.push(Finding::new(format!("{file}:{number}"), "re-exports another crate's names", remedy));
        }
    }
    findings
}

/// Relative links of a document whose target does not exist; brackets in fenced blocks are not links.
fn link_rules(root: &Path, file: &Path, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut fenced = false;
    for (number, line) in (1..).zip(text.lines()) {
        fenced ^= line.trim_start().starts_with("```");
        let links = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        for target in links.filter(|target| !fenced && !target.contains("://") && !target.starts_with("mailto:")) {
            let path = target.split(['#', '?']).next().unwrap_or_default();
            let base = if path.starts_with('/') { root } else { file.parent().unwrap_or(root) };
            if !path.is_empty() && !base.join(path.trim_start_matches('/')).exists() {
                let broken = format!("links to `{target}`, which does not exist");
                let at = format!("{}:{number}", shown(root, file));
                findings.push(Finding::new(at, broken, "correct the link, or write the file"));
            }
        }
    }
    findings
}

/// What a `clippy.toml` bans, a line for each.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| line.starts_with("{ path"))
}

fn differences(root: &str, core: &str, schema: &str) -> Vec<Finding> {
    let missing = entries(root).filter(|entry| entries(core).all(|own| own != *entry));
    let lacks = |entry| {
        let remedy = "copy it from the root's clippy.toml";
        Finding::new("crates/realtime-core/clippy.toml", format!("lacks {entry}"), remedy)
    };
    let mut findings: Vec<_> = missing.map(lacks).collect();
    if core != schema {
        let remedy = "cp crates/realtime-core/clippy.toml crates/realtime-schema/";
        findings.push(Finding::new("crates/realtime-schema/clippy.toml", "differs from the core's", remedy));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(findings: Vec<Finding>) -> Vec<String> {
        findings.into_iter().map(|finding| format!("{} {}", finding.at, finding.broken)).collect()
    }

    #[test]
    fn a_file_without_an_opening_line_a_long_one_and_a_reexport_are_reported() {
        let rules = |text: &str| broken(source_rules("x.rs", text));
        assert!(rules("//! What it is for.\npub use crate::a;\nuse realtime_core::Frame;\n").is_empty());
        assert_eq!(rules("use std::fmt;\n"), ["x.rs does not open with `//!`"]);
        assert_eq!(rules("//! x\npub use realtime_core::Frame;\n"), ["x.rs:2 re-exports another crate's names"]);
        assert_eq!(rules("//! x\npub use ::realtime_core;\n").len(), 1);
        assert!(rules(&"//!\n".repeat(LONGEST)).is_empty());
        assert_eq!(rules(&"//!\n".repeat(LONGEST + 1)), ["x.rs has 401 lines, 400 is the most"]);
    }

    #[test]
    fn a_link_that_does_not_resolve_is_reported() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("there.md"), "").expect("a file");
        let text = "[a](there.md#part) [b](https://example.org) [c](#here)\n```\n[d](example.md)\n```\n[e](gone.md)\n";
        let found = broken(link_rules(dir.path(), &dir.path().join("x.md"), text));
        assert_eq!(found, ["x.md:5 links to `gone.md`, which does not exist"]);
    }

    #[test]
    fn an_entry_of_clippy_that_is_missing_or_changed_is_reported_and_more_entries_pass() {
        let root = "disallowed-methods = [\n    { path = \"a::b\", reason = \"c\" },\n]\n";
        let more = root.replace("[\n", "[\n    { path = \"d\", reason = \"e\" },\n");
        assert!(differences(root, &more, &more).is_empty());
        let changed = root.replace("\"c\"", "\"other\"");
        assert!(broken(differences(root, &changed, &changed))[0].contains("lacks { path = \"a::b\", reason = \"c\" }"));
        assert!(broken(differences(root, &more, root))[0].contains("differs from the core's"));
    }
}
