//! Replaces the connection registry with one of the application: here, a map under one lock, which logs registrations.
//!
//! It passes the same conformance suite as the default registry.
//! `cargo run -p realtime-service --example custom_registry`

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use realtime_adapters::testing::{TestJwtVerifier, TestWebSocketConnection};
use realtime_core::{
    auth::ConnectRequest,
    connection::{ConnectionUpdate, has_role, updated},
};
use realtime_ports::{
    ConnectionRegistry, RealtimeService, RegisterError, Selection, SocketVisitor, WebSocketConnection, conformance,
};
use realtime_schema::{Connection, ConnectionId, JwtClaims, Payload, UserId};
use realtime_service::Service;

type Entry = (Arc<Connection>, Arc<dyn WebSocketConnection>);

/// Every connection by its id. Ids rise with the time of the connection.
#[derive(Default)]
struct LoggingRegistry(Mutex<BTreeMap<ConnectionId, Entry>>);

impl LoggingRegistry {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<ConnectionId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionRegistry for LoggingRegistry {
    fn register(&self, connection: Arc<Connection>, socket: Arc<dyn WebSocketConnection>) -> Result<(), RegisterError> {
        let mut entries = self.entries();
        if entries.contains_key(&connection.id) {
            return Err(RegisterError(connection.id));
        }
        println!("registered {} of {}", connection.id, connection.user);
        entries.insert(connection.id, (connection, socket));
        Ok(())
    }

    fn unregister(&self, id: ConnectionId) -> Option<Arc<Connection>> {
        self.entries().remove(&id).map(|(connection, _)| connection)
    }

    fn get(&self, id: ConnectionId) -> Option<Entry> {
        self.entries().get(&id).cloned()
    }

    fn update(&self, id: ConnectionId, change: ConnectionUpdate) -> Option<Arc<Connection>> {
        let mut entries = self.entries();
        let (connection, _) = entries.get_mut(&id)?;
        *connection = Arc::new(updated(connection, change));
        Some(connection.clone())
    }

    fn visit(&self, selection: &Selection, visitor: &mut dyn SocketVisitor) {
        for (connection, socket) in self.entries().values() {
            if is_selected(connection, selection) {
                visitor.visit(socket);
            }
        }
    }

    fn page(&self, selection: &Selection, after: Option<ConnectionId>, limit: usize) -> Vec<ConnectionId> {
        let entries = self.entries();
        let rest = entries.range((after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded));
        let selected = rest.filter(|(_, (connection, _))| is_selected(connection, selection));
        selected.map(|(id, _)| *id).take(limit).collect()
    }

    fn count(&self) -> usize {
        self.entries().len()
    }
}

fn is_selected(connection: &Connection, selection: &Selection) -> bool {
    match selection {
        Selection::All => true,
        Selection::User(user) => connection.user == *user,
        Selection::Role(role) => has_role(connection, role),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    conformance::registry::registry_conformance(LoggingRegistry::default);
    println!("it passes the conformance suite");

    let alice = UserId::new("alice")?;
    let verifier = TestJwtVerifier::new("t", JwtClaims::new(alice.clone()));
    let service =
        Service::builder().verifier(Arc::new(verifier)).registry(Arc::new(LoggingRegistry::default())).build().await?;

    let socket = Arc::new(TestWebSocketConnection::new("019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse()?));
    service.connect(ConnectRequest::with_token("t"), socket.clone()).await?;
    let receipt = service.send_to_user(alice, "greeting".parse()?, Payload::of(&"hello")?).await?;
    // The connection has a task of its own, which hands the frames to the socket.
    while socket.texts().len() < 2 {
        tokio::task::yield_now().await;
    }
    println!("delivered to {}: {:?}", receipt.delivered, socket.texts());
    assert_eq!(receipt.delivered, 1);
    Ok(())
}
