//! The figures of a run, each with its name and unit.

use std::time::Duration;

use serde::Serialize;

use crate::subscribers::Seen;

/// The figures of one run of one server.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Figures {
    /// CPU time of the server, in microseconds per message that a subscriber received.
    pub(crate) cpu_us_per_delivery: Option<f64>,
    /// CPU time of the server, in microseconds per message that was published.
    pub(crate) cpu_us_per_publication: Option<f64>,
    pub(crate) deliveries_per_s: Option<f64>,
    /// What a message was on the wire, its frame included.
    pub(crate) bytes_per_delivery: Option<f64>,
    /// From publication to receipt, or to the response where the publisher is measured: p50, p99, p99.9.
    pub(crate) latency_us: Option<[f64; 3]>,
    /// Resident memory that a connection added.
    pub(crate) kib_per_connection: Option<f64>,
    /// CPU time of the server to accept a connection, its subscription included.
    pub(crate) cpu_us_per_accept: Option<f64>,
    pub(crate) wall_us_per_accept: Option<f64>,
    /// From the first handshake of the clients that come back until all of them had all that they had missed.
    pub(crate) all_ms: Option<f64>,
    /// The same for one client: p50, p99.
    pub(crate) complete_ms: Option<[f64; 2]>,
    /// The largest use of the CPU, 100 for a whole core.
    pub(crate) peak_cpu_percent: Option<f64>,
    /// The largest resident memory.
    pub(crate) peak_mib: Option<f64>,
    /// Handshakes that failed and were repeated.
    pub(crate) refused: Option<f64>,
    pub(crate) received: u64,
    pub(crate) missing: u64,
    pub(crate) duplicated: u64,
    pub(crate) out_of_order: u64,
}

impl Figures {
    /// What clients that came back have seen, of which `deliveries` were expected and took so long.
    pub(crate) fn completed(seen: &Seen, deliveries: u64, took: Duration) -> Self {
        Self {
            all_ms: Some(took.as_secs_f64() * 1e3),
            complete_ms: Some([0.5, 0.99].map(|share| seen.complete.percentile(share) / 1e3)),
            ..Self::complete(seen, deliveries)
        }
    }

    /// How complete that was which subscribers have seen, of so many expected deliveries.
    pub(crate) fn complete(seen: &Seen, deliveries: u64) -> Self {
        Self {
            missing: deliveries.saturating_sub(seen.received),
            duplicated: seen.duplicated + seen.received.saturating_sub(deliveries),
            out_of_order: seen.out_of_order,
            received: seen.received,
            ..Self::default()
        }
    }
}

/// A figure: its name and unit, and its value in a run that measured it.
pub(crate) type Column = (&'static str, fn(&Figures) -> Option<f64>);

pub(crate) const CPU: Column = ("CPU us/delivery", |f| f.cpu_us_per_delivery);
pub(crate) const PER_PUBLICATION: Column = ("CPU us/publication", |f| f.cpu_us_per_publication);
pub(crate) const RATE: Column = ("deliveries/s", |f| f.deliveries_per_s);
const BYTES: Column = ("bytes/delivery", |f| f.bytes_per_delivery);
const P50: Column = ("p50 us", |f| f.latency_us.map(|latency| latency[0]));
pub(crate) const P99: Column = ("p99 us", |f| f.latency_us.map(|latency| latency[1]));
const P999: Column = ("p99.9 us", |f| f.latency_us.map(|latency| latency[2]));
pub(crate) const MEMORY: Column = ("KiB/connection", |f| f.kib_per_connection);
pub(crate) const ACCEPT: Column = ("CPU us/accept", |f| f.cpu_us_per_accept);
const ACCEPT_TIME: Column = ("wall us/accept", |f| f.wall_us_per_accept);

pub(crate) const ALL: Column = ("ms until all had all", |f| f.all_ms);
const COMPLETE_P50: Column = ("p50 ms until one had all", |f| f.complete_ms.map(|complete| complete[0]));
const COMPLETE_P99: Column = ("p99 ms until one had all", |f| f.complete_ms.map(|complete| complete[1]));
const PEAK_CPU: Column = ("peak CPU %", |f| f.peak_cpu_percent);
const PEAK_MEMORY: Column = ("peak MiB", |f| f.peak_mib);
const REFUSED: Column = ("handshakes refused", |f| f.refused);

/// Every figure, in the order of the table.
pub(crate) const COLUMNS: [Column; 16] = [
    CPU,
    PER_PUBLICATION,
    RATE,
    BYTES,
    P50,
    P99,
    P999,
    MEMORY,
    ACCEPT,
    ACCEPT_TIME,
    ALL,
    COMPLETE_P50,
    COMPLETE_P99,
    PEAK_CPU,
    PEAK_MEMORY,
    REFUSED,
];
