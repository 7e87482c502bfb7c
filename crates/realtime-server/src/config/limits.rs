//! `[limits]`: every limit, by name.

use realtime_adapters::{front::AcceptorConfig, ws::WsConfig};
use realtime_schema::{ClientLimits, Topic};
use realtime_service::Settings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    duration::Span,
    problems::{Problems, count},
};
use crate::open_files;

/// Open files beside the sockets of clients: the listener, the log, the runtime, connections for keys.
const RESERVED_FILES: u64 = 64;

/// Every limit, by name.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Most connections of this node. Over it: 503.
    pub connections: usize,
    /// Most connections of one user. Over it: 429.
    pub connections_per_user: usize,
    /// Most connections from one address. Over it: 429.
    pub connections_per_address: usize,
    /// Most sockets that speak HTTP at once; WebSockets don't count. Over it: 503.
    pub http_sockets: usize,
    /// Most of them from one address, or from one /64 network of IPv6. Over it: 503. Not applied
    /// to the addresses of `server.trusted_proxies`, and to none if `server.client_address_header` is set without them.
    /// `/healthz`, `/readyz` and `/metrics` are served even when no socket is left.
    pub http_sockets_per_address: usize,
    /// Most bytes of a request's head. Over it: 431. At least 8192.
    pub header_bytes: usize,
    /// Most header lines of a request. Over it: 431.
    pub headers: usize,
    /// How long the head of a request may take to arrive, from its first byte, and how long a new connection may send
    /// nothing. Over it: disconnected.
    pub header_timeout: Span,
    /// How long a connection may be idle between two HTTP requests. Over it: disconnected. A proxy that keeps
    /// connections in a pool must close idle ones sooner.
    pub keep_alive_timeout: Span,
    /// How long a client may take to read a whole HTTP response, from when the kernel's buffer is full. Over it:
    /// disconnected.
    pub answer_timeout: Span,
    /// How long a peer may take to take over its upgraded socket.
    pub upgrade_timeout: Span,
    /// Tokens that are verified at once; more wait for `limits.verify_timeout`.
    pub verifications: usize,
    /// How long the verification of a token may take. Over it: 503.
    pub verify_timeout: Span,
    /// Largest message from a client, in bytes. Over it: close 1009.
    pub max_message_bytes: u64,
    /// Largest WebSocket frame from a client, in bytes. Over it: close 1009.
    pub max_frame_bytes: usize,
    /// Most frames that a message may be cut into. Over it: close 1009.
    pub max_fragments: u32,
    /// Most topics that one connection may be subscribed to; 0 for none. Over it: `limit_exceeded`.
    pub subscriptions: u32,
    /// Longest topic that a client may name, in characters: at most 255. Over it: `payload_invalid`.
    pub topic_chars: u32,
    /// Commands per second that a connection may send in the long run. Over it: `rate_limited`, then close 4529.
    pub messages_per_second: u32,
    /// Commands that may come at once after a quiet time.
    pub burst: u32,
    /// Messages that may wait for a slow reader. Over it, `delivery.overflow` decides.
    pub queue_messages: u32,
    /// Bytes that may wait for a slow reader. Over it, `delivery.overflow` decides.
    pub queue_bytes: u64,
    /// Largest payload that is published, in bytes, by a backend or a client. Over it: `too_large`.
    pub max_publish_bytes: usize,
    /// Most publications of this node that `POST /api/v1/explain` remembers and `GET /api/v1/topics/busiest` counts, without their payloads, and most changes of
    /// subscriptions; 0 for none.
    pub explained_publications: usize,
    /// Most traces (`POST /api/v1/trace`) at once; 0 for none. Over it: `limit_exceeded`.
    pub traces: usize,
    /// How long a trace may last.
    pub trace_time: Span,
    /// Most events of a trace that wait for its reader. Over it, they are counted and not kept.
    pub trace_events: usize,
    /// Most bytes of payloads that wait for the reader of a trace. Over it, events are counted and not kept; a larger
    /// payload fits if no other waits.
    pub trace_bytes: usize,
    /// Messages per second that a connection may publish in the long run. Over it: `rate_limited`. They count as commands
    /// too.
    pub publishes_per_second: u32,
    /// Messages that a connection may publish at once after a quiet time.
    pub publish_burst: u32,
    /// Messages per second that all connections of one user to this node may publish in the long run. Over it:
    /// `rate_limited`.
    pub user_publishes_per_second: u32,
    /// Messages that the connections of one user may publish at once after a quiet time.
    pub user_publish_burst: u32,
    /// Most topics that one user may be given with `PUT /api/v1/users/{id}/topics/{topic}`. Over it: `limit_exceeded`.
    pub user_topics: usize,
    /// Most topics of all users together: pairs of a user and a topic. Over it: `limit_exceeded`.
    pub all_user_topics: usize,
    /// Maximum revocations of users and tokens that are kept in memory. Over it: `limit_exceeded`; none is dropped for a
    /// new one.
    pub revocations: usize,
    /// How long a revocation is kept that names no end, and whose token's expiry is unknown. At least the longest
    /// lifetime of your tokens: afterwards a revoked token would be accepted again.
    pub revocation_duration: Span,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        let (settings, client) = (Settings::default(), ClientLimits::default());
        let (ws, front) = (WsConfig::default(), AcceptorConfig::default());
        Self {
            connections: settings.admission.connections,
            connections_per_user: settings.admission.connections_per_user,
            connections_per_address: settings.admission.connections_per_address,
            http_sockets: front.max_http_sockets,
            http_sockets_per_address: front.max_http_sockets_per_address,
            header_bytes: front.max_header_bytes,
            headers: front.max_headers,
            header_timeout: front.header_read_timeout.into(),
            keep_alive_timeout: front.keep_alive_timeout.into(),
            answer_timeout: front.answer_timeout.into(),
            upgrade_timeout: ws.upgrade_timeout.into(),
            verifications: settings.admission.verifications,
            verify_timeout: settings.admission.verify_timeout.into(),
            max_message_bytes: client.max_message_bytes,
            max_frame_bytes: ws.max_frame_bytes,
            max_fragments: ws.max_fragments,
            subscriptions: client.subscriptions,
            topic_chars: client.topic_chars,
            messages_per_second: client.messages_per_second,
            burst: client.burst,
            queue_messages: client.queue_messages,
            queue_bytes: client.queue_bytes,
            max_publish_bytes: settings.publishing.max_bytes,
            explained_publications: settings.publishing.explained,
            traces: settings.traces.max,
            trace_time: settings.traces.max_duration.into(),
            trace_events: settings.traces.events,
            trace_bytes: settings.traces.bytes,
            publishes_per_second: client.publishes_per_second,
            publish_burst: client.publish_burst,
            user_publishes_per_second: client.user_publishes_per_second,
            user_publish_burst: client.user_publish_burst,
            user_topics: settings.user_topics.per_user,
            all_user_topics: settings.user_topics.total,
            revocations: settings.revocations.max,
            revocation_duration: settings.revocations.duration.into(),
        }
    }
}

impl LimitsConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.at_least_one(&[
            ("limits.connections", count(self.connections)),
            ("limits.connections_per_user", count(self.connections_per_user)),
            ("limits.connections_per_address", count(self.connections_per_address)),
            ("limits.http_sockets", count(self.http_sockets)),
            ("limits.http_sockets_per_address", count(self.http_sockets_per_address)),
            ("limits.headers", count(self.headers)),
            ("limits.verifications", count(self.verifications)),
            ("limits.max_message_bytes", self.max_message_bytes),
            ("limits.max_frame_bytes", count(self.max_frame_bytes)),
            ("limits.max_fragments", self.max_fragments.into()),
            ("limits.messages_per_second", self.messages_per_second.into()),
            ("limits.burst", self.burst.into()),
            ("limits.queue_messages", self.queue_messages.into()),
            ("limits.queue_bytes", self.queue_bytes),
            ("limits.max_publish_bytes", count(self.max_publish_bytes)),
            ("limits.trace_events", count(self.trace_events)),
            ("limits.trace_bytes", count(self.trace_bytes)),
            ("limits.publishes_per_second", self.publishes_per_second.into()),
            ("limits.publish_burst", self.publish_burst.into()),
            ("limits.user_publishes_per_second", self.user_publishes_per_second.into()),
            ("limits.user_publish_burst", self.user_publish_burst.into()),
            ("limits.user_topics", count(self.user_topics)),
            ("limits.all_user_topics", count(self.all_user_topics)),
            ("limits.revocations", count(self.revocations)),
        ]);
        problems.waits(&[
            ("limits.header_timeout", self.header_timeout),
            ("limits.keep_alive_timeout", self.keep_alive_timeout),
            ("limits.answer_timeout", self.answer_timeout),
            ("limits.upgrade_timeout", self.upgrade_timeout),
            ("limits.verify_timeout", self.verify_timeout),
        ]);
        if self.revocation_duration.0.is_zero() {
            problems.add("limits.revocation_duration", "is 0; give the longest lifetime of your tokens");
        }
        if self.trace_time.0.as_secs() == 0 {
            problems.add("limits.trace_time", "is under 1s; to forbid traces set limits.traces = 0");
        }
        if self.header_bytes < 8192 {
            problems.add("limits.header_bytes", "is under 8192, which the HTTP library needs");
        }
        if self.topic_chars == 0 || self.topic_chars as usize > Topic::MAX_CHARS {
            problems.add("limits.topic_chars", format!("must be 1 to {}", Topic::MAX_CHARS));
        }
    }

    pub(super) fn warn(&self, warnings: &mut Problems) {
        if let Some(what) = self.too_few_files(open_files::hard_limit())
            && self.is_chosen()
        {
            warnings.add("limits.connections", what);
        }
    }

    /// As [`warn`](Self::warn), for the default limit: nobody asked for that many connections.
    pub(super) fn note(&self, notes: &mut Problems) {
        if let Some(what) = self.too_few_files(open_files::hard_limit())
            && !self.is_chosen()
        {
            notes.add("limits.connections", what);
        }
    }

    /// Whether a limit of sockets is another than the default.
    fn is_chosen(&self) -> bool {
        let default = Self::default();
        (self.connections, self.http_sockets) != (default.connections, default.http_sockets)
    }

    /// What to say if the sockets need more than the `most` open files.
    fn too_few_files(&self, most: Option<u64>) -> Option<String> {
        let most = most?;
        let needed = self.sockets().saturating_add(RESERVED_FILES);
        let enough = most.saturating_sub(RESERVED_FILES.saturating_add(count(self.http_sockets)));
        (needed > most).then(|| {
            format!(
                "{} connections and {} HTTP sockets need {needed} open files, and this process may have {most}, which is \
                 enough for {enough} connections: for more, raise the hard limit (`LimitNOFILE=` of a systemd unit, \
                 `ulimit -Hn`), or lower the limit",
                self.connections, self.http_sockets
            )
        })
    }

    /// The most sockets at once.
    fn sockets(&self) -> u64 {
        count(self.connections).saturating_add(count(self.http_sockets))
    }

    /// Takes over what a reload applies: what concerns connections. The limits of HTTP are those of the listener.
    pub(super) fn take_reloadable(&mut self, new: &Self) {
        self.connections = new.connections;
        self.connections_per_user = new.connections_per_user;
        self.connections_per_address = new.connections_per_address;
        self.verify_timeout = new.verify_timeout;
        self.upgrade_timeout = new.upgrade_timeout;
        self.max_message_bytes = new.max_message_bytes;
        self.max_frame_bytes = new.max_frame_bytes;
        self.max_fragments = new.max_fragments;
        self.subscriptions = new.subscriptions;
        self.topic_chars = new.topic_chars;
        self.messages_per_second = new.messages_per_second;
        self.burst = new.burst;
        self.queue_messages = new.queue_messages;
        self.queue_bytes = new.queue_bytes;
        self.max_publish_bytes = new.max_publish_bytes;
        self.explained_publications = new.explained_publications;
        self.traces = new.traces;
        self.trace_time = new.trace_time;
        self.trace_events = new.trace_events;
        self.trace_bytes = new.trace_bytes;
        self.publishes_per_second = new.publishes_per_second;
        self.publish_burst = new.publish_burst;
        self.user_publishes_per_second = new.user_publishes_per_second;
        self.user_publish_burst = new.user_publish_burst;
        self.user_topics = new.user_topics;
        self.all_user_topics = new.all_user_topics;
        self.revocations = new.revocations;
        self.revocation_duration = new.revocation_duration;
    }

    pub(super) fn apply(&self, settings: &mut Settings) {
        settings.limits = ClientLimits {
            max_message_bytes: self.max_message_bytes,
            subscriptions: self.subscriptions,
            topic_chars: self.topic_chars,
            messages_per_second: self.messages_per_second,
            burst: self.burst,
            max_publish_bytes: count(self.max_publish_bytes),
            publishes_per_second: self.publishes_per_second,
            publish_burst: self.publish_burst,
            user_publishes_per_second: self.user_publishes_per_second,
            user_publish_burst: self.user_publish_burst,
            queue_messages: self.queue_messages,
            queue_bytes: self.queue_bytes,
        };
        settings.admission.connections = self.connections;
        settings.admission.connections_per_user = self.connections_per_user;
        settings.admission.connections_per_address = self.connections_per_address;
        settings.admission.verifications = self.verifications;
        settings.admission.verify_timeout = self.verify_timeout.0;
        settings.publishing.max_bytes = self.max_publish_bytes;
        settings.publishing.explained = self.explained_publications;
        settings.traces.max = self.traces;
        settings.traces.max_duration = self.trace_time.0;
        settings.traces.events = self.trace_events;
        settings.traces.bytes = self.trace_bytes;
        settings.user_topics.per_user = self.user_topics;
        settings.user_topics.total = self.all_user_topics;
        settings.revocations.max = self.revocations;
        settings.revocations.duration = self.revocation_duration.0;
    }

    /// The WebSocket endpoint's part; which pages may connect stands in `[server]`.
    pub(super) fn ws(&self) -> WsConfig {
        WsConfig {
            max_message_bytes: usize::try_from(self.max_message_bytes).unwrap_or(usize::MAX),
            max_frame_bytes: self.max_frame_bytes,
            max_fragments: self.max_fragments,
            upgrade_timeout: self.upgrade_timeout.0,
            ..WsConfig::default()
        }
    }

    /// The HTTP front end's part; which proxies are in front stands in `[server]`.
    pub(super) fn acceptor(&self) -> AcceptorConfig {
        AcceptorConfig {
            header_read_timeout: self.header_timeout.0,
            keep_alive_timeout: self.keep_alive_timeout.0,
            answer_timeout: self.answer_timeout.0,
            max_header_bytes: self.header_bytes,
            max_headers: self.headers,
            max_http_sockets: self.http_sockets,
            max_http_sockets_per_address: self.http_sockets_per_address,
            ..AcceptorConfig::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_needs_too_many_open_files_says_how_many_connections_fit() {
        let limits = LimitsConfig::default();
        let files = count(limits.connections) + count(limits.http_sockets) + RESERVED_FILES;
        assert_eq!(limits.too_few_files(Some(files)), None);
        assert_eq!(limits.too_few_files(None), None, "a system without such a limit");
        let said = limits.too_few_files(Some(files - 1)).expect("one is missing");
        assert!(said.contains(&format!("enough for {} connections", limits.connections - 1)), "{said}");
        assert!(limits.too_few_files(Some(100)).is_some_and(|said| said.contains("enough for 0 connections")));
    }

    #[test]
    fn too_few_open_files_are_a_note_for_the_default_limit_and_a_warning_for_a_chosen_one() {
        assert!(!LimitsConfig::default().is_chosen());
        assert!(LimitsConfig { connections: 60_000, ..LimitsConfig::default() }.is_chosen());
        let found = |limits: &LimitsConfig| {
            let (mut warnings, mut notes) = (Problems::default(), Problems::default());
            limits.warn(&mut warnings);
            limits.note(&mut notes);
            (warnings.len(), notes.len())
        };
        assert_eq!(found(&LimitsConfig::default()).0, 0, "nobody chose the default");
        let chosen = LimitsConfig { connections: usize::MAX, ..LimitsConfig::default() };
        assert_eq!(found(&chosen), (usize::from(cfg!(unix)), 0));
    }
}
