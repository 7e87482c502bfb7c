//! Reads pages of histories for a connection.

use realtime_core::session::{HistoryOutcome, HistoryRequest};
use realtime_schema::{Connection, HistoryQuery, Route};

use super::resuming::route_of;
use crate::{
    node::Node,
    streams::{HistoryPart, PageRequest, PositionExpired},
};

/// Reads a page: `if_received` only if the connection receives the stream.
pub(super) fn read(
    node: &Node,
    connection: &Connection,
    request: &HistoryRequest,
    if_received: bool,
) -> HistoryOutcome {
    let Some(route) = route_of(connection, &request.stream) else { return HistoryOutcome::NotReceived };
    if if_received && !receives(node, connection, &route) {
        return HistoryOutcome::NotReceived;
    }
    if !node.streams.has_history(&route) {
        return HistoryOutcome::NoHistory;
    }
    let page = node.streams.page(
        &route,
        &PageRequest {
            since: request.since.clone(),
            limit: request.limit.unwrap_or(HistoryQuery::DEFAULT_LIMIT),
            reverse: request.reverse,
            client: connection.client.clone(),
        },
    );
    match page {
        Ok(HistoryPart { position, publications, more }) => HistoryOutcome::Page { position, publications, more },
        Err(PositionExpired { position }) => HistoryOutcome::PositionExpired { position },
    }
}

fn receives(node: &Node, connection: &Connection, route: &Route) -> bool {
    match route {
        Route::Topic(topic) => node.subscriptions.has(connection.id, topic),
        // The connection has the user, and has the role, or there would be no route.
        _ => true,
    }
}
