//! A client: checks every frame it gets against the schemas, and waits at most [`DEADLINE`] for anything.

use std::{net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message, client::IntoClientRequest, http},
};

use crate::schemas;

/// The longest that anything in a story may take.
pub const DEADLINE: Duration = Duration::from_secs(15);

/// A connected client.
pub struct Client {
    socket: WebSocketStream<TcpStream>,
    welcome: Value,
    commands: u64,
    protocol: Option<String>,
}

/// Why a client was refused.
#[derive(Debug)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The answer's headers.
    pub headers: http::HeaderMap,
    /// The problem that the answer's body says.
    pub problem: Value,
}

impl Client {
    /// Connects to `server` with `path` (query included) and `headers`, and waits for `welcome`.
    ///
    /// # Errors
    /// The server refused by an HTTP answer.
    ///
    /// # Panics
    /// It can't be reached, or its first frame is not `welcome`.
    pub async fn connect(server: SocketAddr, path: &str, headers: &[(&'static str, String)]) -> Result<Self, Refusal> {
        let (socket, protocol) = Self::open(server, path, headers).await?;
        let mut client = Self { socket, welcome: Value::Null, commands: 0, protocol };
        client.welcome = client.next().await;
        assert_eq!(client.welcome["type"], "welcome", "the first frame is always welcome");
        Ok(client)
    }

    /// Only opens the socket, and waits for no frame.
    ///
    /// # Errors
    /// The server refused by an HTTP answer.
    ///
    /// # Panics
    /// It can't be reached.
    pub async fn open(
        server: SocketAddr,
        path: &str,
        headers: &[(&'static str, String)],
    ) -> Result<(WebSocketStream<TcpStream>, Option<String>), Refusal> {
        let mut request = format!("ws://{server}{path}").into_client_request().expect("an address");
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().expect("a header"));
        }
        let stream = TcpStream::connect(server).await.expect("the server listens");
        let opened = timeout(DEADLINE, client_async(request, stream)).await.expect("a response in time");
        match opened {
            Ok((socket, response)) => {
                let protocol = response.headers().get("sec-websocket-protocol");
                Ok((socket, protocol.map(|value| value.to_str().expect("plain text").to_owned())))
            }
            Err(tungstenite::Error::Http(response)) => {
                let (parts, body) = response.into_parts();
                let problem: Value = serde_json::from_slice(&body.unwrap_or_default()).unwrap_or(Value::Null);
                schemas().check("problem", &problem);
                Err(Refusal { status: parts.status.as_u16(), headers: parts.headers, problem })
            }
            Err(error) => panic!("the handshake failed otherwise: {error}"),
        }
    }

    /// What `welcome` said.
    pub fn welcome(&self) -> &Value {
        &self.welcome["payload"]
    }

    /// The id of this connection.
    ///
    /// # Panics
    /// `welcome` did not say it.
    pub fn id(&self) -> String {
        self.welcome()["connection"].as_str().expect("the connection's id").to_owned()
    }

    /// The subprotocol that the server chose.
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// The next frame.
    ///
    /// # Panics
    /// None comes, the socket ends first, or the frame is not as the schemas say.
    pub async fn next(&mut self) -> Value {
        match self.message().await {
            Ok(frame) => frame,
            Err((code, reason)) => panic!("the socket was closed first: {code} {reason}"),
        }
    }

    /// The next frame, or how the socket was closed.
    async fn message(&mut self) -> Result<Value, (u16, String)> {
        loop {
            let message = timeout(DEADLINE, self.socket.next()).await.expect("a frame in time");
            match message {
                Some(Ok(Message::Text(text))) => {
                    let frame = serde_json::from_str(&text).expect("JSON");
                    schemas().check("server-frame", &frame);
                    return Ok(frame);
                }
                Some(Ok(Message::Close(close))) => {
                    let (code, reason) = close.map_or((1005, String::new()), |c| (c.code.into(), c.reason.to_string()));
                    return Err((code, reason));
                }
                Some(Ok(Message::Binary(_))) => panic!("realtime.v1 is text only"),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err((1006, error.to_string())),
                None => return Err((1006, String::new())),
            }
        }
    }

    /// The next frame that is a message of the application.
    ///
    /// # Panics
    /// A control frame comes first, or nothing.
    pub async fn publication(&mut self) -> Value {
        let frame = self.next().await;
        schemas().check("publication", &frame);
        frame
    }

    /// Sends a command with a new id and waits for its answer, the next frame: the payload of the `ack` or `error`.
    ///
    /// # Panics
    /// Another frame comes first.
    pub async fn command(&mut self, mut command: Value) -> Value {
        self.commands += 1;
        command["id"] = json!(self.commands);
        self.send(&command.to_string()).await;
        let answer = self.next().await;
        assert!(answer["type"] == "ack" || answer["type"] == "error", "{answer} is no answer to {command}");
        assert_eq!(answer["payload"]["id"], command["id"], "the answer names its command");
        answer["payload"].clone()
    }

    /// Subscribes to `topic`.
    ///
    /// # Panics
    /// It is refused.
    pub async fn subscribe(&mut self, topic: &str) {
        let answer = self.command(json!({"action": "subscribe", "topic": topic})).await;
        assert_eq!(answer["code"], Value::Null, "subscribing to {topic} was refused: {answer}");
    }

    /// Makes sure that nothing has come and nothing is on its way: what was queued before the answer to this
    /// command would come before it.
    ///
    /// # Panics
    /// Something came.
    pub async fn got_nothing(&mut self) {
        self.command(json!({"action": "ping"})).await;
    }

    /// Sends a text as it is.
    ///
    /// # Panics
    /// The socket is closed.
    pub async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("an open socket");
    }

    /// Sends a message of any kind. A socket that is closed already is no mistake.
    pub async fn send_message(&mut self, message: Message) {
        drop(self.socket.send(message).await);
    }

    /// Waits for the `closing` frame and the close after it: its payload.
    ///
    /// # Panics
    /// They don't come, or the close says other than the frame.
    pub async fn closing(&mut self) -> Value {
        let frame = self.next().await;
        assert_eq!(frame["type"], "closing", "{frame}");
        let (code, reason) = self.closed().await;
        assert_eq!(frame["payload"]["code"], code);
        assert_eq!(frame["payload"]["reason"], reason);
        frame["payload"].clone()
    }

    /// Waits for the close.
    ///
    /// # Panics
    /// A frame comes first.
    pub async fn closed(&mut self) -> (u16, String) {
        match self.message().await {
            Err(closed) => closed,
            Ok(frame) => panic!("{frame} came instead of a close"),
        }
    }

    /// Closes from this side, and waits until the server has completed the close handshake.
    ///
    /// # Panics
    /// It does not.
    pub async fn close(mut self) {
        drop(self.socket.close(None).await);
        while self.message().await.is_ok() {}
    }

    /// The bare socket, for what clients should not do.
    pub fn into_socket(self) -> WebSocketStream<TcpStream> {
        self.socket
    }
}
