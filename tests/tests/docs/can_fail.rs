//! Each check of the documents, shown failing: on a small text, or on the real one with something taken out of it.

use super::{
    readme::{wrong_dependencies, wrong_excerpts},
    *,
};

#[test]
fn a_json_block_without_a_schema_or_against_it_is_found() {
    let block = |above: &str, json: &str| wrong_json(&format!("text\n{above}\n```json\n{json}\n```\nmore"));
    let good = r#"{"type": "ping", "payload": {}, "timestamp": "2026-11-23T13:00:00.123Z"}"#;
    assert_eq!(block("<!-- schema: ping -->", good), [""; 0]);
    for (above, json, what) in [
        ("", good, "line 3: the JSON block has no `<!-- schema: NAME -->`"),
        ("<!-- schema: ping -->\n", good, "has no"),
        ("<!-- schema: pong -->", good, "is not a `pong`, or there is no such schema"),
        ("<!-- schema: ping -->", r#"{"type": "ping", "payload": {}}"#, "is not a `ping`"),
        ("<!-- schema: ping -->", r#"{"type": "ping", …}"#, "is not JSON"),
    ] {
        let wrong = block(above, json);
        assert!(wrong.len() == 1 && wrong[0].contains(what), "{wrong:?} does not say: {what}");
    }
}

#[test]
fn a_row_too_few_too_many_or_wrong_is_found() {
    let protocol = read("docs/protocol.md");
    let without = |row: &str| {
        let line = protocol.lines().find(|line| line.starts_with(row)).expect("the row");
        (protocol.replacen(&format!("{line}\n"), "", 1), protocol.replacen(line, &format!("{line}\n{line}"), 1))
    };
    let (fewer, more) = without("| `conflict` | 409 |");
    assert_eq!(wrong_error_codes(&fewer), ["missing: `conflict` 409 no"]);
    assert_eq!(wrong_error_codes(&more), ["too much, or twice: `conflict` 409 no"]);
    assert_eq!(wrong_error_codes(&protocol.replace("| `internal` | 500 | yes", "| `internal` | 500 | no")).len(), 2);

    let codes = close_codes("    pub const A: Self = Self(1000);\n    pub const B: Self = Self(4503);\n    let x = 1;");
    assert_eq!(codes, [1000, 4503]);
    let tables = "# Close codes\n\n| c | a |\n|---|---|\n| 1001–1006 | reconnects |\n\n| c | a | w |\n|---|---|---|\n";
    let rows = "| 1000 | does not reconnect | x |\n| 4503 | reconnects | x |\n";
    assert_eq!(wrong_close_codes(&format!("{tables}{rows}"), &codes), [""; 0]);
    assert_eq!(wrong_close_codes(&format!("{tables}{rows}"), &codes[..1]), ["too much, or twice: 4503 reconnects"]);
    assert_eq!(wrong_close_codes(&format!("{tables}{rows}"), &[1000, 4503, 4610]), ["missing: 4610 gets a new token"]);
    assert_eq!(
        wrong_close_codes(&format!("{tables}{}", rows.replace("reconnects", "does not reconnect")), &codes).len(),
        2
    );
    assert_eq!(wrong_ranges(tables)[0], "1002: the table says that a client reconnects, but it does not reconnect");
    assert!(
        wrong_ranges(tables)
            .contains(&"4610: the table says that a client does not reconnect, but it gets a new token".into())
    );
}

#[test]
fn what_is_not_described_or_not_there_is_found() {
    let protocol = read("docs/protocol.md");
    assert_eq!(wrong_names(&protocol.replace("`limits.burst`", "`limits.bursts`")), ["`limits.burst`"]);
    assert_eq!(wrong_names(&protocol.replace("### `refresh`\n", "")), ["missing: `refresh`"]);
    assert_eq!(wrong_names(&protocol.replace("<!-- schema: gap -->", "")), ["the frame gap"]);
    assert_eq!(wrong_endpoints(&protocol.replace("### `GET /readyz`\n", "")), ["missing: `GET /readyz`"]);
    assert_eq!(wrong_endpoints(&protocol.replace("\ncurl $API/metrics", "")), ["`GET /metrics` has no curl line"]);

    let reference = "| `limits.burst` | 1 |";
    assert_eq!(wrong_settings("`limits.burst`, `limits.rs`, `a.b` and `limits.brust`", reference), ["limits.brust"]);
    let cli =
        "enum Command {\n    /// Serve.\n    Serve(Serve),\n    CheckConfig(File),\n}\n#[arg(long)]\n    dev: bool,";
    assert_eq!(
        wrong_calls("`realtime-server check-config`\n```sh\nx realtime-server -- serve --dev\n```", cli),
        [""; 0]
    );
    assert_eq!(wrong_calls("`realtime-server start --dvd`", cli), ["start", "--dvd"]);
}

#[test]
fn an_architecture_that_has_moved_on_is_found() {
    let table = |heading: &str, row: &str| format!("# {heading}\n\n| a | b |\n|---|---|\n{row}\n");
    let members = [("a".to_owned(), vec![]), ("b".to_owned(), vec!["a".to_owned()])];
    let crates = |rows: &str| wrong_crates(&table("The crates", rows), &members);
    assert_eq!(crates("| `a` | – |\n| `b` | `a` |"), [""; 0]);
    assert_eq!(crates("| `b` | `a` |\n| `c` | – |"), ["missing: a", "too much, or twice: c"]);
    assert_eq!(crates("| `a` | – |\n| `b` | – |"), ["`b` depends on a"]);

    let invariants = |row: &str| wrong_invariants(&table("Invariants", row), "fn held() {}\nname: \"tidy\",");
    assert_eq!(invariants("| It holds | `held`, `tidy` |"), [""; 0]);
    assert_eq!(invariants("| It holds | `gone` |\n| Hope | – |"), ["no test or check gone", "nothing holds: Hope"]);
    let rooms = table("The files", "| `src/` | `here.rs` and `gone.rs` |");
    assert_eq!(wrong_rooms(&rooms, |path| ["src/", "src/here.rs"].contains(&path)), ["src/gone.rs"]);

    let page = "# 0001 A\n## Context\n## Decision\n## Consequences\n## Rejected\n".to_owned();
    let pages = [("0001-a.md".to_owned(), page)];
    assert_eq!(wrong_decisions("[1](0001-a.md)", &pages), [""; 0]);
    assert_eq!(wrong_decisions("[2](0002-b.md)", &pages).len(), 2);
    assert_eq!(wrong_decisions("[1](0001-a.md)", &[("0001-a.md".to_owned(), "# A".to_owned())]).len(), 5);
    let example = ["fn main() {\n    let a = 1;\n    let b = 2;\n}".to_owned()];
    assert_eq!(wrong_excerpts("```rust\nlet a = 1;\nlet b = 2;\n```", &example), [""; 0]);
    assert_eq!(wrong_excerpts("```rust\nlet b = 2;\nlet a = 1;\n```", &example).len(), 1);
}

#[test]
fn a_dependency_that_is_not_named_and_a_feature_that_there_is_not_are_found() {
    let example = "use std::sync::Arc;\nuse axum::Router;\nuse realtime_ports::Clock;";
    let manifest =
        "[dependencies]\naxum = \"0.8\"\nrealtime-ports = { path = \"\", features = [\"mocks\", \"magic\"] }";
    let found = wrong_dependencies(manifest, example);
    assert_eq!(found, ["tokio is used and not named", "realtime-ports has no feature magic"]);
}
