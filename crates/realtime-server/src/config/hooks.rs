//! `[hooks]`: an application's backend that decides and is notified by HTTP requests.

use std::{collections::BTreeMap, fs, io::Read, path::PathBuf, time::Duration};

use realtime_adapters::http_hooks::{
    BreakerConfig, HookConfig, HookConfigError, HttpHooks, HttpHooksConfig, OnFailure, SigningSecret,
};
use realtime_schema::HookName;
use realtime_service::Settings;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{
    duration::Span,
    keys::variable,
    problems::{ConfigError, Problem, Problems, count},
    secret::{SecretText, shown, without_newline},
};

/// The largest file of secrets, in bytes: some hundred secrets.
const MAX_SECRETS_FILE_BYTES: u64 = 64 * 1024;

/// What the service waits for a hook beyond the hook's own deadline, so that the hook itself says what happened.
const MARGIN: Duration = Duration::from_secs(1);

/// An application's backend, in any language, that decides and is notified by signed HTTP requests: see
/// [hooks.md](hooks.md). A change needs a restart.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HooksConfig {
    /// The hooks that are on: `connect`, `disconnect`, `subscribe`, `publish`, `history`, `presence`, `call`. None by
    /// default.
    #[schemars(with = "Vec<String>")]
    pub enabled: Vec<HookName>,
    /// The backend's address, `https` or `http`: a request goes to this address, `/` and the name of the hook.
    pub url: Option<String>,
    /// The secrets that requests are signed with, each of at least 32 bytes, at most 10; several, so that they can be
    /// replaced: a request has a signature of each. At least one is required, here or in `hooks.secrets_file`.
    #[serde(skip_serializing)]
    #[schemars(with = "Vec<SecretText>")]
    pub secrets: Vec<SecretString>,
    /// A file with such secrets, one per line; empty lines and lines that begin with `#` are skipped.
    #[schemars(with = "Option<String>")]
    pub secrets_file: Option<PathBuf>,
    /// The longest that a request may take in all: the wait to be sent, and every attempt.
    pub timeout: Span,
    /// The longest that one attempt may take.
    pub attempt_timeout: Span,
    /// The longest that connecting to the backend may take.
    pub connect_timeout: Span,
    /// Most attempts after the first one, within `hooks.timeout`. Only failures that may pass are retried.
    pub retries: u32,
    /// Most requests of one hook at once.
    pub concurrency: usize,
    /// Most requests of one hook that wait to be sent. Over it, a request fails at once.
    pub queue: usize,
    /// Largest response that is read, in bytes.
    pub max_response_bytes: usize,
    /// Failures of one hook in a row after which its requests fail without being sent.
    pub breaker_failures: u32,
    /// How long they do, before one is sent to try.
    pub breaker_pause: Span,
    /// Most answers of one hook that are kept for `on_failure = "last"`; the oldest are forgotten first.
    pub last_answers: usize,
    /// How long such an answer may be used.
    pub last_answer_age: Span,
    /// Most `disconnect` requests that wait to be delivered. Over it, a request is dropped and counted.
    pub disconnect_queue: usize,
    /// How long the delivery of a `disconnect` is tried.
    pub disconnect_age: Span,
    /// The address of an HTTP proxy for all requests. Proxies of the environment (`HTTPS_PROXY`) are not used.
    pub proxy: Option<String>,
    /// A client wants to connect, or a connection got a new token.
    pub connect: HookSettings,
    /// A connection has ended.
    pub disconnect: HookSettings,
    /// A client wants to subscribe to a topic that neither its token nor a namespace allows.
    pub subscribe: HookSettings,
    /// A client wants to publish to a topic that neither its token nor a namespace allows.
    pub publish: HookSettings,
    /// A client wants to read the history of a topic that neither its token nor a namespace allows.
    pub history: HookSettings,
    /// A client wants to see who is on a topic that neither its token nor a namespace allows.
    pub presence: HookSettings,
    /// A client calls the application.
    pub call: HookSettings,
}

/// The settings of one hook.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HookSettings {
    /// The address of this hook alone, instead of `hooks.url` and its name.
    pub url: Option<String>,
    /// As `hooks.timeout`, for this hook.
    pub timeout: Option<Span>,
    /// As `hooks.retries`, for this hook.
    pub retries: Option<u32>,
    /// Whether the backend recognizes a retry by `X-Realtime-Request-Id` and does nothing twice. If not, a request is
    /// retried only if it was surely not received. By default `false` for `publish` and `call`, else `true`.
    pub idempotent: Option<bool>,
    /// What happens while the backend is away: `refuse` the client, `allow` what it wants, or let the `last` answer to
    /// the same question decide, and refuse without one. `call` and `disconnect` have `refuse` alone.
    pub on_failure: OnFailureName,
}

/// What happens while the backend is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnFailureName {
    /// The client is refused.
    #[default]
    Refuse,
    /// The client is allowed what it wants.
    Allow,
    /// The last answer to the same question decides.
    Last,
}

impl From<OnFailureName> for OnFailure {
    fn from(name: OnFailureName) -> Self {
        match name {
            OnFailureName::Refuse => Self::Refuse,
            OnFailureName::Allow => Self::Allow,
            OnFailureName::Last => Self::Last,
        }
    }
}

impl Default for HooksConfig {
    fn default() -> Self {
        let all = HttpHooksConfig::new();
        let one = HookConfig::new(HookName::Connect, "");
        Self {
            enabled: Vec::new(),
            url: None,
            secrets: Vec::new(),
            secrets_file: None,
            timeout: one.timeout.into(),
            attempt_timeout: one.attempt_timeout.into(),
            connect_timeout: all.connect_timeout.into(),
            retries: one.retries,
            concurrency: all.concurrency,
            queue: all.queue,
            max_response_bytes: all.max_response_bytes,
            breaker_failures: all.breaker.failures,
            breaker_pause: all.breaker.pause.into(),
            last_answers: all.last_answers,
            last_answer_age: all.last_answer_age.into(),
            disconnect_queue: all.disconnect_queue,
            disconnect_age: all.disconnect_age.into(),
            proxy: None,
            connect: HookSettings::default(),
            disconnect: HookSettings::default(),
            subscribe: HookSettings::default(),
            publish: HookSettings::default(),
            history: HookSettings::default(),
            presence: HookSettings::default(),
            call: HookSettings::default(),
        }
    }
}

impl HooksConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.waits(&[
            ("hooks.timeout", self.timeout),
            ("hooks.attempt_timeout", self.attempt_timeout),
            ("hooks.connect_timeout", self.connect_timeout),
            ("hooks.breaker_pause", self.breaker_pause),
            ("hooks.disconnect_age", self.disconnect_age),
        ]);
        problems.at_least_one(&[
            ("hooks.concurrency", count(self.concurrency)),
            ("hooks.max_response_bytes", count(self.max_response_bytes)),
            ("hooks.breaker_failures", self.breaker_failures.into()),
            ("hooks.disconnect_queue", count(self.disconnect_queue)),
        ]);
        if self.attempt_timeout > self.timeout {
            problems.add("hooks.attempt_timeout", "is longer than hooks.timeout, within which every attempt must end");
        }
        let secrets = self.all_secrets(problems);
        self.check_unused(problems);
        if self.enabled.is_empty() {
            return;
        }
        if secrets.is_empty() && self.secrets.is_empty() && self.secrets_file.is_none() {
            let what = format!(
                "no secret to sign requests with; set {} (`openssl rand -hex 32` makes one) or {}",
                variable("hooks.secrets"),
                variable("hooks.secrets_file"),
            );
            problems.add("hooks.secrets", what);
        }
        if self.url.as_ref().is_some_and(|url| url.contains(['?', '#'])) {
            problems.add("hooks.url", "has a `?` or a `#`, after which no name of a hook can be added; remove it");
        }
        for name in self.on() {
            match self.hook(name) {
                None => problems.add("hooks.url", format!("is missing: the address of the hook `{}`", name.as_str())),
                Some(hook) => {
                    if let Err(error) = hook.check(name) {
                        problems.add(&self.key_of(name, &error), error.problem);
                    }
                }
            }
        }
        if let Some(proxy) = &self.proxy
            && let Err(error) = HttpHooksConfig::check_proxy(proxy)
        {
            problems.add("hooks.proxy", error.problem);
        }
    }

    /// Settings of hooks that are off: mostly a name that is missing in `enabled`.
    fn check_unused(&self, problems: &mut Problems) {
        if self.enabled.is_empty() && self.url.is_some() {
            problems.add("hooks.enabled", "names no hook, so hooks.url has no effect; name the hooks that are on");
        }
        for name in HookName::ALL {
            let HookSettings { url, timeout, retries, idempotent, on_failure } = self.settings(name);
            let is_set = url.is_some()
                || timeout.is_some()
                || retries.is_some()
                || idempotent.is_some()
                || *on_failure != OnFailureName::Refuse;
            if is_set && !self.enabled.contains(&name) {
                let name = name.as_str();
                let what = format!("has no effect: add `{name}` to hooks.enabled, or remove the section");
                problems.add(&format!("hooks.{name}"), what);
            }
        }
    }

    pub(super) fn warn(&self, warnings: &mut Problems) {
        for name in self.on() {
            let insecure = self.hook(name).is_some_and(|hook| hook.is_insecure());
            if insecure {
                let what =
                    "is plain `http` to another machine: one on the way can read what users do, and change the answers";
                let own = self.settings(name).url.is_some();
                let key = if own { format!("hooks.{}.url", name.as_str()) } else { "hooks.url".to_owned() };
                warnings.add(&key, what);
                if !own {
                    break;
                }
            }
        }
        for name in self.on().filter(|name| self.settings(*name).on_failure == OnFailureName::Allow) {
            let key = format!("hooks.{}.on_failure", name.as_str());
            warnings.add(&key, "is `allow`: while the backend is away, every client is allowed what it wants");
        }
        for (index, secret) in self.secrets.iter().enumerate() {
            if without_newline(secret.expose_secret()).is_some() {
                warnings.add(&format!("hooks.secrets[{index}]"), "ends in a newline, which is left out");
            }
        }
    }

    /// The service waits longer for a hook than the hook itself does.
    pub(super) fn apply(&self, settings: &mut Settings) {
        let longest = self.on().filter_map(|name| self.hook(name)).map(|hook| hook.timeout).max();
        if let Some(longest) = longest {
            settings.hook_timeout = longest + MARGIN;
        }
    }

    /// Starts the hooks; `None` if none is on.
    ///
    /// # Errors
    /// An invalid setting.
    pub(crate) fn start(&self) -> Result<Option<HttpHooks>, ConfigError> {
        if self.enabled.is_empty() {
            return Ok(None);
        }
        let mut problems = Problems::default();
        let secrets = self.all_secrets(&mut problems);
        let mut config = self.unsigned();
        config.secrets = secrets;
        config.hooks = self.on().filter_map(|name| Some((name, self.hook(name)?))).collect();
        let config = problems.none_or(config)?;
        let wrong = |error: HookConfigError| {
            ConfigError::Problems(vec![Problem::new(format!("hooks.{}", error.setting), error.problem)])
        };
        HttpHooks::start(&config).map(Some).map_err(wrong)
    }

    /// Each hook that is on, once.
    fn on(&self) -> impl Iterator<Item = HookName> {
        HookName::ALL.into_iter().filter(|name| self.enabled.contains(name))
    }

    fn settings(&self, name: HookName) -> &HookSettings {
        match name {
            HookName::Connect => &self.connect,
            HookName::Disconnect => &self.disconnect,
            HookName::Subscribe => &self.subscribe,
            HookName::Publish => &self.publish,
            HookName::History => &self.history,
            HookName::Presence => &self.presence,
            _ => &self.call,
        }
    }

    /// The settings of one hook for the adapter; `None` if it has no address.
    fn hook(&self, name: HookName) -> Option<HookConfig> {
        let HookSettings { url, timeout, retries, idempotent, on_failure } = self.settings(name);
        let url = match (url, &self.url) {
            (Some(own), _) => own.clone(),
            (None, Some(base)) => format!("{}/{}", base.trim_end_matches('/'), name.as_str()),
            (None, None) => return None,
        };
        let mut hook = HookConfig::new(name, url);
        hook.timeout = timeout.unwrap_or(self.timeout).0;
        hook.attempt_timeout = self.attempt_timeout.0.min(hook.timeout);
        hook.retries = retries.unwrap_or(self.retries);
        hook.idempotent = idempotent.unwrap_or(hook.idempotent);
        hook.on_failure = (*on_failure).into();
        Some(hook)
    }

    /// The setting that an error of a hook concerns.
    fn key_of(&self, name: HookName, error: &HookConfigError) -> String {
        if error.setting.ends_with(".url") && self.settings(name).url.is_none() {
            return "hooks.url".to_owned();
        }
        format!("hooks.{}", error.setting)
    }

    /// What all hooks share, without the secrets.
    fn unsigned(&self) -> HttpHooksConfig {
        let mut config = HttpHooksConfig::new();
        config.hooks = BTreeMap::new();
        config.concurrency = self.concurrency;
        config.queue = self.queue;
        config.connect_timeout = self.connect_timeout.0;
        config.max_response_bytes = self.max_response_bytes;
        config.breaker = BreakerConfig { failures: self.breaker_failures, pause: self.breaker_pause.0 };
        config.last_answers = self.last_answers;
        config.last_answer_age = self.last_answer_age.0;
        config.disconnect_queue = self.disconnect_queue;
        config.disconnect_age = self.disconnect_age.0;
        config.proxy.clone_from(&self.proxy);
        config
    }

    /// The secrets that are given and those of the file; what is wrong with them is added to `problems`.
    fn all_secrets(&self, problems: &mut Problems) -> Vec<SigningSecret> {
        let mut secrets = Vec::new();
        for (index, secret) in self.secrets.iter().enumerate() {
            let secret = secret.expose_secret();
            let secret = without_newline(secret).unwrap_or(secret);
            let checked = SigningSecret::new(secret).map_err(|error| error.problem);
            secrets.extend(problems.ok(&format!("hooks.secrets[{index}]"), checked));
        }
        if let Some(path) = &self.secrets_file {
            let read = read_secrets(path).map_err(|what| format!("{}: {what}", shown(path)));
            secrets.extend(problems.ok("hooks.secrets_file", read).unwrap_or_default());
        }
        if secrets.len() > MAX_SECRETS {
            problems.add("hooks.secrets", format!("{} secrets; at most {MAX_SECRETS} are used at once", secrets.len()));
        }
        secrets
    }
}

/// Most secrets at once: each adds a signature to the header of every request.
const MAX_SECRETS: usize = 10;

/// The secrets of a file, one per line.
fn read_secrets(path: &std::path::Path) -> Result<Vec<SigningSecret>, String> {
    let mut text = String::new();
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(MAX_SECRETS_FILE_BYTES + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > MAX_SECRETS_FILE_BYTES {
        return Err(format!("is larger than {MAX_SECRETS_FILE_BYTES} bytes"));
    }
    let lines = text.lines().map(str::trim).enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let secrets = lines.map(|(index, secret)| {
        SigningSecret::new(secret).map_err(|error| format!("line {}: {}", index + 1, error.problem))
    });
    let secrets = secrets.collect::<Result<Vec<_>, _>>()?;
    if secrets.is_empty() { Err("contains no secret; write one per line".into()) } else { Ok(secrets) }
}

#[cfg(test)]
mod tests;
