//! `schemas`, `schema-docs`, `openapi` and `config-docs`: committed documents that are written from the types.

use std::{collections::BTreeMap, fs, path::Path};

use realtime_schema::{CatalogEntry, catalog, openapi};
use serde_json::Value;

use crate::{
    report::{Check, Finding, Report},
    workspace::{Workspace, run},
};

/// The JSON Schemas are those of the types.
pub(super) const SCHEMAS: Check = Check {
    name: "schemas",
    protects: "docs/schemas/ is what the types say, so that client teams work from the truth",
    run: schemas,
};

/// The JSON Schemas explain themselves.
pub(super) const SCHEMA_DOCS: Check = Check {
    name: "schema-docs",
    protects: "every JSON Schema is draft 2020-12 and has a title, a description and examples",
    run: |_| {
        let catalog = catalog();
        Report::of(undocumented(&catalog), format!("{} schemas", catalog.len()))
    },
};

/// The OpenAPI document is that of the types.
pub(super) const OPENAPI: Check =
    Check { name: "openapi", protects: "docs/openapi.json is what the HTTP API's types say", run: openapi_document };

/// The reference of the settings is that of the config types.
pub(super) const CONFIG_DOCS: Check = Check {
    name: "config-docs",
    protects: "docs/configuration.md lists every setting with its default, from the config types themselves",
    run: config_docs,
};

const SCHEMAS_DIR: &str = "docs/schemas";
const OPENAPI_FILE: &str = "docs/openapi.json";
const CONFIG_FILE: &str = "docs/configuration.md";
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Writes `docs/schemas/` and `docs/openapi.json`; says what it did.
///
/// # Errors
/// The file that cannot be written, and why.
pub(crate) fn write_schemas(workspace: &Workspace) -> Result<String, String> {
    let dir = workspace.root.join(SCHEMAS_DIR);
    fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let wanted = schema_files(&catalog());
    for name in committed(&dir).into_keys().filter(|name| !wanted.contains_key(name)) {
        fs::remove_file(dir.join(&name)).map_err(|error| format!("{name}: {error}"))?;
    }
    for (name, text) in &wanted {
        fs::write(dir.join(name), text).map_err(|error| format!("{name}: {error}"))?;
    }
    fs::write(workspace.root.join(OPENAPI_FILE), openapi_text(workspace))
        .map_err(|error| format!("{OPENAPI_FILE}: {error}"))?;
    Ok(format!("wrote {} schemas to {SCHEMAS_DIR}/ and {OPENAPI_FILE}", wanted.len()))
}

/// Writes `docs/configuration.md`; says what it did.
///
/// # Errors
/// The server does not build or the file cannot be written: why.
pub(crate) fn write_config_docs(workspace: &Workspace) -> Result<String, String> {
    let text = config_reference(workspace)?;
    fs::write(workspace.root.join(CONFIG_FILE), &text).map_err(|error| format!("{CONFIG_FILE}: {error}"))?;
    Ok(format!("wrote {} lines to {CONFIG_FILE}", text.lines().count()))
}

fn schemas(workspace: &Workspace) -> Report {
    let wanted = schema_files(&catalog());
    let findings = drift(SCHEMAS_DIR, &wanted, &committed(&workspace.root.join(SCHEMAS_DIR)));
    Report::of(findings, format!("{} files", wanted.len()))
}

fn openapi_document(workspace: &Workspace) -> Report {
    let committed = fs::read_to_string(workspace.root.join(OPENAPI_FILE)).ok();
    let finding = compare(
        OPENAPI_FILE,
        &openapi_text(workspace),
        committed.as_deref(),
        "run `cargo xtask schemas` and commit the result",
    );
    Report::of(finding.into_iter().collect(), "1 file")
}

fn config_docs(workspace: &Workspace) -> Report {
    match config_reference(workspace) {
        Ok(wanted) => {
            let committed = fs::read_to_string(workspace.root.join(CONFIG_FILE)).ok();
            let finding =
                compare(CONFIG_FILE, &wanted, committed.as_deref(), "run `cargo xtask docs` and commit the result");
            Report::of(finding.into_iter().collect(), format!("{} lines", wanted.lines().count()))
        }
        Err(error) => {
            Report::broken(CONFIG_FILE, error, "`cargo run -p realtime-server -- config-reference` must print it")
        }
    }
}

fn config_reference(workspace: &Workspace) -> Result<String, String> {
    let ran =
        run(&mut workspace.cargo(&["run", "--quiet", "--locked", "-p", "realtime-server", "--", "config-reference"]));
    match (ran.ok, ran.stdout.trim().is_empty()) {
        (true, false) => Ok(ran.stdout),
        (true, true) => Err("the server prints an empty reference".into()),
        (false, _) => {
            let said = ran.stderr.lines().find(|line| line.starts_with("error")).unwrap_or("no word on why");
            Err(format!("the server cannot be asked for the reference: {said}"))
        }
    }
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
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let files = entries.filter(|entry| entry.path().is_file()).map(|entry| {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        (entry.file_name().to_string_lossy().into_owned(), text)
    });
    files.collect()
}

/// What differs between the files that should be in `dir` and those that are.
fn drift(dir: &str, wanted: &BTreeMap<String, String>, committed: &BTreeMap<String, String>) -> Vec<Finding> {
    let remedy = "run `cargo xtask schemas` and commit the result";
    let mut findings = Vec::new();
    if wanted.is_empty() {
        findings.push(Finding::new(
            dir,
            "the catalog is empty",
            "realtime_schema::catalog() must list every type that travels",
        ));
    }
    for (name, text) in wanted {
        findings.extend(compare(&format!("{dir}/{name}"), text, committed.get(name).map(String::as_str), remedy));
    }
    for name in committed.keys().filter(|name| !wanted.contains_key(*name)) {
        findings.push(Finding::new(format!("{dir}/{name}"), "belongs to no type of the catalog", remedy));
    }
    findings
}

fn compare(file: &str, wanted: &str, committed: Option<&str>, remedy: &str) -> Option<Finding> {
    let Some(committed) = committed else {
        return Some(Finding::new(file, "is missing", remedy));
    };
    if wanted == committed {
        return None;
    }
    let line = wanted.lines().zip(committed.lines()).take_while(|(wanted, committed)| wanted == committed).count() + 1;
    let (says, should) = (committed.lines().nth(line - 1), wanted.lines().nth(line - 1));
    let broken = match (says, should) {
        (Some(says), Some(should)) => format!("says `{}` where the types say `{}`", says.trim(), should.trim()),
        (Some(says), None) => format!("goes on with `{}` where the types end", says.trim()),
        (None, Some(should)) => format!("ends where the types go on with `{}`", should.trim()),
        (None, None) => "differs in its last line break".to_owned(),
    };
    Some(Finding::new(format!("{file}:{line}"), broken, remedy))
}

/// What the schemas lack to be understood without the source.
fn undocumented(catalog: &[CatalogEntry]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if catalog.is_empty() {
        findings.push(Finding::new("realtime_schema::catalog()", "is empty", "list every type that travels"));
    }
    for entry in catalog {
        let at = format!("schema `{}`", entry.name);
        let text = |key: &str| entry.schema.get(key).and_then(Value::as_str).unwrap_or_default().trim();
        for key in ["title", "description"] {
            if text(key).is_empty() {
                findings.push(Finding::new(&at, format!("has no {key}"), "write a doc comment on the type"));
            }
        }
        if entry.schema.get("examples").and_then(Value::as_array).is_none_or(Vec::is_empty) {
            findings.push(Finding::new(&at, "has no examples", "add `#[schemars(example = …)]` to the type"));
        }
        if text("$schema") != DRAFT {
            findings.push(Finding::new(
                &at,
                format!("`$schema` is `{}`", text("$schema")),
                format!("it must be {DRAFT}"),
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(schema: Value) -> CatalogEntry {
        CatalogEntry { name: "welcome", schema }
    }

    fn files(list: &[(&str, &str)]) -> BTreeMap<String, String> {
        list.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect()
    }

    #[test]
    fn equal_files_pass() {
        let files = files(&[("a.schema.json", "{}\n")]);
        assert!(drift("docs/schemas", &files, &files).is_empty());
    }

    #[test]
    fn a_drifted_a_missing_and_an_orphaned_file_are_each_named() {
        let wanted = files(&[("drifted.schema.json", "{\n  \"a\": 1\n}\n"), ("missing.schema.json", "{}\n")]);
        let committed = files(&[("drifted.schema.json", "{\n  \"a\": 2\n}\n"), ("orphan.schema.json", "{}\n")]);
        let findings = drift("docs/schemas", &wanted, &committed);
        let said: Vec<_> = findings.iter().map(|finding| format!("{} {}", finding.at, finding.broken)).collect();
        assert_eq!(
            said,
            [
                "docs/schemas/drifted.schema.json:2 says `\"a\": 2` where the types say `\"a\": 1`",
                "docs/schemas/missing.schema.json is missing",
                "docs/schemas/orphan.schema.json belongs to no type of the catalog",
            ]
        );
    }

    #[test]
    fn an_empty_catalog_is_reported() {
        assert_eq!(drift("docs/schemas", &files(&[]), &files(&[])).len(), 1);
        assert_eq!(undocumented(&[]).len(), 1);
    }

    #[test]
    fn a_schema_without_title_description_examples_or_draft_is_reported() {
        let good = json!({ "$schema": DRAFT, "title": "T", "description": "D", "examples": [1] });
        assert!(undocumented(&[entry(good.clone())]).is_empty());
        for key in ["$schema", "title", "description", "examples"] {
            let mut bad = good.clone();
            bad.as_object_mut().expect("an object").remove(key);
            assert_eq!(undocumented(&[entry(bad)]).len(), 1, "without {key}");
        }
    }

    #[test]
    fn a_document_that_is_longer_or_shorter_is_reported() {
        assert!(
            compare("f", "a\nb\n", Some("a\n"), "").is_some_and(|finding| finding.broken.contains("go on with `b`"))
        );
        assert!(
            compare("f", "a\n", Some("a\nb\n"), "")
                .is_some_and(|finding| finding.broken.contains("where the types end"))
        );
        assert!(compare("f", "a\n", Some("a"), "").is_some());
    }
}
