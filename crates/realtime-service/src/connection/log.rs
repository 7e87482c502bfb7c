//! The log lines of a connection: one when it begins, one when it ends.
//!
//! Both name the connection's id, so that an operator finds the address of a connection that has ended. The address is
//! in the first line alone.

use std::net::IpAddr;

use realtime_schema::{CloseCode, Connection};

use crate::node::Node;

/// Logs that a connection has begun.
pub(super) fn connected(node: &Node, connection: &Connection, address: Option<IpAddr>) {
    if node.settings.load().log_connections {
        let address = address.map(tracing::field::display);
        tracing::info!(connection = %connection.id, user = %connection.user, address, "connected");
    }
}

/// Logs that a connection has ended, after how long, and with which code if there was a close frame.
pub(super) fn disconnected(node: &Node, connection: &Connection, code: Option<CloseCode>, ended_by: &'static str) {
    if node.settings.load().log_connections {
        let duration_ms = node.clock.now().as_millis().saturating_sub(connection.created_at.as_millis());
        let code = code.map(|code| code.0);
        tracing::info!(
            connection = %connection.id,
            user = %connection.user,
            code,
            ended_by,
            duration_ms,
            "disconnected"
        );
    }
}
