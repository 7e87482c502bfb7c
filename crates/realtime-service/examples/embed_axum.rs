//! Embeds Realtime in an axum application: one more route, and a handle to publish with.
//!
//! `cargo run -p realtime-service --example embed_axum`, then paste what it prints.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, Request, State},
    routing::{any, post},
};
use realtime_adapters::{
    testing::TestJwtVerifier,
    ws::{Origins, WsConfig},
};
use realtime_ports::RealtimeService;
use realtime_schema::{JwtClaims, Payload, UserId};
use realtime_service::{Service, endpoint};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A real application verifies JWTs: see the example `application`.
    let verifier = TestJwtVerifier::new("let-me-in", JwtClaims::new(UserId::new("alice")?));
    let service = Service::builder().verifier(Arc::new(verifier)).build().await?;
    let ws = Arc::new(WsConfig { origins: Origins::Any, ..WsConfig::default() });

    let app = Router::new()
        .route(
            "/ws",
            any(async move |State(service): State<Service>, request: Request| {
                endpoint::websocket(&service, &ws, None, request).await
            }),
        )
        .route(
            "/greet/{user}",
            post(async |State(service): State<Service>, Path(user): Path<String>| {
                let user = UserId::new(user).map_err(|error| error.to_string())?;
                let kind = "greeting".parse().expect("a valid type");
                let hello = Payload::of(&"hello").expect("a text is JSON");
                let receipt = service.send_to_user(user, kind, hello).await.map_err(|error| error.to_string())?;
                Ok::<_, String>(format!("delivered to {}\n", receipt.delivered))
            }),
        )
        .with_state(service);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("connect: ws://{address}/ws?token=let-me-in\npublish: curl -X POST http://{address}/greet/alice");
    axum::serve(listener, app).await?;
    Ok(())
}
