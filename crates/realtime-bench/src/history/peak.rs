//! The most that a server used while something happened.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{task::JoinHandle, time::sleep};

use crate::{machine, options::Result};

/// The time over which the use of the CPU is averaged.
const WINDOW: Duration = Duration::from_millis(200);

/// Watches processes until it is dropped.
pub(super) struct Peak {
    pids: Vec<u32>,
    cores: Rc<Cell<f64>>,
    task: JoinHandle<()>,
}

impl Peak {
    pub(super) fn watch(pids: Vec<u32>) -> Self {
        let cores = Rc::new(Cell::new(0.0));
        let (most, watched) = (cores.clone(), pids.clone());
        let task = tokio::task::spawn_local(async move {
            let Ok(mut before) = machine::cpu_seconds(&watched) else { return };
            loop {
                let begun = Instant::now();
                sleep(WINDOW).await;
                let Ok(cpu) = machine::cpu_seconds(&watched) else { return };
                most.set(f64::max(most.get(), (cpu - before) / begun.elapsed().as_secs_f64()));
                before = cpu;
            }
        });
        Self { pids, cores, task }
    }

    /// The largest share of a core, averaged over a short time, in percent.
    pub(super) fn cpu_percent(&self) -> f64 {
        self.cores.get() * 100.0
    }

    /// The largest resident memory since the processes started, in MiB.
    pub(super) fn memory_mib(&self) -> Result<f64> {
        Ok(machine::peak_kib(&self.pids)? as f64 / 1024.0)
    }
}

impl Drop for Peak {
    fn drop(&mut self) {
        self.task.abort();
    }
}
