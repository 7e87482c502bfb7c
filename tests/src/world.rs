//! A server on a port of its own in this process, with a key for its API and an issuer of tokens.

use std::{net::SocketAddr, sync::Arc};

use realtime_ports::ConnectionHandler;
use realtime_server::{Config, Reloader, Server};
use realtime_service::Service;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    client::{Client, DEADLINE, Refusal},
    keys::Issuer,
    schemas,
};

const API_KEY: &str = "an-api-key-of-the-tests";

/// A running server and what it takes to use it. Dropping it stops the server.
pub struct World {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it listens for its metrics and health, if on an address of its own.
    pub admin: Option<SocketAddr>,
    /// Who signs the tokens.
    pub issuer: Issuer,
    /// The service inside.
    pub service: Service,
    /// The config that it was started with.
    pub config: Config,
    /// Gives it another config.
    pub reloader: Reloader,
    http: reqwest::Client,
    shutdown: CancellationToken,
    running: JoinHandle<usize>,
    _stop: DropGuard,
}

/// An answer of the HTTP API.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body as it came.
    pub text: String,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// It is not.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The body, which must be as the schema `name` says, of a request that must have been done.
    ///
    /// # Panics
    /// It was refused, or is not.
    pub fn ok(&self, name: &str) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        let json = self.json();
        schemas().check(name, &json);
        json
    }

    /// The problem of a request that must have been refused with `code`.
    ///
    /// # Panics
    /// It was not.
    pub fn refused(&self, code: &str) -> Value {
        let json = self.json();
        schemas().check("problem", &json);
        assert_eq!(json["code"], code, "{json}");
        assert_eq!(json["status"], self.status);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        json
    }
}

impl World {
    /// With the defaults and a shared secret.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With other settings.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::trusting(Issuer::hmac(), change).await
    }

    /// A server for development, with its live page.
    ///
    /// # Panics
    /// The server does not start.
    pub async fn dev() -> Self {
        let issuer = Issuer::hmac();
        let server = Server::bind_dev(Self::config(&issuer)).await;
        Self::of(server.unwrap_or_else(|error| panic!("the server does not start: {error}")), issuer)
    }

    /// With another issuer, and other settings.
    ///
    /// # Panics
    /// The server does not start.
    pub async fn trusting(issuer: Issuer, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Self::config(&issuer);
        change(&mut config);
        let server = Server::bind(config).await.unwrap_or_else(|error| panic!("the server does not start: {error}"));
        Self::of(server, issuer)
    }

    /// An application of the user's own, with `handler` as its hooks.
    ///
    /// # Panics
    /// The server does not start.
    pub async fn with_handler(handler: Arc<dyn ConnectionHandler>, change: impl FnOnce(&mut Config)) -> Self {
        let issuer = Issuer::hmac();
        let mut config = Self::config(&issuer);
        change(&mut config);
        let server = Server::bind_with(config, handler).await;
        Self::of(server.unwrap_or_else(|error| panic!("the server does not start: {error}")), issuer)
    }

    fn config(issuer: &Issuer) -> Config {
        let mut config = Config::default();
        config.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.api.keys = vec![SecretString::from(API_KEY)];
        issuer.trusted_by(&mut config);
        config
    }

    fn of(server: Server, issuer: Issuer) -> Self {
        let (address, admin, service) = (server.local_addr(), server.admin_addr(), server.service().clone());
        let (config, reloader) = (server.config().clone(), server.reloader());
        let shutdown = CancellationToken::new();
        let stopped = shutdown.clone();
        let running = tokio::spawn(async move { server.run(stopped).await.expect("a server that runs") });
        let http = reqwest::Client::builder().no_proxy().timeout(DEADLINE).build().expect("an HTTP client");
        Self {
            address,
            admin,
            issuer,
            service,
            config,
            reloader,
            http,
            running,
            _stop: shutdown.clone().drop_guard(),
            shutdown,
        }
    }

    /// A token of `user` with what is in `more`.
    pub fn token(&self, user: &str, more: &Value) -> String {
        self.issuer.token(user, more)
    }

    /// Connects `user` with a token that says nothing more.
    pub async fn connect(&self, user: &str) -> Client {
        self.connect_with(user, &json!({})).await
    }

    /// Connects `user` with a token that says `more`.
    ///
    /// # Panics
    /// It is refused.
    pub async fn connect_with(&self, user: &str, more: &Value) -> Client {
        let token = self.token(user, more);
        let connected = self.try_connect(&format!("/ws?token={token}"), &[]).await;
        connected.unwrap_or_else(|refusal| panic!("{user} was refused: {}", refusal.problem))
    }

    /// Connects `user` with the right to subscribe to what `pattern` matches.
    pub async fn connect_granted(&self, user: &str, pattern: &str) -> Client {
        self.connect_with(user, &json!({"grants": [format!("subscribe:{pattern}")]})).await
    }

    /// Connects as told.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn try_connect(&self, path: &str, headers: &[(&'static str, String)]) -> Result<Client, Refusal> {
        Client::connect(self.address, path, headers).await
    }

    /// A key that the HTTP API accepts.
    pub fn api_key(&self) -> &'static str {
        API_KEY
    }

    /// Publishes `payload` to `to`; returns how many connections took it.
    ///
    /// # Panics
    /// It is refused.
    pub async fn publish(&self, to: Value, kind: &str, payload: Value) -> u64 {
        let receipt = self.post("/api/v1/publish", json!({"to": to, "type": kind, "payload": payload})).await;
        receipt.ok("receipt")["delivered"].as_u64().expect("a count")
    }

    /// A POST to the API.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    /// A GET of the API.
    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    /// A PUT to the API.
    pub async fn put(&self, path: &str) -> Answer {
        self.call(Method::PUT, path, None).await
    }

    /// A DELETE of the API.
    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    /// A request with the API key.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let body = body.map(|json| json.to_string());
        self.call_as(Some(API_KEY), method, path, body).await
    }

    /// A request with any key or none, and any body.
    ///
    /// # Panics
    /// There is no answer.
    pub async fn call_as(&self, key: Option<&str>, method: Method, path: &str, body: Option<String>) -> Answer {
        let mut request = self.http.request(method, format!("http://{}{path}", self.address));
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, text: response.text().await.expect("a body") }
    }

    /// A gauge or counter of `/metrics`.
    ///
    /// # Panics
    /// There is no such one.
    pub async fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics").await.text;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().expect("a whole number")
    }

    /// Waits until a metric has a value.
    ///
    /// # Panics
    /// It never has.
    pub async fn until(&self, name: &str, value: u64) {
        let reached = async {
            while self.metric(name).await != value {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(DEADLINE, reached).await.is_err() {
            panic!("{name} is {} and never became {value}", self.metric(name).await);
        }
    }

    /// Tells the server to stop, as a signal does.
    pub fn stop(&self) {
        self.shutdown.cancel();
    }

    /// Waits until the server has stopped: how many connections it cut off.
    ///
    /// # Panics
    /// It does not stop.
    pub async fn stopped(self) -> usize {
        self.shutdown.cancel();
        tokio::time::timeout(DEADLINE, self.running).await.expect("a stop in time").expect("no panic")
    }
}
