//! Server processes: started on their core, killed and started again, stopped.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::Stdio,
    time::Duration,
};

use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

use super::{Server, centrifugo, nats, nchan, node, realtime, redis};
use crate::{
    options::{Options, Result},
    tokens,
};

/// The core that a server has to itself; the clients have the other one.
pub(crate) const ONE_CORE: &str = "0";
/// The longest that a server may take until it listens.
const STARTING: Duration = Duration::from_secs(30);

/// What a server keeps of each topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum History {
    /// Nothing.
    #[default]
    Off,
    /// So many messages, in memory.
    Memory(usize),
    /// So many messages, which survive a restart.
    Durable(usize),
}

impl History {
    /// How many messages are kept.
    pub(crate) fn messages(self) -> Option<usize> {
        match self {
            Self::Off => None,
            Self::Memory(messages) | Self::Durable(messages) => Some(messages),
        }
    }
}

/// How to start a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    /// The cores it may use.
    pub(crate) cores: &'static str,
    /// The tokens it is to accept, if it knows any.
    pub(crate) tokens: tokens::Kind,
    /// What it is to keep, if it can.
    pub(crate) history: History,
    /// Whether the messages of some topics have a schema.
    pub(crate) contract: bool,
    /// Time between its pings, in the notation of its configuration; its default if absent.
    pub(crate) ping_interval: Option<&'static str>,
}

impl Default for Start {
    fn default() -> Self {
        Self {
            cores: ONE_CORE,
            tokens: tokens::Kind::Hs256,
            history: History::Off,
            contract: false,
            ping_interval: None,
        }
    }
}

/// A server process with its ports. Dropping it ends the process.
pub(crate) struct Running {
    pub(crate) server: Server,
    /// Where subscribers connect.
    pub(crate) subscribers: SocketAddr,
    /// Where publishers connect.
    pub(crate) publishers: SocketAddr,
    process: Child,
    /// The database that it needs, if it needs one. Its work counts as the server's.
    beside: Option<Child>,
    /// Configuration and data; removed at the end.
    folder: tempfile::TempDir,
}

impl Server {
    /// Starts it, and waits until it listens.
    pub(crate) async fn start(self, options: &Options, start: &Start) -> Result<Running> {
        let folder = tempfile::tempdir()?;
        let (subscribers, publishers) = (free_port()?, free_port()?);
        let beside = match self {
            Self::SocketIoRedis => Some(redis::spawn(start, publishers, folder.path()).await?),
            _ => None,
        };
        let process = self.spawn(options, start, folder.path(), subscribers, publishers)?;
        let publishers = match self {
            Self::Floor | Self::FloorLong | Self::Handwritten | Self::Nats | Self::JetStream => publishers,
            _ => subscribers,
        };
        let running = Running { server: self, subscribers, publishers, process, beside, folder };
        running.listens().await?;
        if let (Self::JetStream, Some(messages)) = (self, start.history.messages()) {
            nats::create_stream(publishers, messages).await?;
        }
        Ok(running)
    }

    fn spawn(
        self,
        options: &Options,
        start: &Start,
        folder: &Path,
        subscribers: SocketAddr,
        publishers: SocketAddr,
    ) -> Result<Child> {
        let mut command = match self {
            Self::Floor | Self::FloorLong | Self::Handwritten => {
                let mut command = pinned(start, &options.binaries.join("realtime-bench"));
                command
                    .arg(if self == Self::Handwritten { "handwritten" } else { "floor" })
                    .env("PORTS", format!("{} {}", subscribers.port(), publishers.port()));
                command
            }
            Self::Realtime => realtime::command(options, start, folder, subscribers)?,
            Self::Centrifugo => centrifugo::command(start, folder, subscribers)?,
            Self::Nchan => nchan::command(start, folder, subscribers)?,
            Self::Nats | Self::JetStream => nats::command(start, folder, subscribers, publishers)?,
            Self::Ws | Self::SocketIo | Self::SocketIoRedis => node::command(start, self, subscribers, publishers)?,
        };
        quiet(&mut command, folder)?;
        command.spawn().map_err(|error| format!("{}: {error}", self.name()).into())
    }
}

impl Running {
    /// Waits until it listens.
    async fn listens(&self) -> Result<()> {
        for address in [self.subscribers, self.publishers] {
            if !listens(address).await {
                let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                return Err(format!("{} does not listen: {log}", self.server.name()).into());
            }
        }
        Ok(())
    }

    pub(crate) fn pids(&self) -> Vec<u32> {
        self.process.id().into_iter().chain(self.beside.as_ref().and_then(Child::id)).collect()
    }

    /// Kills the process (SIGKILL) and starts it again on the same ports, with the same data.
    pub(crate) async fn kill_and_start(&mut self, options: &Options, start: &Start) -> Result<()> {
        self.process.kill().await?;
        self.process = self.server.spawn(options, start, self.folder.path(), self.subscribers, self.publishers)?;
        self.listens().await
    }

    /// Ends the process and its children, and waits until they are gone.
    pub(crate) async fn stop(mut self) {
        end(&mut self.process).await;
        if let Some(beside) = &mut self.beside {
            end(beside).await;
        }
    }
}

async fn end(process: &mut Child) {
    if let Some(pid) = process.id() {
        // SIGTERM first: nginx ends its workers itself.
        let sent = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await;
        if sent.is_ok() && timeout(Duration::from_secs(5), process.wait()).await.is_ok() {
            return;
        }
    }
    drop(process.kill().await);
}

/// Whether a server listens there in time.
pub(super) async fn listens(address: SocketAddr) -> bool {
    let connects = async {
        while TcpStream::connect(address).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(STARTING, connects).await.is_ok()
}

/// Lets a command write to the folder's log alone, and ends it with this program.
pub(super) fn quiet(command: &mut Command, folder: &Path) -> Result<()> {
    let log = std::fs::File::options().create(true).append(true).open(folder.join("log"))?;
    command.stdout(Stdio::from(log.try_clone()?)).stderr(Stdio::from(log)).stdin(Stdio::null()).kill_on_drop(true);
    Ok(())
}

/// A command that is pinned to the servers' cores.
pub(super) fn pinned(start: &Start, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", start.cores]).arg(program).env_remove("REALTIME_BENCH_PINNED");
    command
}

/// A free port of this machine.
fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
