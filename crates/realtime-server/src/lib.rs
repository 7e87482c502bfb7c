//! The server: one port with `/ws` and an HTTP API for backends, composed of the layers below.
//!
//! The binary is [`cli::main`]; an application or a test that needs the whole server in its own process uses
//! [`Server`]:
//!
//! ```
//! use realtime_server::{Config, Server};
//! use tokio_util::sync::CancellationToken;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = Config::default();
//! config.server.listen = "127.0.0.1:0".parse()?; // any free port
//! config.server.shutdown_delay.0 = std::time::Duration::ZERO;
//! let server = Server::bind_dev(config).await?; // generates the secrets that the config does not set
//! println!("ws://{}/ws", server.local_addr());
//!
//! let stop = CancellationToken::new();
//! stop.cancel(); // an application does so when it ends
//! let cut_off = server.run(stop).await?;
//! assert_eq!(cut_off, 0);
//! # Ok(())
//! # }
//! ```
//!
//! - Settings: [`Config`], each in `docs/configuration.md`. To publish from the same process: [`Server::service`].
//! - Tokens for tests and scripts: [`TokenRequest`].

mod check_config;
pub mod cli;
mod config;
mod dev;
mod explain;
mod http;
mod live;
mod logging;
mod open_files;
mod reload;
mod schemas;
mod server;
mod service_manager;
mod signals;
mod token;

pub use config::{
    ApiConfig, AuthConfig, ClaimSettings, Config, ConfigError, DeliveryConfig, Durability, HistoryConfig, HookSettings,
    HooksConfig, JwksSettings, LimitsConfig, LivenessConfig, LogConfig, LogFormat, MetricsAccess, MetricsConfig,
    NamespaceConfig, NamespaceHistory, NamespacePresence, OnFailureName, PresenceConfig, Problem, ProviderConfig,
    ReconnectConfig, ServerConfig, Span, StoreConfig, TlsConfig, reference,
};
pub use dev::Dev;
pub use reload::{ReloadError, Reloaded, Reloader};
pub use server::{Server, StartError};
pub use token::{TokenError, TokenRequest};
