//! Node's `ws` and `socket.io`, in a few lines each as their documentation shows them.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use tokio::process::Command;

use super::{Server, Start, on_path, pinned};
use crate::options::Result;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

pub(super) fn missing(package: &str) -> Option<String> {
    if on_path("node").is_none() {
        return Some("install nodejs".into());
    }
    let installed = folder().join("node_modules").join(package).is_dir();
    (!installed).then(|| "run `npm ci --ignore-scripts --prefix crates/realtime-bench/peers`".into())
}

pub(super) fn command(start: &Start, server: Server, address: SocketAddr) -> Result<Command> {
    let script = folder().join(format!("{}.mjs", server.name()));
    let mut command = pinned(start, &on_path("node").ok_or("no node")?);
    command.arg(script).arg(address.port().to_string());
    Ok(command)
}
