//! NATS with its WebSocket listener, and JetStream, which keeps messages. Its own protocol inside the frames; the
//! subscriber's side is not parsed.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use memchr::memmem;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    time::timeout,
};

use super::{Start, on_path, process::pinned};
use crate::{cases::TOPIC, options::Result};

/// The stream that keeps what is published to the cases' topics.
const STREAM: &str = "BENCH";
/// The longest that the stream may take to be created.
const CREATING: Duration = Duration::from_secs(10);

pub(super) fn command(start: &Start, folder: &Path, ws: SocketAddr, tcp: SocketAddr) -> Result<Command> {
    let mut config = format!(
        "listen: \"{tcp}\"\nmax_connections: 65536\nwebsocket {{\n  listen: \"{ws}\"\n  no_tls: true\n  compression: false\n}}\n"
    );
    if start.history.messages().is_some() {
        config += &format!("jetstream {{ store_dir: \"{}\", max_memory_store: 8GB }}\n", folder.display());
    }
    let path = folder.join("nats.conf");
    fs::write(&path, config)?;
    let mut command = pinned(start, &on_path("nats-server").ok_or("no nats-server")?);
    command.arg("-c").arg(path);
    Ok(command)
}

/// Creates the stream: the last `messages` of each topic, in memory.
pub(super) async fn create_stream(address: SocketAddr, messages: usize) -> Result<()> {
    let config = json!({
        "name": STREAM, "subjects": [TOPIC, format!("{TOPIC}.>")], "storage": "memory", "retention": "limits",
        "discard": "old", "max_msgs_per_subject": messages, "num_replicas": 1,
        // The default is a thousand.
        "max_consumers": 65536
    });
    let request = format!(
        "CONNECT {{\"verbose\":false}}\r\nSUB created 1\r\n{}",
        publication(&format!("$JS.API.STREAM.CREATE.{STREAM} created"), &config.to_string())
    );
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let created = async {
        let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
        while memmem::find(&received, b"stream_create_response").is_none() || !received.ends_with(b"}\r\n") {
            let n = stream.read(&mut buffer).await?;
            if n == 0 {
                break;
            }
            received.extend_from_slice(&buffer[..n]);
        }
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&received).into_owned())
    };
    let response = timeout(CREATING, created).await.map_err(|_| "JetStream did not respond")??;
    if response.contains("\"error\":") || !response.contains("stream_create_response") {
        return Err(format!("JetStream refused the stream: {response}").into());
    }
    Ok(())
}

/// What subscribes to a topic of the stream, after `start` or to what comes: an ephemeral push consumer without acks.
/// The response to its creation contains [`CREATED`].
pub(super) fn consume(topic: &str, from_start: bool) -> String {
    // Subjects are shared by all connections; each needs its own.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let n = NEXT.fetch_add(1, Relaxed);
    let (deliver, reply) = (format!("deliver.{n}"), format!("created.{n}"));
    let config = json!({"stream_name": STREAM, "config": {
        "deliver_subject": deliver, "deliver_policy": if from_start { "all" } else { "new" }, "ack_policy": "none",
        "filter_subject": topic, "mem_storage": true, "num_replicas": 1
    }});
    let create = publication(&format!("$JS.API.CONSUMER.CREATE.{STREAM} {reply}"), &config.to_string());
    format!("SUB {deliver} 1\r\nSUB {reply} 2\r\n{create}")
}

/// The response to a created consumer contains this, a refusal does not.
pub(super) const CREATED: &str = "\"num_pending\"";

/// What publishes `text` to a subject, which a reply subject may follow.
pub(super) fn publication(subjects: &str, text: &str) -> String {
    format!("PUB {subjects} {}\r\n{text}\r\n", text.len())
}
