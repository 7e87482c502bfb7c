//! Programs that a test needs and this machine may lack.

use std::{
    env,
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

/// Names the file that skipped tests are written to; `cargo xtask test` sets it and reads it.
const SKIPS: &str = "REALTIME_SKIPS";

/// Where the first of `names` is, or a note that `test` was skipped.
pub fn program(test: &str, names: &[&str]) -> Option<PathBuf> {
    let found = names.iter().find_map(|name| on_path(name));
    if found.is_none() {
        skip(test, &format!("none of {} is installed", names.join(", ")));
    }
    found
}

/// Says, loudly, that `test` could not run. In continuous integration everything is installed, so there it fails.
///
/// # Panics
/// With `CI=true` in the environment.
pub fn skip(test: &str, why: &str) {
    eprintln!("SKIPPED {test}: {why}");
    assert!(!env::var("CI").is_ok_and(|ci| ci == "true"), "{test} can't be skipped here: {why}");
    if let Some(path) = env::var_os(SKIPS) {
        let mut file = OpenOptions::new().append(true).create(true).open(path).expect("the file of skipped tests");
        writeln!(file, "{test}: {why}").expect("the file of skipped tests");
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let paths = env::var_os("PATH")?;
    env::split_paths(&paths).map(|folder| folder.join(name)).find(|path| Path::is_file(path))
}
