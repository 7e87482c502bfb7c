//! What the process uses, by the names that Prometheus's own libraries give it. Read from `/proc`, so on Linux only.

use std::{
    fmt, fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

/// The unit of the times in `/proc/self/stat`: `USER_HZ`, which is 100 on every architecture that Rust supports.
const TICKS_PER_SECOND: f64 = 100.0;

/// What the process uses, where the system tells it.
pub(crate) struct Usage {
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) cpu_seconds: Option<f64>,
}

/// Reads the usage now.
pub(super) fn usage() -> Usage {
    Usage { memory_bytes: resident_bytes(), cpu_seconds: cpu_seconds() }
}

/// Reads the figures when they are asked for.
#[derive(Debug)]
pub(super) struct Process {
    started: Duration,
}

impl Process {
    /// Remembers that the process has started.
    pub(super) fn new() -> Self {
        Self { started: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let gauges = [
            ("process_start_time_seconds", "When the process started, in seconds since 1970.", {
                Some(self.started.as_secs_f64())
            }),
            ("process_resident_memory_bytes", "Resident memory, in bytes.", resident_bytes().map(float)),
            ("process_open_fds", "Open file descriptors.", open_descriptors()),
            ("process_max_fds", "Maximum number of open file descriptors.", max_descriptors()),
        ];
        for (name, help, value) in gauges {
            if let Some(value) = value {
                let gauge = ConstGauge::new(value);
                gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
            }
        }
        if let Some(seconds) = cpu_seconds() {
            let counter = ConstCounter::new(seconds);
            let help = "CPU time used, user and system, in seconds.";
            counter.encode(encoder.encode_descriptor("process_cpu_seconds", help, None, counter.metric_type())?)?;
        }
        Ok(())
    }
}

/// proc_pid_status(5), `VmRSS`.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kib: u64 =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[allow(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn float(value: u64) -> f64 {
    value as f64
}

/// proc_pid_stat(5), fields 14 and 15. The name in field 2 may contain anything but ends with the last bracket.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((f64::from(user) + f64::from(system)) / TICKS_PER_SECOND)
}

/// The size of the folder is the number of its entries since Linux 6.2; before, they are counted.
fn open_descriptors() -> Option<f64> {
    let folder = "/proc/self/fd";
    match fs::metadata(folder).ok()?.len() {
        0 => Some(float(fs::read_dir(folder).ok()?.count() as u64)),
        count => Some(float(count)),
    }
}

/// proc_pid_limits(5), the soft limit.
fn max_descriptors() -> Option<f64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn linux_gives_every_figure() {
        assert!(resident_bytes().is_some_and(|bytes| bytes > 100_000));
        assert!(cpu_seconds().is_some_and(|seconds| seconds >= 0.0));
        let (open, max) = (open_descriptors().expect("a count"), max_descriptors().expect("a limit"));
        assert!(open >= 3.0 && open <= max, "{open} of {max}");
    }
}
