//! The processes as the kernel reports them (proc(5)), and the cores that they run on.

use std::{env, fs, os::unix::process::CommandExt, process::Command};

use crate::options::Result;

/// The core that the clients run on; servers have core 0.
const CLIENT_CORE: &str = "1";
/// Set in the environment of the pinned run.
const PINNED: &str = "REALTIME_BENCH_PINNED";

/// Starts this program again on the clients' core, unless it runs there already.
pub(crate) fn pin_to_client_core() -> Result<()> {
    if env::var_os(PINNED).is_some() {
        return Ok(());
    }
    let cores = std::thread::available_parallelism()?.get();
    if cores < 2 {
        return Err("two cores are needed: one for the server, one for the clients".into());
    }
    let this = env::current_exe()?;
    let error = Command::new("taskset")
        .args(["--cpu-list", CLIENT_CORE])
        .arg(this)
        .args(env::args_os().skip(1))
        .env(PINNED, "1")
        .exec();
    Err(format!("taskset: {error}; it is in the package util-linux").into())
}

/// CPU time of a process and its children so far, in seconds: the time each thread ran, in nanoseconds, from
/// `/proc/PID/task/TID/schedstat`.
pub(crate) fn cpu_seconds(pids: &[u32]) -> Result<f64> {
    let mut nanoseconds = 0_u64;
    for pid in with_children(pids)? {
        let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for task in tasks.flatten() {
            let Ok(text) = fs::read_to_string(task.path().join("schedstat")) else { continue };
            nanoseconds += text.split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    Ok(nanoseconds as f64 / 1e9)
}

/// Resident memory of a process and its children, in KiB (`VmRSS`).
pub(crate) fn resident_kib(pids: &[u32]) -> Result<u64> {
    memory_kib(pids, "VmRSS:")
}

/// The largest resident memory of a process so far, and of its children, in KiB (`VmHWM`).
pub(crate) fn peak_kib(pids: &[u32]) -> Result<u64> {
    memory_kib(pids, "VmHWM:")
}

fn memory_kib(pids: &[u32], name: &str) -> Result<u64> {
    let mut kib = 0;
    for pid in with_children(pids)? {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0 kB");
        kib += line.trim().trim_end_matches("kB").trim().parse::<u64>()?;
    }
    Ok(kib)
}

fn with_children(pids: &[u32]) -> Result<Vec<u32>> {
    let mut all = pids.to_vec();
    let mut next = 0;
    while let Some(pid) = all.get(next).copied() {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        for child in children.split_whitespace() {
            all.push(child.parse()?);
        }
        next += 1;
    }
    Ok(all)
}
