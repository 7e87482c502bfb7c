//! The keys that tokens are verified with, as metrics: how many there are and whether they are up to date.

use std::{fmt, sync::Arc, time::UNIX_EPOCH};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};
use realtime_adapters::jwt::{Issuers, KeyStatus};

/// Reads the status of the keys when it is requested.
pub(super) struct KeyMetrics(pub(super) Arc<Issuers>);

impl fmt::Debug for KeyMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyMetrics").finish_non_exhaustive()
    }
}

type Reader = fn(&KeyStatus) -> Option<i64>;

/// Name, help, and value; `None` for issuers without a JWKS address.
const GAUGES: [(&str, &str, Reader); 4] = [
    ("verification_keys", "Keys that tokens are verified with now, by issuer.", |s| i64::try_from(s.keys).ok()),
    (
        "verification_keys_left_out",
        "Keys of JWK Sets that are not used although they may be meant for tokens; the log names them.",
        |s| i64::try_from(s.left_out.len()).ok(),
    ),
    (
        "jwks_last_success_timestamp_seconds",
        "When the keys of a JWKS address were last fetched, in seconds since 1970; absent until then.",
        |s| s.address.as_ref()?.last_success?.duration_since(UNIX_EPOCH).ok()?.as_secs().try_into().ok(),
    ),
    (
        "jwks_stale",
        "1 if the keys of a JWKS address are older than auth.jwks.refresh and the last fetch failed, else 0.",
        |s| Some(i64::from(s.address.as_ref()?.stale)),
    ),
];

type Counter = fn(&KeyStatus) -> Option<u64>;

const COUNTERS: [(&str, &str, Counter); 2] = [
    ("jwks_fetches", "Fetches of a JWKS address that have ended.", |s| Some(s.address.as_ref()?.fetches)),
    ("jwks_fetch_failures", "Fetches of a JWKS address that failed.", |s| Some(s.address.as_ref()?.failures)),
];

impl Collector for KeyMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let status = self.0.status();
        for (name, help, read) in GAUGES {
            let values = status.iter().filter_map(|(issuer, status)| Some((issuer, read(status)?)));
            let mut gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (issuer, value) in values {
                ConstGauge::new(value).encode(gauge.encode_family(&[("issuer", issuer.as_str())])?)?;
            }
        }
        for (name, help, read) in COUNTERS {
            let values = status.iter().filter_map(|(issuer, status)| Some((issuer, read(status)?)));
            let mut counter = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (issuer, value) in values {
                ConstCounter::new(value).encode(counter.encode_family(&[("issuer", issuer.as_str())])?)?;
            }
        }
        Ok(())
    }
}
