//! The handler that a team would write by hand: tokio-tungstenite as its examples use it, one broadcast channel, a
//! task per socket, a send (and so a flush) per message.

use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::broadcast,
};
use tokio_tungstenite::{accept_async, tungstenite::Message};

use crate::options::Result;

/// Serves until it is ended.
pub(crate) fn serve() -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let (subscribers, publishers) = super::floor::ports()?;
        let (messages, _) = broadcast::channel(4096);
        let listener = TcpListener::bind(("127.0.0.1", subscribers)).await?;
        let sender = messages.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve_one(stream, sender.subscribe()));
            }
        });
        let listener = TcpListener::bind(("127.0.0.1", publishers)).await?;
        while let Ok((stream, _)) = listener.accept().await {
            let messages = messages.clone();
            tokio::spawn(async move {
                let mut lines = BufReader::new(stream).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    let _ = messages.send(line.trim_start_matches("* ").to_owned());
                }
            });
        }
        Ok(())
    })
}

async fn serve_one(stream: TcpStream, mut messages: broadcast::Receiver<String>) {
    let _ = stream.set_nodelay(true);
    let Ok(socket) = accept_async(stream).await else { return };
    let (mut sink, mut source) = socket.split();
    loop {
        tokio::select! {
            message = messages.recv() => match message {
                Ok(text) => if sink.send(Message::text(text)).await.is_err() { return },
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            },
            incoming = source.next() => if !matches!(incoming, Some(Ok(_))) { return },
        }
    }
}
