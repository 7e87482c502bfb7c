//! TLS 1.2 and 1.3 by rustls, with a certificate and a key from files that may change while the server runs.

use std::{
    fs, io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::time::timeout;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::{CryptoProvider, aws_lc_rs},
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::ProducesTickets,
        version::{TLS12, TLS13},
    },
    server::TlsStream,
};
use tokio_util::sync::CancellationToken;

use super::listener::{AcceptedSocket, Listener};

/// The protocol that is offered by ALPN (RFC 7301): WebSockets over HTTP/2 are not served.
const ALPN: &[u8] = b"http/1.1";

/// Where the certificate and its key are, both in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those between it and the root.
    pub cert: PathBuf,
    /// The private key: PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
}

/// Why a certificate can't be used. Never holds a part of the key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file of the certificate holds none, or something else.
    #[error("{} holds no certificate in PEM", .0.display())]
    Certificate(PathBuf),
    /// The file of the key holds none, or something else.
    #[error("{} holds no private key in PEM", .0.display())]
    Key(PathBuf),
    /// They don't belong to each other, or are of a kind that is not supported.
    #[error("the certificate and the key can't be used together: {0}")]
    Pair(#[from] rustls::Error),
}

/// The bytes of both files.
#[derive(PartialEq, Eq)]
struct Contents {
    cert: Vec<u8>,
    key: Vec<u8>,
}

/// The certificate in use. Connections that are open keep theirs when it is replaced.
pub struct TlsCertificate {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    /// Shared by all certificates, so that a client can resume its session after a change.
    tickets: Arc<dyn ProducesTickets>,
    current: ArcSwap<ServerConfig>,
    /// What was read last, usable or not.
    read: Mutex<Contents>,
}

impl std::fmt::Debug for TlsCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsCertificate").field("files", &self.files).finish_non_exhaustive()
    }
}

impl TlsCertificate {
    /// Reads the files. Blocks while it does.
    ///
    /// # Errors
    /// They can't be read or used.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let tickets = aws_lc_rs::Ticketer::new()?;
        let read = contents(&files)?;
        let current = server_config(&files, &read, &provider, &tickets)?;
        Ok(Self { files, provider, tickets, current: ArcSwap::from_pointee(current), read: Mutex::new(read) })
    }

    /// Reads the files again; true if they have changed and their new content is in use. Blocks while it does.
    ///
    /// # Errors
    /// They can't be read, or have changed and can't be used: the present certificate stays in use. A content that was
    /// refused once is not reported again.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let new = contents(&self.files)?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if *read == new {
            return Ok(false);
        }
        let config = server_config(&self.files, &new, &self.provider, &self.tickets);
        *read = new;
        self.current.store(Arc::new(config?));
        Ok(true)
    }

    /// Reads the files again every `interval` until `shutdown` is cancelled, and logs what changes.
    pub async fn watch(self: Arc<Self>, interval: Duration, shutdown: CancellationToken) {
        let mut reported = String::new();
        loop {
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                () = shutdown.cancelled() => return,
            }
            let certificate = self.clone();
            let Ok(reloaded) = tokio::task::spawn_blocking(move || certificate.reload()).await else { return };
            match reloaded {
                Ok(false) => {}
                Ok(true) => {
                    reported.clear();
                    tracing::info!(file = %self.files.cert.display(), "the TLS certificate was replaced");
                }
                Err(error) => {
                    let error = error.to_string();
                    if error != reported {
                        tracing::warn!(%error, "the new TLS certificate can't be used; the present one stays in use");
                        reported = error;
                    }
                }
            }
        }
    }
}

fn contents(files: &TlsFiles) -> Result<Contents, TlsError> {
    let read = |path: &PathBuf| fs::read(path).map_err(|source| TlsError::Read { path: path.clone(), source });
    Ok(Contents { cert: read(&files.cert)?, key: read(&files.key)? })
}

fn server_config(
    files: &TlsFiles,
    contents: &Contents,
    provider: &Arc<CryptoProvider>,
    tickets: &Arc<dyn ProducesTickets>,
) -> Result<ServerConfig, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&contents.cert).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(TlsError::Certificate(files.cert.clone()))?;
    let key = PrivateKeyDer::from_pem_slice(&contents.key).map_err(|_| TlsError::Key(files.key.clone()))?;
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.ticketer = tickets.clone();
    Ok(config)
}

/// A listener whose connections speak TLS.
///
/// A connection holds its HTTP slot during the handshake, so `max_http_sockets` and the limit per address are the
/// limits of handshakes too.
#[derive(Debug)]
pub struct TlsListener<L> {
    inner: L,
    certificate: Arc<TlsCertificate>,
    handshake_timeout: Duration,
}

impl<L> TlsListener<L> {
    /// TLS over `inner`. A client has `handshake_timeout` for its handshake.
    pub fn new(inner: L, certificate: Arc<TlsCertificate>, handshake_timeout: Duration) -> Self {
        Self { inner, certificate, handshake_timeout }
    }
}

impl<L: Listener> Listener for TlsListener<L> {
    type Socket = TlsSocket<L::Socket>;

    async fn accept(&mut self) -> io::Result<(Self::Socket, SocketAddr)> {
        let (inner, peer) = self.inner.accept().await?;
        let (certificate, handshake_timeout) = (self.certificate.clone(), self.handshake_timeout);
        Ok((TlsSocket { inner, certificate, handshake_timeout }, peer))
    }
}

/// A socket whose TLS handshake is still to be made.
#[derive(Debug)]
pub struct TlsSocket<S> {
    inner: S,
    certificate: Arc<TlsCertificate>,
    handshake_timeout: Duration,
}

impl<S: AcceptedSocket> AcceptedSocket for TlsSocket<S> {
    type Stream = TlsStream<S::Stream>;

    async fn prepare(self, peer: SocketAddr) -> io::Result<(Self::Stream, SocketAddr)> {
        let (stream, client) = self.inner.prepare(peer).await?;
        let acceptor = TlsAcceptor::from(self.certificate.current.load_full());
        match timeout(self.handshake_timeout, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => Ok((stream, client)),
            Ok(Err(error)) => Err(io::Error::other(format!("the TLS handshake failed: {error}"))),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long")),
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
    use tempfile::TempDir;

    use super::*;

    fn new_pair() -> CertifiedKey<KeyPair> {
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate")
    }

    fn write(folder: &TempDir, name: &str, text: &str) -> PathBuf {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("written");
        path
    }

    #[test]
    fn a_new_pair_is_used_only_once_it_is_complete() {
        let (folder, first, second) = (tempfile::tempdir().expect("a folder"), new_pair(), new_pair());
        let files = TlsFiles {
            cert: write(&folder, "cert.pem", &first.cert.pem()),
            key: write(&folder, "key.pem", &first.signing_key.serialize_pem()),
        };
        let certificate = TlsCertificate::load(files).expect("a usable pair");
        let in_use = || Arc::as_ptr(&certificate.current.load_full());
        let original = in_use();
        assert!(!certificate.reload().expect("unchanged"));

        write(&folder, "cert.pem", &second.cert.pem());
        let error = certificate.reload().expect_err("the key of another certificate");
        assert!(error.to_string().contains("can't be used together"), "{error}");
        assert!(!certificate.reload().expect("reported already"));
        write(&folder, "key.pem", "");
        assert!(matches!(certificate.reload(), Err(TlsError::Key(_))));
        fs::remove_file(folder.path().join("key.pem")).expect("removed");
        assert!(matches!(certificate.reload(), Err(TlsError::Read { .. })));
        assert_eq!(in_use(), original, "the first pair stays in use");

        write(&folder, "key.pem", &second.signing_key.serialize_pem());
        assert!(certificate.reload().expect("a usable pair"));
        assert_ne!(in_use(), original);
    }
}
