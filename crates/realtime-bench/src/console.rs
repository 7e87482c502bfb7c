//! What an operator's console costs a server at rest: its polling and an open tail, over a number of idle connections.
//! `cargo xtask bench --console`.

use std::{
    fmt::Write as _,
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use tokio::time::{sleep, sleep_until};

use crate::{
    http::Http,
    idle, machine,
    options::{Options, Result},
    servers::{Running, Server, Start, realtime::KEY_HEADER},
    stats::{median, spread},
};

/// How long a server takes to settle after it has admitted every connection.
const REST: Duration = Duration::from_secs(2);
/// Time between two refreshes of the page.
const REFRESH_INTERVAL: Duration = Duration::from_secs(1);
/// What the page requests at each refresh, by the view that is open.
const VIEWS: [(&str, &[&str]); 3] = [
    ("overview", &["/api/v1/stats"]),
    ("connections", &["/api/v1/connections?limit=200"]),
    ("topics", &["/api/v1/topics/busiest?limit=20", "/api/v1/topics?limit=200"]),
];
/// Longer than a measurement: idle clients here answer no ping, and pings in one period only would count for the console.
const PING_INTERVAL: &str = "10m";

/// Use of the CPU over a while, in per cent of a core.
#[derive(Clone, Copy)]
struct Cost {
    /// With no console.
    rest: f64,
    /// With a tail alone.
    tail: f64,
    /// With a tail and each view.
    views: [f64; VIEWS.len()],
}

/// Measures each number of connections, and prints what a console costs.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let seconds = if options.quick { 5 } else { 10 };
    let mut table = format!(
        "Server CPU over {seconds} s, in per cent of a core, above the server at rest: with a tail of all streams open, and \
         with one view besides, which is read each second.\n\n| connections | at rest | a tail |"
    );
    VIEWS.iter().for_each(|(name, _)| _ = write!(table, " {name} |"));
    table.push_str("\n|---:|---:|---:|");
    table.push_str(&"---:|".repeat(VIEWS.len()));
    table.push('\n');
    for size in idle::sizes(options, &[1_000, 10_000]) {
        let mut rounds = Vec::new();
        let start = Start { ping_interval: Some(PING_INTERVAL), ..Start::default() };
        for round in 0..options.rounds() {
            eprint!("\ra console over {size} connections, round {} of {}          ", round + 1, options.rounds());
            let running = Server::Realtime.start(options, &start).await?;
            let cost = measure(&running, size, options.at_once, Duration::from_secs(seconds)).await;
            running.stop().await;
            rounds.push(cost?);
        }
        let of = |figure: &dyn Fn(&Cost) -> f64| {
            let values: Vec<_> = rounds.iter().map(figure).collect();
            let (low, high) = spread(&values);
            format!("{:.2} ({low:.2}–{high:.2})", median(&values))
        };
        let _ = write!(table, "| {size} | {} | {} |", of(&|cost| cost.rest), of(&|cost| cost.tail - cost.rest));
        for view in 0..VIEWS.len() {
            let _ = write!(table, " {} |", of(&|cost| cost.views[view] - cost.rest));
        }
        table.push('\n');
    }
    eprintln!();
    let text = format!("\n## A console\n\n{table}");
    println!("{text}");
    fs::create_dir_all(&options.out)?;
    fs::write(options.out.join("console.md"), text)?;
    Ok(())
}

async fn measure(running: &Running, count: usize, at_once: usize, time: Duration) -> Result<Cost> {
    let pids = running.pids();
    let sockets = idle::connect(running, count, at_once).await?;
    sleep(REST).await;
    let rest = used(&pids, time, || Ok(())).await?;
    let stream = tail(running.publishers)?;
    let with_tail = used(&pids, time, || Ok(())).await?;
    let mut page = Http::connect(running.publishers)?;
    let mut views = [0.0; VIEWS.len()];
    for (cost, (_, paths)) in views.iter_mut().zip(VIEWS) {
        *cost = used(&pids, time, || {
            for path in paths {
                page.request(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{KEY_HEADER}\r\n").as_bytes())?;
            }
            Ok(())
        })
        .await?;
    }
    drop((stream, sockets));
    Ok(Cost { rest, tail: with_tail, views })
}

/// What the server uses while something is done each second, in per cent of a core.
async fn used(pids: &[u32], time: Duration, mut each_second: impl FnMut() -> Result<()>) -> Result<f64> {
    let (cpu, began) = (machine::cpu_seconds(pids)?, Instant::now());
    while began.elapsed() < time {
        let due = tokio::time::Instant::now() + REFRESH_INTERVAL;
        each_second()?;
        sleep_until(due).await;
    }
    Ok((machine::cpu_seconds(pids)? - cpu) / began.elapsed().as_secs_f64() * 100.0)
}

/// Opens a tail of all streams; returns once its first line has come.
fn tail(address: SocketAddr) -> Result<TcpStream> {
    let body = r#"{"streams":["topic:**","role:*","user","all"],"payloads":true,"seconds":600}"#;
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let head = format!(
        "POST /api/v1/trace HTTP/1.1\r\nHost: localhost\r\n{KEY_HEADER}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    let (mut received, mut buffer) = (String::new(), [0; 4096]);
    while !received.contains("\"event\":\"started\"") {
        match stream.read(&mut buffer)? {
            0 => return Err(format!("the tail was refused: {received}").into()),
            n => received.push_str(&String::from_utf8_lossy(&buffer[..n])),
        }
    }
    Ok(stream)
}
