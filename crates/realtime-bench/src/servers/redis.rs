//! Redis, or its fork Valkey, for socket.io's adapter: in memory alone, on the server's core.

use std::{net::SocketAddr, path::Path};

use tokio::process::Child;

use super::{
    Start, on_path,
    process::{listens, pinned, quiet},
};
use crate::options::Result;

/// Both take the same arguments.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

pub(super) fn missing() -> Option<String> {
    PROGRAMS.iter().all(|name| on_path(name).is_none()).then(|| "install redis-server".into())
}

/// Starts it, and waits until it listens.
pub(super) async fn spawn(start: &Start, address: SocketAddr, folder: &Path) -> Result<Child> {
    let program = PROGRAMS.iter().find_map(|name| on_path(name)).ok_or("no redis-server")?;
    let mut command = pinned(start, &program);
    command
        .args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--save", "", "--appendonly", "no"])
        .arg("--dir")
        .arg(folder);
    quiet(&mut command, folder)?;
    let process = command.spawn()?;
    if listens(address).await { Ok(process) } else { Err("redis does not listen".into()) }
}
