//! One task per connection: read, decide, carry out, and write what waits.

use std::{future::Future, sync::Arc};

use realtime_core::auth::{ConnectRequest, Refusal};
use realtime_ports::{Socket, WebSocketConnection};
use realtime_schema::{Connection, PingMode};

use crate::{admission::Admission, node::Node};

mod close;
mod driver;
mod effects;
mod history;
mod hooks;
mod log;
mod mailbox;
mod opening;
mod pending;
mod publishing;
mod resuming;
mod running;
mod slow_path;
mod slow_reader;

use driver::Driver;
use mailbox::Mailbox;
use opening::{NotOpened, open};
use running::Running;

/// Opens one connection, and returns the future that runs it until it ends.
pub(crate) fn serve<S: Socket>(
    node: Arc<Node>,
    admission: Admission,
    socket: S,
) -> impl Future<Output = ()> + Send + use<S> {
    match open(&node, node.ids.connection_id(), admission) {
        Ok(opened) => Running::new(Driver::new(node, opened, socket)),
        Err(refusal) => Running::not_opened(NotOpened { node, socket, refusal }),
    }
}

/// Admits a client, and runs its connection over `socket`, which the application serves.
pub(crate) async fn connect(
    node: &Arc<Node>,
    request: &ConnectRequest,
    socket: Arc<dyn WebSocketConnection>,
) -> Result<Arc<Connection>, Refusal> {
    let mut admission = node.admissions.admit(request).await?;
    // A mailbox has no way in: only a ping of the socket can be answered.
    admission.ping = PingMode::Frame;
    admission.client = admission.client.or_else(|| socket.client());
    let opened = open(node, socket.id(), admission)?;
    let connection = opened.connection.clone();
    tokio::spawn(Running::new(Driver::new(node.clone(), opened, Mailbox::new(socket))));
    Ok(connection)
}
