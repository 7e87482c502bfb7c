//! The build's own figures for the metric `realtime_build_info`.

use std::{env, process::Command};

fn main() {
    // Not `REALTIME_…`: cargo hands these variables to what it runs, where they would be unknown settings.
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=BUILD_COMMIT");
    // Set by the build of a release: looking it up here would rebuild the server after every commit.
    let commit = env::var("BUILD_COMMIT").unwrap_or_else(|_| "unknown".into());
    println!("cargo::rustc-env=BUILD_COMMIT={commit}");
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let version =
        Command::new(rustc).arg("--version").output().map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
    println!("cargo::rustc-env=BUILD_RUSTC={}", version.unwrap_or_default().trim());
}
