//! What the handlers of all routes share.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::AtomicBool},
};

use arc_swap::ArcSwap;
use axum::{
    extract::{MatchedPath, Request},
    http::HeaderMap,
};
use realtime_adapters::{front::Slots, http_hooks::HttpHooks, jwt::Issuers};
use realtime_service::Service;

use super::{client_address::ClientAddresses, metrics::Metrics};
use crate::{
    config::{Config, ConfigError},
    dev::Dev,
    live::Live,
};

/// What the handlers of all routes share.
pub(crate) struct App {
    pub(crate) service: Service,
    pub(crate) config: Config,
    pub(crate) dev: Option<Dev>,
    /// What a reload replaces.
    pub(crate) live: ArcSwap<Live>,
    /// Held while a reload is in progress.
    pub(crate) reloading: tokio::sync::Mutex<()>,
    /// Set once the server is to stop.
    pub(crate) stopping: AtomicBool,
    pub(crate) verifier: Arc<Issuers>,
    /// The hooks over HTTP, if any is on.
    pub(crate) hooks: Option<HttpHooks>,
    /// The sockets of the public port that speak HTTP.
    pub(crate) http_slots: Slots,
    pub(super) metrics: Metrics,
    client_addresses: ClientAddresses,
}

impl App {
    pub(crate) fn new(
        service: Service,
        verifier: Arc<Issuers>,
        hooks: Option<HttpHooks>,
        config: Config,
        dev: Option<Dev>,
    ) -> Result<Self, ConfigError> {
        let client_addresses = ClientAddresses::new(&config.server);
        let http_slots = Slots::new(&config.acceptor());
        let metrics = Metrics::new(
            service.clone(),
            verifier.clone(),
            hooks.clone(),
            &config,
            &client_addresses,
            http_slots.clone(),
        );
        Ok(Self {
            live: ArcSwap::from_pointee(Live::new(config.clone(), dev.is_some())?),
            reloading: tokio::sync::Mutex::new(()),
            http_slots,
            metrics,
            client_addresses,
            stopping: AtomicBool::new(false),
            service,
            config,
            dev,
            verifier,
            hooks,
        })
    }

    /// The client's address, for limits and logs: behind a trusted proxy, the one that the proxy names.
    pub(crate) fn client_address(&self, headers: &HeaderMap, remote: IpAddr) -> IpAddr {
        self.client_addresses.of(headers, remote)
    }
}

/// The address that a request's socket comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Remote(pub(crate) SocketAddr);

/// The first characters of a request's path, for the log: enough to recognize it, too few for a token. Where a route
/// matches, those of its pattern.
pub(super) fn start_of_path(request: &Request) -> &str {
    // The router takes the prefix of a nested path away, but not from the pattern.
    let path = request.extensions().get::<MatchedPath>().map_or_else(|| request.uri().path(), MatchedPath::as_str);
    path.char_indices().nth(40).map_or(path, |(end, _)| &path[..end])
}
