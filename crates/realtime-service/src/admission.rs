//! Who is admitted: limits first, then the token, then the policy.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use realtime_core::{
    address::limit_key,
    auth::{ConnectRequest, Refusal, RefusalReason, extract_token},
};
use realtime_ports::{Clock, ConnectionHandler, JwtVerifier, VerifyError};
use realtime_schema::{ClientId, JwtClaims, PingMode, Topic};
#[cfg(feature = "default-adapters")]
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use crate::{intern::Names, metrics::Metrics, revocations::Revocations, settings::LiveSettings};

mod connect_hook;
mod permits;

pub(crate) use permits::Permit;
use permits::Permits;

/// A client that was admitted and whose socket is still to come. Dropping it returns its permit.
#[derive(Debug)]
pub struct Admission {
    pub(crate) claims: JwtClaims,
    pub(crate) client: Option<ClientId>,
    pub(crate) ping: PingMode,
    /// The topics that the application gave, to subscribe to when the connection opens.
    pub(crate) subscriptions: Vec<Topic>,
    /// The resume ticket of the client's last connection, unchecked.
    pub(crate) ticket: Option<String>,
    /// For the log and for lists.
    pub(crate) address: Option<IpAddr>,
    pub(crate) permit: Permit,
}

impl Admission {
    /// The token's claims.
    pub fn claims(&self) -> &JwtClaims {
        &self.claims
    }
}

/// The reason sent to the clients of a draining node; true on a lone node too.
pub(crate) const DRAINING: &str = "this node is shutting down; connect again after the delay";

#[cfg(feature = "default-adapters")]
/// Maximum clients at once that are rejected by a close code. They hold no permit of `limits.connections`.
const MAX_REJECTED: usize = 256;

/// Time between warnings of the same kind.
const WARN_EVERY: Duration = Duration::from_secs(1);

/// Admits clients, and verifies their tokens.
pub(crate) struct Admissions {
    settings: LiveSettings,
    verifier: Arc<dyn JwtVerifier>,
    handler: Option<Arc<dyn ConnectionHandler>>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    revocations: Arc<Revocations>,
    names: Names,
    permits: Arc<Permits>,
    draining: AtomicBool,
    verifications: Semaphore,
    /// Limits the clients that are rejected by a close code.
    #[cfg(feature = "default-adapters")]
    rejections: Arc<Semaphore>,
    /// Time of the last warning that tokens can't be verified.
    warned: Mutex<Option<Duration>>,
}

impl Admissions {
    pub(crate) fn new(
        settings: LiveSettings,
        verifier: Arc<dyn JwtVerifier>,
        handler: Option<Arc<dyn ConnectionHandler>>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        revocations: Arc<Revocations>,
    ) -> Self {
        let verifications = settings.load().admission.verifications.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            settings,
            verifier,
            handler,
            clock,
            metrics,
            revocations,
            names: Names::default(),
            permits: Arc::default(),
            draining: AtomicBool::new(false),
            verifications: Semaphore::new(verifications),
            #[cfg(feature = "default-adapters")]
            rejections: Arc::new(Semaphore::new(MAX_REJECTED)),
            warned: Mutex::default(),
        }
    }

    /// Number of clients admitted and not gone yet.
    pub(crate) fn held(&self) -> usize {
        self.permits.held()
    }

    /// Waits until no client is left.
    pub(crate) async fn emptied(&self) {
        self.permits.emptied().await;
    }

    /// Number of users of those clients.
    pub(crate) fn users(&self) -> usize {
        self.permits.users()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    pub(crate) fn start_draining(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// A permit to reject a client by a close code, if there is one.
    #[cfg(feature = "default-adapters")]
    pub(crate) fn rejection_permit(&self) -> Option<OwnedSemaphorePermit> {
        self.rejections.clone().try_acquire_owned().ok()
    }

    /// Admits a client, or says why not. Counts the refusals.
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
        if self.is_draining() {
            let refusal = Refusal::new(RefusalReason::Draining, DRAINING);
            return Err(refusal.after(self.settings.load().reconnect.spread_ms));
        }
        let mut permit = self.permit(request.remote)?;
        let token = extract_token(request)?;
        let mut claims = self.verified(token).await?;
        let max = self.settings.load().admission.connections_per_user;
        if !permit.count_user(&claims.sub, max) {
            return Err(self.over_limit(RefusalReason::UserLimit, "limits.connections_per_user", max));
        }
        let query = &request.query;
        let (client, ping) = (query.client.clone(), query.ping.unwrap_or_default());
        let subscriptions = self.ask_application(&client, request.remote, &mut claims).await?;
        self.names.share(&mut claims);
        let (ticket, address) = (query.resume.clone(), request.remote);
        Ok(Admission { client, ping, subscriptions, ticket, address, claims, permit })
    }

    /// Takes a permit, counted for the address.
    fn permit(&self, address: Option<IpAddr>) -> Result<Permit, Refusal> {
        let settings = self.settings.load();
        let limits = &settings.admission;
        let Some(mut permit) = self.permits.take(limits.connections) else {
            return Err(self.over_limit(RefusalReason::ConnectionsLimit, "limits.connections", limits.connections));
        };
        if let Some(address) = address.map(limit_key)
            && !permit.count_address(address, limits.connections_per_address)
        {
            let max = limits.connections_per_address;
            return Err(self.over_limit(RefusalReason::AddressLimit, "limits.connections_per_address", max));
        }
        Ok(permit)
    }

    fn over_limit(&self, reason: RefusalReason, name: &str, max: usize) -> Refusal {
        let message = format!("{name} is {max}, and all are taken");
        Refusal::new(reason, message).after(self.settings.load().reconnect.max_ms)
    }

    /// The claims of `token`, verified, authorized by the policy, and not revoked. Bounded in number and time.
    pub(crate) async fn verified(&self, token: &str) -> Result<JwtClaims, Refusal> {
        let settings = self.settings.load_full();
        let verify = async {
            let _permit = self.verifications.acquire().await;
            self.verifier.verify(token).await
        };
        let claims = match tokio::time::timeout(settings.admission.verify_timeout, verify).await {
            Ok(Ok(claims)) => claims,
            Ok(Err(error)) => return Err(self.refusal_of(&error)),
            Err(_) => return Err(unavailable("tokens can't be verified in time now; try again")),
        };
        settings.admission.policy.authorize(&claims, self.clock.now())?;
        self.revocations.check(&claims)?;
        Ok(claims)
    }

    fn refusal_of(&self, error: &VerifyError) -> Refusal {
        match error {
            VerifyError::Expired => Refusal::new(RefusalReason::TokenExpired, "the token has expired; get a new one"),
            VerifyError::Unavailable(source) => {
                if self.may_warn(self.clock.monotonic()) {
                    tracing::warn!(error = %source, "tokens can't be verified");
                }
                unavailable("tokens can't be verified now; try again")
            }
            _ => Refusal::unauthorized(error.to_string()),
        }
    }

    /// True if a warning that clients can cause at will is due again at `now`: once a second.
    fn may_warn(&self, now: Duration) -> bool {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        let may = warned.is_none_or(|at| now >= at + WARN_EVERY);
        if may {
            *warned = Some(now);
        }
        may
    }
}

fn unavailable(message: &str) -> Refusal {
    Refusal::new(RefusalReason::VerifierUnavailable, message).after(1_000)
}
