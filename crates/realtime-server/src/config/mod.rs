//! Every setting of the server: its name, its default, and what it means.
//!
//! One file per section, each with its fields, its defaults, its checks and its part of the settings of the layers
//! below. The doc comments of the fields are the reference: `docs/configuration.md` is generated from them.

mod api;
mod auth;
mod delivery;
mod duration;
mod file;
mod history;
mod hooks;
mod keys;
mod layers;
mod limits;
mod liveness;
mod log;
mod messages;
mod metrics;
mod namespaces;
mod paths;
mod presence;
mod problems;
mod reconnect;
mod reference;
mod secret;
mod sections;
mod server;
mod service_links;
mod shape;
mod store;
mod tls;
mod values;

pub use api::ApiConfig;
pub(crate) use layers::Draft;

pub use auth::{AuthConfig, ClaimSettings, JwksSettings, ProviderConfig};
pub use delivery::DeliveryConfig;
pub use duration::Span;
pub use history::HistoryConfig;
pub use hooks::{HookSettings, HooksConfig, OnFailureName};
pub use limits::LimitsConfig;
pub use liveness::LivenessConfig;
pub use log::{LogConfig, LogFormat};
pub use metrics::{MetricsAccess, MetricsConfig};
pub use namespaces::{NamespaceConfig, NamespaceHistory};
pub use presence::{NamespacePresence, PresenceConfig};
pub use problems::{ConfigError, Problem};
pub use reconnect::ReconnectConfig;
pub use reference::reference;
pub use sections::Config;
pub use server::ServerConfig;
pub use store::{Durability, StoreConfig};
pub use tls::TlsConfig;

#[cfg(test)]
mod tests;
