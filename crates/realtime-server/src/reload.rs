//! New settings for a server that runs.

use std::{collections::BTreeMap, sync::Arc, sync::atomic::Ordering::Acquire};

use realtime_contract::{Contract, SchemaFiles};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value as Json;

use crate::{
    config::{Config, ConfigError},
    http::app::App,
    live::Live,
    logging::LogLevel,
};

/// Gives a running server new settings. Cloning makes another handle to the same server.
#[derive(Clone)]
pub struct Reloader {
    app: Arc<App>,
    log: Option<LogLevel>,
}

/// What a reload changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// The settings that changed and are in use now, by their paths. Secrets are named and not shown.
    pub applied: Vec<String>,
    /// The settings that changed and need a restart: the server goes on with the old ones.
    pub needs_restart: Vec<String>,
}

/// Why nothing was reloaded; nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The new config is not usable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

impl Reloader {
    pub(crate) fn new(app: Arc<App>) -> Self {
        Self { app, log: None }
    }

    /// The same, for a process whose log is this crate's.
    pub(crate) fn with_log(self, log: LogLevel) -> Self {
        Self { log: Some(log), ..self }
    }

    /// Applies `config`, whole or not at all, and reads the files that it names again. No connection is closed.
    /// Blocks the thread while it reads files.
    ///
    /// Applied are: the keys and rules for tokens (`auth`), the keys of backends (`api.keys`, `api.keys_file`), `metrics`,
    /// `namespaces` with their schema files, `delivery`, `server.allowed_origins`, `liveness`, `reconnect`, `log.level`, `log.connections`, and
    /// those of `limits` that concern WebSockets: a connection keeps the limits that its `welcome` named.
    ///
    /// # Errors
    /// Everything that is wrong with `config`, a JWKS address that does not respond, or the server is stopping. Then
    /// nothing has changed.
    pub async fn reload(&self, mut config: Config) -> Result<Reloaded, ReloadError> {
        let app = &self.app;
        let _one_at_a_time = app.reloading.lock().await;
        if app.stopping.load(Acquire) {
            return Err(ReloadError::Stopping);
        }
        if let Some(dev) = &app.dev {
            dev.complete_again(&mut config);
        }
        config.check()?;
        let old = app.live.load_full();
        let wanted = settings_of(&config);
        let other_hook_secrets = exposed(&old.config.hooks.secrets).ne(exposed(&config.hooks.secrets));
        config.keep_startup_settings(&old.config, self.log.is_some());
        let settings = config.settings()?;
        let new = Live::new(config, app.dev.is_some())?;
        let mut reloaded = Reloaded {
            applied: changed(&settings_of(&old.config), &settings_of(&new.config)),
            needs_restart: changed(&settings_of(&new.config), &wanted),
        };
        if other_hook_secrets {
            reloaded.needs_restart.push("hooks.secrets".to_owned());
        }
        if exposed(&old.api_keys).ne(exposed(&new.api_keys)) {
            reloaded.applied.push("api.keys".to_owned());
        }
        if exposed(&old.config.metrics.keys).ne(exposed(&new.config.metrics.keys)) {
            reloaded.applied.push("metrics.keys".to_owned());
        }
        if exposed(old.config.auth.secrets()).ne(exposed(new.config.auth.secrets())) {
            reloaded.applied.push("auth.hmac_secrets".to_owned());
        }
        if schema_files(&old) != schema_files(&new) {
            reloaded.applied.push("the files of namespaces.messages".to_owned());
        }
        // The last step that can fail.
        new.config.auth.reload(&app.verifier).await?;
        app.service.reload(settings);
        app.service.set_payload_rules(new.payload_rules());
        if let Some(log) = &self.log {
            log.set(&new.config.log.level);
        }
        app.live.store(Arc::new(new));
        Ok(reloaded)
    }
}

/// Each setting with its value, by its path. Secrets are not among them.
fn settings_of(config: &Config) -> BTreeMap<String, Json> {
    fn collect(value: Json, path: String, settings: &mut BTreeMap<String, Json>) {
        match value {
            Json::Object(inner) => {
                for (name, value) in inner {
                    let path = if path.is_empty() { name } else { format!("{path}.{name}") };
                    collect(value, path, settings);
                }
            }
            value => drop(settings.insert(path, value)),
        }
    }
    let mut settings = BTreeMap::new();
    collect(serde_json::to_value(config).unwrap_or_default(), String::new(), &mut settings);
    settings
}

fn changed(old: &BTreeMap<String, Json>, new: &BTreeMap<String, Json>) -> Vec<String> {
    let paths = old.keys().chain(new.keys().filter(|path| !old.contains_key(*path)));
    paths.filter(|path| old.get(*path) != new.get(*path)).cloned().collect()
}

fn schema_files(live: &Live) -> Option<&SchemaFiles> {
    live.contract.as_deref().map(Contract::files)
}

fn exposed<'a>(secrets: impl IntoIterator<Item = &'a SecretString>) -> impl Iterator<Item = &'a str> {
    secrets.into_iter().map(ExposeSecret::expose_secret)
}
