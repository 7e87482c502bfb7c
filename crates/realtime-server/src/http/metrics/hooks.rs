//! The hooks over HTTP, as metrics: requests, failures, latency and the circuit breaker of each.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};
use realtime_adapters::http_hooks::{BreakerState, FailureKind, Fallback, HookStats, HttpHooks, LATENCY_BUCKETS};

/// Reads the counters of the hooks when they are requested.
#[derive(Debug)]
pub(super) struct HookMetrics(pub(super) HttpHooks);

type Gauge = fn(&HookStats) -> usize;

const GAUGES: [(&str, &str, Gauge); 4] = [
    ("hook_requests_waiting", "Requests of a hook that wait to be sent.", |s| s.waiting),
    ("hook_requests_pending", "Requests of a hook that were sent and have no response yet.", |s| s.pending),
    ("hook_breaker_state", "The circuit breaker of a hook: 0 closed, 1 half open, 2 open.", |s| match s.breaker {
        BreakerState::Open => 2,
        BreakerState::HalfOpen => 1,
        _ => 0,
    }),
    ("hook_queued", "Notifications of a hook that are not delivered yet.", |s| s.queued),
];

type Counter = fn(&HookStats) -> u64;

const COUNTERS: [(&str, &str, Counter); 3] = [
    ("hook_attempts", "Requests sent to the backend, retries included.", |s| s.attempts),
    ("hook_retries", "Requests sent to the backend again after a failure.", |s| s.retries),
    ("hook_dropped", "Notifications of a hook that were given up.", |s| s.dropped),
];

impl Collector for HookMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let hooks = self.0.stats();
        for (name, help, read) in GAUGES {
            let mut gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for stats in &hooks {
                let value = i64::try_from(read(stats)).unwrap_or(i64::MAX);
                ConstGauge::new(value).encode(gauge.encode_family(&[("hook", stats.hook.as_str())])?)?;
            }
        }
        for (name, help, read) in COUNTERS {
            let mut counter = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for stats in &hooks {
                ConstCounter::new(read(stats)).encode(counter.encode_family(&[("hook", stats.hook.as_str())])?)?;
            }
        }
        let help = "Requests of a hook that failed, by kind.";
        let mut counter = encoder.encode_descriptor("hook_failures", help, None, MetricType::Counter)?;
        for (stats, kind) in hooks.iter().flat_map(|stats| FailureKind::ALL.map(|kind| (stats, kind))) {
            let labels = [("hook", stats.hook.as_str()), ("kind", kind.as_str())];
            ConstCounter::new(stats.failures_of(kind)).encode(counter.encode_family(&labels)?)?;
        }
        let help = "Clients that on_failure decided on, by its decision.";
        let mut counter = encoder.encode_descriptor("hook_fallbacks", help, None, MetricType::Counter)?;
        for (stats, fallback) in hooks.iter().flat_map(|stats| Fallback::ALL.map(|fallback| (stats, fallback))) {
            let labels = [("hook", stats.hook.as_str()), ("decision", fallback.as_str())];
            ConstCounter::new(stats.fallbacks_to(fallback)).encode(counter.encode_family(&labels)?)?;
        }
        let help = "Time from a request to the backend to the end of its response, in seconds.";
        let mut histogram = encoder.encode_descriptor("hook_duration_seconds", help, None, MetricType::Histogram)?;
        for stats in &hooks {
            let bounds = LATENCY_BUCKETS.into_iter().chain([f64::MAX]);
            let buckets: Vec<_> = bounds.zip(stats.latency).collect();
            let count = stats.latency.iter().sum();
            let labels = [("hook", stats.hook.as_str())];
            histogram.encode_family(&labels)?.encode_histogram::<NoLabelSet>(
                stats.latency_sum,
                count,
                &buckets,
                None,
            )?;
        }
        Ok(())
    }
}
