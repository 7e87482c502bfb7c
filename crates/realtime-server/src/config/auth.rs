//! `[auth]`: whose tokens are accepted.

mod algorithm;
mod claims;
mod jwks;
mod provider;
mod settings;
mod trust;

pub use claims::ClaimSettings;
pub use jwks::JwksSettings;
pub use provider::ProviderConfig;
pub use settings::AuthConfig;

#[cfg(test)]
mod tests;
