//! What a connection waits for beside its socket.

use std::{future::Future, pin::Pin};

use realtime_core::session::Input;

/// A future that is boxed because it is rare: an idle connection should not pay for its size.
pub(super) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A pending command or hook of a connection; its outcome is an input to the session, if it has one.
pub(super) type Pending = Boxed<Option<Input>>;

/// When the outcome of a command comes.
pub(super) enum Outcome {
    /// At once.
    Now(Input),
    /// When this is done.
    Later(Pending),
    /// Never: it has none.
    Nothing,
}
