//! Composes the ports into a service.

use std::{mem, sync::Arc};

use arc_swap::ArcSwap;
use realtime_core::epoch::{Epoch, Epochs};
use realtime_ports::{
    Authorizer, BusError, Clock, ConnectionHandler, ConnectionRegistry, IdGenerator, JwtVerifier, LogStore, MessageBus,
    PayloadRules, PubSubManager, Record, StoreError, Tickets,
};

#[cfg(feature = "default-adapters")]
use crate::defaults;
use crate::{
    admission::Admissions,
    authorization::Authorizations,
    connections::Connections,
    control::ControlFrames,
    durable::Durable,
    hub::Hub,
    idempotency::Receipts,
    journal::Journal,
    metrics::Metrics,
    node::{Hooks, Node},
    outbound::OutboundShared,
    page_turns::PageTurns,
    presence::{Presence, PresenceParts},
    publish::{Payloads, Publisher, PublisherParts},
    publish_rates::PublishRates,
    recent::Recent,
    revocations::Revocations,
    service::Service,
    settings::Settings,
    streams::{Streams, StreamsParts},
    subscriptions::{Subscriptions, SubscriptionsParts},
    trace::Traces,
    user_topics::UserTopics,
};

/// Builds a [`Service`]. A verifier is required; with the feature `default-adapters` every other port has
/// a default, the in-memory node of realtime-adapters.
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
    tickets: Option<Arc<dyn Tickets>>,
    store: Option<Arc<dyn LogStore>>,
    authorizer: Option<Arc<dyn Authorizer>>,
    payload_rules: Option<Arc<dyn PayloadRules>>,
}

/// Why a service was not built.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A port has no adapter.
    #[error("no {0} was given: call ServiceBuilder::{0}, or enable the feature `default-adapters`")]
    Missing(&'static str),
    /// A namespace has a history, and the bus reaches other nodes, which would not know it.
    #[error("a namespace has a history, which this message bus does not support: it reaches other nodes")]
    History,
    /// The durable store can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
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

/// The adapter that was given, else the default one, else an error that names the port.
macro_rules! or_default {
    ($given:expr, $port:ident) => {{
        #[cfg(feature = "default-adapters")]
        let port = $given.unwrap_or_else(defaults::$port);
        #[cfg(not(feature = "default-adapters"))]
        let port = $given.ok_or(BuildError::Missing(stringify!($port)))?;
        port
    }};
}

impl ServiceBuilder {
    ports! {
        /// Verifies tokens. Required.
        verifier: JwtVerifier;
        /// Keeps the connections.
        registry: ConnectionRegistry;
        /// Keeps the subscriptions.
        pubsub: PubSubManager;
        /// Carries messages to the nodes.
        bus: MessageBus;
        /// Tells the time.
        clock: Clock;
        /// Makes identifiers.
        ids: IdGenerator;
        /// The application's hooks into the life of connections.
        handler: ConnectionHandler;
        /// Keeps histories, idempotency keys, revocations and the topics of users over a restart. By default they are kept
        /// in memory alone.
        store: LogStore;
        /// Signs resume tickets. By default with a secret that is drawn at start: then a restart, and another node,
        /// refuse the tickets.
        tickets: Tickets;
        /// Decides what a client may do where neither its token nor a namespace allows it. Without one it may not.
        authorizer: Authorizer;
        /// Decides which payloads may be published, whichever their source. Without it every payload may.
        /// [`Service::set_payload_rules`] replaces it.
        ///
        /// ```
        /// # use std::sync::Arc;
        /// # use realtime_adapters::testing::TestJwtVerifier;
        /// # use realtime_ports::{PayloadRules, PublishError, RealtimeService};
        /// # use realtime_schema::{Audience, FieldError, JwtClaims, MessageType, Payload, UserId};
        /// # use realtime_service::Service;
        /// /// Greetings are short. `realtime_contract::Contract` is made of JSON Schema files.
        /// struct Short;
        ///
        /// impl PayloadRules for Short {
        ///     fn check(&self, _: &Audience, kind: &MessageType, payload: &Payload) -> Result<(), Vec<FieldError>> {
        ///         let fits = kind.as_str() != "greeting" || payload.as_str().len() <= 20;
        ///         if fits { Ok(()) } else { Err(vec![FieldError::new("payload", "must have at most 20 bytes")]) }
        ///     }
        /// }
        ///
        /// # #[tokio::main(flavor = "current_thread")]
        /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
        /// # let alice = UserId::new("alice")?;
        /// # let verifier = Arc::new(TestJwtVerifier::new("let-me-in", JwtClaims::new(alice.clone())));
        /// let service = Service::builder().verifier(verifier).payload_rules(Arc::new(Short)).build().await?;
        /// let refused = service.send_to_user(alice, "greeting".parse()?, Payload::of(&"x".repeat(30))?).await;
        /// let Err(PublishError::Invalid(errors)) = refused else { panic!("it is too long") };
        /// assert_eq!(errors[0].path, "/payload");
        /// # Ok(())
        /// # }
        /// ```
        payload_rules: PayloadRules;
    }

    /// Limits, timeouts and policies.
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
        let settings = self.settings;
        let verifier = self.verifier.ok_or(BuildError::Missing("verifier"))?;
        let registry = or_default!(self.registry, registry);
        let pubsub = or_default!(self.pubsub, pubsub);
        let bus = or_default!(self.bus, bus);
        let clock = or_default!(self.clock, clock);
        let ids = or_default!(self.ids, ids);
        let mut durable = match &self.store {
            Some(store) => Some(Durable::load(store.clone()).await?),
            None => None,
        };
        let mut to_store = Vec::new();
        let tickets = match (self.tickets, &mut durable) {
            (Some(tickets), _) => tickets,
            #[cfg(feature = "default-adapters")]
            (None, Some(durable)) => {
                let secret = durable.secret.take().unwrap_or_else(|| {
                    let secret = defaults::secret();
                    to_store.push(Record::Secret(secret.clone()));
                    secret
                });
                defaults::tickets_with(&secret)
            }
            (None, _) => or_default!(None, tickets),
        };

        let metrics = Arc::new(Metrics::default());
        let sessions = ArcSwap::new(settings.for_sessions(self.authorizer.is_some()));
        let queues = ArcSwap::from_pointee(OutboundShared { limits: settings.for_queues(), metrics: metrics.clone() });
        let settings = Arc::new(ArcSwap::from_pointee(settings));
        let hub = Arc::new(Hub {
            registry: registry.clone(),
            pubsub: pubsub.clone(),
            settings: settings.clone(),
            metrics: metrics.clone(),
        });
        let keeps_history = !bus.reaches_other_nodes();
        if settings.load().namespaces.any_history() && !keeps_history {
            return Err(BuildError::History);
        }
        bus.start(hub.clone()).await?;

        let id = ids.node_id();
        let streams = Arc::new(Streams::new(StreamsParts {
            epochs: durable.as_ref().map_or_else(|| Epochs::new(Epoch(ids.random())), Durable::epochs),
            hub: hub.clone(),
            settings: settings.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            enabled: keeps_history,
            durable: durable.is_some(),
        }));
        let revocations = Arc::new(Revocations::new(settings.clone(), clock.clone(), ids.clone()));
        let mut receipts = Receipts::default();
        let (mut journal, mut topics_of_users) = (None, Vec::new());
        if let Some((mut durable, store)) = durable.zip(self.store) {
            durable.log();
            receipts = durable.receipts(clock.as_ref());
            revocations.restore(mem::take(&mut durable.revocations));
            topics_of_users = mem::take(&mut durable.user_topics);
            to_store.extend(streams.restore(durable.streams));
            let writer = Arc::new(Journal::start(store, streams.clone(), clock.clone(), settings.clone()));
            if !to_store.is_empty() {
                writer.store(to_store).await?;
            }
            journal = Some(writer);
        }
        let expiry = streams.expire_by_age();
        let control = ControlFrames { clock: clock.clone(), metrics: metrics.clone() };
        let recent = Arc::new(Recent::new(settings.clone()));
        let traces = Arc::new(Traces::new(registry.clone(), pubsub.clone(), settings.clone(), clock.clone()));
        let presence = Arc::new(Presence::new(PresenceParts {
            registry: registry.clone(),
            pubsub: pubsub.clone(),
            settings: settings.clone(),
            clock: clock.clone(),
            control: control.clone(),
            metrics: metrics.clone(),
        }));
        let subscriptions = Arc::new(Subscriptions::new(SubscriptionsParts {
            registry: registry.clone(),
            pubsub,
            bus: &bus,
            control: control.clone(),
            streams: streams.clone(),
            presence: presence.clone(),
            recent: recent.clone(),
            traces: traces.clone(),
        }));
        let user_topics = Arc::new(UserTopics::new(
            settings.clone(),
            registry.clone(),
            subscriptions.clone(),
            journal.clone(),
            topics_of_users,
        ));
        let publisher = Arc::new(Publisher::new(PublisherParts {
            node: id,
            settings: settings.clone(),
            bus,
            clock: clock.clone(),
            ids: ids.clone(),
            metrics: metrics.clone(),
            hub,
            streams: streams.clone(),
            journal: journal.clone(),
            recent: recent.clone(),
            traces: traces.clone(),
            payloads: Payloads::new(self.payload_rules, metrics.clone()),
            receipts,
        }));
        let admissions = Admissions::new(
            settings.clone(),
            verifier,
            self.handler.clone(),
            clock.clone(),
            metrics.clone(),
            revocations.clone(),
        );
        let authorizations = Authorizations::new(self.authorizer, settings.clone(), metrics.clone());
        Ok(Service(Arc::new(Node {
            id,
            started_at: clock.now(),
            sessions,
            queues,
            admissions,
            authorizations,
            revocations,
            connections: Connections::new(registry, subscriptions.clone(), traces.clone(), clock.clone()),
            hooks: self.handler.map(|handler| Hooks { handler, service: |node| Arc::new(Service(node)) }),
            settings,
            clock,
            ids,
            tickets,
            metrics,
            control,
            streams,
            journal,
            page_turns: PageTurns::start(),
            subscriptions,
            user_topics,
            presence,
            recent,
            traces,
            publisher,
            publish_rates: PublishRates::default(),
            _expiry: expiry,
        })))
    }
}

impl Service {
    /// Begins to build a service.
    pub fn builder() -> ServiceBuilder {
        ServiceBuilder::default()
    }
}
