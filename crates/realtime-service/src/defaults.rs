//! Constructors of the default adapters: the single node, in memory.

use std::sync::Arc;

use realtime_adapters::{
    jwt::SignedTickets,
    local::{LocalBus, LocalPubSub, LocalRegistry, SystemClock, UuidGenerator},
};
use realtime_ports::{Clock, ConnectionRegistry, IdGenerator, MessageBus, PubSubManager, StoredSecret, Tickets};

/// The connections, in memory.
pub(crate) fn registry() -> Arc<dyn ConnectionRegistry> {
    Arc::new(LocalRegistry::default())
}

/// The subscriptions, in memory.
pub(crate) fn pubsub() -> Arc<dyn PubSubManager> {
    Arc::new(LocalPubSub::default())
}

/// A bus for one node.
pub(crate) fn bus() -> Arc<dyn MessageBus> {
    Arc::new(LocalBus::default())
}

/// The system's clocks.
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::default())
}

/// UUIDs, version 7.
pub(crate) fn ids() -> Arc<dyn IdGenerator> {
    Arc::new(UuidGenerator::default())
}

/// A secret for resume tickets that is to be stored.
pub(crate) fn secret() -> StoredSecret {
    StoredSecret(SignedTickets::random_secret().into())
}

/// Resume tickets with a stored secret. One that is too short is not used.
pub(crate) fn tickets_with(secret: &StoredSecret) -> Arc<dyn Tickets> {
    SignedTickets::new([&*secret.0]).map_or_else(|_| tickets(), |tickets| Arc::new(tickets) as _)
}

/// Resume tickets with a secret of this process.
pub(crate) fn tickets() -> Arc<dyn Tickets> {
    Arc::new(SignedTickets::random())
}
