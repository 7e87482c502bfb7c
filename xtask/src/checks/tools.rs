//! The checks that a tool of cargo runs: `deny`, `unused`, `fmt`, `clippy`, `rustdoc` and `features`.

use std::fs;

use cargo_metadata::Target;

use crate::{
    report::{Check, Finding, Report},
    workspace::{Workspace, run},
};

/// Licences, bans, sources and advisories, as `deny.toml` sets them.
pub(super) const DENY: Check = Check {
    name: "deny",
    protects: "dependencies: permitted licences, no known vulnerability, nothing that deny.toml bans (cargo-deny)",
    run: deny_all,
};

/// Dependencies that no line of source names.
pub(super) const UNUSED: Check = Check {
    name: "unused",
    protects: "no manifest lists a dependency that no line of source names (cargo-machete)",
    run: |workspace| tool(workspace, "machete", &["machete", "--skip-target-dir"]),
};

/// One format.
pub(super) const FMT: Check = Check {
    name: "fmt",
    protects: "one format, so that a diff shows what changed and nothing else",
    run: |workspace| cargo(workspace, &["fmt", "--all", "--check"]),
};

/// The lints of the workspace, as errors.
pub(super) const CLIPPY: Check = Check {
    name: "clippy",
    protects: "the workspace's lints hold in every target with every feature",
    run: |workspace| {
        let lints = ["clippy", "--quiet", "--locked", "--workspace", "--all-targets", "--all-features", "--keep-going"];
        cargo(workspace, &[&lints[..], &["--", "-D", "warnings"]].concat())
    },
};

/// The documentation builds and its links resolve, for each crate alone and with every feature.
pub(super) const RUSTDOC: Check = Check {
    name: "rustdoc",
    protects: "rustdoc has no broken link, for any crate alone and for all with every feature",
    run: |workspace| {
        const DOC: &[&str] = &["doc", "--quiet", "--locked", "--no-deps"];
        let mut report = cargo(workspace, &[DOC, &["--workspace", "--all-features"]].concat());
        let libraries = workspace.members.iter().filter(|package| package.targets.iter().any(Target::is_lib));
        for package in libraries {
            report.findings.extend(cargo(workspace, &[DOC, &["-p", &package.name]].concat()).findings);
        }
        report
    },
};

/// Every crate builds alone, without features and with each.
pub(super) const FEATURES: Check = Check {
    name: "features",
    protects: "every crate builds alone, without features and with each, so that any layer can be embedded (cargo-hack)",
    run: |workspace| {
        tool(workspace, "hack", &["hack", "--workspace", "--each-feature", "check", "--quiet", "--locked"])
    },
};

/// Runs cargo with these arguments; if it fails, that is a finding with the whole output.
fn cargo(workspace: &Workspace, args: &[&str]) -> Report {
    let mut command = workspace.cargo(args);
    let ran = run(command.env("RUSTDOCFLAGS", "-D warnings").env("CARGO_TERM_COLOR", "never"));
    let line = format!("cargo {}", args.join(" "));
    if ran.ok {
        return Report::of(Vec::new(), line);
    }
    let output = format!("failed\n{}{}", ran.stdout, ran.stderr).trim_end().to_owned();
    let remedy = "repair what is said above (rustdoc needs RUSTDOCFLAGS='-D warnings' to say it)";
    Report::of(vec![Finding::new(&line, output, remedy)], &line)
}

/// The same for a subcommand that must be installed first.
fn tool(workspace: &Workspace, name: &str, args: &[&str]) -> Report {
    let listed = run(&mut workspace.cargo(&["--list"])).stdout;
    if listed.lines().any(|line| line.split_whitespace().next() == Some(name)) {
        return cargo(workspace, args);
    }
    let why = format!(
        "cargo-{name} is not installed: run `.ci/run tools` (into target/), or `cargo install --locked cargo-{name}`"
    );
    Report { skipped: vec![why], ..Report::default() }
}

/// Runs cargo-deny, without the advisories where their database is neither here nor can be fetched.
fn deny_all(workspace: &Workspace) -> Report {
    let here = fs::read_dir(workspace.root.join("target/advisory-dbs"))
        .is_ok_and(|entries| entries.flatten().any(|entry| entry.path().is_dir()));
    if here || run(&mut workspace.cargo(&["deny", "fetch", "db"])).ok {
        return deny(workspace, &["bans", "licenses", "sources", "advisories"]);
    }
    let mut report = deny(workspace, &["bans", "licenses", "sources"]);
    if report.skipped.is_empty() {
        let why = "advisories: the RustSec database could not be fetched (`cargo deny fetch db`)";
        report.skipped.push(why.into());
    }
    report
}

fn deny(workspace: &Workspace, parts: &[&str]) -> Report {
    tool(workspace, "deny", &[&["deny", "--locked", "check", "--hide-inclusion-graph"], parts].concat())
}

#[cfg(test)]
mod tests {
    use std::{fs::OpenOptions, io::Write, path::Path};

    use super::*;

    const HERE: &str = env!("CARGO_MANIFEST_DIR");

    /// A package of these files in a folder of its own, on its own except for `inner`, a package below it.
    fn specimen(manifest: &str, source: &str) -> (tempfile::TempDir, Workspace) {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let file = dir.path().join(name);
            fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
            fs::write(file, text).expect(name);
        };
        let package = "[package]\nversion = \"0.1.0\"\nedition = \"2024\"\n";
        write("Cargo.toml", &format!("{package}name = \"specimen\"\nlicense = \"MIT\"\n{manifest}\n[workspace]\n"));
        write("src/lib.rs", source);
        write("inner/Cargo.toml", &format!("{package}name = \"ring\"\nlicense = \"AGPL-3.0-only\"\n"));
        write("inner/src/lib.rs", "");
        let root = dir.path().canonicalize().expect("a path");
        let target = Path::new(HERE).join("../target");
        let workspace = Workspace { target, ..Workspace::load(&root).expect("a workspace") };
        assert!(run(&mut workspace.cargo(&["generate-lockfile", "--offline"])).ok);
        (dir, workspace)
    }

    /// All that a check finds in that package. If its tool is not installed, the test counts as skipped.
    fn found(check: &Check, manifest: &str, source: &str) -> Option<String> {
        let (_dir, workspace) = specimen(manifest, source);
        text(check.name, &(check.run)(&workspace))
    }

    fn text(check: &str, report: &Report) -> Option<String> {
        if let Some(why) = report.skipped.first() {
            if let Some(file) = std::env::var_os("REALTIME_SKIPS") {
                let mut file = OpenOptions::new().create(true).append(true).open(file).expect("the list of skips");
                writeln!(file, "the test of the check `{check}`: {why}").expect("the list of skips");
            }
            return None;
        }
        Some(report.findings.iter().map(|finding| format!("{}: {}\n", finding.at, finding.broken)).collect())
    }

    #[test]
    fn an_unformatted_file_a_lint_and_a_broken_link_are_reported() {
        for (check, source, finding) in [
            (FMT, "//! x\nfn  f( ){}\n", "lib.rs"),
            (CLIPPY, "//! x\n/// f\npub fn f(x: &Vec<u8>) {}\n", "ptr_arg"),
            (RUSTDOC, "//! See [`Nowhere`].\n", "unresolved link"),
        ] {
            assert_eq!(found(&check, "", "//! x\n").as_deref(), Some(""));
            assert!(found(&check, "", source).is_some_and(|text| text.contains(finding)), "{}", check.name);
        }
    }

    #[test]
    fn the_bans_of_the_pure_crates_are_enforced() {
        let source = "//! x\nuse std::{sync::Mutex, time::Instant};\n/// f\npub fn f() -> Mutex<Instant> {\n    println!();\n    Mutex::new(Instant::now())\n}\n";
        let (dir, workspace) = specimen("", source);
        let bans = Path::new(HERE).join("../crates/realtime-schema/clippy.toml");
        fs::copy(bans, dir.path().join("clippy.toml")).expect("clippy.toml");
        let text = (CLIPPY.run)(&workspace).findings.remove(0).broken;
        for banned in ["std::sync::Mutex", "std::time::Instant::now", "std::println"] {
            assert!(text.contains(banned), "{banned}: {text}");
        }
    }

    #[test]
    fn a_banned_crate_and_a_licence_that_is_not_permitted_are_reported() {
        let (dir, workspace) = specimen("[dependencies]\nring = { path = \"inner\", version = \"0.1\" }", "");
        fs::copy(Path::new(HERE).join("../deny.toml"), dir.path().join("deny.toml")).expect("deny.toml");
        if let Some(text) = text("deny", &deny(&workspace, &["bans", "licenses", "sources"])) {
            assert!(text.contains("one crypto backend") && text.contains("AGPL-3.0-only"), "{text}");
        }
    }

    #[test]
    fn an_unused_dependency_is_reported() {
        let manifest = "[dependencies]\nring = { path = \"inner\" }";
        if let Some(text) = found(&UNUSED, manifest, "") {
            assert!(text.contains("ring"));
            assert_eq!(found(&UNUSED, manifest, "use ring as _;\n").as_deref(), Some(""));
        }
    }

    #[test]
    fn a_crate_that_needs_a_feature_it_does_not_turn_on_is_reported() {
        let source = "#[cfg(feature = \"a\")]\npub struct A;\npub fn f(_: A) {}\n";
        if let Some(text) = found(&FEATURES, "[features]\na = []", source) {
            assert!(text.contains("cannot find type `A`"), "{text}");
        }
    }

    #[test]
    fn a_tool_that_is_not_installed_is_skipped_with_the_way_to_install_it() {
        let report = tool(&Workspace { root: HERE.into(), ..Workspace::default() }, "no-such-tool", &[]);
        assert!(report.findings.is_empty() && report.skipped[0].contains(".ci/run tools"));
    }
}
