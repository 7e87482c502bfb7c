//! `[api]`: the HTTP API for backends.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use realtime_service::Settings;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{
    duration::Span,
    keys::variable,
    problems::Problems,
    secret::{SecretText, shown, without_newline},
};

/// The shortest API key, in characters.
const MIN_KEY_CHARS: usize = 16;

/// The largest file of keys, in bytes: some hundred keys.
const MAX_KEYS_FILE_BYTES: u64 = 64 * 1024;

/// The HTTP API for backends.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ApiConfig {
    /// The keys that backends authenticate with, each of at least 16 characters; several, so that they can be
    /// rotated. At least one is required, here or in `api.keys_file`.
    #[serde(skip_serializing)]
    #[schemars(with = "Vec<SecretText>")]
    pub keys: Vec<SecretString>,
    /// A file with such keys, one per line, such as a mounted secret; empty lines and lines that begin with `#` are
    /// skipped. Its keys are accepted beside those of `api.keys`. Read again on SIGHUP.
    #[schemars(with = "Option<String>")]
    pub keys_file: Option<PathBuf>,
    /// The longest that a request may take.
    pub timeout: Span,
    /// The largest body of a request, in bytes.
    pub max_body_bytes: usize,
    /// How long an idempotency key is remembered.
    pub idempotency_window: Span,
    /// Most idempotency keys that are remembered; the oldest are forgotten first.
    pub idempotency_keys: usize,
}

impl Default for ApiConfig {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            keys: Vec::new(),
            keys_file: None,
            timeout: Span::secs(10),
            max_body_bytes: 1024 * 1024,
            idempotency_window: settings.publishing.idempotency_window.into(),
            idempotency_keys: settings.publishing.idempotency_keys,
        }
    }
}

impl ApiConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.waits(&[("api.timeout", self.timeout)]);
        let keys = self.all_keys(problems);
        if keys.is_empty() && self.keys_file.is_none() {
            problems.add(
                "api.keys",
                format!(
                    "no key for backends; set {} (`openssl rand -hex 32` makes one) or {}, or try the server with --dev",
                    variable("api.keys"),
                    variable("api.keys_file"),
                ),
            );
        }
    }

    pub(super) fn warn(&self, warnings: &mut Problems) {
        for (index, key) in self.keys.iter().enumerate() {
            if without_newline(key.expose_secret()).is_some() {
                warnings.add(&format!("api.keys[{index}]"), "ends in a newline, which is left out");
            }
        }
    }

    /// The keys that are given and those of the file; what is wrong with them is added to `problems`.
    pub(super) fn all_keys(&self, problems: &mut Problems) -> Vec<SecretString> {
        let mut keys = Vec::new();
        for (index, key) in self.keys.iter().enumerate() {
            let key = key.expose_secret();
            let key = without_newline(key).unwrap_or(key);
            match check_key(key) {
                Ok(()) => keys.push(SecretString::from(key)),
                Err(what) => problems.add(&format!("api.keys[{index}]"), what),
            }
        }
        if let Some(path) = &self.keys_file {
            match read_keys(path) {
                Ok(found) => keys.extend(found),
                Err(what) => problems.add("api.keys_file", format!("{}: {what}", shown(path))),
            }
        }
        keys
    }

    /// Takes over what a reload applies.
    pub(super) fn take_reloadable(&mut self, new: Self) {
        self.keys = new.keys;
        self.keys_file = new.keys_file;
        self.idempotency_window = new.idempotency_window;
        self.idempotency_keys = new.idempotency_keys;
    }

    pub(super) fn apply(&self, settings: &mut Settings) {
        settings.publishing.idempotency_window = self.idempotency_window.0;
        settings.publishing.idempotency_keys = self.idempotency_keys;
    }
}

/// Whether `key` can be sent in a header and is not easily guessed.
pub(super) fn check_key(key: &str) -> Result<(), String> {
    if key.chars().count() < MIN_KEY_CHARS || !key.chars().all(|c| c.is_ascii_graphic()) {
        return Err(format!(
            "a key must have at least {MIN_KEY_CHARS} characters, all of them printable ASCII without spaces"
        ));
    }
    Ok(())
}

/// The keys of a file, one per line.
fn read_keys(path: &Path) -> Result<Vec<SecretString>, String> {
    let mut text = String::new();
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(MAX_KEYS_FILE_BYTES + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > MAX_KEYS_FILE_BYTES {
        return Err(format!("is larger than {MAX_KEYS_FILE_BYTES} bytes"));
    }
    let lines = text.lines().map(str::trim).enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let keys = lines.map(|(index, key)| match check_key(key) {
        Ok(()) => Ok(SecretString::from(key)),
        Err(what) => Err(format!("line {}: {what}", index + 1)),
    });
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() { Err("contains no key; write one per line".into()) } else { Ok(keys) }
}
