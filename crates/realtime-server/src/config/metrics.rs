//! `[metrics]`: who may read the metrics.

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{
    api::check_key,
    problems::Problems,
    secret::{SecretText, without_newline},
};

/// Who may read `/metrics`. With `server.admin_listen` the metrics are served there alone, to everyone who can reach
/// it, and this section has no effect.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// `key`: `/metrics` needs `Authorization: Bearer <key>` with one of `metrics.keys` or `api.keys`. `open`: it
    /// needs none; for a port that only your own network can reach. With `--dev` it is always open.
    pub access: MetricsAccess,
    /// Keys that can read the metrics and nothing else, each of at least 16 characters.
    #[serde(skip_serializing)]
    #[schemars(with = "Vec<SecretText>")]
    pub keys: Vec<SecretString>,
}

/// Whether `/metrics` needs a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MetricsAccess {
    /// It does.
    #[default]
    Key,
    /// It does not.
    Open,
}

impl MetricsConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        for (index, key) in self.all_keys().iter().enumerate() {
            problems.ok(&format!("metrics.keys[{index}]"), check_key(key.expose_secret()));
        }
    }

    /// The keys, each without the newline that a file ends with.
    pub(crate) fn all_keys(&self) -> Vec<SecretString> {
        let keys = self.keys.iter().map(ExposeSecret::expose_secret);
        keys.map(|key| SecretString::from(without_newline(key).unwrap_or(key))).collect()
    }
}
