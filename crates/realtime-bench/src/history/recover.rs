//! Clients that come back at once, each of which recovers what was published meanwhile.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::comeback;
use crate::{
    figures::Figures,
    machine,
    options::{AT_ONCE, Options, Result},
    servers::Running,
    subscribers::{Order, Subscribers},
};

/// Messages that each client recovers.
pub(crate) const MESSAGES: u64 = 1_000;

/// From the first handshake until every client has every message; the handshakes are included.
pub(crate) async fn measure(running: &Running, options: &Options) -> Result<Figures> {
    let count = if options.quick { 200 } else { 1_000 };
    let start = Instant::now();
    let clients = comeback::leave(running, comeback::clients(count)?).await?;
    comeback::publish(running, MESSAGES, start).await?;

    let (cpu, begun) = (machine::cpu_seconds(&running.pids())?, Instant::now());
    let mut readers = Subscribers::new(begun, Order::One, MESSAGES);
    let refused = comeback::arrive(running, clients, AT_ONCE, &mut readers).await?;
    readers.completed(count).await?;
    let took = begun.elapsed();
    let cpu = machine::cpu_seconds(&running.pids())? - cpu;
    // Duplicates arrive after the expected messages.
    sleep(Duration::from_millis(50)).await;
    let deliveries = count as u64 * MESSAGES;
    Ok(Figures {
        cpu_us_per_delivery: Some(cpu * 1e6 / deliveries as f64),
        deliveries_per_s: Some(deliveries as f64 / took.as_secs_f64()),
        refused: Some(refused as f64),
        ..Figures::completed(&readers.finish(), deliveries, took)
    })
}
