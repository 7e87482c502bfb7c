//! `schemas`, `openapi` and `config-docs`: committed documents that are generated from the types.

use std::{collections::BTreeMap, fs, path::Path};

use realtime_schema::{catalog, openapi};

use crate::{
    report::{Check, Finding, Report},
    workspace::{Workspace, run},
};

/// The JSON Schemas match the types.
pub(super) const SCHEMAS: Check = Check {
    name: "schemas",
    protects: "docs/schemas/ matches the types, so that client teams work from correct schemas",
    run: |workspace| {
        let wanted = schema_files();
        let mut report = compare(&workspace.root, &wanted, "schemas");
        report.findings.extend(orphans(&workspace.root, &wanted).iter().map(|file| {
            Finding::new(file, "belongs to no type of the catalog", "run `cargo xtask schemas` and commit the result")
        }));
        report
    },
};

/// The OpenAPI document matches the types.
pub(super) const OPENAPI: Check = Check {
    name: "openapi",
    protects: "docs/openapi.json matches the types of the HTTP API",
    run: |workspace| compare(&workspace.root, &openapi_file(workspace), "schemas"),
};

/// The reference of the settings matches the config types.
pub(super) const CONFIG_DOCS: Check = Check {
    name: "config-docs",
    protects: "docs/configuration.md lists every setting with its default, from the config types",
    run: |workspace| match config_file(workspace) {
        Ok(wanted) => compare(&workspace.root, &wanted, "docs"),
        Err(error) => {
            Report::of(vec![Finding::new(CONFIG_FILE, error, "repair the command that prints it")], "nothing")
        }
    },
};

const SCHEMAS_DIR: &str = "docs/schemas";
const OPENAPI_FILE: &str = "docs/openapi.json";
const CONFIG_FILE: &str = "docs/configuration.md";

/// What is generated: the text of each file, by its path below the root.
type Files = BTreeMap<String, String>;

/// Writes `docs/schemas/` and `docs/openapi.json`; says what was written.
///
/// # Errors
/// A file can't be written: which, and why.
pub(crate) fn write_schemas(workspace: &Workspace) -> Result<bool, String> {
    let schemas = schema_files();
    for file in orphans(&workspace.root, &schemas) {
        fs::remove_file(workspace.root.join(&file)).map_err(|error| format!("{file}: {error}"))?;
    }
    write(&workspace.root, &schemas)?;
    write(&workspace.root, &openapi_file(workspace))?;
    println!("wrote {} schemas to {SCHEMAS_DIR}/ and {OPENAPI_FILE}", schemas.len());
    Ok(true)
}

/// Writes `docs/configuration.md`; says what was written.
///
/// # Errors
/// The server does not build or the file can't be written: why.
pub(crate) fn write_config_docs(workspace: &Workspace) -> Result<bool, String> {
    write(&workspace.root, &config_file(workspace)?)?;
    println!("wrote {CONFIG_FILE}");
    Ok(true)
}

fn write(root: &Path, files: &Files) -> Result<(), String> {
    files
        .iter()
        .try_for_each(|(file, text)| fs::write(root.join(file), text).map_err(|error| format!("{file}: {error}")))
}

fn schema_files() -> Files {
    let catalog = catalog().into_iter();
    catalog
        .map(|entry| (format!("{SCHEMAS_DIR}/{}.schema.json", entry.name), format!("{:#}\n", entry.schema)))
        .collect()
}

fn openapi_file(workspace: &Workspace) -> Files {
    let server = workspace.members.iter().find(|package| package.name.as_str() == "realtime-server");
    let version = server.map(|package| package.version.to_string()).unwrap_or_default();
    [(OPENAPI_FILE.into(), format!("{:#}\n", openapi(&version)))].into()
}

fn config_file(workspace: &Workspace) -> Result<Files, String> {
    let line = ["run", "--quiet", "--locked", "-p", "realtime-server", "--", "config-reference"];
    let ran = run(&mut workspace.cargo(&line));
    if ran.ok && !ran.stdout.trim().is_empty() {
        return Ok([(CONFIG_FILE.into(), ran.stdout)].into());
    }
    Err(format!("`realtime-server config-reference` prints nothing: {}", ran.stderr.trim()))
}

/// The files among the schemas that no type generates.
fn orphans(root: &Path, wanted: &Files) -> Vec<String> {
    let entries = fs::read_dir(root.join(SCHEMAS_DIR)).into_iter().flatten().flatten();
    let files = entries.map(|entry| format!("{SCHEMAS_DIR}/{}", entry.file_name().display()));
    files.filter(|file| !wanted.contains_key(file)).collect()
}

/// Compares the committed files with what is generated; `task` writes them.
fn compare(root: &Path, wanted: &Files, task: &str) -> Report {
    let findings = wanted.iter().filter_map(|(file, wanted)| {
        let broken = match fs::read_to_string(root.join(file)) {
            Err(_) => "is missing",
            Ok(committed) if committed != *wanted => "differs from what the types generate",
            Ok(_) => return None,
        };
        Some(Finding::new(file, broken, format!("run `cargo xtask {task}` and commit the result")))
    });
    Report::of(findings.collect(), format!("{} files", wanted.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drifted_a_missing_and_an_orphaned_file_are_each_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path();
        fs::create_dir_all(root.join(SCHEMAS_DIR)).expect("a folder");
        let file = |name: &str| format!("{SCHEMAS_DIR}/{name}");
        let mut wanted = Files::from([(file("drifted"), "1\n".into()), (file("missing"), "{}\n".into())]);
        write(root, &wanted).expect("written");
        assert!(compare(root, &wanted, "schemas").findings.is_empty() && orphans(root, &wanted).is_empty());

        fs::write(root.join(file("drifted")), "2\n").expect("written");
        fs::remove_file(root.join(file("missing"))).expect("removed");
        let findings = compare(root, &wanted, "schemas").findings.into_iter();
        let broken: Vec<_> = findings.map(|finding| finding.broken).collect();
        assert_eq!(broken, ["differs from what the types generate", "is missing"]);
        wanted.remove(&file("drifted"));
        assert_eq!(orphans(root, &wanted), [file("drifted")]);
    }
}
