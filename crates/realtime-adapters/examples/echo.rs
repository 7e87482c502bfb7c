//! Sends back each message that it receives, text as text and binary as binary, through the same acceptor, handshake
//! and socket as the server. For conformance suites such as Autobahn's `fuzzingclient`:
//!
//! `cargo run --release -p realtime-adapters --example echo -- --listen 127.0.0.1:9001 --max-message-bytes 67108864`
//!
//! `wstest -m fuzzingclient -s spec.json`, where `spec.json` has `"servers": [{"agent": "realtime", "url":
//! "ws://127.0.0.1:9001"}]` and `"cases": ["*"]`. Cases 12 and 13 are about compression, which is not offered. Of the
//! other 301 cases none fails: 296 are OK, 7.1.6 and 7.13.* are informational, and 6.4.3 and 6.4.4 are not strict, because a
//! text is checked when its frame is complete. The suite is for Python 2.7.

use std::{
    future::{Ready, ready},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use http::{Request, Response};
use realtime_adapters::{
    front::{AcceptorConfig, RequestBody, serve},
    ws::{Handshake, Origins, PendingSocket, ResponseBody, WsConfig},
};
use realtime_ports::{Incoming, Socket, SocketError};
use realtime_schema::CloseCode;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let flag = |name: &str| std::env::args().skip_while(|arg| arg != name).nth(1);
    let address = flag("--listen").unwrap_or_else(|| "127.0.0.1:9001".into());
    let max = flag("--max-message-bytes").map_or(Ok(64 << 20), |bytes| bytes.parse())?;
    let config = WsConfig {
        max_message_bytes: max,
        max_frame_bytes: max,
        max_fragments: 1 << 20,
        origins: Origins::Any,
        ..WsConfig::default()
    };
    let listener = TcpListener::bind(address).await?;
    println!("echoing on ws://{}", listener.local_addr()?);
    serve(listener, AcceptorConfig::default(), answer(Arc::new(config)), CancellationToken::new()).await;
    Ok(())
}

/// Accepts each valid handshake, and echoes on its socket.
pub(crate) fn answer(
    config: Arc<WsConfig>,
) -> impl Fn(Request<RequestBody>, SocketAddr) -> Ready<Response<ResponseBody>> + Clone + Send + Sync + 'static {
    move |mut request, _| match Handshake::check(&mut request, &config) {
        Ok(handshake) => {
            let (response, pending) = handshake.accept(None);
            tokio::spawn(echo(pending));
            ready(response)
        }
        Err(invalid) => ready(invalid.response),
    }
}

async fn echo(pending: PendingSocket) {
    let Some(mut socket) = pending.socket().await else { return };
    let (code, reason) = loop {
        match socket.receive().await {
            Ok(Incoming::Closed(code)) => break (code.unwrap_or(CloseCode::NORMAL), String::new()),
            Ok(message) => match socket.echo(message).await {
                Ok(()) => {}
                Err(_) => return,
            },
            Err(SocketError::Violation { code, reason }) => break (code, reason),
            Err(_) => return,
        }
    };
    socket.close(code, &reason, Duration::from_secs(2)).await;
}
