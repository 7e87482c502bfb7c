//! The checks that a tool of cargo runs: `deny`, `unused`, `fmt`, `clippy`, `rustdoc` and `features`.

use std::fs;

use crate::{
    report::{Check, Finding, Report},
    workspace::{Workspace, run},
};

/// Licences, bans, sources and advisories, as `deny.toml` sets them.
pub(super) const DENY: Check = Check {
    name: "deny",
    protects: "dependencies: permitted licences, no known vulnerability, nothing that deny.toml bans (cargo-deny)",
    run: |workspace| deny(workspace, &["advisories", "bans", "licenses", "sources"]),
};

/// Dependencies that no line of source names.
pub(super) const UNUSED: Check = Check {
    name: "unused",
    protects: "no manifest lists a dependency that no line of source names (cargo-machete)",
    run: |workspace| tool(workspace, "machete", &[&["machete", "--skip-target-dir"]]),
};

/// One format.
pub(super) const FMT: Check = Check {
    name: "fmt",
    protects: "one format, so that a diff shows what changed and nothing else",
    run: |workspace| cargo(workspace, &[&["fmt", "--all", "--check"]]),
};

/// The lints of the workspace, as errors.
pub(super) const CLIPPY: Check = Check {
    name: "clippy",
    protects: "the workspace's lints hold in every target with every feature",
    run: |workspace| {
        let lints = ["clippy", "--quiet", "--locked", "--workspace", "--all-targets", "--all-features", "--keep-going"];
        cargo(workspace, &[&[&lints[..], &["--", "-D", "warnings"]].concat()])
    },
};

/// The documentation builds and its links resolve, for each crate alone and with every feature.
pub(super) const RUSTDOC: Check = Check {
    name: "rustdoc",
    protects: "rustdoc has no broken link, for any crate alone and for all with every feature",
    run: |workspace| {
        const DOC: &[&str] = &["doc", "--quiet", "--locked", "--no-deps"];
        let mut lines = vec![[DOC, &["--workspace", "--all-features"]].concat()];
        let libraries = workspace.members().filter(|package| package.library);
        lines.extend(libraries.map(|package| [DOC, &["-p", &package.name]].concat()));
        cargo(workspace, &lines)
    },
};

/// Every crate builds alone, without features and with each.
pub(super) const FEATURES: Check = Check {
    name: "features",
    protects: "every crate builds alone, without features and with each, so that any layer can be embedded (cargo-hack)",
    run: |workspace| {
        tool(workspace, "hack", &[&["hack", "--workspace", "--each-feature", "check", "--quiet", "--locked"]])
    },
};

/// Runs lines of arguments of cargo; each that fails is a finding with the whole output.
fn cargo<L: AsRef<[S]>, S: AsRef<str>>(workspace: &Workspace, lines: &[L]) -> Report {
    let mut findings = Vec::new();
    for line in lines {
        let args: Vec<_> = line.as_ref().iter().map(AsRef::as_ref).collect();
        let mut command = workspace.cargo(&args);
        let ran = run(command.env("RUSTDOCFLAGS", "-D warnings").env("CARGO_TERM_COLOR", "never"));
        if !ran.ok {
            let output = format!("failed\n{}{}", ran.stdout, ran.stderr).trim_end().to_owned();
            let remedy = "repair what is said above (rustdoc needs RUSTDOCFLAGS='-D warnings' to say it)";
            findings.push(Finding::new(format!("cargo {}", args.join(" ")), output, remedy));
        }
    }
    Report::of(findings, format!("{} runs of cargo", lines.len()))
}

/// The same for a subcommand that must be installed first.
fn tool<L: AsRef<[S]>, S: AsRef<str>>(workspace: &Workspace, name: &str, lines: &[L]) -> Report {
    match missing(workspace, name) {
        Some(why) => Report { skipped: vec![why], ..Report::default() },
        None => cargo(workspace, lines),
    }
}

/// Why the subcommand can't run here, and how to install it.
fn missing(workspace: &Workspace, name: &str) -> Option<String> {
    let mut found = workspace.cargo(&["--list"]);
    let installed = run(&mut found).stdout.lines().any(|line| line.split_whitespace().next() == Some(name));
    (!installed).then(|| {
        format!("cargo-{name} is not installed: run `.ci/run tools` (into target/), or `cargo install --locked cargo-{name}`")
    })
}

/// Runs cargo-deny, without the advisories where their database is neither here nor can be fetched.
fn deny(workspace: &Workspace, parts: &[&str]) -> Report {
    let here = fs::read_dir(workspace.root.join("target/advisory-dbs"))
        .is_ok_and(|entries| entries.flatten().any(|entry| entry.path().is_dir()));
    let database = here || run(&mut workspace.cargo(&["deny", "fetch", "db"])).ok;
    let parts: Vec<_> = parts.iter().copied().filter(|part| database || *part != "advisories").collect();
    let line = [&["deny", "--locked", "check", "--hide-inclusion-graph"], &parts[..]].concat();
    let mut report = tool(workspace, "deny", &[line]);
    report.seen = parts.join(", ");
    if !database && report.skipped.is_empty() {
        let why = "advisories: the RustSec database could not be fetched (`cargo deny fetch db`)";
        report.skipped.push(why.into());
    }
    report
}

#[cfg(test)]
mod tests {
    use std::{fs::OpenOptions, io::Write, path::Path};

    use super::*;
    use crate::workspace::Package;

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
        let package = Package { name: "specimen".into(), member: true, library: true, ..Package::default() };
        let target = Path::new(HERE).join("../target");
        let workspace = Workspace { root, target, packages: vec![package] };
        assert!(run(&mut workspace.cargo(&["generate-lockfile", "--offline"])).ok);
        (dir, workspace)
    }

    /// All that a check finds in that package.
    fn found(check: &Check, manifest: &str, source: &str) -> String {
        let (_dir, workspace) = specimen(manifest, source);
        (check.run)(&workspace).findings.iter().map(|finding| format!("{}: {}\n", finding.at, finding.broken)).collect()
    }

    /// Whether a subcommand is installed; if not, the test counts as skipped.
    fn installed(test: &str, name: &str) -> bool {
        let (_dir, workspace) = specimen("", "");
        let missing = missing(&workspace, name);
        if let (Some(why), Some(file)) = (&missing, std::env::var_os("REALTIME_SKIPS")) {
            let mut file = OpenOptions::new().create(true).append(true).open(file).expect("the list of skips");
            writeln!(file, "{test}: {why}").expect("the list of skips");
        }
        missing.is_none()
    }

    #[test]
    fn an_unformatted_file_a_lint_and_a_broken_link_are_reported() {
        let good = "//! x\n";
        for check in [FMT, CLIPPY, RUSTDOC] {
            assert_eq!(found(&check, "", good), "");
        }
        assert!(found(&FMT, "", "//! x\nfn  f( ){}\n").contains("lib.rs"));
        assert!(found(&CLIPPY, "", "//! x\n/// f\npub fn f(x: &Vec<u8>) {}\n").contains("ptr_arg"));
        let broken = found(&RUSTDOC, "", "//! See [`Nowhere`].\n");
        assert!(broken.contains("-p specimen") && broken.contains("unresolved link"), "{broken}");
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
        if installed("a_banned_crate_and_a_licence_that_is_not_permitted_are_reported", "deny") {
            let (dir, workspace) = specimen("[dependencies]\nring = { path = \"inner\", version = \"0.1\" }", "");
            fs::copy(Path::new(HERE).join("../deny.toml"), dir.path().join("deny.toml")).expect("deny.toml");
            let text = deny(&workspace, &["bans", "licenses", "sources"]).findings.remove(0).broken;
            assert!(text.contains("one crypto backend") && text.contains("AGPL-3.0-only"), "{text}");
        }
    }

    #[test]
    fn an_unused_dependency_is_reported() {
        if installed("an_unused_dependency_is_reported", "machete") {
            let manifest = "[dependencies]\nring = { path = \"inner\" }";
            assert_eq!(found(&UNUSED, manifest, "use ring as _;\n"), "");
            assert!(found(&UNUSED, manifest, "").contains("ring"));
        }
    }

    #[test]
    fn a_crate_that_needs_a_feature_it_does_not_turn_on_is_reported() {
        if installed("a_crate_that_needs_a_feature_it_does_not_turn_on_is_reported", "hack") {
            let source = "#[cfg(feature = \"a\")]\npub struct A;\npub fn f(_: A) {}\n";
            assert!(found(&FEATURES, "[features]\na = []", source).contains("cannot find type `A`"));
        }
    }

    #[test]
    fn a_tool_that_is_not_installed_is_skipped_with_the_way_to_install_it() {
        let (_dir, workspace) = specimen("", "");
        let report = tool(&workspace, "no-such-tool", &[&["no-such-tool"]]);
        assert!(report.findings.is_empty() && report.skipped[0].contains(".ci/run tools"), "{report:?}");
    }
}
