//! All sections together.

use std::{path::PathBuf, sync::Arc};

use realtime_adapters::{
    front::{AcceptorConfig, ProxyProtocol},
    jwt::{Issuers, SignedTickets},
    ws::WsConfig,
};
use realtime_contract::Contract;
use realtime_service::Settings;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{
    api::ApiConfig,
    auth::AuthConfig,
    delivery::DeliveryConfig,
    history::HistoryConfig,
    hooks::HooksConfig,
    limits::LimitsConfig,
    liveness::LivenessConfig,
    log::LogConfig,
    messages,
    metrics::MetricsConfig,
    namespaces::{self, NamespaceConfig},
    presence::PresenceConfig,
    problems::{ConfigError, Problem, Problems},
    reconnect::ReconnectConfig,
    server::ServerConfig,
    store::StoreConfig,
    tls::TlsConfig,
};

/// The settings of the server.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The listener, the pages that may connect, proxies and the shutdown.
    pub server: ServerConfig,
    /// The certificate of a server that ends TLS itself.
    pub tls: TlsConfig,
    /// What is logged, and how. Logs never hold a token.
    pub log: LogConfig,
    /// Whose tokens are accepted. At least one key is required: a secret, a public key, a JWKS file or address.
    pub auth: AuthConfig,
    /// The HTTP API for backends.
    pub api: ApiConfig,
    /// Who may read `/metrics`. With `server.admin_listen` the metrics are served there alone, to everyone who can
    /// reach it, and this section has no effect.
    pub metrics: MetricsConfig,
    /// Every limit, by name. An error about a limit contains its name.
    pub limits: LimitsConfig,
    /// How dead and stalled connections are found.
    pub liveness: LivenessConfig,
    /// When clients reconnect.
    pub reconnect: ReconnectConfig,
    /// What happens to messages that can't be delivered at once.
    pub delivery: DeliveryConfig,
    /// Policies for streams (topics, roles, users, all) by pattern; the first that matches decides. A topic that none
    /// matches can be subscribed to only with a grant in the token.
    pub namespaces: Vec<NamespaceConfig>,
    /// How much history is kept in all, and how clients continue their streams after a reconnect. Which streams have
    /// history, and how much each of them keeps, is in `[[namespaces]]`.
    pub history: HistoryConfig,
    /// Where histories, idempotency keys, revocations and the topics of users are kept over a restart. Without `store.dir`
    /// they are in memory alone.
    pub store: StoreConfig,
    /// An application's backend, in any language, that decides and is notified by signed HTTP requests: see
    /// [hooks.md](hooks.md). A change needs a restart.
    pub hooks: HooksConfig,
    /// How the users who are on a topic are reported. Which topics have presence, and who may see it, is in
    /// `[[namespaces]]`.
    pub presence: PresenceConfig,
    /// The directory that the paths in `messages` of a namespace are relative to: that of the config file. No key of the
    /// config; empty is the current directory.
    #[serde(skip)]
    pub schema_dir: PathBuf,
}

impl Config {
    /// Everything that is wrong with the settings, without serving anything.
    ///
    /// # Errors
    /// Each invalid setting, and what is required and not set.
    pub fn check(&self) -> Result<(), ConfigError> {
        let problems = self.problems();
        if problems.is_empty() { Ok(()) } else { Err(ConfigError::Problems(problems)) }
    }

    /// Everything that is wrong with the settings, each by itself and together.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Problems::default();
        self.auth.check(&mut problems);
        self.api.check(&mut problems);
        self.metrics.check(&mut problems);
        self.server.check(&mut problems);
        self.tls.check(&mut problems);
        self.log.check(&mut problems);
        self.limits.check(&mut problems);
        self.liveness.check(&mut problems);
        self.reconnect.check(&mut problems);
        self.hooks.check(&mut problems);
        namespaces::check(&self.namespaces, &mut problems);
        self.history.check(&mut problems);
        self.store.check(&mut problems);
        self.presence.check(&mut problems);
        let mut problems = problems.into_list();
        problems.extend(messages::contract(&self.namespaces, &self.schema_dir).err().unwrap_or_default());
        problems
    }

    /// What is usable and may still not be what the operator wants: what `serve` logs as warnings and `check-config`
    /// prints.
    pub(crate) fn warnings(&self) -> Vec<Problem> {
        let mut warnings = Problems::default();
        self.server.warn(self.tls.is_on(), &mut warnings);
        self.auth.warn(&mut warnings);
        self.api.warn(&mut warnings);
        self.limits.warn(&mut warnings);
        self.hooks.warn(&mut warnings);
        namespaces::warn(&self.namespaces, self.limits.max_publish_bytes, &mut warnings);
        self.history.warn(&self.namespaces, self.limits.queue_bytes, &mut warnings);
        self.store.warn(&mut warnings);
        warnings.into_list()
    }

    /// What is good to know and needs no action: what `serve` logs at the level info and `check-config` prints as notes.
    pub(crate) fn notes(&self) -> Vec<Problem> {
        let mut notes = Problems::default();
        self.limits.note(&mut notes);
        notes.into_list()
    }

    /// Gives every setting that only a restart can change the value that it has in `old`: from `old`, all but what a
    /// reload applies. `log.level` is applied if `level` says that the log is this crate's own.
    pub(crate) fn keep_startup_settings(&mut self, old: &Self, level: bool) {
        let new = std::mem::replace(self, old.clone());
        self.auth = new.auth;
        self.namespaces = new.namespaces;
        self.schema_dir = new.schema_dir;
        self.delivery = new.delivery;
        self.liveness = new.liveness;
        self.reconnect = new.reconnect;
        self.metrics = new.metrics;
        self.server.allowed_origins = new.server.allowed_origins;
        self.api.take_reloadable(new.api);
        self.limits.take_reloadable(&new.limits);
        self.history.take_reloadable(&new.history);
        self.store.commit_timeout = new.store.commit_timeout;
        self.presence = new.presence;
        self.log.connections = new.log.connections;
        if level {
            self.log.level = new.log.level;
        }
    }

    /// The verifier. With an address of keys, waits for its first answer and fetches in the background from then on.
    pub(crate) async fn verifier(&self) -> Result<Arc<Issuers>, ConfigError> {
        self.auth.verifier().await
    }

    /// The service's settings.
    pub(crate) fn settings(&self) -> Result<Settings, ConfigError> {
        let mut problems = Problems::default();
        let mut settings = Settings::default();
        self.log.apply(&mut settings);
        self.auth.apply(&mut settings, &mut problems);
        self.api.apply(&mut settings);
        self.limits.apply(&mut settings);
        self.liveness.apply(&mut settings);
        self.reconnect.apply(&mut settings);
        self.hooks.apply(&mut settings);
        self.history.apply(&mut settings);
        self.store.apply(&mut settings);
        self.presence.apply(&mut settings);
        settings.namespaces = namespaces::policies(&self.namespaces, self.delivery.overflow);
        problems.none_or(settings)
    }

    /// The contract that messages must fit, compiled of its files; `None` if no namespace has `messages`. Blocks: it reads
    /// files.
    ///
    /// # Errors
    /// Every fault of `messages` and of the schema files.
    pub(crate) fn contract(&self) -> Result<Option<Contract>, ConfigError> {
        messages::contract(&self.namespaces, &self.schema_dir).map_err(ConfigError::Problems)
    }

    /// What signs resume tickets; `None` without `history.resume_secrets`.
    pub(crate) fn tickets(&self) -> Result<Option<SignedTickets>, ConfigError> {
        let mut problems = Problems::default();
        let tickets = self.history.tickets(&mut problems);
        problems.none_or(tickets)
    }

    /// What the WebSocket endpoint accepts.
    pub(crate) fn ws(&self) -> WsConfig {
        WsConfig { origins: self.server.origins(), ..self.limits.ws() }
    }

    /// The keys of the HTTP API.
    pub(crate) fn api_keys(&self) -> Result<Vec<SecretString>, ConfigError> {
        let mut problems = Problems::default();
        let keys = self.api.all_keys(&mut problems);
        problems.none_or(keys)
    }

    /// The HTTP front end.
    pub(crate) fn acceptor(&self) -> AcceptorConfig {
        let mut acceptor = self.limits.acceptor();
        self.server.apply_proxies(&mut acceptor);
        acceptor
    }

    /// A listener with the PROXY protocol, if it is required.
    pub(crate) fn proxy_protocol<L>(&self, listener: L) -> ProxyProtocol<L> {
        if self.server.proxy_protocol {
            ProxyProtocol::required(listener, self.server.proxies(), self.limits.header_timeout.0)
        } else {
            ProxyProtocol::off(listener)
        }
    }
}
