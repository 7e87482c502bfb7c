//! One socket: a task that dials, reads and writes, until it is closed or let go.

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Message,
        client::IntoClientRequest,
        http::HeaderValue,
        http::header::SEC_WEBSOCKET_PROTOCOL,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

/// Frames that wait until the driver reads them. While they do, nothing is read from the network.
const FRAMES: usize = 64;
/// A close handshake that takes longer is not waited for.
pub(crate) const CLOSE: Duration = Duration::from_secs(2);

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}
type Socket = WebSocketStream<Box<dyn Io>>;

/// What is dialed.
pub(crate) struct Dial {
    pub(crate) url: String,
    pub(crate) protocols: Vec<String>,
    pub(crate) tls: Tls,
}

/// What a socket received.
#[derive(Debug)]
pub(crate) enum Received {
    Frame(String),
    Closed(u16, String),
}

/// The driver's end. Dropping it closes the socket.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) n: u64,
    pub(crate) out: mpsc::Sender<String>,
    pub(crate) received: mpsc::Receiver<Received>,
}

/// A connection for the attempt `n`, and the task that carries it out. `frames` wait to be written, at most.
pub(crate) fn connection(n: u64, dial: Dial, frames: usize) -> (Connection, impl Future<Output = ()> + Send) {
    let (out, outgoing) = mpsc::channel(frames);
    let (incoming, received) = mpsc::channel(FRAMES);
    (Connection { n, out, received }, run(dial, outgoing, incoming))
}

async fn run(dial: Dial, outgoing: mpsc::Receiver<String>, incoming: mpsc::Sender<Received>) {
    let opened = tokio::select! {
        opened = open(&dial) => opened,
        // Let go before it was open.
        () = incoming.closed() => return,
    };
    let (code, reason) = match opened {
        Ok(socket) => carry(socket, outgoing, &incoming).await,
        Err(error) => (1006, error),
    };
    // The driver may have let go of it.
    _ = incoming.send(Received::Closed(code, reason)).await;
}

async fn carry(
    socket: Socket,
    mut outgoing: mpsc::Receiver<String>,
    incoming: &mpsc::Sender<Received>,
) -> (u16, String) {
    let (mut sink, mut stream) = socket.split();
    let read = async {
        let mut closed = (1006, String::new());
        loop {
            match stream.next().await {
                Some(Ok(Message::Text(text))) => _ = incoming.send(Received::Frame(text.to_string())).await,
                Some(Ok(Message::Close(Some(frame)))) => closed = (frame.code.into(), frame.reason.to_string()),
                Some(Ok(_)) => {}
                Some(Err(error)) if closed.0 == 1006 => return (1006, error.to_string()),
                Some(Err(_)) | None => return closed,
            }
        }
    };
    let write = async {
        while let Some(text) = outgoing.recv().await {
            if sink.send(Message::Text(text.into())).await.is_err() {
                // The reader has the reason.
                return std::future::pending().await;
            }
        }
        // The driver has let go of it: the server gets a moment to close too.
        let close = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        _ = timeout(CLOSE, sink.send(Message::Close(Some(close)))).await;
        tokio::time::sleep(CLOSE).await;
    };
    tokio::select! {
        closed = read => closed,
        () = write => (1006, String::new()),
    }
}

async fn open(dial: &Dial) -> Result<Socket, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let mut request = dial.url.as_str().into_client_request().map_err(|error| text(&error))?;
    let protocols = HeaderValue::from_str(&dial.protocols.join(", "));
    let protocols = protocols.map_err(|_| "the token has a character that a header can't carry".to_owned())?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocols);
    let uri = request.uri();
    let secure = uri.scheme_str() == Some("wss");
    let host = uri.host().ok_or("the URL names no host")?.trim_matches(['[', ']']).to_owned();
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let stream = TcpStream::connect((host.as_str(), port)).await.map_err(|error| text(&error))?;
    // A command is small, and waits for nothing.
    stream.set_nodelay(true).map_err(|error| text(&error))?;
    let stream: Box<dyn Io> = if secure { dial.tls.wrap(&host, stream).await? } else { Box::new(stream) };
    let (socket, _) = client_async(request, stream).await.map_err(|error| text(&error))?;
    Ok(socket)
}

/// How `wss://` is encrypted.
#[derive(Clone)]
pub(crate) struct Tls {
    #[cfg(feature = "tls")]
    config: Option<Arc<tokio_rustls::rustls::ClientConfig>>,
    #[cfg(not(feature = "tls"))]
    _none: Arc<()>,
}

#[cfg(feature = "tls")]
mod tls {
    use tokio_rustls::{
        TlsConnector,
        rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName},
    };

    use super::{Arc, Io, TcpStream, Tls};

    impl Tls {
        /// The given configuration, or for `wss://` one with the certificates of the operating system.
        pub(crate) fn new(config: Option<Arc<ClientConfig>>, url: &str) -> Result<Self, String> {
            if config.is_some() || !url.starts_with("wss://") {
                return Ok(Self { config });
            }
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err("the operating system has no certificates: install them (`ca-certificates`), or give a TLS configuration".into());
            }
            let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| error.to_string())?
                .with_root_certificates(roots)
                .with_no_client_auth();
            Ok(Self { config: Some(Arc::new(config)) })
        }

        pub(super) async fn wrap(&self, host: &str, stream: TcpStream) -> Result<Box<dyn Io>, String> {
            let config = self.config.clone().ok_or("there is no TLS configuration")?;
            let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
            let stream = TlsConnector::from(config).connect(name, stream).await.map_err(|error| error.to_string())?;
            Ok(Box::new(stream))
        }
    }
}

#[cfg(not(feature = "tls"))]
impl Tls {
    pub(crate) fn new(url: &str) -> Result<Self, String> {
        match url.starts_with("wss://") {
            true => Err("wss:// needs the feature `tls` of this crate".into()),
            false => Ok(Self { _none: Arc::new(()) }),
        }
    }

    async fn wrap(&self, _host: &str, _stream: TcpStream) -> Result<Box<dyn Io>, String> {
        Err("wss:// needs the feature `tls` of this crate".into())
    }
}
