//! Idle connections by number: what they cost the server and the kernel. `cargo xtask bench --idle`.

use std::{
    fmt::Write as _,
    fs,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{
    kernel::{Grown, Kernel},
    machine,
    options::{Options, Result},
    servers::{Running, Server, Start},
    stats::median,
    subscribers::{self, Connected},
    tokens,
    wire::Client,
};

/// How long a server takes to settle after it has admitted every connection.
const REST: Duration = Duration::from_secs(2);
/// Descriptors that either process has in addition to its connections.
const OTHER_DESCRIPTORS: usize = 64;

/// What a number of idle connections costs.
pub(crate) struct IdleCost {
    connections: usize,
    /// Resident memory of the server, before and with them.
    before_kib: u64,
    with_kib: u64,
    cpu_us_per_accept: f64,
    wall_us_per_accept: f64,
    pub(crate) kernel: Grown,
}

impl IdleCost {
    /// Bytes of resident memory that each connection added.
    pub(crate) fn resident(&self) -> f64 {
        (self.with_kib as f64 - self.before_kib as f64) * 1024.0 / self.connections as f64
    }
}

/// Opens each number of connections, and prints what they cost.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let sizes = sizes(options, &[2_000, 10_000]);
    let mut table = String::from(
        "| connections | resident KiB | bytes/connection | CPU us/accept | wall us/accept | kernel objects, bytes/connection | TCP pages, bytes/connection | conntrack entries/connection | backlog overflows/connection |\n|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    let mut last = Vec::new();
    for size in sizes {
        let held = rounds(options, size).await?;
        let of = |figure: fn(&IdleCost) -> f64| median(&held.iter().map(figure).collect::<Vec<_>>());
        let kernel = |figure: fn(&Grown) -> Option<f64>| {
            let values: Option<Vec<_>> = held.iter().map(|held| figure(&held.kernel)).collect();
            values.map_or_else(|| "not readable".to_owned(), |values| format!("{:.2}", median(&values)))
        };
        let _ = writeln!(
            table,
            "| {size} | {:.0} | {:.0} | {:.0} | {:.0} | {} | {} | {} | {} |",
            of(|held| held.with_kib as f64),
            of(IdleCost::resident),
            of(|held| held.cpu_us_per_accept),
            of(|held| held.wall_us_per_accept),
            objects(&held).map_or_else(|| "not readable".to_owned(), |bytes| format!("{bytes:.0}")),
            kernel(|grown| grown.tcp_bytes),
            kernel(|grown| grown.tracked),
            kernel(|grown| grown.overflows),
        );
        last = held;
    }
    let text = format!("\n## Idle connections\n\n{table}\n{}", caches(&last));
    println!("{text}");
    fs::create_dir_all(&options.out)?;
    fs::write(options.out.join("idle.md"), text)?;
    Ok(())
}

/// Bytes of kernel objects for each connection, both of its ends.
pub(crate) fn objects(held: &[IdleCost]) -> Option<f64> {
    Some(Grown::caches(held.iter().map(|held| &held.kernel))?.iter().map(|(_, bytes)| bytes).sum())
}

/// The caches of kernel objects that grew with the connections.
pub(crate) fn caches(held: &[IdleCost]) -> String {
    let Some(caches) = Grown::caches(held.iter().map(|held| &held.kernel)) else {
        return "Kernel objects can't be counted: /proc/slabinfo is not readable.\n".to_owned();
    };
    let count = held.first().map_or(0, |held| held.connections);
    let mut text = format!(
        "Kernel objects at {count} connections, both ends of each on this machine. The kernel merges caches of one size: \
         a name may stand for several.\n\n| cache | bytes/connection |\n|---|---:|\n"
    );
    for (name, bytes) in caches {
        let _ = writeln!(text, "| {name} | {bytes:.0} |");
    }
    text
}

/// The numbers of connections of the options.
pub(crate) fn sizes(options: &Options, usual: &[usize]) -> Vec<usize> {
    match (options.connections.is_empty(), options.quick) {
        (false, _) => options.connections.clone(),
        (true, true) => usual.iter().map(|size| size / 4).collect(),
        (true, false) => usual.to_vec(),
    }
}

/// Holds so many connections in each round.
pub(crate) async fn rounds(options: &Options, count: usize) -> Result<Vec<IdleCost>> {
    let mut rounds = Vec::new();
    for round in 0..options.rounds() {
        eprint!("\rholding {count} connections, round {} of {}          ", round + 1, options.rounds());
        let running = Server::Realtime.start(options, &Start::default()).await?;
        let held = hold(&running, count, options.at_once).await;
        running.stop().await;
        rounds.push(held?);
    }
    eprintln!();
    Ok(rounds)
}

async fn hold(running: &Running, count: usize, at_once: usize) -> Result<IdleCost> {
    let pids = running.pids();
    // A first connection pays what is paid once.
    drop(connect(running, 1, 1).await?);
    sleep(Duration::from_millis(500)).await;
    let kernel = Kernel::now();
    let (before_kib, cpu, began) = (machine::resident_kib(&pids)?, machine::cpu_seconds(&pids)?, Instant::now());
    let sockets = connect(running, count, at_once).await?;
    let (cpu, took) = (machine::cpu_seconds(&pids)? - cpu, began.elapsed().as_secs_f64());
    sleep(REST).await;
    let with_kib = machine::resident_kib(&pids)?;
    let kernel = Kernel::now().grown_since(&kernel, count);
    drop(sockets);
    let per = |seconds: f64| seconds * 1e6 / count as f64;
    Ok(IdleCost {
        connections: count,
        before_kib,
        with_kib,
        cpu_us_per_accept: per(cpu),
        wall_us_per_accept: per(took),
        kernel,
    })
}

/// So many connections, each with a token of its own and one topic.
pub(crate) async fn connect(running: &Running, count: usize, at_once: usize) -> Result<Vec<Connected>> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    if let Some(most) = most_descriptors(&limits).filter(|most| *most < count + OTHER_DESCRIPTORS) {
        return Err(
            format!("{count} connections need as many descriptors and a few; raise `ulimit -n` from {most}").into()
        );
    }
    let tokens = tokens::Kind::Hs256.tokens(count)?.into_iter().enumerate();
    let clients = tokens.map(|(n, token)| Client::new(token, Some(format!("bench.{n}")))).collect();
    subscribers::connect_at_once(running.subscribers, running.server, clients, at_once).await
}

/// The soft limit of descriptors, from `/proc/PID/limits`.
fn most_descriptors(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_descriptors_is_the_soft_one() {
        let limits = "Max processes             1024                 2048                 processes \n\
                      Max open files            20000                524288               files     \n";
        assert_eq!(most_descriptors(limits), Some(20_000));
        assert_eq!(most_descriptors("Max open files            unlimited            unlimited            files"), None);
    }
}
