//! Reports what has changed, as soon as it is due.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::yield_now,
    time::{Instant, sleep_until},
};

use super::{Shared, lock};

/// A wait when nothing is due: anything new wakes the worker.
const IDLE: Duration = Duration::from_secs(3600);

pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        let next = report_due(&shared).await;
        let wait = next.map_or(IDLE, |next| next.saturating_sub(shared.now()));
        tokio::select! {
            () = shared.sooner.notified() => {}
            () = sleep_until(Instant::now() + wait) => {}
        }
    }
}

/// Reports every topic that is due; returns when the next one is.
async fn report_due(shared: &Shared) -> Option<Duration> {
    let mut next: Option<Duration> = None;
    for at in 0..shared.shards.len() {
        loop {
            match report_one(shared, at) {
                Ok(()) => yield_now().await,
                Err(due) => {
                    next = next.into_iter().chain(due).min();
                    break;
                }
            }
        }
    }
    next
}

/// Reports one topic that is due, or else returns when the next one is.
fn report_one(shared: &Shared, at: usize) -> Result<(), Option<Duration>> {
    let now = shared.now();
    let mut shard = lock(&shared.shards[at]);
    let topic = shard.next_due(now)?;
    let settings = shared.parts.settings.load();
    let (max_users, queue) = (settings.presence.max_users, settings.for_queues());
    shared.change(&mut shard, &topic, |room| room.report(now, max_users, queue, &shared.parts.control));
    Ok(())
}
