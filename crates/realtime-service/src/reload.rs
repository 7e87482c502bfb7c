//! New settings for a node that runs.

use std::sync::Arc;

use crate::{node::Node, outbound::OutboundShared, settings::Settings};

/// Replaces the settings. See [`Service::reload`](crate::Service::reload) for what follows them at once.
pub(crate) fn reload(node: &Node, settings: Settings) {
    node.sessions.store(settings.for_sessions(node.authorizations.are_asked()));
    node.queues.store(Arc::new(OutboundShared { limits: settings.for_queues(), metrics: node.metrics.clone() }));
    // Before, so that a stream that gets its history again begins anew; and after, for one that has none from now on.
    let others = node.settings.load().namespaces != settings.namespaces;
    if others {
        node.streams.forget_without_history();
    }
    node.settings.store(Arc::new(settings));
    if others {
        node.streams.forget_without_history();
    }
}
