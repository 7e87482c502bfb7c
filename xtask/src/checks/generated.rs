//! `schemas`, `openapi` and `config-docs`: committed documents that are generated from the types.

use std::{collections::BTreeMap, fs, path::Path};

use realtime_schema::{CatalogEntry, catalog, openapi};
use serde_json::Value;

use crate::{
    report::{Check, Finding, Report},
    workspace::{Workspace, run},
};

/// The JSON Schemas match the types.
pub(super) const SCHEMAS: Check = Check {
    name: "schemas",
    protects: "docs/schemas/ matches the types, so that client teams work from correct schemas",
    run: |workspace| {
        let wanted = schema_files(&catalog());
        let findings = drift(SCHEMAS_DIR, &wanted, &committed(&workspace.root.join(SCHEMAS_DIR)));
        Report::of(findings, format!("{} files", wanted.len()))
    },
};

/// The OpenAPI document matches the types.
pub(super) const OPENAPI: Check = Check {
    name: "openapi",
    protects: "docs/openapi.json matches the types of the HTTP API",
    run: |workspace| document(workspace, OPENAPI_FILE, Ok(openapi_text(workspace)), REGENERATE),
};

/// The reference of the settings matches the config types.
pub(super) const CONFIG_DOCS: Check = Check {
    name: "config-docs",
    protects: "docs/configuration.md lists every setting with its default, from the config types",
    run: |workspace| {
        document(workspace, CONFIG_FILE, config_reference(workspace), "run `cargo xtask docs` and commit the result")
    },
};

const SCHEMAS_DIR: &str = "docs/schemas";
const OPENAPI_FILE: &str = "docs/openapi.json";
const CONFIG_FILE: &str = "docs/configuration.md";
const REGENERATE: &str = "run `cargo xtask schemas` and commit the result";

/// Writes `docs/schemas/` and `docs/openapi.json`; returns a line that says what was written.
///
/// # Errors
/// A file can't be written: which, and why.
pub(crate) fn write_schemas(workspace: &Workspace) -> Result<String, String> {
    let dir = workspace.root.join(SCHEMAS_DIR);
    let wanted = schema_files(&catalog());
    for name in committed(&dir).into_keys().filter(|name| !wanted.contains_key(name)) {
        fs::remove_file(dir.join(&name)).map_err(|error| format!("{name}: {error}"))?;
    }
    for (name, text) in &wanted {
        write(workspace, &format!("{SCHEMAS_DIR}/{name}"), text)?;
    }
    write(workspace, OPENAPI_FILE, &openapi_text(workspace))?;
    Ok(format!("wrote {} schemas to {SCHEMAS_DIR}/ and {OPENAPI_FILE}", wanted.len()))
}

/// Writes `docs/configuration.md`; returns a line that says what was written.
///
/// # Errors
/// The server does not build or the file can't be written: why.
pub(crate) fn write_config_docs(workspace: &Workspace) -> Result<String, String> {
    let text = config_reference(workspace)?;
    write(workspace, CONFIG_FILE, &text)?;
    Ok(format!("wrote {} lines to {CONFIG_FILE}", text.lines().count()))
}

fn write(workspace: &Workspace, file: &str, text: &str) -> Result<(), String> {
    fs::write(workspace.root.join(file), text).map_err(|error| format!("{file}: {error}"))
}

fn document(workspace: &Workspace, file: &str, wanted: Result<String, String>, remedy: &str) -> Report {
    let committed = fs::read_to_string(workspace.root.join(file)).ok();
    let finding = match wanted {
        Ok(wanted) => compare(file, &wanted, committed.as_deref(), remedy),
        Err(error) => Some(Finding::new(file, error, "repair the command that prints it")),
    };
    Report::of(finding.into_iter().collect(), "1 file")
}

fn config_reference(workspace: &Workspace) -> Result<String, String> {
    let ran =
        run(&mut workspace.cargo(&["run", "--quiet", "--locked", "-p", "realtime-server", "--", "config-reference"]));
    if ran.ok && !ran.stdout.trim().is_empty() {
        return Ok(ran.stdout);
    }
    Err(format!("`realtime-server config-reference` prints nothing: {}", ran.stderr.trim()))
}

fn openapi_text(workspace: &Workspace) -> String {
    let version = workspace.member("realtime-server").map_or("0.0.0", |package| package.version.as_str());
    pretty(&openapi(version))
}

fn schema_files(catalog: &[CatalogEntry]) -> BTreeMap<String, String> {
    catalog.iter().map(|entry| (format!("{}.schema.json", entry.name), pretty(&entry.schema))).collect()
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn committed(dir: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().filter(|entry| entry.path().is_file());
    let files = entries.map(|entry| {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        (entry.file_name().to_string_lossy().into_owned(), text)
    });
    files.collect()
}

/// The differences between the files that should be in `dir` and those that are.
fn drift(dir: &str, wanted: &BTreeMap<String, String>, committed: &BTreeMap<String, String>) -> Vec<Finding> {
    let differ = wanted.iter().filter_map(|(name, text)| {
        compare(&format!("{dir}/{name}"), text, committed.get(name).map(String::as_str), REGENERATE)
    });
    let orphans = committed
        .keys()
        .filter(|name| !wanted.contains_key(*name))
        .map(|name| Finding::new(format!("{dir}/{name}"), "belongs to no type of the catalog", REGENERATE));
    differ.chain(orphans).collect()
}

fn compare(file: &str, wanted: &str, committed: Option<&str>, remedy: &str) -> Option<Finding> {
    let broken = match committed {
        None => "is missing",
        Some(committed) if committed != wanted => "differs from what the types generate",
        Some(_) => return None,
    };
    Some(Finding::new(file, broken, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&str, &str)]) -> BTreeMap<String, String> {
        list.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect()
    }

    #[test]
    fn a_drifted_a_missing_and_an_orphaned_file_are_each_named() {
        let wanted = files(&[("drifted", "1\n"), ("missing", "{}\n")]);
        assert!(drift("d", &wanted, &wanted).is_empty());
        let committed = files(&[("drifted", "2\n"), ("orphan", "{}\n")]);
        let findings = drift("d", &wanted, &committed);
        let found: Vec<_> = findings.iter().map(|finding| format!("{} {}", finding.at, finding.broken)).collect();
        assert_eq!(
            found,
            [
                "d/drifted differs from what the types generate",
                "d/missing is missing",
                "d/orphan belongs to no type of the catalog",
            ]
        );
    }
}
