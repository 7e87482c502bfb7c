//! Holds many connections to a server process, each with a token and one topic, and measures what they cost: resident
//! memory per connection, and a broadcast that reaches every one of them once and in order.
//!
//! ```sh
//! cargo build --release -p realtime-server
//! cargo run --release -p realtime-tests --example hold -- 10000
//! ```
//!
//! Each connection takes a file descriptor at both ends; raise the limit first (`ulimit -n 65536`).

use std::{
    env,
    error::Error,
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use realtime_tests::Issuer;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

const API_KEY: &str = "an-api-key-for-holding";
const DEADLINE: Duration = Duration::from_secs(120);
/// Messages of the broadcast, one after the other.
const MESSAGES: u64 = 20;
/// Handshakes in progress at once.
const AT_ONCE: usize = 200;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let count: usize = env::args().nth(1).map_or(Ok(10_000), |text| text.parse())?;
    let (server, address) = start_server(count).await?;
    let pid = server.id().ok_or("the server ended at once")?;
    // The first connection costs more: the memory that all connections share is allocated then.
    drop(connect(address, 0).await?);
    sleep(Duration::from_millis(500)).await;
    let before = resident_kib(pid)?;

    let started = Instant::now();
    let clients = connect_all(address, count).await?;
    println!("{count} connections, each with a token and a topic, in {:.1} s", started.elapsed().as_secs_f64());
    sleep(Duration::from_secs(2)).await;
    let held = resident_kib(pid)?;
    let per = |kib: u64| (kib - before) as f64 / count as f64;
    println!("resident: {before} KiB before, {held} KiB with them: {:.2} KiB per connection", per(held));

    let readers: Vec<_> = clients.into_iter().map(|socket| tokio::spawn(read_all(socket))).collect();
    let started = Instant::now();
    let http = reqwest::Client::builder().no_proxy().build()?;
    for n in 0..MESSAGES {
        let body = json!({"to": "all", "type": "count", "payload": {"n": n}});
        let answer = http.post(format!("http://{address}/api/v1/publish")).bearer_auth(API_KEY).body(body.to_string());
        let receipt: Value = answer.send().await?.json().await?;
        if receipt["delivered"] != count {
            return Err(format!("message {n} was taken by {} of {count} connections", receipt["delivered"]).into());
        }
    }
    for (n, reader) in readers.into_iter().enumerate() {
        timeout(DEADLINE, reader).await??.map_err(|error| format!("client {n}: {error}"))?;
    }
    let (took, after) = (started.elapsed(), resident_kib(pid)?);
    let deliveries = MESSAGES * count as u64;
    println!(
        "{MESSAGES} broadcasts reached all {count}, each once and in order: {deliveries} deliveries in {:.2} s, {:.0} a second with all clients on this machine",
        took.as_secs_f64(),
        deliveries as f64 / took.as_secs_f64(),
    );
    println!("resident after them: {after} KiB, {:.2} KiB per connection", per(after));
    Ok(())
}

/// The server of the same build as this example, in a process of its own that ends with this one.
async fn start_server(count: usize) -> Result<(Child, SocketAddr)> {
    let binary: PathBuf = env::current_exe()?.with_file_name("../realtime-server");
    let room = (count + 100).to_string();
    let mut child = Command::new(&binary)
        .args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"])
        .env_clear()
        .env("REALTIME_AUTH__HMAC_SECRET", Issuer::SECRET)
        .env("REALTIME_API__KEYS", API_KEY)
        .env("REALTIME_LIMITS__CONNECTIONS", &room)
        .env("REALTIME_LIMITS__CONNECTIONS_PER_ADDRESS", &room)
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{}: {error}; build it first", binary.display()))?;
    let mut log = BufReader::new(child.stderr.take().ok_or("no log")?).lines();
    while let Some(line) = log.next_line().await? {
        let entry: Value = serde_json::from_str(&line)?;
        if entry["message"] == "serving" {
            let address = entry["address"].as_str().ok_or("no address")?.parse()?;
            tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
            return Ok((child, address));
        }
    }
    Err("the server did not start".into())
}

async fn connect_all(address: SocketAddr, count: usize) -> Result<Vec<WebSocketStream<TcpStream>>> {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let tasks: Vec<_> = (0..count)
        .map(|n| {
            let room = room.clone();
            tokio::spawn(async move {
                let _place = room.acquire().await?;
                timeout(DEADLINE, connect(address, n)).await?
            })
        })
        .collect();
    let mut clients = Vec::with_capacity(count);
    for task in tasks {
        clients.push(task.await??);
    }
    Ok(clients)
}

/// A client with a token of its own, subscribed to one topic.
async fn connect(address: SocketAddr, n: usize) -> Result<WebSocketStream<TcpStream>> {
    let token = Issuer::hmac().token(&format!("user-{n}"), &json!({"grants": ["subscribe:order:*"]}));
    let stream = TcpStream::connect(address).await?;
    // Small buffers: this process holds as many ends as the server does.
    let config = WebSocketConfig::default().read_buffer_size(512).write_buffer_size(0);
    let url = format!("ws://{address}/ws?token={token}");
    let (mut socket, _) = client_async_with_config(url, stream, Some(config)).await?;
    expect(&mut socket, "welcome").await?;
    let command = json!({"action": "subscribe", "id": 1, "topic": format!("order:{n}")});
    socket.send(Message::text(command.to_string())).await?;
    expect(&mut socket, "ack").await?;
    Ok(socket)
}

async fn expect(socket: &mut WebSocketStream<TcpStream>, kind: &str) -> Result<Value> {
    loop {
        match socket.next().await.ok_or("the socket ended")?? {
            Message::Text(text) => {
                let frame: Value = serde_json::from_str(&text)?;
                return if frame["type"] == kind { Ok(frame) } else { Err(format!("{frame} is no {kind}").into()) };
            }
            Message::Ping(_) => socket.flush().await?,
            other => return Err(format!("{other:?} is no {kind}").into()),
        }
    }
}

/// Reads the whole broadcast: every message once, in order, and nothing else.
async fn read_all(mut socket: WebSocketStream<TcpStream>) -> Result<()> {
    for n in 0..MESSAGES {
        let frame = expect(&mut socket, "count").await?;
        if frame["payload"]["n"] != n {
            return Err(format!("{} came instead of {n}", frame["payload"]["n"]).into());
        }
    }
    // What came after them would be there before the answer to this.
    socket.send(Message::text(r#"{"action":"ping","id":2}"#)).await?;
    expect(&mut socket, "ack").await?;
    Ok(())
}

/// Resident memory of a process (`VmRSS` of proc(5)).
fn resident_kib(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
