//! The documents against the code: every JSON block against its schema, every table against the types, every name
//! against what it names. Each check is a function from text to what is wrong, and is shown failing in `can_fail`.

#[path = "docs/can_fail.rs"]
mod can_fail;
#[path = "docs/markdown.rs"]
mod markdown;
#[path = "docs/readme.rs"]
mod readme;

use std::{
    collections::BTreeSet,
    fmt::Display,
    fs,
    path::{Path, PathBuf},
};

use markdown::{Block, blocks, code_spans, section, tables};
use readme::is_manifest;
use realtime_schema::{Action, ClientLimits, CloseAdvice, CloseCode, ErrorCode, catalog, openapi};
use realtime_server::Config;
use realtime_tests::schemas;
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below `dir` with this ending, built and fetched things aside.
fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display())) {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !["target", "node_modules"].contains(&&*name) {
            found.extend(files(&path, ending));
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// README.md and everything in docs/, each with its name.
fn documents() -> Vec<(String, String)> {
    let paths = files(&root().join("docs"), ".md").into_iter().chain([root().join("README.md")]);
    let found: Vec<_> = paths.map(|path| (path.display().to_string(), read(&path))).collect();
    assert!(found.len() > 10, "docs/ has moved");
    found
}

/// Fails with everything that is wrong.
fn none(wrong: impl IntoIterator<Item = String>) {
    let wrong: Vec<_> = wrong.into_iter().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is missing from `said`, and what there is too much or twice.
fn compare(said: impl IntoIterator<Item = impl Display>, real: impl IntoIterator<Item = impl Display>) -> Vec<String> {
    let mut said: Vec<_> = said.into_iter().map(|entry| entry.to_string()).collect();
    let mut wrong = Vec::new();
    for entry in real.into_iter().map(|entry| entry.to_string()) {
        match said.iter().position(|other| *other == entry) {
            Some(at) => drop(said.swap_remove(at)),
            None => wrong.push(format!("missing: {entry}")),
        }
    }
    wrong.extend(said.iter().map(|entry| format!("too much, or twice: {entry}")));
    wrong
}

fn wrong_json(markdown: &str) -> Vec<String> {
    let wrong = |block: &Block<'_>| {
        let above = block.above.trim();
        let Some(name) = above.strip_prefix("<!-- schema: ").and_then(|rest| rest.strip_suffix(" -->")) else {
            return Some("has no `<!-- schema: NAME -->` directly above it".to_owned());
        };
        let value: Value = match serde_json::from_str(&block.text) {
            Ok(value) => value,
            Err(error) => return Some(format!("is not JSON: {error}")),
        };
        (!schemas().accepts(name, &value)).then(|| format!("is not a `{name}`, or there is no such schema"))
    };
    let json = blocks(markdown).into_iter().filter(|block| block.language == "json");
    json.filter_map(|block| Some(format!("line {}: the JSON block {}", block.line, wrong(&block)?))).collect()
}

#[test]
fn every_json_block_is_what_its_schema_says() {
    let found = documents();
    none(found.iter().flat_map(|(name, text)| wrong_json(text).into_iter().map(move |e| format!("{name}, {e}"))));
    let count = found.iter().flat_map(|(_, text)| blocks(text)).filter(|block| block.language == "json").count();
    assert!(count > 20, "only {count} blocks were found");
}

fn wrong_error_codes(protocol: &str) -> Vec<String> {
    let tables = tables(section(protocol, "Error codes"));
    let real = ErrorCode::ALL
        .iter()
        .map(|code| format!("`{}` {} {}", code.as_str(), code.status(), if code.retry() { "yes" } else { "no" }));
    compare(tables[0].iter().map(|row| row[..3].join(" ")), real)
}

#[test]
fn the_error_codes_are_those_of_the_code() {
    none(wrong_error_codes(&read("docs/protocol.md")));
}

fn advice(code: u16) -> &'static str {
    match CloseCode(code).advice() {
        CloseAdvice::Stop => "does not reconnect",
        CloseAdvice::Reconnect => "reconnects",
        CloseAdvice::NewToken => "gets a new token",
    }
}

/// The constants of `CloseCode`, from the source: the type has no list of them.
fn close_codes(source: &str) -> Vec<u16> {
    let constants = source.lines().filter(|line| line.trim_start().starts_with("pub const "));
    constants.filter_map(|line| line.split_once("Self = Self(")?.1.strip_suffix(");")?.parse().ok()).collect()
}

fn wrong_close_codes(protocol: &str, real: &[u16]) -> Vec<String> {
    let tables = tables(section(protocol, "Close codes"));
    compare(tables[1].iter().map(|row| row[..2].join(" ")), real.iter().map(|code| format!("{code} {}", advice(*code))))
}

fn wrong_ranges(protocol: &str) -> Vec<String> {
    let tables = tables(section(protocol, "Close codes"));
    let mut table = Vec::new();
    for row in &tables[0] {
        for range in row[0].split(", ") {
            let (first, last) = range.split_once('–').unwrap_or((range, range));
            let (first, last): (u16, u16) = (first.parse().expect("a code"), last.parse().expect("a code"));
            table.extend((first..=last).map(|code| (code, row[1])));
        }
    }
    let documented =
        |code: u16| table.iter().find(|(known, _)| *known == code).map_or("does not reconnect", |(_, advice)| *advice);
    let wrong = (1000..5000).filter(|code| documented(*code) != advice(*code));
    wrong
        .map(|code| format!("{code}: the table says that a client {}, but it {}", documented(code), advice(code)))
        .collect()
}

#[test]
fn the_close_codes_are_those_of_the_code() {
    let (protocol, real) = (read("docs/protocol.md"), close_codes(&read("crates/realtime-schema/src/code.rs")));
    assert!(real.len() >= 19 && real.contains(&CloseCode::DRAINING.0), "the constants were not found: {real:?}");
    none(wrong_close_codes(&protocol, &real));
    none(wrong_ranges(&protocol));
}

fn wrong_names(protocol: &str) -> Vec<String> {
    let limits = json!(ClientLimits::default());
    let limits = limits.as_object().expect("fields").keys().map(|name| format!("`limits.{name}`"));
    let limit_table: Vec<_> = tables(section(protocol, "Limits")).concat().iter().map(|row| row[0]).collect::<Vec<_>>();
    let mut wrong: Vec<_> = limits.filter(|name| !limit_table.iter().any(|cell| cell.contains(name))).collect();
    let (_, commands) = protocol.split_once("\n## Commands from the client\n").expect("the commands");
    let commands = commands.split("\n## ").next().unwrap_or_default();
    wrong.extend(compare(
        commands.lines().filter_map(|line| line.strip_prefix("### ")),
        Action::NAMES.map(|a| format!("`{a}`")),
    ));
    let controls = catalog().into_iter().filter(|entry| entry.schema["properties"]["type"]["const"].is_string());
    let shown = |name: &str| protocol.contains(&format!("<!-- schema: {name} -->"));
    wrong.extend(controls.filter(|entry| !shown(entry.name)).map(|entry| format!("the frame {}", entry.name)));
    wrong
}

#[test]
fn every_limit_command_and_frame_is_described() {
    none(wrong_names(&read("docs/protocol.md")));
}

fn wrong_endpoints(protocol: &str) -> Vec<String> {
    let document = openapi("0");
    let mut real = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        real.extend(
            item.as_object().expect("methods").keys().map(|method| format!("`{} {path}`", method.to_uppercase())),
        );
    }
    let is_endpoint = |heading: &&str| heading.starts_with('`') && heading.contains(" /");
    let said: Vec<_> = protocol.lines().filter_map(|line| line.strip_prefix("### ")).filter(is_endpoint).collect();
    let mut wrong = compare(&said, real);
    let bare = |heading: &&&str| !section(protocol, heading).contains("\ncurl ");
    wrong.extend(said.iter().filter(bare).map(|heading| format!("{heading} has no curl line")));
    wrong
}

#[test]
fn every_endpoint_is_described_with_a_curl_line() {
    none(wrong_endpoints(&read("docs/protocol.md")));
}

/// Settings that are named and that the reference does not have.
fn wrong_settings(markdown: &str, reference: &str) -> Vec<String> {
    let known: BTreeSet<_> = reference.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let sections: BTreeSet<_> = known.iter().filter_map(|key| key.split('.').next()).collect();
    let is_key = |span: &&str| {
        let plain = span.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '.' | '_'));
        plain && !span.ends_with(".rs") && span.split_once('.').is_some_and(|(first, _)| sections.contains(first))
    };
    code_spans(markdown).into_iter().filter(is_key).filter(|key| !known.contains(key)).map(str::to_owned).collect()
}

#[test]
fn every_setting_that_is_named_exists_and_every_config_can_be_loaded() {
    let reference = read("docs/configuration.md");
    for (name, text) in documents() {
        none(wrong_settings(&text, &reference).into_iter().map(|key| format!("{name}: no setting {key}")));
        for block in blocks(&text).iter().filter(|block| block.language == "toml" && !is_manifest(block)) {
            let file = tempfile::NamedTempFile::new().expect("a file");
            fs::write(file.path(), &block.text).expect("a file");
            let loaded = Config::load(Some(file.path()), [], []);
            assert!(loaded.is_ok(), "{name}, line {}: {}", block.line, loaded.expect_err("wrong"));
        }
    }
}

/// Commands and flags of `realtime-server` that are named and that `cli.rs` does not have.
fn wrong_calls(markdown: &str, cli: &str) -> Vec<String> {
    let (_, commands) = cli.split_once("enum Command {").expect("the commands");
    let variant = |line: &str| {
        let name = line.trim().split(['(', ',']).next()?.to_owned();
        name.starts_with(char::is_uppercase).then_some(name)
    };
    let kebab = |name: &str| {
        name.chars().fold(String::new(), |done, c| match c {
            c if c.is_uppercase() && !done.is_empty() => format!("{done}-{}", c.to_ascii_lowercase()),
            c => format!("{done}{}", c.to_ascii_lowercase()),
        })
    };
    let commands: Vec<_> = commands
        .split('}')
        .next()
        .into_iter()
        .flat_map(str::lines)
        .filter_map(variant)
        .map(|name| kebab(&name))
        .collect();
    let long = |part: &str| match part.strip_prefix(" = \"") {
        Some(named) => named.split('"').next().map(str::to_owned),
        None => Some(part.split_once("]\n")?.1.trim_start().split(':').next()?.replace('_', "-")),
    };
    let flags: Vec<_> = cli.split("#[arg(long").skip(1).filter_map(long).map(|flag| format!("--{flag}")).collect();
    let fenced = blocks(markdown).into_iter().filter(|block| block.language == "sh").map(|block| block.text);
    let spans = code_spans(markdown).into_iter().map(str::to_owned);
    let mut wrong = Vec::new();
    for line in fenced.chain(spans).flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()) {
        let Some((_, call)) = line.split_once("realtime-server ") else { continue };
        let mut words = call.split_whitespace().skip_while(|word| *word == "--");
        let Some(command) = words.next() else { continue };
        wrong.extend((!commands.iter().any(|known| known == command)).then(|| command.to_owned()));
        wrong.extend(
            words.filter(|word| word.starts_with("--") && !flags.iter().any(|flag| flag == word)).map(str::to_owned),
        );
    }
    wrong
}

#[test]
fn every_call_of_the_server_uses_commands_and_flags_that_there_are() {
    let sources = ["cli", "check_config", "explain", "schemas"];
    let cli: String = sources.map(|name| read(format!("crates/realtime-server/src/{name}.rs"))).concat();
    none(documents().iter().flat_map(|(_, text)| wrong_calls(text, &cli)));
}

/// The crates of the workspace, each with the members that it names as dependencies, its tests aside.
fn members() -> Vec<(String, Vec<String>)> {
    let manifests = files(&root(), "Cargo.toml").into_iter().map(|path| read(&path));
    let member = |manifest: String| {
        let (_, package) = manifest.split_once("[package]\nname = \"")?;
        let dependencies = manifest.split("\n[").find(|part| part.starts_with("dependencies]")).unwrap_or_default();
        let used = dependencies.lines().filter(|line| line.starts_with("realtime-"));
        let used = used.filter_map(|line| line.split(['.', ' ']).next()).map(str::to_owned).collect();
        Some((package.split('"').next()?.to_owned(), used))
    };
    manifests.filter_map(member).collect()
}

fn wrong_crates(architecture: &str, members: &[(String, Vec<String>)]) -> Vec<String> {
    let tables = tables(section(architecture, "The crates"));
    let mut wrong = compare(tables[0].iter().map(|row| row[0].trim_matches('`')), members.iter().map(|(name, _)| name));
    for row in &tables[0] {
        let used = members.iter().filter(|(name, _)| name == row[0].trim_matches('`')).flat_map(|(_, used)| used);
        let allowed = |used: &&String| row[1] == "all of the above" || row[1].contains(&format!("`{used}`"));
        wrong.extend(used.filter(|used| !allowed(used)).map(|used| format!("{} depends on {used}", row[0])));
    }
    wrong
}

fn wrong_invariants(architecture: &str, sources: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for row in tables(section(architecture, "Invariants")).concat() {
        let names = code_spans(row[1]);
        wrong.extend(names.is_empty().then(|| format!("nothing holds: {}", row[0])));
        let is_there =
            |name: &&str| sources.contains(&format!("fn {name}(")) || sources.contains(&format!("name: \"{name}\","));
        wrong.extend(names.into_iter().filter(|name| !is_there(name)).map(|name| format!("no test or check {name}")));
    }
    wrong
}

fn wrong_rooms(architecture: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut named = Vec::new();
    for row in tables(section(architecture, "The files")).concat() {
        let folder = row[0].trim_matches('`');
        let inside = code_spans(row[1]).into_iter().filter(|name| name.ends_with(".rs") || name.ends_with('/'));
        named.extend(inside.map(|name| if folder == "tests/" { name.to_owned() } else { format!("{folder}{name}") }));
        named.push(folder.to_owned());
    }
    let in_tests = |path: &str| exists(&format!("tests/{path}"));
    named.into_iter().filter(|path| !exists(path) && !in_tests(path)).collect()
}

#[test]
fn the_architecture_names_every_crate_and_nothing_that_is_not_there() {
    let architecture = read("docs/architecture.md");
    let members = members();
    assert!(members.len() >= 8 && members.iter().any(|(_, used)| used.len() > 4), "{members:?}");
    none(wrong_crates(&architecture, &members));
    let sources: String =
        ["crates", "tests", "xtask"].iter().flat_map(|dir| files(&root().join(dir), ".rs")).map(read).collect();
    none(wrong_invariants(&architecture, &sources));
    none(wrong_rooms(&architecture, |path| root().join(path).exists()));
}

fn wrong_decisions(index: &str, pages: &[(String, String)]) -> Vec<String> {
    let links = index.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let mut wrong = compare(links, pages.iter().map(|(name, _)| name));
    for (name, text) in pages {
        let parts = ["## Context", "## Decision", "## Consequences", "## Rejected"];
        wrong.extend(
            compare(text.lines().filter(|line| line.starts_with("## ")), parts).iter().map(|e| format!("{name}: {e}")),
        );
        let number = format!("# {} ", &name[..4]);
        wrong.extend((!text.starts_with(&number)).then(|| format!("{name} does not begin with its number")));
    }
    wrong
}

#[test]
fn every_decision_is_listed_and_has_its_parts() {
    let pages = files(&root().join("docs/decisions"), ".md")
        .into_iter()
        .map(|path| (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), read(&path)));
    let (index, pages): (Vec<_>, Vec<_>) = pages.partition(|(name, _)| name == "README.md");
    none(wrong_decisions(&index[0].1, &pages));
}
