//! Clients that leave and come back, and what is published meanwhile.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use tokio::{
    io::AsyncWriteExt,
    time::{sleep, timeout},
};

use crate::{
    cases::TOPIC,
    options::Result,
    publisher::Publisher,
    sequence,
    servers::Running,
    subscribers::{self, Connected, Subscribers, await_text, masked_text},
    tokens,
    wire::{Client, Target},
};

/// Messages that are published at once.
const BATCH: u64 = 64;
/// What is published so that clients know where they are.
const HERE: &str = "here";
/// How long a server takes to notice that clients left.
const REST: Duration = Duration::from_millis(300);
/// How often a client tries to come back, and how long it waits at most before the next try.
const TRIES: usize = 40;
const LONGEST_WAIT_MS: u64 = 1_000;
/// The longest that one try may take.
const TRYING: Duration = Duration::from_secs(60);

/// So many clients of [`TOPIC`].
pub(super) fn clients(count: usize) -> Result<Vec<Client>> {
    let tokens = tokens::Kind::Hs256.tokens(count)?.into_iter();
    Ok(tokens.map(|token| Client::new(token, Some(TOPIC.into()))).collect())
}

/// Connects clients, takes note of where they are, and disconnects them. A position of a topic is the same for all its
/// clients, except where a server has sessions.
pub(super) async fn leave(running: &Running, mut clients: Vec<Client>) -> Result<Vec<Client>> {
    let server = running.server;
    let count = if server.has_sessions() { clients.len() } else { 1 };
    let mut sockets = subscribers::connect(running.subscribers, server, clients[..count].to_vec()).await?;
    if server.has_sessions() {
        let mut publisher = Publisher::connect(running.publishers, server).await?;
        publisher.publish(&[(Target::Topic(TOPIC.into()), HERE.into())]).await?;
        for Connected { stream, received, .. } in &mut sockets {
            let at = await_text(stream, received, 0, HERE.as_bytes()).await?;
            await_text(stream, received, at, b"]").await?;
        }
    }
    for socket in &sockets {
        let client = &mut clients[socket.client];
        client.since = server.positions(&socket.received, client.topics.len());
        if client.since.len() != client.topics.len() {
            let received = String::from_utf8_lossy(&socket.received);
            return Err(format!("{} sends no position: {received}", server.name()).into());
        }
    }
    if !server.has_sessions() {
        let since = clients[0].since.clone();
        clients.iter_mut().for_each(|client| client.since.clone_from(&since));
    }
    drop(sockets);
    sleep(REST).await;
    Ok(clients)
}

/// Publishes messages 0 to `count` to [`TOPIC`], and waits until one live subscriber has them all.
pub(super) async fn publish(running: &Running, count: u64, start: Instant) -> Result<()> {
    let live = subscribers::connect(running.subscribers, running.server, clients(1)?).await?;
    let live = Subscribers::read(live, start);
    let mut publisher = Publisher::connect(running.publishers, running.server).await?;
    for first in (0..count).step_by(usize::try_from(BATCH)?) {
        let now = sequence::micros(start);
        let last = count.min(first + BATCH);
        let message = |n| (Target::Topic(TOPIC.into()), sequence::message(n, now, 128));
        publisher.publish(&(first..last).map(message).collect::<Vec<_>>()).await?;
        live.received(last).await?;
    }
    Ok(())
}

/// Connects clients that do not subscribe yet.
pub(super) async fn connect_bare(running: &Running, clients: &[Client]) -> Result<Vec<Connected>> {
    let bare = clients.iter().map(|client| Client::new(client.token.clone(), None));
    subscribers::connect(running.subscribers, running.server, bare.collect()).await
}

/// Lets all clients subscribe on their connections, from where each stopped; each reads at once.
pub(super) async fn subscribe_all(
    running: &Running,
    clients: &[Client],
    sockets: Vec<Connected>,
    readers: &mut Subscribers,
) -> Result<()> {
    for mut socket in sockets {
        for (command, _) in running.server.greetings(&clients[socket.client]) {
            socket.stream.write_all(&masked_text(&command)).await?;
        }
        readers.add(socket);
    }
    Ok(())
}

/// Connects all `clients`, with so many handshakes in progress at once; each reads as soon as it is
/// connected. Returns how many tries were refused, each of which was repeated after a pause.
pub(super) async fn arrive(
    running: &Running,
    clients: Vec<Client>,
    at_once: usize,
    readers: &mut Subscribers,
) -> Result<usize> {
    let (address, server) = (running.subscribers, running.server);
    let opened = clients.into_iter().enumerate().map(|(index, client)| async move {
        let mut refused = 0;
        loop {
            match timeout(TRYING, subscribers::open(address, server, &client))
                .await
                .map_err(|_| "no handshake in time")?
            {
                Ok(socket) => return Ok((socket, refused)),
                Err(error) if refused == TRIES => return Err(error),
                Err(_) => {
                    refused += 1;
                    // Spread like a client's jitter, but the same in each run.
                    let wait = (index * 7_919 + refused * 104_729) as u64 % LONGEST_WAIT_MS;
                    sleep(Duration::from_millis(wait)).await;
                }
            }
        }
    });
    let mut opened = stream::iter(opened).buffer_unordered(at_once);
    let mut all_refused = 0;
    while let Some(result) = opened.next().await {
        let (socket, refused): (Connected, usize) = result?;
        all_refused += refused;
        readers.add(socket);
    }
    Ok(all_refused)
}
