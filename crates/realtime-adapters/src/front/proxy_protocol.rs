//! The PROXY protocol: a proxy names the client's address before anything else on a connection.

mod header;

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;
use tokio::{io::AsyncReadExt, time::timeout};

use super::listener::{AcceptedSocket, Listener};
use header::{Parsed, parse};

/// A listener whose connections begin with the PROXY protocol, version 1 or 2 (HAProxy's `proxy-protocol.txt`), if it
/// is required.
#[derive(Debug)]
pub struct ProxyProtocol<L> {
    inner: L,
    required: Option<Arc<Required>>,
}

#[derive(Debug)]
struct Required {
    trusted: Vec<IpNet>,
    timeout: Duration,
}

impl<L> ProxyProtocol<L> {
    /// The same as `inner`.
    pub fn off(inner: L) -> Self {
        Self { inner, required: None }
    }

    /// Requires the protocol of each connection, within `timeout`. A connection from outside of the `trusted` networks
    /// is closed: it could name any address.
    pub fn required(inner: L, trusted: Vec<IpNet>, timeout: Duration) -> Self {
        Self { inner, required: Some(Arc::new(Required { trusted, timeout })) }
    }
}

impl<L: Listener> Listener for ProxyProtocol<L> {
    type Socket = ProxiedSocket<L::Socket>;

    async fn accept(&mut self) -> io::Result<(Self::Socket, SocketAddr)> {
        let (inner, peer) = self.inner.accept().await?;
        Ok((ProxiedSocket { inner, required: self.required.clone() }, peer))
    }
}

/// A socket on which the PROXY protocol is still to be read, if it is required.
#[derive(Debug)]
pub struct ProxiedSocket<S> {
    inner: S,
    required: Option<Arc<Required>>,
}

impl<S: AcceptedSocket> AcceptedSocket for ProxiedSocket<S> {
    type Stream = S::Stream;

    async fn prepare(self, peer: SocketAddr) -> io::Result<(S::Stream, SocketAddr)> {
        let (stream, peer) = self.inner.prepare(peer).await?;
        let Some(required) = self.required else { return Ok((stream, peer)) };
        let address = peer.ip().to_canonical();
        if !required.trusted.iter().any(|network| network.contains(&address)) {
            let what = "the PROXY protocol is required here, and this address is not in server.trusted_proxies";
            return Err(io::Error::new(ErrorKind::PermissionDenied, what));
        }
        match timeout(required.timeout, read_header(stream)).await {
            Ok(Ok((stream, client))) => Ok((stream, client.unwrap_or(peer))),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(io::Error::new(ErrorKind::TimedOut, "no header of the PROXY protocol in time")),
        }
    }
}

/// Reads the header and nothing beyond it.
async fn read_header<S: tokio::io::AsyncRead + Unpin>(mut stream: S) -> io::Result<(S, Option<SocketAddr>)> {
    let mut bytes = Vec::with_capacity(64);
    loop {
        match parse(&bytes).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))? {
            Parsed::Header(header) => return Ok((stream, header.client)),
            Parsed::Needs(more) => {
                let from = bytes.len();
                bytes.resize(from + more, 0);
                stream.read_exact(&mut bytes[from..]).await?;
            }
        }
    }
}
