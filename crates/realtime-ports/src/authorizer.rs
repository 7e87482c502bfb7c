//! The application's authorizer: what a client may do where neither its token nor a namespace allows it.

use std::sync::Arc;

use async_trait::async_trait;
use realtime_core::access::{AccessDecision, AccessRequest};
use realtime_schema::Connection;

use crate::handler::HookError;

/// Decides what a client may do. Cold: asked once per command, and only where neither a grant of the token nor a
/// namespace allows it; never per message that is delivered.
///
/// What it allowed is not remembered for the next command. A subscription that it allowed is asked about again when the
/// connection gets a new token (`refresh`), and ends if it is no longer allowed.
///
/// An authorizer that takes longer than the service's `hook_timeout` is dropped at its next `await`, and so is one whose
/// connection ends. One with a limit of its own for concurrent questions should refuse those over it with an error.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait Authorizer: Send + Sync {
    /// Whether `connection` may do what `request` says.
    ///
    /// # Errors
    /// The authorizer can't decide now. The client then gets the error `unavailable` and may try again; a subscription
    /// that is asked about again ends. The client is not sent the text of the error.
    async fn authorize(&self, connection: Arc<Connection>, request: AccessRequest)
    -> Result<AccessDecision, HookError>;
}
