//! The programs that follow, and whether what they need is installed.

use std::path::{Path, PathBuf};

use realtime_tests::{program, skip, typescript_client};

/// The program that follows.
pub(crate) enum Program {
    /// Written by hand with the npm package `ws`.
    Ws,
    /// Our TypeScript client, bundled in this file. Two of its tokens expire.
    TypeScript(PathBuf),
    /// Our Python client, of this folder. Two of its tokens expire.
    Python(PathBuf),
}

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign")
}

pub(crate) fn node(test: &str) -> Option<PathBuf> {
    let node = program(test, &["node", "nodejs"])?;
    if folder().join("node_modules/ws").is_dir() {
        return Some(node);
    }
    skip(test, "its packages are not installed; run `npm ci --prefix tests/foreign --ignore-scripts`");
    None
}

/// Our TypeScript client in one file, unless its packages are not installed.
pub(crate) async fn bundle(test: &str, to: &Path) -> Option<Program> {
    let file = typescript_client(test, "src/index.ts", to, &["--format=esm"]).await?;
    Some(Program::TypeScript(file))
}

/// Python with the packages of our client, and the client.
pub(crate) fn python(test: &str) -> Option<(PathBuf, Program)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let python = root.join("target/ci/venv/bin/python");
    let imports = std::process::Command::new(&python).args(["-c", "import websockets"]).output();
    if imports.is_ok_and(|output| output.status.success()) {
        return Some((python, Program::Python(root.join("clients/python/src"))));
    }
    skip(
        test,
        "its packages are not installed; run `python3 -m venv target/ci/venv` and `target/ci/venv/bin/pip install -r clients/python/requirements-dev.txt`",
    );
    None
}
