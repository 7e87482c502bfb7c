//! The application's hooks into the life of a connection.

use std::{error::Error, fmt, sync::Arc};

use async_trait::async_trait;
use realtime_core::{
    auth::{ConnectAttempt, ConnectDecision},
    client_message::{ClientMessage, Handled},
};
use realtime_schema::{CloseCode, Connection};

use crate::service::RealtimeService;

/// An error of the application.
pub type HookError = Box<dyn Error + Send + Sync>;

/// The context of a hook: the connection, and the service to publish, subscribe and disconnect with.
///
/// A new one is made for each call. A task that the hook spawns may keep it. The handler must not store the service in a
/// field: the service holds the handler, so neither would ever be freed.
#[derive(Clone)]
#[non_exhaustive]
pub struct HookContext {
    /// The service that the connection belongs to.
    pub service: Arc<dyn RealtimeService>,
    /// The connection's record at this moment: its user, roles, client and metadata.
    pub connection: Arc<Connection>,
}

impl HookContext {
    /// A context of `connection`, which tests of a handler make themselves, with a mock of the service.
    pub fn new(service: Arc<dyn RealtimeService>, connection: Arc<Connection>) -> Self {
        Self { service, connection }
    }
}

impl fmt::Debug for HookContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookContext").field("connection", &self.connection).finish_non_exhaustive()
    }
}

/// Hooks into the life of a connection, each with a default that does nothing. Cold: they run in the connection's
/// own task, one at a time. The connection's next command waits for a hook; publications to the connection do not.
///
/// Except for [`Self::on_connect`], an error is logged with the connection's id and does not close the connection. A hook that takes longer than the
/// service's `hook_timeout` is dropped at its next `await`, and so is one whose connection ends; work that must be
/// completed belongs in a task of its own.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait ConnectionHandler: Send + Sync {
    /// Called when a client wants to connect and its token is valid, before its connection exists; and again when a
    /// connection gets a new token (`refresh`), then with the connection's id.
    ///
    /// The decision may refuse the client, or add roles, subscriptions and data to what its token says. An admitted client
    /// may still go away before it is connected: [`Self::on_open`] is called for those that are.
    ///
    /// # Errors
    /// An error of the application, which is logged. The client is refused, and may try again; a `refresh` fails with the
    /// error `unavailable`. The same happens to a hook that takes longer than `hook_timeout`.
    async fn on_connect(&self, attempt: ConnectAttempt) -> Result<ConnectDecision, HookError> {
        let _ = attempt;
        Ok(ConnectDecision::default())
    }

    /// Called after the `welcome` was queued and before the first command is read.
    async fn on_open(&self, context: HookContext) -> Result<(), HookError> {
        let _ = context;
        Ok(())
    }

    /// Called with each text message of the client that the rate limit admits, before the service handles it.
    ///
    /// - [`Handled::Pass`], the default: the service handles the message as without a hook. A `call` is then refused with
    ///   `unknown_action`.
    /// - [`Handled::Ack`] and [`Handled::Error`]: the client receives this reply with the id of its command, and the
    ///   service ignores the message. A message without an id gets no reply.
    ///
    /// A hook may reply to any message, not only to a `call`: for example, refuse a `subscribe`.
    ///
    /// # Errors
    /// An error of the application: a `call` gets the error `internal`, or `unavailable` if the hook took too long; any
    /// other message is handled as with [`Handled::Pass`]. The client is not sent the text of the error.
    async fn on_message(&self, context: HookContext, message: &ClientMessage) -> Result<Handled, HookError> {
        let _ = (context, message);
        Ok(Handled::Pass)
    }

    /// Called after the connection was unregistered, with the code of the close if there was one.
    async fn on_close(&self, context: HookContext, code: Option<CloseCode>) -> Result<(), HookError> {
        let _ = (context, code);
        Ok(())
    }
}
