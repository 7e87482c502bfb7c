//! What `/metrics` exposes.

mod hooks;
mod keys;
mod process;
mod requests;
mod service;

use std::{fmt, sync::Arc};

use prometheus_client::{encoding::text::encode, metrics::info::Info, registry::Registry};
use realtime_adapters::{front::Slots, http_hooks::HttpHooks, jwt::Issuers};
use realtime_service::Service;

use super::client_address::ClientAddresses;
use crate::config::Config;

pub(crate) use requests::Requests;

/// Everything that is exposed.
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) requests: Requests,
}

impl Metrics {
    pub(crate) fn new(
        service: Service,
        verifier: Arc<Issuers>,
        hooks: Option<HttpHooks>,
        config: &Config,
        addresses: &ClientAddresses,
        http_slots: Slots,
    ) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(process::Process::new()));
        let ours = registry.sub_registry_with_prefix("realtime");
        let build =
            [("version", env!("CARGO_PKG_VERSION")), ("commit", env!("BUILD_COMMIT")), ("rustc", env!("BUILD_RUSTC"))];
        ours.register("build", "The build of the server.", Info::new(build.to_vec()));
        ours.register_collector(Box::new(service::Figures::new(service, http_slots, config)));
        ours.register_collector(Box::new(keys::KeyMetrics(verifier)));
        if let Some(hooks) = hooks {
            ours.register_collector(Box::new(hooks::HookMetrics(hooks)));
        }
        addresses.register(ours);
        Self { requests: Requests::registered(ours), registry }
    }

    /// The text format of Prometheus (OpenMetrics 1.0).
    pub(super) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry).map(|()| text)
    }
}
