//! `features`: every crate builds alone, with none of its features and with each.

use std::collections::BTreeSet;

use super::tools::first_words;
use crate::{
    report::{Check, Finding, Report},
    workspace::{Package, Workspace, run as run_command},
};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "features",
    protects: "every crate builds alone, with none of its features and with each, so that anyone may embed any layer",
    run,
};

/// One way to build a crate.
#[derive(Debug, PartialEq, Eq)]
struct Variant {
    package: String,
    /// The feature that is on; `None` is none at all.
    feature: Option<String>,
}

impl Variant {
    fn args(&self) -> Vec<&str> {
        let mut args = vec!["-p", &self.package, "--no-default-features"];
        if let Some(feature) = &self.feature {
            args.extend(["--features", feature]);
        }
        args
    }
}

fn run(workspace: &Workspace) -> Report {
    let mut findings = Vec::new();
    let variants: Vec<_> = workspace.members().flat_map(variants).collect();
    let mut names = Vec::new();
    for variant in &variants {
        let mut command = workspace.cargo(&["check", "--quiet", "--locked"]);
        let ran = run_command(command.args(variant.args()));
        let feature = variant.feature.as_deref().unwrap_or("none");
        names.push(format!("{}[{feature}]", variant.package.trim_start_matches("realtime-")));
        if !ran.ok {
            let at = format!("{} with {}", variant.package, variant.feature.as_deref().unwrap_or("no feature"));
            let remedy = format!("see `cargo check {}`", variant.args().join(" "));
            findings.push(Finding::new(at, first_words(&ran.stderr), remedy));
        }
    }
    Report::of(findings, format!("{} builds: {}", variants.len(), names.join(" ")))
}

/// None, and each feature that turns on something else than those before it.
fn variants(package: &Package) -> Vec<Variant> {
    let mut seen = BTreeSet::from([BTreeSet::new()]);
    let mut variants = vec![Variant { package: package.name.clone(), feature: None }];
    // `default` last: it is left out when a single feature means the same.
    let mut names: Vec<_> = package.features.keys().filter(|name| *name != "default").collect();
    names.extend(package.features.keys().filter(|name| *name == "default"));
    for name in names {
        let mut on = BTreeSet::new();
        turned_on(package, name, &mut on);
        on.remove("default");
        if seen.insert(on) {
            variants.push(Variant { package: package.name.clone(), feature: Some(name.clone()) });
        }
    }
    variants
}

fn turned_on<'a>(package: &'a Package, feature: &'a str, on: &mut BTreeSet<&'a str>) {
    if on.insert(feature) {
        for next in package.features.get(feature).into_iter().flatten() {
            if package.features.contains_key(next) {
                turned_on(package, next, on);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use super::*;

    fn package(features: &[(&str, &[&str])]) -> Package {
        let features: BTreeMap<_, Vec<String>> = features
            .iter()
            .map(|(name, on)| ((*name).to_owned(), on.iter().map(|name| (*name).to_owned()).collect()))
            .collect();
        Package { name: "specimen".into(), member: true, features, ..Package::default() }
    }

    fn names(package: &Package) -> Vec<String> {
        variants(package).into_iter().map(|variant| variant.feature.unwrap_or_else(|| "none".into())).collect()
    }

    #[test]
    fn each_feature_is_built_once_and_an_equal_default_is_not_built_again() {
        assert_eq!(names(&package(&[])), ["none"]);
        assert_eq!(names(&package(&[("default", &[]), ("mocks", &["dep:mockall"])])), ["none", "mocks"]);
        assert_eq!(names(&package(&[("default", &["a"]), ("a", &["dep:x"])])), ["none", "a"]);
        assert_eq!(names(&package(&[("default", &["a", "b"]), ("a", &[]), ("b", &[])])), ["none", "a", "b", "default"]);
    }

    #[test]
    fn a_crate_that_needs_a_feature_it_does_not_ask_for_is_reported_by_name() {
        let dir = tempfile::tempdir().expect("a folder");
        let manifest = "[package]\nname = \"specimen\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[features]\na = []\n[workspace]\n";
        fs::create_dir(dir.path().join("src")).expect("src");
        fs::write(dir.path().join("Cargo.toml"), manifest).expect("Cargo.toml");
        fs::write(
            dir.path().join("Cargo.lock"),
            "version = 4\n\n[[package]]\nname = \"specimen\"\nversion = \"0.1.0\"\n",
        )
        .expect("Cargo.lock");
        fs::write(dir.path().join("src/lib.rs"), "#[cfg(feature = \"a\")]\npub struct A;\npub fn f(_: A) {}\n")
            .expect("lib.rs");
        let workspace = Workspace {
            root: dir.path().to_path_buf(),
            packages: vec![package(&[("a", &[])])],
            ..Workspace::default()
        };
        let report = run(&workspace);
        assert_eq!(report.seen, "2 builds: specimen[none] specimen[a]");
        assert_eq!(report.findings.len(), 1);
        assert_eq!(report.findings[0].at, "specimen with no feature");
        assert!(report.findings[0].broken.contains("cannot find type `A`"), "{:?}", report.findings);
    }
}
