//! The bus between the nodes of a world, as a script: each node's link can be delayed and cut.

use std::{
    collections::VecDeque,
    fmt, io,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use realtime_ports::{BusError, Delivery, MessageBus, Published};
use realtime_schema::Envelope;
use tokio::time::{Instant, sleep_until};

use crate::{audit::Audit, lock};

/// Most envelopes on their way to one node; more are lost, as on a link that is cut.
const MAX_ON_THE_WAY: usize = 65_536;

/// Carries every publication to every node, in one order for each node. A node takes its own publications at once;
/// the others as their links allow.
#[derive(Clone)]
pub struct Broker(Arc<Shared>);

struct Shared {
    links: Mutex<Vec<Link>>,
    audit: Option<Arc<Audit>>,
}

/// The link of one node to the others.
#[derive(Default)]
struct Link {
    delivery: Option<Arc<dyn Delivery>>,
    delay: Duration,
    cut: bool,
    on_the_way: VecDeque<(Instant, Arc<Envelope>)>,
    lost: u64,
}

/// The end of the [`Broker`] at one node.
pub struct NodeBus {
    broker: Broker,
    node: usize,
}

impl Broker {
    /// A broker between so many nodes, whose links are up and have no delay.
    pub fn new(nodes: usize) -> Self {
        Self::with(nodes, None)
    }

    pub(crate) fn audited(nodes: usize, audit: Arc<Audit>) -> Self {
        Self::with(nodes, Some(audit))
    }

    fn with(nodes: usize, audit: Option<Arc<Audit>>) -> Self {
        Self(Arc::new(Shared { links: Mutex::new((0..nodes).map(|_| Link::default()).collect()), audit }))
    }

    /// The bus of a node, by the node's index.
    pub fn bus(&self, node: usize) -> NodeBus {
        NodeBus { broker: self.clone(), node }
    }

    /// From now on the publications of other nodes reach this one so much later. Order is kept.
    ///
    /// # Panics
    /// There is no such node.
    pub fn delay(&self, node: usize, delay: Duration) {
        lock(&self.0.links)[node].delay = delay;
    }

    /// The link of a node is gone: its publications fail, and those of the others are lost on it, with what is on its
    /// way.
    ///
    /// # Panics
    /// There is no such node.
    pub fn cut(&self, node: usize) {
        let link = &mut lock(&self.0.links)[node];
        link.cut = true;
        link.lost += std::mem::take(&mut link.on_the_way).len() as u64;
    }

    /// The link of a node is back.
    ///
    /// # Panics
    /// There is no such node.
    pub fn restore(&self, node: usize) {
        lock(&self.0.links)[node].cut = false;
    }

    /// How many publications of other nodes were lost on the link of a node.
    ///
    /// # Panics
    /// There is no such node.
    pub fn lost(&self, node: usize) -> u64 {
        lock(&self.0.links)[node].lost
    }

    /// Hands over what has arrived at a node.
    fn arrive(&self, node: usize) {
        loop {
            let (delivery, envelope) = {
                let link = &mut lock(&self.0.links)[node];
                let due = link.on_the_way.front().is_some_and(|(due, _)| *due <= Instant::now());
                let Some(delivery) = link.delivery.clone().filter(|_| due) else { return };
                let Some((_, envelope)) = link.on_the_way.pop_front() else { return };
                (delivery, envelope)
            };
            delivery.deliver(&envelope);
        }
    }

    /// Sends envelopes to a node that did not publish them.
    fn carry(&self, node: usize, envelopes: &[Arc<Envelope>]) {
        let link = &mut lock(&self.0.links)[node];
        if link.delivery.is_none() {
            return;
        }
        for envelope in envelopes {
            if link.cut || link.on_the_way.len() == MAX_ON_THE_WAY {
                link.lost += 1;
                continue;
            }
            let due = Instant::now() + link.delay;
            let due = link.on_the_way.back().map_or(due, |(last, _)| due.max(*last));
            link.on_the_way.push_back((due, envelope.clone()));
            let broker = self.clone();
            tokio::spawn(async move {
                sleep_until(due).await;
                broker.arrive(node);
            });
        }
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("nodes", &lock(&self.0.links).len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for NodeBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeBus").field("node", &self.node).finish_non_exhaustive()
    }
}

#[async_trait]
impl MessageBus for NodeBus {
    async fn start(&self, delivery: Arc<dyn Delivery>) -> Result<(), BusError> {
        let link = &mut lock(&self.broker.0.links)[self.node];
        if link.delivery.is_some() {
            return Err(BusError::Misused("started twice"));
        }
        link.delivery = Some(delivery);
        Ok(())
    }

    fn reaches_other_nodes(&self) -> bool {
        lock(&self.broker.0.links).len() > 1
    }

    async fn publish(&self, envelope: Arc<Envelope>) -> Result<Published, BusError> {
        self.publish_batch(vec![envelope]).await.pop().unwrap_or(Err(BusError::Misused("given no envelope")))
    }

    async fn publish_batch(&self, envelopes: Vec<Arc<Envelope>>) -> Vec<Result<Published, BusError>> {
        let (delivery, others) = {
            let links = lock(&self.broker.0.links);
            let link = &links[self.node];
            let error = if link.delivery.is_none() {
                Some(BusError::Misused("published to before it was started"))
            } else if link.cut {
                Some(BusError::Unavailable(Arc::new(io::Error::from(io::ErrorKind::NotConnected))))
            } else {
                None
            };
            match (error, link.delivery.clone()) {
                (None, Some(delivery)) => (delivery, links.len() > 1),
                (error, _) => {
                    let error = error.unwrap_or(BusError::Misused("published to before it was started"));
                    return vec![Err(error); envelopes.len()];
                }
            }
        };
        if let Some(audit) = &self.broker.0.audit {
            envelopes.iter().for_each(|envelope| audit.published(envelope));
        }
        let counts = delivery.deliver_batch(&envelopes);
        let nodes = lock(&self.broker.0.links).len();
        (0..nodes).filter(|node| *node != self.node).for_each(|node| self.broker.carry(node, &envelopes));
        let published = |delivered| {
            let mut published = Published::locally(delivered);
            published.other_nodes = others;
            Ok(published)
        };
        counts.into_iter().map(published).collect()
    }
}
