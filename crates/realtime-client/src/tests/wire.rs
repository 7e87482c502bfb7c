//! The client's ends of a scenario over sockets: what is sent and received is counted.

use std::{
    collections::VecDeque,
    error::Error,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::server::{Link, Shared, lock};
use crate::{
    Failure, Position,
    machine::failure,
    options::BoxFuture,
    outside::Outside,
    socket::{Connection, Dial, Received, connection},
};

pub(super) type LoadError = Box<dyn Error + Send + Sync>;

/// With what the application's load fails: an error of the server, or one of its own.
pub(super) fn load_failure(args: &Value) -> LoadError {
    let Some(error) = args.get("error") else { return "it failed".into() };
    let text = |name: &str| error[name].as_str().unwrap_or_default();
    let status = error["status"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status");
    Failure { status, ..failure(text("code"), text("message"), error["retry"] == true) }.into()
}

/// What the application's functions and the client's outside share with the steps.
#[derive(Default)]
pub(super) struct Script {
    pub(super) random: f64,
    pub(super) due: Option<Instant>,
    /// What the token provider returns at once, if anything.
    pub(super) token: Option<Option<String>>,
    pub(super) requests: VecDeque<oneshot::Sender<Result<Option<String>, String>>>,
    pub(super) loads: VecDeque<oneshot::Sender<Result<Option<Position>, LoadError>>>,
}

/// Random numbers of the scenario, and sockets whose frames are counted.
pub(super) struct Wire(pub(super) Arc<Mutex<Script>>, pub(super) Shared);

impl Outside for Wire {
    fn random(&mut self) -> f64 {
        lock(&self.0).random
    }

    fn connect(&mut self, n: u64, dial: Dial, frames: usize) -> (Connection, BoxFuture<()>) {
        let (real, task) = connection(n, dial, frames);
        let (out, outgoing) = mpsc::channel(frames);
        let (incoming, received) = mpsc::channel(1);
        let seen = Arc::clone(&self.1);
        let i = {
            let mut seen = lock(&seen);
            seen.links.push(Link::default());
            seen.links.len() - 1
        };
        let carried = async move {
            tokio::join!(task, carry(i, real, outgoing, incoming, &seen));
            lock(&seen).links[i].gone_at_client = true;
        };
        (Connection { n, out, received }, Box::pin(carried))
    }

    fn waits(&mut self, until: Option<Instant>) {
        lock(&self.0).due = until;
    }
}

async fn carry(
    i: usize,
    mut real: Connection,
    mut outgoing: mpsc::Receiver<String>,
    incoming: mpsc::Sender<Received>,
    seen: &Shared,
) {
    loop {
        tokio::select! {
            // What is written before the client lets go is written first.
            biased;
            text = outgoing.recv() => match text {
                Some(text) => {
                    lock(seen).links[i].to_server += 1;
                    _ = real.out.send(text).await;
                }
                None => {
                    lock(seen).links[i].dropped = true;
                    return;
                }
            },
            received = real.received.recv() => {
                let Some(received) = received else { return };
                let frame = matches!(received, Received::Frame(_));
                // The second wait ends when the driver has taken it.
                if incoming.send(received).await.is_ok() && frame {
                    _ = incoming.reserve().await;
                }
                if !frame {
                    return;
                }
                lock(seen).links[i].at_client += 1;
            }
        }
    }
}
