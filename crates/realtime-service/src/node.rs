//! The parts of a node, as a struct with next to no behaviour: each part does its own work, and the connections and the
//! service's handle reach them through this.

use std::sync::Arc;

use arc_swap::ArcSwap;
use realtime_core::session::SessionSettings;
use realtime_ports::{Clock, ConnectionHandler, IdGenerator, RealtimeService, Tickets};
use realtime_schema::{Connection, Gap, NodeId, Timestamp};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    admission::Admissions,
    authorization::Authorizations,
    connections::Connections,
    control::ControlFrames,
    journal::Journal,
    metrics::{Metrics, add},
    outbound::OutboundShared,
    page_turns::PageTurns,
    presence::Presence,
    publish::Publisher,
    publish_rates::PublishRates,
    recent::Recent,
    revocations::Revocations,
    settings::LiveSettings,
    streams::Streams,
    subscriptions::Subscriptions,
    trace::Traces,
    user_topics::UserTopics,
};

/// The application's hooks.
pub(crate) struct Hooks {
    pub(crate) handler: Arc<dyn ConnectionHandler>,
    /// Makes the handle of the service that a hook is called with. Not a handle itself: a node that kept one would never
    /// be freed.
    pub(crate) service: fn(Arc<Node>) -> Arc<dyn RealtimeService>,
}

/// The parts of a node.
pub(crate) struct Node {
    /// Identifies the node among all nodes.
    pub(crate) id: NodeId,
    pub(crate) started_at: Timestamp,
    /// The settings now; a reload replaces them.
    pub(crate) settings: LiveSettings,
    /// What new sessions share.
    pub(crate) sessions: ArcSwap<SessionSettings>,
    /// What the queues of new connections share.
    pub(crate) queues: ArcSwap<OutboundShared>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdGenerator>,
    pub(crate) tickets: Arc<dyn Tickets>,
    pub(crate) hooks: Option<Hooks>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) control: ControlFrames,
    pub(crate) admissions: Admissions,
    pub(crate) authorizations: Authorizations,
    pub(crate) revocations: Arc<Revocations>,
    pub(crate) streams: Arc<Streams>,
    /// The way to the durable store; `None` without one.
    pub(crate) journal: Option<Arc<Journal>>,
    pub(crate) page_turns: PageTurns,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) user_topics: Arc<UserTopics>,
    pub(crate) recent: Arc<Recent>,
    pub(crate) traces: Arc<Traces>,
    pub(crate) connections: Connections,
    pub(crate) presence: Arc<Presence>,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) publish_rates: PublishRates,
    /// Removes what has expired from the histories.
    pub(crate) _expiry: AbortOnDropHandle<()>,
}

impl Node {
    /// A client is sent a gap.
    pub(crate) fn gap(&self, connection: &Connection, gap: &Gap) {
        add(&self.metrics.gaps_total, 1);
        self.traces.gap(connection, gap);
    }
}
