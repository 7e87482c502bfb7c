//! The build's own figures for the metric `realtime_build_info`, and the built files of the console.

use std::{
    collections::hash_map::DefaultHasher,
    env,
    error::Error,
    fmt::Write,
    fs,
    hash::{Hash, Hasher},
    path::Path,
    process::Command,
};

fn main() -> Result<(), Box<dyn Error>> {
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
    console_files()
}

/// Writes the list of the console's files: for each its name, its entity tag and its content.
fn console_files() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("console/dist");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut paths: Vec<_> =
        fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.sort();
    let mut list = "&[".to_owned();
    for path in paths {
        println!("cargo::rerun-if-changed={}", path.display());
        let mut hasher = DefaultHasher::new();
        fs::read(&path)?.hash(&mut hasher);
        let name = path.file_name().and_then(|name| name.to_str()).ok_or("a file's name is not UTF-8")?;
        let tag = format!("\"{:016x}\"", hasher.finish());
        writeln!(list, "({name:?}, {tag:?}, include_bytes!({path:?})),")?;
    }
    list.push(']');
    fs::write(Path::new(&env::var("OUT_DIR")?).join("console_files.rs"), list)?;
    Ok(())
}
