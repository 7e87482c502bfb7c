//! The README against its examples: dependencies and excerpts.

use std::collections::BTreeSet;

use super::{Block, blocks, files, none, read, root};

/// Whether a TOML block is a part of a `Cargo.toml` and no config.
pub(super) fn is_manifest(block: &Block<'_>) -> bool {
    ["[dependencies]", "[dev-dependencies]"].iter().any(|table| block.text.starts_with(table))
}

/// Crates that an example uses and a manifest does not name, and features that it names and a crate of ours lacks.
pub(super) fn wrong_dependencies(manifest: &str, example: &str) -> Vec<String> {
    let named =
        |name: &str| manifest.lines().any(|line| line.split(' ').next().is_some_and(|n| n.replace('_', "-") == name));
    let used = example.lines().filter_map(|line| line.strip_prefix("use ")?.split("::").next());
    let used: BTreeSet<_> = used.chain(["tokio"]).filter(|name| *name != "std").map(|n| n.replace('_', "-")).collect();
    let missing = used.into_iter().filter(|name| !named(name)).map(|name| format!("{name} is used and not named"));
    let ours = manifest.lines().filter_map(|line| line.split_once(" = ")).filter(|(n, _)| n.starts_with("realtime-"));
    let features = ours.flat_map(|(name, rest)| {
        let crates = read(format!("crates/{name}/Cargo.toml"));
        let list = rest.split_once("features = [").map_or("", |(_, list)| list.trim_end_matches("] }"));
        let features = list.split(", ").map(|feature| feature.trim_matches('"').to_owned());
        features
            .filter(move |feature| !feature.is_empty() && !crates.contains(&format!("\n{feature} = [")))
            .map(move |feature| format!("{name} has no feature {feature}"))
    });
    missing.chain(features).collect()
}

#[test]
fn the_dependencies_of_the_readme_are_those_of_its_examples() {
    let readme = read("README.md");
    let blocks = blocks(&readme);
    let manifests: Vec<_> = blocks.iter().filter(|block| is_manifest(block)).collect();
    assert_eq!(manifests.len(), 2, "one for each section");
    for (manifest, examples) in manifests.into_iter().zip([&["embed_axum", "application"][..], &["custom_verifier"]]) {
        for example in examples {
            none(wrong_dependencies(&manifest.text, &read(format!("crates/realtime-service/examples/{example}.rs"))));
        }
    }
}

/// Rust that is no excerpt of an example, and so may not compile.
pub(super) fn wrong_excerpts(markdown: &str, examples: &[String]) -> Vec<String> {
    let is_excerpt = |block: &Block<'_>, example: &String| {
        let mut rest = example.lines().map(str::trim);
        block.text.lines().map(str::trim).filter(|line| !line.is_empty()).all(|line| rest.any(|other| other == line))
    };
    let rust = blocks(markdown).into_iter().filter(|block| block.language == "rust");
    let alone = rust.filter(|block| !examples.iter().any(|example| is_excerpt(block, example)));
    alone.map(|block| format!("line {}: the Rust is in no example", block.line)).collect()
}

#[test]
fn the_rust_of_the_readme_and_of_the_testing_page_is_that_of_the_examples() {
    let examples: Vec<_> =
        files(&root().join("crates/realtime-service/examples"), ".rs").into_iter().map(read).collect();
    none(wrong_excerpts(&read("README.md"), &examples));
    none(wrong_excerpts(&read("docs/testing.md"), &[read("crates/realtime-testing/examples/test_an_application.rs")]));
}
