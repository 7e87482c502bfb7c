//! An application with Realtime in it: a shop whose clients connect with tokens that it signs, get a topic when they
//! connect, and call it. It stops with a drain.
//!
//! `APP_SECRET=$(openssl rand -hex 32) cargo run -p realtime-service --example application`, then follow what it prints.

use std::{
    env,
    error::Error,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use axum::{
    Router,
    extract::{ConnectInfo, Path, Request, State},
    routing::{any, get, post},
};
use jsonwebtoken::{EncodingKey, Header};
use realtime_adapters::{
    jwt::{Algorithm, JwtConfig, Key, KeySet, TokenVerifier},
    ws::WsConfig,
};
use realtime_core::client_message::{ClientMessage, Handled};
use realtime_ports::{ConnectionHandler, HookContext, HookError, RealtimeService};
use realtime_schema::{ErrorCode, Origin, Payload, Topic};
use realtime_service::{Service, endpoint};
use serde_json::json;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

/// The page at `/`: what to paste into its console. Pages of the application's own host may connect.
const PAGE: &str = r#"const token = await (await fetch("/login/alice", { method: "POST" })).text();
const socket = new WebSocket(`ws://${location.host}/ws`, ["realtime.v1", `bearer.${token}`]);
socket.onmessage = ({ data }) => console.log(data);
socket.onopen = () => socket.send(JSON.stringify({ action: "call", id: 1, name: "order.place", payload: "tea" }));
"#;

/// The state of the hooks. The service is not in it: each hook is called with the service.
#[derive(Default)]
struct Shop {
    orders: AtomicU64,
}

/// The topic of a user's orders, which each of the user's connections gets.
fn orders_of(user: &str) -> Result<Topic, String> {
    Topic::new(format!("orders:{user}")).map_err(|error| error.to_string())
}

#[async_trait]
impl ConnectionHandler for Shop {
    /// Gives each connection its user's topic, so that no client has to subscribe.
    async fn on_open(&self, HookContext { service, connection, .. }: HookContext) -> Result<(), HookError> {
        service.subscribe(connection.id, &orders_of(connection.user.as_str())?, Origin::Server).await?;
        Ok(())
    }

    /// Answers the call `order.place`; Realtime handles every other message.
    async fn on_message(&self, context: HookContext, message: &ClientMessage) -> Result<Handled, HookError> {
        let Some(call) = message.call().filter(|call| call.name == Some("order.place")) else {
            return Ok(Handled::Pass);
        };
        let Ok(item) = call.read::<String>() else {
            return Ok(Handled::error(ErrorCode::PayloadInvalid, "`payload` must be the name of an item"));
        };
        let number = self.orders.fetch_add(1, Ordering::Relaxed) + 1;
        let placed = Payload::of(&json!({"order": number, "item": item}))?;
        let topic = orders_of(context.connection.user.as_str())?;
        context.service.publish_to_topic(topic, "order-placed".parse()?, placed).await?;
        Ok(Handled::ack(&json!({"order": number}))?)
    }
}

/// The state of the routes.
#[derive(Clone)]
struct Shared {
    service: Service,
    ws: Arc<WsConfig>,
    signing: EncodingKey,
}

/// The application, and the service in it. `secret` signs and verifies the tokens; it has 32 bytes or more.
pub(crate) async fn application(secret: &str) -> Result<(Router, Service), Box<dyn Error>> {
    let key = Key::hmac(Algorithm::HS256, secret.as_bytes())?;
    let verifier = TokenVerifier::new(JwtConfig::default(), KeySet::from(key))?;
    let service = Service::builder().verifier(Arc::new(verifier)).handler(Arc::new(Shop::default())).build().await?;
    // By default, pages of this application's own host may connect; `origins` admits others.
    let ws = Arc::new(WsConfig::default());
    let signing = EncodingKey::from_secret(secret.as_bytes());
    let app = Router::new()
        .route("/", get(async || PAGE))
        .route("/ws", any(websocket))
        .route("/login/{user}", post(login))
        .route("/orders/{user}/{order}/ship", post(ship))
        .with_state(Shared { service: service.clone(), ws, signing });
    Ok((app, service))
}

async fn websocket(
    State(shared): State<Shared>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
) -> axum::response::Response {
    // The address counts for the limit of connections per address. Behind a proxy, pass the address that it names.
    let response = endpoint::websocket(&shared.service, &shared.ws, Some(client.ip()), request).await;
    response.map(axum::body::Body::new)
}

/// Returns a token for an hour. A real application checks a password first.
async fn login(State(shared): State<Shared>, Path(user): Path<String>) -> Result<String, String> {
    let now = SystemTime::UNIX_EPOCH.elapsed().map_err(|error| error.to_string())?;
    let claims = json!({"sub": user, "exp": now.as_secs() + 3600});
    jsonwebtoken::encode(&Header::default(), &claims, &shared.signing).map_err(|error| error.to_string())
}

/// Publishes from a route, with the same service as the hooks.
async fn ship(State(shared): State<Shared>, Path((user, order)): Path<(String, u64)>) -> Result<String, String> {
    let kind = "order-shipped".parse().expect("a valid type");
    let payload = Payload::of(&json!({"order": order})).expect("JSON");
    let receipt = shared.service.publish_to_topic(orders_of(&user)?, kind, payload).await;
    receipt.map(|receipt| format!("delivered to {}\n", receipt.delivered)).map_err(|error| error.to_string())
}

/// Waits for SIGTERM, which service managers send, or for SIGINT (Ctrl-C). From now on neither ends the process at once.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let secret = env::var("APP_SECRET").map_err(|_| "set APP_SECRET to a secret of 32 bytes or more")?;
    let (app, service) = application(&secret).await?;
    let stop = stop_signal()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("open http://{address}/ in a browser and paste into its console what the page shows");
    println!("ship it: curl -X POST http://{address}/orders/alice/1/ship");

    // The drain asks every client to reconnect, to another node or after the restart, and waits until all have left.
    let drained = async move {
        stop.await;
        let left = service.drain(Duration::from_secs(10)).await;
        println!("drained; connections left: {left}");
    };
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).with_graceful_shutdown(drained).await?;
    Ok(())
}
