//! What the build says of itself in the metric `realtime_build_info`.

use std::{env, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=REALTIME_COMMIT");
    // Set by whoever builds a release: looking it up would build the server anew after every commit.
    let commit = env::var("REALTIME_COMMIT").unwrap_or_else(|_| "unknown".into());
    println!("cargo::rustc-env=REALTIME_COMMIT={commit}");
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let version =
        Command::new(rustc).arg("--version").output().map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
    println!("cargo::rustc-env=REALTIME_RUSTC={}", version.unwrap_or_default().trim());
}
