//! Our TypeScript client in one file, as a story needs it.

use std::path::{Path, PathBuf};

use tokio::{process::Command, time::timeout};

use crate::{DEADLINE, skip};

/// Bundles an entry point of the client, such as `src/index.ts`, into a folder; `None` if its packages are not installed.
/// `options` are those of esbuild.
///
/// # Panics
/// It can't be bundled.
pub async fn typescript_client(test: &str, entry: &str, to: &Path, options: &[&str]) -> Option<PathBuf> {
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("../clients/typescript");
    let esbuild = client.join("node_modules/.bin/esbuild");
    if !esbuild.exists() {
        skip(
            test,
            "the client's packages are not installed; run `npm ci --prefix clients/typescript --ignore-scripts`",
        );
        return None;
    }
    let file = to.join("client.mjs");
    let output = format!("--outfile={}", file.display());
    let mut command = Command::new(esbuild);
    command.current_dir(&client).args([entry, "--bundle", "--log-level=error", &output]).args(options);
    let bundled = timeout(DEADLINE, command.kill_on_drop(true).status()).await.expect("bundled in time");
    assert!(bundled.expect("esbuild starts").success(), "the client can't be bundled");
    Some(file)
}
