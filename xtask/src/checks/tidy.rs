//! `tidy`: the rules of this workspace that no other tool knows.

use std::{fs, path::Path};

use crate::{
    report::{Check, Finding, Report},
    workspace::Workspace,
};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "tidy",
    protects: "each file opens with its purpose and stays short, no crate re-exports another's names, links in documents resolve",
    run,
};

/// The most lines of a file: a longer one has more than one concern.
const LONGEST: usize = 400;

/// Files that are longer today, with their lines: none may grow, and an entry goes when its file is short enough.
const LONGER: &[(&str, usize)] = &[];

fn run(workspace: &Workspace) -> Report {
    let read = |file: &Path| fs::read_to_string(file).unwrap_or_default();
    let mut findings = Vec::new();
    let sources = workspace.files(&workspace.root, "rs");
    for file in &sources {
        findings.extend(source_rules(&workspace.shown(file), &read(file), LONGER));
    }
    for package in workspace.members() {
        if !read(&package.dir.join("Cargo.toml")).contains("[lints]\nworkspace = true") {
            let remedy = "add `[lints]` with `workspace = true`";
            findings.push(Finding::new(&package.name, "does not take the workspace's lints", remedy));
        }
    }
    let documents = workspace.files(&workspace.root, "md");
    for file in &documents {
        findings.extend(link_rules(&workspace.root, file, &workspace.shown(file), &read(file)));
    }
    Report::of(findings, format!("{} sources, {} documents", sources.len(), documents.len()))
}

fn source_rules(file: &str, text: &str, longer: &[(&str, usize)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !text.starts_with("//!") {
        findings.push(Finding::new(file, "does not open with `//!`", "say in a line what the file is for"));
    }
    let lines = text.lines().count();
    let noted = longer.iter().find(|(name, _)| *name == file).map(|(_, lines)| *lines);
    let most = noted.unwrap_or(LONGEST);
    if lines > most {
        let broken = format!("has {lines} lines, {most} is the most");
        findings.push(Finding::new(file, broken, "move the second concern to a file of its own"));
    } else if noted.is_some() && lines <= LONGEST {
        let remedy = "remove its entry in LONGER (xtask/src/checks/tidy.rs)";
        findings.push(Finding::new(file, "is short enough now", remedy));
    }
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("pub use realtime_") || line.trim_start().starts_with("pub use ::realtime_") {
            let remedy = "one public name per item: let users name the crate that defines it";
            findings.push(Finding::new(format!("{file}:{}", number + 1), "re-exports another crate's names", remedy));
        }
    }
    findings
}

/// Relative links of a document whose target does not exist.
fn link_rules(root: &Path, file: &Path, shown: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let text = without_code(text);
    for (at, _) in text.match_indices("](") {
        let Some(target) = text[at + 2..].split([')', ' ', '\n']).next() else { continue };
        let path = target.split(['#', '?']).next().unwrap_or_default();
        if path.is_empty() || target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let base = if path.starts_with('/') { root } else { file.parent().unwrap_or(root) };
        if !base.join(path.trim_start_matches('/')).exists() {
            let place = format!("{shown}:{}", text[..at].matches('\n').count() + 1);
            findings.push(Finding::new(
                place,
                format!("links to `{target}`, which does not exist"),
                "correct the link, or write the file",
            ));
        }
    }
    findings
}

/// The document with fenced blocks blanked: brackets in examples are not links.
fn without_code(text: &str) -> String {
    let mut fenced = false;
    let lines = text.split('\n').map(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        if fenced || fence { "" } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(text: &str) -> Vec<String> {
        let findings = source_rules("x.rs", text, &[]).into_iter();
        findings.map(|finding| format!("{} {}", finding.at, finding.broken)).collect()
    }

    #[test]
    fn a_file_without_an_opening_line_is_reported() {
        assert!(broken("//! What it is for.\npub use crate::a;\nuse realtime_core::Frame;\n").is_empty());
        assert_eq!(broken("use std::fmt;\n"), ["x.rs does not open with `//!`"]);
    }

    #[test]
    fn a_long_file_is_reported_and_a_known_one_may_only_shrink() {
        let text = |lines| format!("//! x\n{}", "\n".repeat(lines - 1));
        assert!(broken(&text(LONGEST)).is_empty());
        assert_eq!(broken(&text(LONGEST + 1)), ["x.rs has 401 lines, 400 is the most"]);
        let known = |lines| source_rules("x.rs", &text(lines), &[("x.rs", 450)]);
        assert!(known(450).is_empty());
        assert_eq!(known(451)[0].broken, "has 451 lines, 450 is the most");
        assert_eq!(known(400)[0].broken, "is short enough now");
    }

    #[test]
    fn a_reexport_of_another_crate_is_reported() {
        assert_eq!(
            broken("//! x\npub use ::realtime_schema as schema;\n"),
            ["x.rs:2 re-exports another crate's names"]
        );
        assert_eq!(broken("//! x\npub use realtime_core::{Frame, Label};\n").len(), 1);
    }

    #[test]
    fn a_link_that_does_not_resolve_is_reported() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("there.md"), "").expect("a file");
        let text = "[a](there.md#part) [b](https://example.org) [c](#here)\n```\n[d](example.md)\n```\n[e](gone.md)\n";
        let findings = link_rules(dir.path(), &dir.path().join("x.md"), "x.md", text);
        let found: Vec<_> = findings.iter().map(|finding| format!("{} {}", finding.at, finding.broken)).collect();
        assert_eq!(found, ["x.md:5 links to `gone.md`, which does not exist"]);
    }
}
