//! The service's own figures: what it counts, its limits, and what its queues hold.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};
use realtime_adapters::front::Slots;
use realtime_service::Service;

use crate::config::Config;

/// How long the sum over all queues is used before `/metrics` computes it again.
const QUEUES_FRESH_FOR: Duration = Duration::from_secs(1);

/// The same for `/api/v1/stats`, which a page reads each second.
const QUEUES_OF_LATE: Duration = Duration::from_secs(10);

/// Reads the figures when they are asked for.
#[derive(Clone, Debug)]
pub(super) struct Figures(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    service: Service,
    http_slots: Slots,
    /// Limits that are not the service's own.
    server_limits: [(&'static str, usize); 2],
    /// The last sum over all queues, and when it was computed.
    queued: Mutex<Option<(Instant, u64)>>,
}

impl Figures {
    pub(super) fn new(service: Service, http_slots: Slots, config: &Config) -> Self {
        let server_limits =
            [("http_sockets", config.limits.http_sockets), ("api_max_body_bytes", config.api.max_body_bytes)];
        Self(Arc::new(Inner { service, http_slots, server_limits, queued: Mutex::default() }))
    }

    /// The bytes that wait in the queues of all connections, at most 10 seconds ago.
    pub(super) fn queued_bytes_of_late(&self) -> u64 {
        self.queued_bytes(QUEUES_OF_LATE)
    }

    /// The bytes that wait in the queues of all connections. Looking at all of them costs about a tenth of a
    /// microsecond each, so it is done once in `fresh_for` however often it is read.
    fn queued_bytes(&self, fresh_for: Duration) -> u64 {
        let mut queued = self.0.queued.lock().unwrap_or_else(PoisonError::into_inner);
        match *queued {
            Some((at, bytes)) if at.elapsed() < fresh_for => bytes,
            _ => {
                let bytes = self.0.service.queued_bytes();
                *queued = Some((Instant::now(), bytes));
                bytes
            }
        }
    }

    /// The limits, by the name of their setting after `limits.`.
    pub(super) fn limits(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let settings = self.0.service.settings();
        let (admission, client) = (&settings.admission, &settings.limits);
        let counts = [
            ("connections", admission.connections),
            ("connections_per_user", admission.connections_per_user),
            ("connections_per_address", admission.connections_per_address),
            ("revocations", settings.revocations.max),
        ];
        let counts = counts.into_iter().chain(self.0.server_limits).map(|(name, limit)| (name, limit as u64));
        let of_a_client = [
            ("subscriptions", u64::from(client.subscriptions)),
            ("queue_messages", u64::from(client.queue_messages)),
            ("queue_bytes", client.queue_bytes),
        ];
        counts.chain(of_a_client)
    }
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Inner { service, http_slots, .. } = &*self.0;
        let m = service.metrics();
        let gauges = [
            ("connections", "Connections now.", m.connections),
            ("users", "Users with at least one connection now.", m.users),
            ("topics", "Topics with at least one subscriber now.", m.topics),
            ("subscriptions", "Subscriptions now.", m.subscriptions),
            (
                "http_sockets",
                "Sockets that speak HTTP now, without those of WebSockets; their limit is limits.http_sockets.",
                http_slots.in_use() as u64,
            ),
            ("presence_topics", "Topics with at least one present user, where presence is kept.", m.presence_topics),
            ("presence_users", "Pairs of a topic and a user who is present on it.", m.presence_users),
            ("history_streams", "Streams with a history, or with the position of one.", m.history_streams),
            ("history_bytes", "Bytes of all histories; their limit is history.total_bytes.", m.history_bytes),
            ("revocations", "Revocations of users and tokens that have not ended.", m.revocations),
            ("queued_bytes", "Bytes that wait in the queues of all connections.", self.queued_bytes(QUEUES_FRESH_FOR)),
            ("draining", "1 while this node is draining, else 0.", service.is_draining().into()),
        ];
        let store = service.store_usage().map(|usage| {
            [
                ("store_file_bytes", "Bytes of the files of the durable store.", usage.file_bytes),
                ("store_live_bytes", "Bytes of what the durable store must keep.", usage.live_bytes),
                ("store_failing", "1 while nothing can be stored, else 0.", (!service.can_store()).into()),
            ]
        });
        for (name, help, value) in gauges.into_iter().chain(store.into_iter().flatten()) {
            let value = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            value.encode(encoder.encode_descriptor(name, help, None, value.metric_type())?)?;
        }
        let counters = [
            ("accepted_connections", "Admitted connections.", m.connections_total),
            ("refused_connections", "Refused connections, whatever the reason.", m.refusals.connections()),
            ("publications", "Messages published on this node.", m.publications_total),
            (
                "payloads_refused",
                "Messages refused because their type or payload does not fit the contract of their streams.",
                m.payloads_refused_total,
            ),
            ("envelopes", "Messages delivered on this node, published by any node.", m.envelopes_total),
            ("deliveries", "Messages that connections took into their queues.", m.deliveries_total),
            (
                "dropped",
                "Messages dropped from a slow reader's queue: reported by a gap, or superseded by a later one.",
                m.dropped_total,
            ),
            ("gaps", "Gaps that clients were sent.", m.gaps_total),
            ("closed_slow", "Connections closed because they read too slowly.", m.closed_slow_total),
            ("commands", "Text messages that clients sent.", m.commands_total),
            ("command_errors", "Commands answered by an error.", m.errors_total),
            ("frames_sent", "Frames written to sockets.", m.frames_out_total),
            ("bytes_sent", "Bytes of those frames.", m.bytes_out_total),
            ("writes", "Calls to write them.", m.writes_total),
            ("history_pages", "Pages of histories that connections read, to catch up.", m.history_pages_total),
            (
                "history_removed",
                "Messages removed from histories because they had expired, or because all histories were too large.",
                m.history_removed_total,
            ),
            ("history_forgotten", "Streams whose history was forgotten with its position.", m.history_forgotten_total),
            (
                "presence_repairs",
                "Lists of present users that are sent again, because a slow reader's queue had left changes out.",
                m.presence_repairs_total,
            ),
            ("hook_errors", "Hooks of the application that failed or took too long.", m.hook_errors_total),
        ];
        for (name, help, value) in counters {
            let value = ConstCounter::new(value);
            value.encode(encoder.encode_descriptor(name, help, None, value.metric_type())?)?;
        }
        let help = "Clients and callers of the HTTP API that were refused, by reason.";
        let mut refusals = encoder.encode_descriptor("refusals", help, None, MetricType::Counter)?;
        for (reason, count) in m.refusals.iter() {
            ConstCounter::new(count).encode(refusals.encode_family(&[("reason", reason.as_str())])?)?;
        }
        let help = "Closed connections by close code; `none` ended without a close frame.";
        let mut closes = encoder.encode_descriptor("closed_connections", help, None, MetricType::Counter)?;
        for (code, count) in m.closes.iter() {
            ConstCounter::new(count).encode(closes.encode_family(&[("code", code)])?)?;
        }
        let help = "The configured limits, by name.";
        let mut limits = encoder.encode_descriptor("limit", help, None, MetricType::Gauge)?;
        for (name, limit) in self.limits() {
            let limit = ConstGauge::new(i64::try_from(limit).unwrap_or(i64::MAX));
            limit.encode(limits.encode_family(&[("name", name)])?)?;
        }
        Ok(())
    }
}
