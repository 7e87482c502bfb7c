//! The application's hooks into the life of a connection.

use std::{error::Error, sync::Arc};

use async_trait::async_trait;
use realtime_schema::{CloseCode, Connection};

/// An error of the application's own.
pub type HookError = Box<dyn Error + Send + Sync>;

/// Hooks into the life of a connection, each with a default that does nothing. Cold: they run in the connection's
/// own task, one at a time, and the connection's commands wait for them; what is published does not.
///
/// An error is logged with the connection's id and drops nothing. A hook that takes longer than the service's
/// `hook_timeout` is given up.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait ConnectionHandler: Send + Sync {
    /// After the `welcome` was queued and before the first command is read.
    async fn on_open(&self, connection: Arc<Connection>) -> Result<(), HookError> {
        let _ = connection;
        Ok(())
    }

    /// With each text message of the client, before it is acted on.
    async fn on_message(&self, connection: Arc<Connection>, text: &str) -> Result<(), HookError> {
        let _ = (connection, text);
        Ok(())
    }

    /// After the connection was unregistered, with the code of the close if there was one.
    async fn on_close(&self, connection: Arc<Connection>, code: Option<CloseCode>) -> Result<(), HookError> {
        let _ = (connection, code);
        Ok(())
    }
}
