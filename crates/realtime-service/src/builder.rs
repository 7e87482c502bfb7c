//! Composes the ports into a service.

use std::sync::Arc;

use realtime_ports::{
    BusError, Clock, ConnectionHandler, ConnectionRegistry, IdGenerator, JwtVerifier, MessageBus, PubSubManager,
};
use realtime_schema::NodeId;

use crate::{
    admission::Admissions,
    hub::Hub,
    idempotency::Receipts,
    intern::Names,
    metrics::Metrics,
    outbound::OutboundShared,
    service::{Inner, Service},
    settings::Settings,
};

/// Builds a [`Service`]. The verifier is always the application's to give; with the feature `default-adapters`
/// every other port has a default, the in-memory node of realtime-adapters.
#[derive(Default)]
pub struct ServiceBuilder {
    settings: Settings,
    verifier: Option<Arc<dyn JwtVerifier>>,
    registry: Option<Arc<dyn ConnectionRegistry>>,
    pubsub: Option<Arc<dyn PubSubManager>>,
    bus: Option<Arc<dyn MessageBus>>,
    clock: Option<Arc<dyn Clock>>,
    ids: Option<Arc<dyn IdGenerator>>,
    handler: Option<Arc<dyn ConnectionHandler>>,
}

/// Why a service was not built.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BuildError {
    /// A port has no adapter.
    #[error("no {0} was given: call ServiceBuilder::{0}, or enable the feature `default-adapters`")]
    Missing(&'static str),
    /// The bus did not start.
    #[error("the message bus did not start")]
    Bus(#[from] BusError),
}

macro_rules! ports {
    ($($(#[$doc:meta])* $name:ident: $port:ident;)*) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $name: Arc<dyn $port>) -> Self {
            self.$name = Some($name);
            self
        })*
    };
}

impl ServiceBuilder {
    ports! {
        /// Who verifies tokens. Required.
        verifier: JwtVerifier;
        /// Who keeps the connections.
        registry: ConnectionRegistry;
        /// Who keeps the subscriptions.
        pubsub: PubSubManager;
        /// Who carries messages to the nodes.
        bus: MessageBus;
        /// What time it is.
        clock: Clock;
        /// Who makes identifiers.
        ids: IdGenerator;
        /// The application's hooks into the life of connections.
        handler: ConnectionHandler;
    }

    /// Limits, waits and policies.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Composes the service and starts its bus.
    ///
    /// # Errors
    /// A port without an adapter, or a bus that does not start.
    pub async fn build(self) -> Result<Service, BuildError> {
        #[cfg(feature = "default-adapters")]
        let this = crate::defaults::complete(self);
        #[cfg(not(feature = "default-adapters"))]
        let this = self;

        let settings = this.settings;
        let verifier = this.verifier.ok_or(BuildError::Missing("verifier"))?;
        let registry = this.registry.ok_or(BuildError::Missing("registry"))?;
        let pubsub = this.pubsub.ok_or(BuildError::Missing("pubsub"))?;
        let bus = this.bus.ok_or(BuildError::Missing("bus"))?;
        let clock = this.clock.ok_or(BuildError::Missing("clock"))?;
        let ids = this.ids.ok_or(BuildError::Missing("ids"))?;

        let metrics = Arc::new(Metrics::default());
        let hub = Hub {
            registry: registry.clone(),
            pubsub: pubsub.clone(),
            namespaces: settings.namespaces.clone(),
            metrics: metrics.clone(),
        };
        bus.start(Arc::new(hub)).await?;
        Ok(Service(Arc::new(Inner {
            sessions: settings.for_sessions(),
            node: NodeId(ids.message_id().0),
            admissions: Arc::new(Admissions::new(settings.admission.verifications)),
            names: Names::default(),
            outbound: Arc::new(OutboundShared { limits: settings.for_queues(), metrics: metrics.clone() }),
            receipts: Receipts::new(settings.publishing.idempotency_window, settings.publishing.idempotency_keys),
            batches: tokio::sync::Mutex::default(),
            lent: std::sync::Mutex::default(),
            handler: this.handler,
            settings,
            verifier,
            registry,
            pubsub,
            bus,
            clock,
            ids,
            metrics,
        })))
    }

    #[cfg(feature = "default-adapters")]
    pub(crate) fn defaults(
        mut self,
        registry: impl FnOnce() -> Arc<dyn ConnectionRegistry>,
        pubsub: impl FnOnce() -> Arc<dyn PubSubManager>,
        bus: impl FnOnce() -> Arc<dyn MessageBus>,
        clock: impl FnOnce() -> Arc<dyn Clock>,
        ids: impl FnOnce() -> Arc<dyn IdGenerator>,
    ) -> Self {
        self.registry.get_or_insert_with(registry);
        self.pubsub.get_or_insert_with(pubsub);
        self.bus.get_or_insert_with(bus);
        self.clock.get_or_insert_with(clock);
        self.ids.get_or_insert_with(ids);
        self
    }
}
