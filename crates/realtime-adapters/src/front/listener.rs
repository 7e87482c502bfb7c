//! Where sockets come from: TCP alone, or with the PROXY protocol and TLS around it.

use std::{future::Future, io, net::SocketAddr};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};

/// Accepts sockets.
pub trait Listener: Send + 'static {
    /// An accepted socket that may need more before HTTP is spoken on it.
    type Socket: AcceptedSocket;

    /// The next socket, and the address of its other end. Must be cancel-safe, and must not wait for anything that the
    /// peer has to send: that belongs into [`AcceptedSocket::prepare`].
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Socket, SocketAddr)>> + Send;
}

/// A socket as it was accepted.
pub trait AcceptedSocket: Send + 'static {
    /// What HTTP is spoken on.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Does what comes before HTTP, such as a TLS handshake, within a deadline of its own. Returns the stream and the
    /// address of the client: `peer`, the other end of the socket, unless a proxy names another.
    fn prepare(self, peer: SocketAddr) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
}

impl Listener for TcpListener {
    type Socket = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = Self::accept(self).await?;
        let _ = stream.set_nodelay(true);
        Ok((stream, peer))
    }
}

impl AcceptedSocket for TcpStream {
    type Stream = Self;

    async fn prepare(self, peer: SocketAddr) -> io::Result<(Self, SocketAddr)> {
        Ok((self, peer))
    }
}
