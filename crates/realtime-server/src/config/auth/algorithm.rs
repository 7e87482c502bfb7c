//! Names of signature algorithms.

use realtime_adapters::jwt::{Algorithm, UnknownAlgorithm};

/// The algorithm of that name. The error does not repeat the name: it may be a secret.
pub(super) fn algorithm(name: &str) -> Result<Algorithm, String> {
    name.parse().map_err(|error: UnknownAlgorithm| {
        let message = error.to_string();
        message.strip_prefix(&format!("`{name}` ")).unwrap_or("is not a supported algorithm").to_owned()
    })
}
