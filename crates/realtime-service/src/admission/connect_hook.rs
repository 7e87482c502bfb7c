//! The application's hook for clients that want to connect: it may refuse them, or give them more than their token.

use std::net::IpAddr;

use realtime_core::auth::{ConnectAttempt, ConnectDecision, ConnectGrant, Refusal, RefusalReason};
use realtime_ports::ConnectionHandler;
use realtime_schema::{ClientId, Connection, JwtClaims, Topic};
use tokio::time::timeout;

use super::Admissions;
use crate::metrics::add;

/// The milliseconds after which a client should try again that the application could not decide on.
const RETRY_AFTER_MS: u64 = 1_000;

impl Admissions {
    /// The claims of a new token of `connection`, verified, and with the roles that the application adds.
    pub(crate) async fn refreshed(&self, token: &str, connection: &Connection) -> Result<JwtClaims, Refusal> {
        let mut claims = self.verified(token).await?;
        // The session refuses the token of another user itself.
        if let Some(handler) = &self.handler
            && claims.sub == connection.user
        {
            let mut attempt = ConnectAttempt::new(claims.clone());
            attempt.client.clone_from(&connection.client);
            attempt.connection = Some(connection.id);
            let grant = self.decide(&**handler, attempt).await?;
            claims.roles.extend(grant.roles);
        }
        Ok(claims)
    }

    /// Asks the application about a client; adds what it gives to `claims`, and returns the topics to subscribe to.
    pub(super) async fn ask_application(
        &self,
        client: &Option<ClientId>,
        address: Option<IpAddr>,
        claims: &mut JwtClaims,
    ) -> Result<Vec<Topic>, Refusal> {
        let Some(handler) = &self.handler else { return Ok(Vec::new()) };
        let mut attempt = ConnectAttempt::new(claims.clone());
        attempt.client.clone_from(client);
        attempt.address = address;
        Ok(self.decide(&**handler, attempt).await?.apply(claims))
    }

    /// Waits for the application's decision, at most `hook_timeout`.
    async fn decide(&self, handler: &dyn ConnectionHandler, attempt: ConnectAttempt) -> Result<ConnectGrant, Refusal> {
        let settings = self.settings.load_full();
        let user = attempt.claims.sub.clone();
        let problem = match timeout(settings.hook_timeout, handler.on_connect(attempt)).await {
            Ok(Ok(ConnectDecision::Admit(grant))) => {
                let (given, limit) = (grant.subscriptions.len(), settings.limits.subscriptions as usize);
                if given <= limit {
                    return Ok(grant);
                }
                format!("it gave {given} subscriptions; limits.subscriptions is {limit}")
            }
            Ok(Ok(ConnectDecision::Refuse(refusal))) => return Err(refusal.into()),
            Ok(Ok(other)) => format!("{other:?} is not a decision of this release"),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("took longer than {:?}", settings.hook_timeout),
        };
        add(&self.metrics.hook_errors_total, 1);
        if self.may_warn(self.clock.monotonic()) {
            tracing::warn!(hook = "on_connect", %user, problem, "a hook failed");
        }
        let message = "the application could not decide on this client now; try again";
        Err(Refusal::new(RefusalReason::HookUnavailable, message).after(RETRY_AFTER_MS))
    }
}
