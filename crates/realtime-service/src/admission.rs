//! Who is let in: limits first, then the token, then the policy.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use realtime_core::auth::{ConnectRequest, Refusal, RefusalReason, extract_token};
use realtime_ports::VerifyError;
use realtime_schema::{ClientId, JwtClaims, PingMode, UserId};
#[cfg(feature = "default-adapters")]
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::{Notify, Semaphore};

use crate::service::Inner;

/// A client that was let in and whose socket is still to come. Dropping it gives its place back.
#[derive(Debug)]
pub struct Admission {
    pub(crate) claims: JwtClaims,
    pub(crate) client: Option<ClientId>,
    pub(crate) ping: PingMode,
    pub(crate) permit: Permit,
}

impl Admission {
    /// What the token says.
    pub fn claims(&self) -> &JwtClaims {
        &self.claims
    }
}

#[cfg(feature = "default-adapters")]
/// Clients at once that are told by a close code why they are not let in. They hold no place in `limits.connections`.
const MAX_TURNED_AWAY: usize = 256;

/// Time between warnings of the same kind.
const WARN_EVERY: Duration = Duration::from_secs(1);

/// The places of a node, and who holds them.
#[derive(Debug)]
pub(crate) struct Admissions {
    total: AtomicUsize,
    users: Counts<UserId>,
    addresses: Counts<IpAddr>,
    draining: AtomicBool,
    /// Told when the last place is given back.
    empty: Notify,
    verifications: Semaphore,
    /// Places to tell a browser in why it is not let in.
    #[cfg(feature = "default-adapters")]
    turned_away: Arc<Semaphore>,
    /// When it was last said that tokens can't be verified.
    warned: Mutex<Option<Duration>>,
}

impl Admissions {
    pub(crate) fn new(max_verifications: usize) -> Self {
        Self {
            total: AtomicUsize::new(0),
            users: Counts::default(),
            addresses: Counts::default(),
            draining: AtomicBool::new(false),
            empty: Notify::new(),
            verifications: Semaphore::new(max_verifications.clamp(1, Semaphore::MAX_PERMITS)),
            #[cfg(feature = "default-adapters")]
            turned_away: Arc::new(Semaphore::new(MAX_TURNED_AWAY)),
            warned: Mutex::default(),
        }
    }

    /// How many places are held.
    pub(crate) fn held(&self) -> usize {
        self.total.load(Ordering::Acquire)
    }

    /// A place to turn a client away in by a close code, if there is one.
    #[cfg(feature = "default-adapters")]
    pub(crate) fn turning_away(&self) -> Option<OwnedSemaphorePermit> {
        self.turned_away.clone().try_acquire_owned().ok()
    }

    /// Whether to say again, at `now`, what strangers can cause as often as they like: once a second.
    fn may_warn(&self, now: Duration) -> bool {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        let may = warned.is_none_or(|at| now >= at + WARN_EVERY);
        if may {
            *warned = Some(now);
        }
        may
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    pub(crate) fn start_draining(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Waits until no place is held.
    pub(crate) async fn emptied(&self) {
        loop {
            let told = self.empty.notified();
            if self.held() == 0 {
                return;
            }
            told.await;
        }
    }
}

/// A place, given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    admissions: Arc<Admissions>,
    address: Option<IpAddr>,
    user: Option<UserId>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(address) = &self.address {
            self.admissions.addresses.leave(address);
        }
        if let Some(user) = &self.user {
            self.admissions.users.leave(user);
        }
        if self.admissions.total.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.admissions.empty.notify_waiters();
        }
    }
}

/// How many each key has.
#[derive(Debug)]
struct Counts<K>(Mutex<HashMap<K, usize>>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone> Counts<K> {
    /// Counts one more, unless there are `max` already.
    fn enter(&self, key: &K, max: usize) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key.clone()).or_default();
        let room = *count < max;
        if room {
            *count += 1;
        } else if *count == 0 {
            counts.remove(key);
        }
        room
    }

    fn leave(&self, key: &K) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut entry) = counts.entry(key.clone()) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

impl Inner {
    /// Lets a client in, or says why not. Counts the refusals.
    pub(crate) async fn admit(&self, request: &ConnectRequest) -> Result<Admission, Refusal> {
        let admitted = self.try_admit(request).await;
        if let Err(refusal) = &admitted {
            self.refused(refusal.reason, request.remote, &refusal.message);
        }
        admitted
    }

    /// Counts a refusal and logs it, rate-limited. `detail` must not contain a token or a key.
    pub(crate) fn refused(&self, reason: RefusalReason, address: Option<IpAddr>, detail: &str) {
        self.metrics.refusals.record(self.clock.monotonic(), reason, address, detail);
    }

    async fn try_admit(&self, request: &ConnectRequest) -> Result<Admission, Refusal> {
        if self.admissions.is_draining() {
            let message = "this node is draining; come back, another one will answer";
            let refusal = Refusal::new(RefusalReason::Draining, message);
            return Err(refusal.after(self.settings.reconnect.spread_ms));
        }
        let mut permit = self.place(request.remote)?;
        let token = extract_token(request)?;
        let mut claims = self.verified(token).await?;
        self.names.share(&mut claims);
        let max = self.settings.admission.connections_per_user;
        if !self.admissions.users.enter(&claims.sub, max) {
            return Err(self.over_limit(RefusalReason::UserLimit, "limits.connections_per_user", max));
        }
        permit.user = Some(claims.sub.clone());
        let query = &request.query;
        Ok(Admission { client: query.client.clone(), ping: query.ping.unwrap_or_default(), claims, permit })
    }

    /// Takes a place in all and for the address.
    fn place(&self, address: Option<IpAddr>) -> Result<Permit, Refusal> {
        let max = self.settings.admission.connections;
        if self.admissions.total.fetch_add(1, Ordering::AcqRel) >= max {
            // Given back by the permit's own way, so that nobody waits for a place that is not held.
            drop(Permit { admissions: self.admissions.clone(), address: None, user: None });
            return Err(self.over_limit(RefusalReason::ConnectionsLimit, "limits.connections", max));
        }
        let mut permit = Permit { admissions: self.admissions.clone(), address: None, user: None };
        if let Some(address) = address {
            let max = self.settings.admission.connections_per_address;
            if !self.admissions.addresses.enter(&address, max) {
                return Err(self.over_limit(RefusalReason::AddressLimit, "limits.connections_per_address", max));
            }
            permit.address = Some(address);
        }
        Ok(permit)
    }

    fn over_limit(&self, reason: RefusalReason, name: &str, max: usize) -> Refusal {
        let message = format!("{name} is {max}, and all are taken");
        Refusal::new(reason, message).after(self.settings.reconnect.max_ms)
    }

    /// The claims of `token`, verified, and authorized by the policy. Bounded in number and time.
    pub(crate) async fn verified(&self, token: &str) -> Result<JwtClaims, Refusal> {
        let verify = async {
            let _place = self.admissions.verifications.acquire().await;
            self.verifier.verify(token).await
        };
        let claims = match tokio::time::timeout(self.settings.admission.verify_timeout, verify).await {
            Ok(Ok(claims)) => claims,
            Ok(Err(error)) => return Err(self.refusal_of(&error)),
            Err(_) => return Err(unavailable("tokens can't be verified in time now; come back")),
        };
        self.settings.admission.policy.authorize(&claims, self.clock.now())?;
        Ok(claims)
    }

    fn refusal_of(&self, error: &VerifyError) -> Refusal {
        match error {
            VerifyError::Expired => Refusal::new(RefusalReason::TokenExpired, "the token has expired; get a new one"),
            VerifyError::NotYetValid | VerifyError::Invalid(_) => Refusal::unauthorized(error.to_string()),
            VerifyError::Unavailable(source) => {
                if self.admissions.may_warn(self.clock.monotonic()) {
                    tracing::warn!(error = %source, "tokens can't be verified");
                }
                unavailable("tokens can't be verified now; come back")
            }
        }
    }
}

fn unavailable(message: &str) -> Refusal {
    Refusal::new(RefusalReason::VerifierUnavailable, message).after(1_000)
}
