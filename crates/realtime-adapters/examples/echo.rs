//! Puts back what it reads, text as text and binary as binary, through the same acceptor, handshake and socket as
//! the server. For conformance suites such as Autobahn's.
//!
//! `cargo run --release -p realtime-adapters --example echo -- --listen 127.0.0.1:9001 --max-message-bytes 67108864`

use std::{convert::Infallible, sync::Arc, time::Duration};

use realtime_adapters::ws::{AcceptorConfig, Handshake, Origins, PendingSocket, WsConfig, serve};
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
    let config = Arc::new(config);

    let listener = TcpListener::bind(address).await?;
    println!("echoing on ws://{}", listener.local_addr()?);
    let handler = move |mut request, _| {
        let checked = Handshake::check(&mut request, &config);
        async move {
            match checked {
                Ok(handshake) => {
                    let (response, pending) = handshake.accept(None);
                    tokio::spawn(echo(pending));
                    response
                }
                Err(refusal) => *refusal,
            }
        }
    };
    serve(listener, AcceptorConfig::default(), handler, CancellationToken::new()).await;
    Ok(())
}

async fn echo(pending: PendingSocket) -> Option<Infallible> {
    let mut socket = pending.socket().await?;
    let (code, reason) = loop {
        match socket.receive().await {
            Ok(Incoming::Closed(code)) => break (code.unwrap_or(CloseCode::NORMAL), String::new()),
            Ok(message) => socket.echo(message).await.ok()?,
            Err(SocketError::Violation { code, reason }) => break (code, reason),
            Err(SocketError::Gone(_)) => return None,
        }
    };
    socket.close(code, &reason, Duration::from_secs(2)).await;
    None
}
