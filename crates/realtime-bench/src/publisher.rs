//! Publishes: writes requests one behind the other on one connection, and counts the responses.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use memchr::memmem;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, tcp::OwnedWriteHalf},
    task::AbortHandle,
};

use crate::{options::Result, servers::Dialect, wire::Target};

/// A publisher's connection.
pub(crate) struct Publisher {
    dialect: Dialect,
    out: OwnedWriteHalf,
    /// Responses that were not a success.
    refused: Arc<AtomicU64>,
    reader: AbortHandle,
}

impl Publisher {
    /// Connects, and sends what the protocol requires first.
    pub(crate) async fn connect(address: SocketAddr, dialect: Dialect) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (mut read, mut out) = stream.into_split();
        out.write_all(dialect.publisher_hello().as_bytes()).await?;
        let refused = Arc::new(AtomicU64::new(0));
        let bad = refused.clone();
        let reader = tokio::spawn(async move {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(n @ 1..) = read.read(&mut buffer).await {
                let responses = memmem::find_iter(&buffer[..n], b"HTTP/1.1 ").count();
                let good = memmem::find_iter(&buffer[..n], b"HTTP/1.1 20").count();
                let errors = memmem::find_iter(&buffer[..n], b"-ERR").count();
                bad.fetch_add((responses - good + errors) as u64, Relaxed);
            }
        });
        Ok(Self { dialect, out, refused, reader: reader.abort_handle() })
    }

    /// Publishes `messages` at once.
    pub(crate) async fn publish(&mut self, messages: &[(Target, String)]) -> Result<()> {
        let bytes = self.dialect.publications(messages);
        self.out.write_all(bytes.as_bytes()).await?;
        match self.refused.load(Relaxed) {
            0 => Ok(()),
            n => Err(format!("{n} publications were refused").into()),
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
