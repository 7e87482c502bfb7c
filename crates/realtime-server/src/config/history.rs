//! `[history]`: how much history is kept in all, and how clients continue their streams.

use realtime_adapters::jwt::SignedTickets;
use realtime_service::Settings;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{
    duration::Span,
    namespaces::NamespaceConfig,
    problems::{Problems, count},
    secret::{SecretText, without_newline},
};

/// How much history is kept in all, and how clients continue their streams after a reconnect. Which streams have history,
/// and how much each of them keeps, is in `[[namespaces]]`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HistoryConfig {
    /// Most bytes of history of all streams together. Over it, the oldest messages are removed first.
    pub total_bytes: u64,
    /// Most streams with history, including those of which only the position is left. Over it, the position of the
    /// stream that was quiet for longest is removed; a client that continues it receives a `gap`.
    pub total_streams: usize,
    /// How long the position of a stream is kept after its last message. A client that continues the stream later
    /// receives a `gap`.
    pub position_age: Span,
    /// How long the streams of a client that reconnected with a resume ticket stand still, to wait for its `resume`.
    /// Over it, they continue with a `gap`.
    pub hold: Span,
    /// Most messages on one page of history. A request for more gets this many.
    pub page: u32,
    /// Most bytes on one page of history. A message that is larger is a page of its own. Should be well below
    /// `limits.queue_bytes`, because a page for a client waits in its queue.
    pub page_bytes: u64,
    /// How long a resume ticket is valid. A client that reconnects later continues only the topics that it subscribes to
    /// by itself.
    pub resume_ttl: Span,
    /// The secrets that sign resume tickets, each of at least 32 bytes. The first signs; all of them are accepted, so
    /// that they can be rotated. Give every node of a cluster the same. Without one, a secret is drawn: with
    /// `store.dir` it is kept there, else tickets from before a restart are not accepted.
    #[serde(skip_serializing)]
    #[schemars(with = "Vec<SecretText>")]
    pub resume_secrets: Vec<SecretString>,
}

impl Default for HistoryConfig {
    fn default() -> Self {
        let history = Settings::default().history;
        Self {
            total_bytes: history.total_bytes,
            total_streams: history.total_streams,
            position_age: history.position_age.into(),
            hold: history.hold.into(),
            page: history.page,
            page_bytes: history.page_bytes,
            resume_ttl: history.resume_ttl.into(),
            resume_secrets: Vec::new(),
        }
    }
}

impl HistoryConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.at_least_one(&[
            ("history.total_bytes", self.total_bytes),
            ("history.total_streams", count(self.total_streams)),
            ("history.page", self.page.into()),
            ("history.page_bytes", self.page_bytes),
        ]);
        problems.waits(&[("history.hold", self.hold)]);
        for (key, span) in [("history.position_age", self.position_age), ("history.resume_ttl", self.resume_ttl)] {
            if span.0.is_zero() {
                problems.add(key, "is 0; give a time, such as `1h`");
            }
        }
        for (index, secret) in self.secrets().enumerate() {
            if let Err(error) = SignedTickets::new([secret]) {
                problems.add(&format!("history.resume_secrets[{index}]"), error.to_string());
            }
        }
    }

    pub(super) fn warn(&self, namespaces: &[NamespaceConfig], queue_bytes: u64, warnings: &mut Problems) {
        if self.page_bytes > queue_bytes {
            let what = "is more than `limits.queue_bytes`: a client that reads such a page may be closed as too slow";
            warnings.add("history.page_bytes", what);
        }
        let largest = namespaces.iter().filter_map(|namespace| Some(namespace.history.as_ref()?.bytes)).max();
        if let Some(bytes) = largest.filter(|bytes| *bytes > self.total_bytes) {
            let what =
                format!("is less than the {bytes} bytes that a namespace keeps of one stream: raise it, or that");
            warnings.add("history.total_bytes", what);
        }
        for (index, secret) in self.resume_secrets.iter().enumerate() {
            if without_newline(secret.expose_secret()).is_some() {
                warnings.add(&format!("history.resume_secrets[{index}]"), "ends in a newline, which is left out");
            }
        }
    }

    fn secrets(&self) -> impl Iterator<Item = &str> {
        let texts = self.resume_secrets.iter().map(ExposeSecret::expose_secret);
        texts.map(|text| without_newline(text).unwrap_or(text))
    }

    /// What signs resume tickets; `None` if a secret is to be drawn.
    pub(super) fn tickets(&self, problems: &mut Problems) -> Option<SignedTickets> {
        if self.resume_secrets.is_empty() {
            return None;
        }
        problems.ok("history.resume_secrets", SignedTickets::new(self.secrets()))
    }

    /// Takes over what a reload applies: all but the secrets.
    pub(super) fn take_reloadable(&mut self, new: &Self) {
        let resume_secrets = std::mem::take(&mut self.resume_secrets);
        *self = Self { resume_secrets, ..*new };
    }

    pub(super) fn apply(&self, settings: &mut Settings) {
        let history = &mut settings.history;
        history.total_bytes = self.total_bytes;
        history.total_streams = self.total_streams;
        history.position_age = self.position_age.0;
        history.hold = self.hold.0;
        history.page = self.page;
        history.page_bytes = self.page_bytes;
        history.resume_ttl = self.resume_ttl.0;
    }
}

#[cfg(test)]
mod tests;
