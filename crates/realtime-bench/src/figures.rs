//! The figures of a run, each with its name and unit.

use serde::Serialize;

/// The figures of one run of one server.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Figures {
    /// CPU time of the server, in microseconds per message that a subscriber received.
    pub(crate) cpu_us_per_delivery: Option<f64>,
    pub(crate) deliveries_per_s: Option<f64>,
    /// What a message was on the wire, its frame included.
    pub(crate) bytes_per_delivery: Option<f64>,
    /// From publication to receipt: p50, p99, p99.9.
    pub(crate) latency_us: Option<[f64; 3]>,
    /// Resident memory that a connection added.
    pub(crate) kib_per_connection: Option<f64>,
    /// CPU time of the server to accept a connection, its subscription included.
    pub(crate) cpu_us_per_accept: Option<f64>,
    pub(crate) wall_us_per_accept: Option<f64>,
    pub(crate) received: u64,
    pub(crate) missing: u64,
    pub(crate) duplicated: u64,
    pub(crate) out_of_order: u64,
}

/// A figure: its name and unit, and its value in a run that measured it.
pub(crate) type Column = (&'static str, fn(&Figures) -> Option<f64>);

pub(crate) const CPU: Column = ("CPU us/delivery", |f| f.cpu_us_per_delivery);
pub(crate) const RATE: Column = ("deliveries/s", |f| f.deliveries_per_s);
const BYTES: Column = ("bytes/delivery", |f| f.bytes_per_delivery);
const P50: Column = ("p50 us", |f| f.latency_us.map(|latency| latency[0]));
pub(crate) const P99: Column = ("p99 us", |f| f.latency_us.map(|latency| latency[1]));
const P999: Column = ("p99.9 us", |f| f.latency_us.map(|latency| latency[2]));
pub(crate) const MEMORY: Column = ("KiB/connection", |f| f.kib_per_connection);
pub(crate) const ACCEPT: Column = ("CPU us/accept", |f| f.cpu_us_per_accept);
const ACCEPT_TIME: Column = ("wall us/accept", |f| f.wall_us_per_accept);

/// Every figure, in the order of the table.
pub(crate) const COLUMNS: [Column; 9] = [CPU, RATE, BYTES, P50, P99, P999, MEMORY, ACCEPT, ACCEPT_TIME];
