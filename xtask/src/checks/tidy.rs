//! `tidy`: the rules of the house that no other tool knows.

use std::{fs, path::Path};

use toml::Table;

use crate::{
    report::{Check, Finding, Report},
    source::{code_only, find_word, line_of, uses},
    workspace::Workspace,
};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "tidy",
    protects: "files open with what they are for, stay short, keep one home per name, bound every queue; links in docs lead somewhere",
    run,
};

/// The most lines a file may have: beyond it, a second concern has moved in.
const LONGEST: usize = 500;

/// Files that are longer today. Entries may only go.
const LONGER: &[&str] = &[];

fn run(workspace: &Workspace) -> Report {
    let mut findings = Vec::new();
    let sources = workspace.files(&workspace.root, "rs");
    for file in &sources {
        let text = fs::read_to_string(file).unwrap_or_default();
        findings.extend(source_rules(&workspace.shown(file), &text));
    }
    for package in workspace.members() {
        let file = package.dir.join("Cargo.toml");
        findings.extend(manifest_rules(&workspace.shown(&file), &fs::read_to_string(&file).unwrap_or_default()));
    }
    let documents = workspace.files(&workspace.root, "md");
    for file in &documents {
        let text = fs::read_to_string(file).unwrap_or_default();
        findings.extend(link_rules(&workspace.root, file, &workspace.shown(file), &text));
    }
    Report::of(findings, format!("{} sources, {} documents", sources.len(), documents.len()))
}

fn source_rules(file: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !text.starts_with("//!") {
        findings.push(Finding::new(file, "does not open with `//!`", "say in a line what the file is for"));
    }
    let lines = text.lines().count();
    if lines > LONGEST && !LONGER.contains(&file) {
        let broken = format!("has {lines} lines, {LONGEST} is the most");
        findings.push(Finding::new(file, broken, "move the second concern to a file of its own"));
    }
    for (number, line) in text.lines().enumerate() {
        if line.ends_with([' ', '\t']) {
            findings.push(Finding::new(format!("{file}:{}", number + 1), "ends in white space", "run `cargo fmt`"));
        }
    }
    let code = code_only(text);
    for line in find_word(&code, "unbounded_channel") {
        findings.push(Finding::new(
            format!("{file}:{line}"),
            "uses an unbounded channel",
            "bound it, and say what happens when it is full",
        ));
    }
    for (line, path) in uses(&code).into_iter().filter(|(_, path)| path.starts_with("realtime_")) {
        let public = code.lines().nth(line - 1).is_some_and(|code| code.trim_start().starts_with("pub use"));
        if public {
            let broken = format!("re-exports `{path}` of another crate");
            findings.push(Finding::new(
                format!("{file}:{line}"),
                broken,
                "one public name per item: let users name the crate it lives in",
            ));
        }
    }
    findings
}

fn manifest_rules(file: &str, text: &str) -> Vec<Finding> {
    let manifest: Table = text.parse().unwrap_or_default();
    let inherits =
        |table: &str| manifest.get(table).and_then(|table| table.get("workspace")).and_then(toml::Value::as_bool);
    if inherits("lints") == Some(true) {
        Vec::new()
    } else {
        vec![Finding::new(file, "does not take the workspace's lints", "add `[lints]` with `workspace = true`")]
    }
}

/// Relative links of a document whose target is not there.
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
            let place = format!("{shown}:{}", line_of(&text, at));
            findings.push(Finding::new(
                place,
                format!("links to `{target}`, which is not there"),
                "mend the link, or write the file",
            ));
        }
    }
    findings
}

/// The document with fenced blocks blanked: brackets in examples are no links.
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
        source_rules("x.rs", text).into_iter().map(|finding| format!("{} {}", finding.at, finding.broken)).collect()
    }

    #[test]
    fn a_tidy_file_passes() {
        assert!(
            broken("//! What it is for.\npub use crate::a;\nuse realtime_core::Frame; // not an unbounded_channel\n")
                .is_empty()
        );
    }

    #[test]
    fn a_file_without_an_opening_line_is_reported() {
        assert_eq!(broken("use std::fmt;\n"), ["x.rs does not open with `//!`"]);
    }

    #[test]
    fn a_long_file_is_reported() {
        let text = |lines| format!("//! x\n{}", "\n".repeat(lines - 1));
        assert!(broken(&text(LONGEST)).is_empty());
        assert_eq!(broken(&text(LONGEST + 1)), ["x.rs has 501 lines, 500 is the most"]);
    }

    #[test]
    fn trailing_space_is_reported() {
        assert_eq!(broken("//! x\nlet a = 1; \n"), ["x.rs:2 ends in white space"]);
    }

    #[test]
    fn an_unbounded_channel_is_reported() {
        assert_eq!(broken("//! x\nlet (a, b) = mpsc::unbounded_channel();\n"), ["x.rs:2 uses an unbounded channel"]);
    }

    #[test]
    fn a_reexport_of_another_crate_is_reported() {
        assert_eq!(broken("//! x\npub use realtime_core::{Frame, Label};\n").len(), 2);
        assert_eq!(
            broken("//! x\npub use ::realtime_schema as schema;\n"),
            ["x.rs:2 re-exports `realtime_schema` of another crate"]
        );
    }

    #[test]
    fn a_crate_without_the_lints_is_reported() {
        assert!(manifest_rules("Cargo.toml", "[lints]\nworkspace = true\n").is_empty());
        assert_eq!(manifest_rules("Cargo.toml", "[package]\nname = \"x\"\n").len(), 1);
    }

    #[test]
    fn a_link_to_nowhere_is_reported() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("there.md"), "").expect("a file");
        let text = "[a](there.md#part) [b](https://example.org) [c](#here)\n```\n[d](example.md)\n```\n[e](gone.md)\n";
        let findings = link_rules(dir.path(), &dir.path().join("x.md"), "x.md", text);
        assert_eq!(findings.len(), 1);
        assert_eq!(
            (findings[0].at.as_str(), findings[0].broken.as_str()),
            ("x.md:5", "links to `gone.md`, which is not there")
        );
    }
}
