//! How a world is made.

use std::sync::{Arc, atomic::AtomicU64};

use realtime_adapters::{
    jwt::SignedTickets,
    local::{LocalPubSub, LocalRegistry},
};
use realtime_ports::{Clock, ConnectionHandler, JwtVerifier};
use realtime_schema::Timestamp;
use realtime_service::{Service, ServiceBuilder, Settings};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::{
    audit::Audit,
    broker::Broker,
    clock::VirtualClock,
    network::Network,
    node::{Node, Tables},
    scene::Scene,
    seed::{SeededIds, derive},
    tokens::TestTokens,
    trace::Trace,
    world::World,
};

type Ports = Box<dyn FnMut(usize, ServiceBuilder) -> ServiceBuilder>;

/// Makes a [`World`]. By default it has one node, the default [`Settings`], seed 0 and a network without latency.
pub struct WorldBuilder {
    seed: u64,
    nodes: usize,
    settings: Settings,
    network: Network,
    start: Timestamp,
    handler: Option<Arc<dyn ConnectionHandler>>,
    verifier: Option<Arc<dyn JwtVerifier>>,
    ports: Option<Ports>,
}

impl World {
    /// One node with the default settings.
    ///
    /// # Panics
    /// The runtime's clock is not paused: see [`WorldBuilder::build`].
    pub async fn new(seed: u64) -> Self {
        Self::builder().seed(seed).build().await
    }

    /// Begins to make a world.
    pub fn builder() -> WorldBuilder {
        WorldBuilder::default()
    }
}

impl Default for WorldBuilder {
    fn default() -> Self {
        Self {
            seed: 0,
            nodes: 1,
            settings: Settings::default(),
            network: Network::default(),
            start: Timestamp::from_millis(VirtualClock::START * 1000),
            handler: None,
            verifier: None,
            ports: None,
        }
    }
}

impl std::fmt::Debug for WorldBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorldBuilder").field("seed", &self.seed).field("nodes", &self.nodes).finish_non_exhaustive()
    }
}

impl WorldBuilder {
    /// Decides all that is random: ids, jitter, the order between connections.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many nodes there are, with a [`Broker`] between them.
    #[must_use]
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// Changes the settings of every node, from the default or from those before.
    #[must_use]
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// The network of clients that have none of their own.
    #[must_use]
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// The wall clock when the world begins. [`VirtualClock::START`] by default.
    #[must_use]
    pub fn starts_at(mut self, start: Timestamp) -> Self {
        self.start = start;
        self
    }

    /// The hooks of your application.
    #[must_use]
    pub fn handler(mut self, handler: Arc<dyn ConnectionHandler>) -> Self {
        self.handler = Some(handler);
        self
    }

    /// The verifier of your application. Clients then need tokens that it accepts: see
    /// [`ClientBuilder::token`](crate::ClientBuilder::token). By default the world issues tokens itself.
    #[must_use]
    pub fn verifier(mut self, verifier: Arc<dyn JwtVerifier>) -> Self {
        self.verifier = Some(verifier);
        self
    }

    /// Other ports of a node, by its index: a registry, a clock, a bus. With them [`World::check`] compares less, and
    /// runs repeat only as far as the ports do.
    #[must_use]
    pub fn ports(mut self, ports: impl FnMut(usize, ServiceBuilder) -> ServiceBuilder + 'static) -> Self {
        self.ports = Some(Box::new(ports));
        self
    }

    /// Starts the nodes.
    ///
    /// # Panics
    /// The runtime has more than one thread or its clock is not paused: write `#[tokio::test(start_paused = true)]`, or
    /// use [`run`](crate::run). Or a port of your own does not start.
    pub async fn build(mut self) -> World {
        let single =
            Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::CurrentThread);
        assert!(single, "a world needs a runtime with one thread: `#[tokio::test(start_paused = true)]`");
        // Panics if the clock is not paused.
        tokio::time::advance(std::time::Duration::ZERO).await;

        let (clock, audit) = (Arc::new(VirtualClock::starting_at(self.start)), Arc::new(Audit::default()));
        let tokens = Arc::new(TestTokens::new());
        let broker = Broker::audited(self.nodes, audit.clone());
        let mut nodes = Vec::with_capacity(self.nodes);
        for index in 0..self.nodes {
            nodes.push(self.node(index, &clock, &tokens, &broker).await);
        }
        let scene = Scene {
            seed: self.seed,
            network: self.network,
            clock,
            trace: Trace::default(),
            audit,
            tokens,
            own_verifier: self.verifier.is_some(),
            connections: AtomicU64::new(0),
        };
        World::new_of(scene, nodes, broker)
    }

    async fn node(
        &mut self,
        index: usize,
        clock: &Arc<VirtualClock>,
        tokens: &Arc<TestTokens>,
        broker: &Broker,
    ) -> Node {
        // Connections are numbered from 1, and have the numbers below 2^32.
        let seed = derive(self.seed, (1 << 32) + index as u64);
        let tables = Tables {
            registry: Arc::new(LocalRegistry::with_seed(derive(seed, 0))),
            pubsub: Arc::new(LocalPubSub::with_seed(derive(seed, 1))),
            queue_bytes: usize::try_from(self.settings.limits.queue_bytes).unwrap_or(usize::MAX),
        };
        let clock: Arc<dyn Clock> = clock.clone();
        let mut builder = Service::builder()
            .settings(self.settings.clone())
            .verifier(self.verifier.clone().unwrap_or_else(|| tokens.clone()))
            .registry(tables.registry.clone())
            .pubsub(tables.pubsub.clone())
            .bus(Arc::new(broker.bus(index)))
            .ids(Arc::new(SeededIds::new(derive(seed, 2), clock.clone())))
            .tickets(Arc::new(tickets(self.seed)))
            .clock(clock);
        if let Some(handler) = &self.handler {
            builder = builder.handler(handler.clone());
        }
        let own = self.ports.is_some();
        if let Some(ports) = &mut self.ports {
            builder = ports(index, builder);
        }
        let service = builder.build().await.unwrap_or_else(|error| panic!("node {index} does not start: {error}"));
        Node { index, service, tables: (!own).then_some(tables) }
    }
}

/// The tickets of all nodes of a world: one secret, and the same in each run.
fn tickets(seed: u64) -> SignedTickets {
    let secret = (0..4).flat_map(|part| derive(seed, (1 << 33) + part).to_le_bytes()).collect::<Vec<_>>();
    SignedTickets::new([secret]).expect("a secret of 32 bytes")
}
