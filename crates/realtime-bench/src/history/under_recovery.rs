//! What a publisher notices of clients that recover: how long its requests take.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{comeback, timed::TimedPublisher};
use crate::{
    cases::Load,
    figures::Figures,
    machine,
    options::{AT_ONCE, Options, Result},
    servers::Running,
    subscribers::{Order, Subscribers},
};

/// How long the publisher is measured where nothing else ends.
const MEASURED: Duration = Duration::from_secs(6);

/// Publishes to a topic, request after request with pauses: without subscribers, with live ones, or while as many recover a long history.
pub(crate) async fn measure(load: Load, running: &Running, options: &Options) -> Result<Figures> {
    let (count, messages) = if options.quick { (200, 2_000) } else { (1_000, 10_000) };
    let measured = if options.quick { MEASURED / 3 } else { MEASURED };
    let start = Instant::now();
    let clients = comeback::leave(running, comeback::clients(count)?).await?;
    comeback::publish(running, messages, start).await?;

    let publisher = || TimedPublisher::start(running.publishers, running.server, messages, start);
    let begun = Instant::now();
    let mut readers = Subscribers::new(begun, Order::One, messages);
    let cpu = machine::cpu_seconds(&running.pids())?;
    let (published, took) = match load {
        Load::Idle => {
            let publisher = publisher();
            sleep(measured).await;
            (publisher.finish().await?, measured)
        }
        Load::Live => {
            comeback::arrive(running, clients, AT_ONCE, &mut readers).await?;
            readers.completed(count).await?;
            let publisher = publisher();
            sleep(measured).await;
            (publisher.finish().await?, measured)
        }
        Load::Recovering => {
            // Connected before, so that only the recovery is measured.
            let sockets = comeback::connect_bare(running, &clients).await?;
            let (publisher, begun) = (publisher(), Instant::now());
            comeback::subscribe_all(running, &clients, sockets, &mut readers).await?;
            readers.completed(count).await?;
            let took = begun.elapsed();
            (publisher.finish().await?, took)
        }
    };
    let deliveries = readers.len() as u64 * (messages + published.count);
    readers.received(deliveries).await?;
    let cpu = machine::cpu_seconds(&running.pids())? - cpu;
    sleep(Duration::from_millis(50)).await;
    let latency = [0.5, 0.99, 0.999].map(|share| published.latency.percentile(share));
    let figures = Figures { latency_us: Some(latency), ..Figures::completed(&readers.finish(), deliveries, took) };
    Ok(match load {
        Load::Recovering => Figures { cpu_us_per_delivery: Some(cpu * 1e6 / deliveries as f64), ..figures },
        Load::Idle | Load::Live => Figures { all_ms: None, complete_ms: None, ..figures },
    })
}
