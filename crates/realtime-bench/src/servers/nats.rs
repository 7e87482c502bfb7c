//! NATS with its WebSocket listener. Its own protocol inside the frames; the subscriber's side is not parsed.

use std::{fs, net::SocketAddr, path::Path};

use tokio::process::Command;

use super::{Start, on_path, pinned};
use crate::options::Result;

pub(super) fn command(start: &Start, folder: &Path, ws: SocketAddr, tcp: SocketAddr) -> Result<Command> {
    let config = format!(
        "listen: \"{tcp}\"\nmax_connections: 65536\nwebsocket {{\n  listen: \"{ws}\"\n  no_tls: true\n  compression: false\n}}\n"
    );
    let path = folder.join("nats.conf");
    fs::write(&path, config)?;
    let mut command = pinned(start, &on_path("nats-server").ok_or("no nats-server")?);
    command.arg("-c").arg(path);
    Ok(command)
}
