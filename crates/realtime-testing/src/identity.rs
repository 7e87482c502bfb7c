//! Who a client is.

use std::{net::IpAddr, time::Duration};

use realtime_core::auth::ConnectRequest;
use realtime_ports::Clock;
use realtime_schema::{ClientId, JwtClaims, PingMode, UserId};

use crate::{network::Network, scene::Scene};

/// Who a client is: what it says when it connects, each time.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) claims: JwtClaims,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) token: Option<String>,
    pub(crate) client: Option<ClientId>,
    /// The resume ticket that it brings.
    pub(crate) ticket: Option<String>,
    pub(crate) ping: PingMode,
    pub(crate) address: Option<IpAddr>,
    pub(crate) ignores_pings: bool,
    pub(crate) network: Network,
    pub(crate) node: usize,
}

impl Identity {
    pub(crate) fn user(&self) -> &UserId {
        &self.claims.sub
    }

    pub(crate) fn client(&self) -> Option<ClientId> {
        self.client.clone()
    }

    /// A token of this client's: the one that was given, or else a new one.
    pub(crate) fn token(&self, scene: &Scene) -> String {
        if let Some(token) = &self.token {
            return token.clone();
        }
        assert!(!scene.own_verifier, "the world has a verifier of your own: give the client a token, with `.token(…)`");
        let lifetime = self.lifetime.map(|lifetime| i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX));
        let exp = lifetime.map(|seconds| scene.clock.now().as_secs().saturating_add(seconds)).or(self.claims.exp);
        scene.tokens.issue(JwtClaims { exp, ..self.claims.clone() })
    }

    pub(crate) fn request(&self, scene: &Scene) -> ConnectRequest {
        let mut request = ConnectRequest::with_token(self.token(scene));
        request.query.client = self.client.clone();
        request.query.ping = Some(self.ping);
        request.query.resume = self.ticket.clone();
        request.remote = self.address;
        request
    }
}
