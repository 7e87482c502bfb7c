//! A network that a test takes away: a relay on loopback, in front of a server.

use std::net::SocketAddr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// Forwards the bytes of each TCP connection to a server, while it is up. Dropping it ends all of them.
pub struct Relay {
    address: SocketAddr,
    up: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Relay {
    /// Listens on a port of its own.
    ///
    /// # Panics
    /// There is no free port.
    pub async fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (up, watched) = watch::channel(true);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *watched.borrow() {
                    tokio::spawn(forward(client, to, watched.clone()));
                }
            }
        });
        Self { address, up, accepting }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends every connection, and each new one at once, until `connect`.
    pub fn disconnect(&self) {
        self.up.send_replace(false);
    }

    /// The network is back.
    pub fn connect(&self) {
        self.up.send_replace(true);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn forward(mut client: TcpStream, to: SocketAddr, mut up: watch::Receiver<bool>) {
    let Ok(mut server) = TcpStream::connect(to).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        // Also when the relay has ended.
        _ = up.wait_for(|up| !*up) => {}
    }
}
