//! What the service manager is notified of: `Type=notify` of a systemd unit (sd_notify(3)). Without `NOTIFY_SOCKET`
//! nothing is sent.

/// A change of state that the service manager waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    /// The port is open.
    Ready,
    /// The config is being read again; [`Self::Ready`] follows.
    Reloading,
    /// The drain has begun.
    Stopping,
}

/// Sends `change`. A failure is logged and has no other effect.
pub(crate) fn notify(change: Change) {
    #[cfg(unix)]
    if let Err(error) = send(change) {
        tracing::warn!(%error, ?change, "can't notify the service manager");
    }
    #[cfg(not(unix))]
    let _ = change;
}

#[cfg(unix)]
fn send(change: Change) -> std::io::Result<()> {
    use sd_notify::{NotifyState, notify};

    match change {
        Change::Ready => notify(&[NotifyState::Ready]),
        // systemd compares the time with that of its own request, to match the two.
        Change::Reloading => notify(&[NotifyState::Reloading, NotifyState::monotonic_usec_now()?]),
        Change::Stopping => notify(&[NotifyState::Stopping]),
    }
}
