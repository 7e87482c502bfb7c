//! Keeps a selective bus in agreement with the subscriptions: it is asked when a route gets its first subscriber,
//! and a worker takes that back, and retries, when the last one has left.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use realtime_core::interest::{Entered, Interest};
use realtime_ports::{MessageBus, SubscribeError};
use realtime_schema::Route;
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

/// Maximum duration of one request to the bus, and of the wait for another's request.
const BUS_TIMEOUT: Duration = Duration::from_secs(5);
/// Wait after a request that failed.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Maximum routes of one request.
const ROUTES_AT_ONCE: usize = 256;

/// What the connections of this node want of the bus.
pub(super) struct BusInterest {
    shared: Arc<Shared>,
    _worker: AbortOnDropHandle<()>,
}

struct Shared {
    bus: Arc<dyn MessageBus>,
    routes: Mutex<Interest<Route>>,
    /// A request has ended: those that wait for it look again.
    changed: Notify,
    /// There is something to leave.
    to_leave: Notify,
}

/// A subscriber of a route, counted until this is dropped, or for good once it is [kept](Self::keep).
pub(super) struct Subscriber {
    shared: Arc<Shared>,
    route: Option<Route>,
}

impl Subscriber {
    pub(super) fn keep(mut self) {
        self.route = None;
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        if let Some(route) = self.route.take() {
            self.shared.leave([route]);
        }
    }
}

/// A request to listen whose caller may go away before it has ended.
struct Listening<'a> {
    shared: &'a Shared,
    route: &'a Route,
    succeeded: bool,
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.shared.routes().listened(self.route, self.succeeded);
        self.shared.changed.notify_waiters();
        if !self.succeeded {
            self.shared.to_leave.notify_one();
        }
    }
}

impl BusInterest {
    pub(super) fn new(bus: Arc<dyn MessageBus>) -> Self {
        let shared =
            Arc::new(Shared { bus, routes: Mutex::default(), changed: Notify::new(), to_leave: Notify::new() });
        let worker = AbortOnDropHandle::new(tokio::spawn(shared.clone().leave_what_is_unwanted()));
        Self { shared, _worker: worker }
    }

    /// Counts one more subscriber of `route`; returns once the bus delivers it to this node.
    pub(super) async fn enter(&self, route: Route) -> Result<Subscriber, SubscribeError> {
        match timeout(BUS_TIMEOUT, self.shared.enter(&route)).await {
            Ok(Ok(())) => Ok(Subscriber { shared: self.shared.clone(), route: Some(route) }),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                tracing::warn!(?route, "the message bus did not respond in time");
                Err(SubscribeError::Unavailable)
            }
        }
    }

    /// Counts one subscriber less of each route.
    pub(super) fn leave(&self, routes: impl IntoIterator<Item = Route>) {
        self.shared.leave(routes);
    }
}

impl Shared {
    fn routes(&self) -> MutexGuard<'_, Interest<Route>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn enter(&self, route: &Route) -> Result<(), SubscribeError> {
        loop {
            let changed = self.changed.notified();
            // Bound to a name, so that the lock is not held over an await.
            let entered = self.routes().enter(route);
            match entered {
                Entered::Held => return Ok(()),
                Entered::First => break,
                Entered::Wait => changed.await,
            }
        }
        let mut listening = Listening { shared: self, route, succeeded: false };
        match self.bus.listen(std::slice::from_ref(route)).await {
            Ok(()) => {
                listening.succeeded = true;
                Ok(())
            }
            Err(error) => {
                tracing::warn!(?route, %error, "the message bus refused to listen");
                Err(SubscribeError::Unavailable)
            }
        }
    }

    fn leave(&self, routes: impl IntoIterator<Item = Route>) {
        let mut interest = self.routes();
        let mut last = false;
        for route in routes {
            last |= interest.leave(&route);
        }
        drop(interest);
        if last {
            self.to_leave.notify_one();
        }
    }

    async fn leave_what_is_unwanted(self: Arc<Self>) {
        loop {
            let routes = self.routes().take_unwanted(ROUTES_AT_ONCE);
            if routes.is_empty() {
                self.to_leave.notified().await;
                continue;
            }
            let left = matches!(timeout(BUS_TIMEOUT, self.bus.unlisten(&routes)).await, Ok(Ok(())));
            {
                let mut interest = self.routes();
                routes.iter().for_each(|route| interest.left(route, left));
            }
            self.changed.notify_waiters();
            if !left {
                tracing::warn!(routes = routes.len(), "the message bus did not stop listening; trying again");
                sleep(RETRY_AFTER).await;
            }
        }
    }
}
