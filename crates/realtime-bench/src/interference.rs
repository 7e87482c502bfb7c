//! Background load: stalled, slow and churning connections.

use std::time::Duration;

use tokio::{io::AsyncReadExt, task::JoinSet, time::sleep};

use crate::{
    cases::{Interference, TOPIC},
    options::Result,
    servers::Running,
    subscribers::{self, Connected},
    tokens,
    wire::Client,
};

/// Slow readers.
const SLOW: usize = 100;
/// The bytes that each reads at a time, and how often: a little more than arrives, so that its queue is never empty.
const READ_BYTES: usize = 2_560;
const READ_INTERVAL: Duration = Duration::from_millis(300);

/// The connections; they end when this is dropped.
#[derive(Default)]
pub(crate) struct BackgroundLoad {
    _stalled: Vec<Connected>,
    _tasks: JoinSet<()>,
}

/// Opens the connections; they subscribe to the topic of the measured subscribers.
pub(crate) async fn start(kind: Interference, running: &Running) -> Result<BackgroundLoad> {
    let mut tasks = JoinSet::new();
    match kind {
        Interference::None => {}
        Interference::Stalled => return Ok(BackgroundLoad { _stalled: connect(running, 1).await?, _tasks: tasks }),
        Interference::Slow => {
            for socket in connect(running, SLOW).await? {
                tasks.spawn_local(read_slowly(socket));
            }
        }
        Interference::Churn => {
            let client = clients(1)?.remove(0);
            let (address, server) = (running.subscribers, running.server);

            // The list of listeners changes during the fan-out; each is closed again before it could receive much.
            tasks.spawn_local(async move {
                while subscribers::connect(address, server, vec![client.clone()]).await.is_ok() {}
            });
            let socket = connect(running, 1).await?.remove(0);
            tasks.spawn_local(async move {
                let _ = subscribers::resubscribe(socket, TOPIC).await;
            });
        }
    }
    Ok(BackgroundLoad { _stalled: Vec::new(), _tasks: tasks })
}

fn clients(count: usize) -> Result<Vec<Client>> {
    let tokens = tokens::Kind::Hs256.tokens(count)?.into_iter();
    Ok(tokens.map(|token| Client::new(token, Some(TOPIC.into()))).collect())
}

async fn connect(running: &Running, count: usize) -> Result<Vec<Connected>> {
    subscribers::connect(running.subscribers, running.server, clients(count)?).await
}

async fn read_slowly(mut socket: Connected) {
    let mut buffer = [0; READ_BYTES];
    while let Ok(1..) = socket.stream.read(&mut buffer).await {
        sleep(READ_INTERVAL).await;
    }
}
