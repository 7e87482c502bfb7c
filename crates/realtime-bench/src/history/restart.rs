//! A server that is killed and started again, and all of its clients, which come back at once.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{comeback, peak::Peak};
use crate::{
    cases::TOPIC,
    figures::Figures,
    http::Http,
    options::{Options, Result},
    sequence,
    servers::{Running, Start},
    subscribers::{self, LANE, Order, Subscribers},
    tokens,
    wire::{Client, Target},
};

/// Topics of each client, and of all of them.
pub(crate) const TOPICS_EACH: usize = 5;
const TOPICS: usize = 1_000;
/// Messages of each topic while the clients are away.
const MESSAGES: u64 = 10;

/// The topics of client `n`.
pub(crate) fn topics(n: usize) -> Vec<String> {
    (0..TOPICS_EACH).map(|topic| format!("{TOPIC}.{}", (n * TOPICS_EACH + topic) % TOPICS)).collect()
}

/// From the first handshake until every client has what it missed in all its topics, and is live on each. The server is
/// killed with SIGKILL and has its data on the disk. Each client resumes its topics with one command. All handshakes are in progress at once.
pub(crate) async fn measure(running: &mut Running, start: &Start, options: &Options) -> Result<Figures> {
    let count = if options.quick { 1_000 } else { 10_000 };
    let tokens = tokens::Kind::Hs256.tokens(count)?.into_iter().enumerate();
    let clients = tokens.map(|(n, token)| Client { topics: topics(n), ..Client::new(token, None) }).collect();
    let clients = positions(running, clients).await?;
    running.kill_and_start(options, start).await?;

    let epoch = Instant::now();
    let mut http = Http::connect(running.publishers)?;
    for n in 0..MESSAGES {
        publish_to_each(&mut http, running, n, epoch)?;
    }

    let (peak, begun) = (Peak::watch(running.pids()), Instant::now());
    let each = TOPICS_EACH as u64 * MESSAGES;
    let mut readers = Subscribers::new(begun, Order::PerTopic, each);
    let refused = comeback::arrive(running, clients, count, &mut readers).await?;
    readers.completed(count).await?;
    let took = begun.elapsed();
    let (cpu, memory) = (peak.cpu_percent(), peak.memory_mib()?);
    // One more message to each topic shows that every client is live on it.
    publish_to_each(&mut http, running, MESSAGES, epoch)?;
    let deliveries = count as u64 * (each + TOPICS_EACH as u64);
    readers.received(deliveries).await?;
    sleep(Duration::from_millis(50)).await;
    Ok(Figures {
        peak_cpu_percent: Some(cpu),
        peak_mib: Some(memory),
        refused: Some(refused as f64),
        ..Figures::completed(&readers.finish(), deliveries, took)
    })
}

/// Connects every client, and takes note of its positions and its ticket. It stays connected until the server is killed.
async fn positions(running: &Running, mut clients: Vec<Client>) -> Result<Vec<Client>> {
    for socket in subscribers::connect(running.subscribers, running.server, clients.clone()).await? {
        let client = &mut clients[socket.client];
        client.since = running.server.positions(&socket.received, client.topics.len());
        client.ticket = running.server.ticket(&socket.received);
        if client.since.len() != client.topics.len() {
            return Err("a subscription was acknowledged without a position".into());
        }
    }
    Ok(clients)
}

/// Publishes message `n` of every topic.
fn publish_to_each(http: &mut Http, running: &Running, n: u64, epoch: Instant) -> Result<()> {
    for topics in (0..TOPICS).collect::<Vec<_>>().chunks(50) {
        let message = |topic: &usize| {
            let number = *topic as u64 * LANE + n;
            (Target::Topic(format!("{TOPIC}.{topic}")), sequence::message(number, sequence::micros(epoch), 128))
        };
        let request = running.server.publications(&topics.iter().map(message).collect::<Vec<_>>());
        http.request(request.as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_client_has_five_topics_and_every_topic_its_share_of_clients() {
        let all: Vec<_> = (0..TOPICS).flat_map(topics).collect();
        assert!((0..TOPICS).all(|n| topics(n).into_iter().collect::<BTreeSet<_>>().len() == TOPICS_EACH));
        for topic in ["bench.0", "bench.999"] {
            assert_eq!(all.iter().filter(|name| *name == topic).count(), TOPICS_EACH);
        }
    }
}
