//! An issuer that serves a JWK Set over HTTP.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use realtime_adapters::jwt::{JwksConfig, JwksSource, JwtConfig, KeySet, TokenVerifier};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};

/// Longer than any wait here takes; a wait that reaches it has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(crate) enum Response {
    Body(String),
    Status(u16),
    RedirectTo(String),
    /// More than any limit, with `Content-Length` or without.
    Huge {
        with_length: bool,
    },
    /// Headers, and then nothing until the client closes.
    Silence,
    /// The body, once the gate opens.
    After(watch::Receiver<bool>, String),
}

/// An issuer that serves a JWK Set and counts the requests.
pub(crate) struct Issuer {
    pub(crate) url: String,
    response: Arc<Mutex<Response>>,
    requests: Arc<AtomicUsize>,
    arrivals: watch::Receiver<usize>,
}

impl Issuer {
    pub(crate) async fn serving(response: Response) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let response = Arc::new(Mutex::new(response));
        let requests = Arc::new(AtomicUsize::new(0));
        let (arrived, arrivals) = watch::channel(0);
        let (responses, count) = (Arc::clone(&response), Arc::clone(&requests));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let number = count.fetch_add(1, Ordering::SeqCst) + 1;
                let response = responses.lock().unwrap().clone();
                let _ = arrived.send(number);
                tokio::spawn(respond(socket, response));
            }
        });
        Self { url, response, requests, arrivals }
    }

    pub(crate) fn now_responds(&self, response: Response) {
        *self.response.lock().unwrap() = response;
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub(crate) async fn has_received(&mut self, number: usize) {
        timeout(DEADLINE, self.arrivals.wait_for(|requests| *requests >= number)).await.unwrap().unwrap();
    }

    /// Timers that never fire during a test, unless it says otherwise.
    pub(crate) fn config(&self) -> JwksConfig {
        JwksConfig { refresh: Duration::from_secs(3600), ..JwksConfig::new(&self.url) }
    }

    pub(crate) async fn verifier(&self, config: JwksConfig) -> TokenVerifier {
        let source = JwksSource::start(config).await.unwrap();
        TokenVerifier::with_address(JwtConfig::default(), KeySet::new(), source).unwrap()
    }
}

async fn respond(mut socket: TcpStream, response: Response) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match socket.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    let head = |status: u16, more: &str| format!("HTTP/1.1 {status} -\r\nconnection: close\r\n{more}\r\n");
    let whole = |body: &str| head(200, &format!("content-length: {}\r\n", body.len())) + body;
    let text = match response {
        Response::Body(body) => whole(&body),
        Response::Status(status) => head(status, "content-length: 0\r\n"),
        Response::RedirectTo(url) => head(302, &format!("location: {url}\r\ncontent-length: 0\r\n")),
        Response::Huge { with_length: true } => head(200, "content-length: 10000000\r\n") + &" ".repeat(1000),
        Response::Huge { with_length: false } => head(200, "") + &" ".repeat(10_000_000),
        Response::Silence => {
            let _ = socket.write_all(head(200, "content-length: 100\r\n").as_bytes()).await;
            // Until the client closes.
            let _ = socket.read_u8().await;
            return;
        }
        Response::After(mut gate, body) => {
            let _ = gate.wait_for(|open| *open).await;
            whole(&body)
        }
    };
    let _ = socket.write_all(text.as_bytes()).await;
}
