//! Node's `ws` and `socket.io`, in a few lines each as their documentation shows them.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use tokio::process::Command;

use super::{Server, Start, on_path, process::pinned};
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

/// The arguments of each script: its port, that of Redis, how many messages to keep.
pub(super) fn command(start: &Start, server: Server, address: SocketAddr, redis: SocketAddr) -> Result<Command> {
    let script = folder().join(format!("{}.mjs", server.name()));
    let mut command = pinned(start, &on_path("node").ok_or("no node")?);
    let kept = start.history.messages().unwrap_or(0);
    command.arg(script).args([address.port().to_string(), redis.port().to_string(), kept.to_string()]);
    Ok(command)
}
