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

pub(crate) use process::Usage;
pub(crate) use requests::Requests;

/// Everything that is exposed.
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) requests: Requests,
    figures: service::Figures,
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
        let figures = service::Figures::new(service, http_slots, config);
        ours.register_collector(Box::new(figures.clone()));
        ours.register_collector(Box::new(keys::KeyMetrics(verifier)));
        if let Some(hooks) = hooks {
            ours.register_collector(Box::new(hooks::HookMetrics(hooks)));
        }
        addresses.register(ours);
        Self { requests: Requests::registered(ours), registry, figures }
    }

    /// What the process uses now.
    pub(super) fn process(&self) -> Usage {
        process::usage()
    }

    /// The bytes that wait in the queues of all connections, at most 10 seconds ago.
    pub(super) fn queued_bytes_of_late(&self) -> u64 {
        self.figures.queued_bytes_of_late()
    }

    /// The limits, by the name of their setting after `limits.`.
    pub(super) fn limits(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.figures.limits()
    }

    /// The text format of Prometheus (OpenMetrics 1.0).
    pub(super) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry).map(|()| text)
    }
}
