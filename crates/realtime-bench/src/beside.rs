//! Who is there besides the subscribers that are measured, to be in their way.

use std::time::Duration;

use tokio::{io::AsyncReadExt, task::JoinSet, time::sleep};

use crate::{
    Result,
    cases::Beside,
    crowd::TOPIC,
    servers::Running,
    subscribers::{self, Connected, Wish},
    tokens,
};

/// Slow readers.
const SLOW: usize = 100;
/// What each of them reads, and how often: a little more than comes, so that something always waits for it.
const SIP: usize = 2_560;
const SIP_EVERY: Duration = Duration::from_millis(300);

/// They go away when this is dropped.
#[derive(Default)]
pub(crate) struct Company {
    _stalled: Vec<Connected>,
    _tasks: JoinSet<()>,
}

/// Brings them in; they subscribe to the topic that everybody reads.
pub(crate) async fn come(beside: Beside, running: &Running) -> Result<Company> {
    let mut tasks = JoinSet::new();
    match beside {
        Beside::Nobody => {}
        Beside::Stalled => return Ok(Company { _stalled: connect(running, 1).await?, _tasks: tasks }),
        Beside::Slow => {
            for socket in connect(running, SLOW).await? {
                tasks.spawn_local(sip(socket));
            }
        }
        Beside::Churn => {
            let wish = wishes(1)?.remove(0);
            let (address, server) = (running.subscribers, running.server);
            let comes = wish.clone();
            // Its list of listeners changes under the fan-out; whoever came is gone again before it could count.
            tasks.spawn_local(async move {
                while subscribers::connect(address, server, vec![comes.clone()]).await.is_ok() {}
            });
            let socket = connect(running, 1).await?.remove(0);
            tasks.spawn_local(async move {
                let _ = subscribers::resubscribe(socket, TOPIC).await;
            });
        }
    }
    Ok(Company { _stalled: Vec::new(), _tasks: tasks })
}

fn wishes(count: usize) -> Result<Vec<Wish>> {
    let tokens = tokens::Kind::Hs256.tokens(count)?.into_iter();
    Ok(tokens.map(|token| Wish { token, topic: Some(TOPIC.into()) }).collect())
}

async fn connect(running: &Running, count: usize) -> Result<Vec<Connected>> {
    subscribers::connect(running.subscribers, running.server, wishes(count)?).await
}

async fn sip(mut socket: Connected) {
    let mut buffer = [0; SIP];
    while let Ok(1..) = socket.stream.read(&mut buffer).await {
        sleep(SIP_EVERY).await;
    }
}
