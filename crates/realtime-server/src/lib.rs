//! The server: one port with `/ws` and an HTTP API for backends, composed of the layers below.
//!
//! The binary is [`cli::main`]; an application or a test that wants the whole server in its own process uses
//! [`Server`].

pub mod cli;
mod config;
mod dev;
mod http;
mod logging;
mod open_files;
mod server;
mod token;

pub use config::{
    ApiConfig, AuthConfig, ClaimSettings, Config, ConfigError, DeliveryConfig, JwksSettings, LimitsConfig,
    LivenessConfig, LogConfig, LogFormat, NamespaceConfig, Problem, ReconnectConfig, ServerConfig, Span, reference,
};
pub use dev::Dev;
pub use server::{Server, StartError};
pub use token::{TokenError, TokenRequest};
