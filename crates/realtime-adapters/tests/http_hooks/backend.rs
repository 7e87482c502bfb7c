//! A backend that serves hooks as a test scripts it.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use realtime_adapters::http_hooks::{HookConfig, HttpHooks, HttpHooksConfig, SigningSecret};
use realtime_core::{access::AccessRequest, auth::ConnectAttempt};
use realtime_ports::{HookContext, MockRealtimeService};
use realtime_schema::{Connection, GrantAction, HookName, JwtClaims, Topic};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

/// Longer than any wait here takes; a wait that reaches it has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

pub(crate) const SECRET: &str = "a-secret-of-the-tests-with-32-bytes";

#[derive(Clone, Debug)]
pub(crate) enum Respond {
    Json(u16, Value),
    Text(u16, &'static str, String),
    RedirectTo(String),
    /// Nothing, until the client closes.
    Silence,
    /// Closes the connection without a response.
    Hangup,
    /// The response, once the gate opens.
    After(watch::Receiver<bool>, Value),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) line: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) raw: String,
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.raw).unwrap()
    }
}

/// A backend. Dropping it closes its port.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    script: Arc<Script>,
    arrivals: watch::Receiver<usize>,
    accepting: JoinHandle<()>,
}

struct Script {
    next: Mutex<VecDeque<Respond>>,
    otherwise: Mutex<Respond>,
    received: Mutex<Vec<Received>>,
    arrived: watch::Sender<usize>,
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Backend {
    pub(crate) async fn responding(status: u16, body: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (arrived, arrivals) = watch::channel(0);
        let script = Arc::new(Script {
            next: Mutex::default(),
            otherwise: Mutex::new(Respond::Json(status, body)),
            received: Mutex::default(),
            arrived,
        });
        let address = listener.local_addr().unwrap();
        Self { address, accepting: tokio::spawn(accept(listener, script.clone())), script, arrivals }
    }

    /// From now on it responds so, after what [`Self::then`] queued.
    pub(crate) fn responds(&self, response: Respond) {
        *self.script.otherwise.lock().unwrap() = response;
    }

    /// Its next response, once.
    pub(crate) fn then(&self, response: Respond) -> &Self {
        self.script.next.lock().unwrap().push_back(response);
        self
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.script.received.lock().unwrap().clone()
    }

    pub(crate) async fn has_received(&mut self, number: usize) {
        timeout(DEADLINE, self.arrivals.wait_for(|received| *received >= number)).await.unwrap().unwrap();
    }

    /// Hooks of this backend, with fast timers.
    pub(crate) fn hooks<const N: usize>(
        &self,
        names: [HookName; N],
        change: impl FnOnce(&mut HttpHooksConfig),
    ) -> HttpHooks {
        let mut config = HttpHooksConfig::new();
        for name in names {
            let mut hook = HookConfig::new(name, format!("http://{}/{}", self.address, name.as_str()));
            (hook.timeout, hook.attempt_timeout) = (DEADLINE, DEADLINE);
            config.hooks.insert(name, hook);
        }
        config.secrets.push(SigningSecret::new(SECRET).unwrap());
        change(&mut config);
        HttpHooks::start(&config).unwrap()
    }
}

async fn accept(listener: TcpListener, script: Arc<Script>) {
    while let Ok((socket, _)) = listener.accept().await {
        tokio::spawn(serve(socket, script.clone()));
    }
}

async fn serve(socket: TcpStream, script: Arc<Script>) -> Option<()> {
    let mut socket = BufReader::new(socket);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        socket.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut lines = lines.into_iter();
    let line = lines.next()?;
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned())))
        .collect();
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    socket.read_exact(&mut body).await.ok()?;
    let response = script.next.lock().unwrap().pop_front().unwrap_or_else(|| script.otherwise.lock().unwrap().clone());
    script.received.lock().unwrap().push(Received { line, headers, raw: String::from_utf8(body).unwrap() });
    script.arrived.send_modify(|number| *number += 1);
    let (status, kind, body) = match response {
        Respond::Json(status, body) => (status, "application/json; charset=utf-8", body.to_string()),
        Respond::Text(status, kind, body) => (status, kind, body),
        Respond::RedirectTo(url) => {
            let text = format!("HTTP/1.1 307 -\r\nlocation: {url}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            return socket.write_all(text.as_bytes()).await.ok();
        }
        Respond::Silence => {
            let _ = socket.read_u8().await;
            return None;
        }
        Respond::Hangup => return None,
        Respond::After(mut gate, body) => {
            gate.wait_for(|open| *open).await.ok()?;
            (200, "application/json", body.to_string())
        }
    };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    socket.write_all((head + &body).as_bytes()).await.ok()
}

pub(crate) fn attempt(user: &str) -> ConnectAttempt {
    let claims: JwtClaims = serde_json::from_value(json!({"sub": user, "roles": ["member"], "jti": "t1"})).unwrap();
    ConnectAttempt::new(claims)
}

pub(crate) fn connection() -> Arc<Connection> {
    Arc::new(
        serde_json::from_value(json!({
            "id": "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e", "user": "alice", "roles": ["member"], "client": "tab-1",
            "created_at": "2026-11-23T13:00:00.123Z",
        }))
        .unwrap(),
    )
}

pub(crate) fn context() -> HookContext {
    HookContext::new(Arc::new(MockRealtimeService::new()), connection())
}

pub(crate) fn subscribe(topic: &str) -> AccessRequest {
    AccessRequest::new(GrantAction::Subscribe, Topic::new(topic).unwrap())
}
