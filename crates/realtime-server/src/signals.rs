//! The signals of the process: SIGTERM and SIGINT (Ctrl-C) stop it, SIGHUP reloads its config.

use std::{future::Future, io};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::service_manager::{Change, notify};

/// What a signal asks for.
enum Request {
    Stop,
    Reload,
}

/// Receives the signals from its creation on, so that none of them ends the process without a drain.
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    /// Sets the handlers.
    ///
    /// # Errors
    /// The system does not allow it.
    pub(crate) fn listen() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Ok(Self {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                hangup: signal(SignalKind::hangup())?,
            })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits for a signal to stop. A SIGHUP is ignored: before the start there is nothing to reload.
    pub(crate) async fn stop(&mut self) {
        while let Request::Reload = self.next().await {}
    }

    /// Runs `reload` at each SIGHUP, one at a time, and cancels `shutdown` at the first signal to stop. The second one
    /// ends the process at once.
    pub(crate) async fn run<F: Future<Output = ()> + Send + 'static>(
        mut self,
        shutdown: CancellationToken,
        reload: impl Fn() -> F,
    ) {
        let (mut running, mut again) = (None, false);
        loop {
            tokio::select! {
                request = self.next() => match request {
                    Request::Stop => break,
                    Request::Reload if running.is_some() => again = true,
                    Request::Reload => running = Some(tokio::spawn(reload())),
                },
                () = finished(&mut running) => running = std::mem::take(&mut again).then(|| tokio::spawn(reload())),
            }
        }
        // Only its notifications end here: a thread that reads files does not stop, and holds up nothing.
        if let Some(reload) = running {
            reload.abort();
            drop(reload.await);
        }
        notify(Change::Stopping);
        shutdown.cancel();
        while let Request::Reload = self.next().await {
            tracing::info!("SIGHUP is ignored: the server is stopping");
        }
        tracing::warn!("stopping at once");
        std::process::exit(1);
    }

    #[cfg(unix)]
    async fn next(&mut self) -> Request {
        tokio::select! {
            _ = self.terminate.recv() => Request::Stop,
            _ = self.interrupt.recv() => Request::Stop,
            _ = self.hangup.recv() => Request::Reload,
        }
    }

    #[cfg(not(unix))]
    async fn next(&mut self) -> Request {
        drop(tokio::signal::ctrl_c().await);
        Request::Stop
    }
}

/// Waits until the task has ended; forever if there is none.
async fn finished(task: &mut Option<JoinHandle<()>>) {
    match task {
        // It logs its own failure.
        Some(task) => drop(task.await),
        None => std::future::pending().await,
    }
}
