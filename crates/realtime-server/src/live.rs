//! What a reload of the config replaces.

use std::sync::Arc;

use realtime_adapters::ws::WsConfig;
use realtime_contract::Contract;
use realtime_ports::PayloadRules;
use secrecy::SecretString;

use crate::config::{Config, ConfigError};

/// What a reload of the config replaces.
pub(crate) struct Live {
    /// The config in use. The settings that need a restart have the values of the start.
    pub(crate) config: Config,
    /// The keys of the API, those of `api.keys_file` included.
    pub(crate) api_keys: Vec<SecretString>,
    /// For new connections.
    pub(crate) ws: Arc<WsConfig>,
    /// What messages must fit; `None` if no namespace has `messages`.
    pub(crate) contract: Option<Arc<Contract>>,
}

impl Live {
    /// # Errors
    /// The file of API keys or the schema files can't be used.
    pub(crate) fn new(config: Config, dev: bool) -> Result<Self, ConfigError> {
        let mut ws = config.ws();
        if dev {
            // The pages of an application's own development server, such as http://localhost:3000.
            ws.origins = ws.origins.and_loopback();
        }
        Ok(Self { api_keys: config.api_keys()?, ws: Arc::new(ws), contract: config.contract()?.map(Arc::new), config })
    }

    /// The contract as the service takes it.
    pub(crate) fn payload_rules(&self) -> Option<Arc<dyn PayloadRules>> {
        self.contract.clone().map(|contract| contract as Arc<dyn PayloadRules>)
    }
}
