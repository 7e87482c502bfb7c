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
/// What the page requests at each refresh, if every view were open.
const VIEWS: [&str; 4] =
    ["/api/v1/stats", "/api/v1/topics/busiest?limit=20", "/api/v1/connections?limit=200", "/api/v1/topics?limit=200"];

/// Use of the CPU over a while, in per cent of a core.
#[derive(Clone, Copy)]
struct Cost {
    /// With no console.
    rest: f64,
    /// With a console and a tail.
    console: f64,
    /// The mean of a refresh, in milliseconds.
    refresh_ms: f64,
}

/// Measures each number of connections, and prints what a console costs.
pub(crate) async fn run(options: &Options) -> Result<()> {
    // Idle clients here answer no ping: the second unanswered one ends a connection after 45 seconds.
    let seconds = if options.quick { 5 } else { 15 };
    let mut table = format!(
        "Server CPU over {seconds} s, in per cent of a core; the console reads {} views a second and has a tail of all \
         streams open.\n\n| connections | at rest | with a console | the console | ms for all views |\n|---:|---:|---:|---:|---:|\n",
        VIEWS.len()
    );
    for size in idle::sizes(options, &[1_000, 10_000]) {
        let mut rounds = Vec::new();
        for round in 0..options.rounds() {
            eprint!("\ra console over {size} connections, round {} of {}          ", round + 1, options.rounds());
            let running = Server::Realtime.start(options, &Start::default()).await?;
            let cost = measure(&running, size, options.at_once, Duration::from_secs(seconds)).await;
            running.stop().await;
            rounds.push(cost?);
        }
        let of = |figure: fn(&Cost) -> f64| {
            let values: Vec<_> = rounds.iter().map(figure).collect();
            let (low, high) = spread(&values);
            format!("{:.2} ({low:.2}–{high:.2})", median(&values))
        };
        let _ = writeln!(
            table,
            "| {size} | {} | {} | {} | {} |",
            of(|cost| cost.rest),
            of(|cost| cost.console),
            of(|cost| cost.console - cost.rest),
            of(|cost| cost.refresh_ms),
        );
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
    let (cpu, began) = (machine::cpu_seconds(&pids)?, Instant::now());
    sleep(time).await;
    let rest = (machine::cpu_seconds(&pids)? - cpu) / began.elapsed().as_secs_f64();

    let tail = tail(running.publishers)?;
    let mut page = Http::connect(running.publishers)?;
    let (cpu, began) = (machine::cpu_seconds(&pids)?, Instant::now());
    let (mut refreshes, mut spent) = (0_u32, Duration::ZERO);
    while began.elapsed() < time {
        let due = tokio::time::Instant::now() + REFRESH_INTERVAL;
        let begun = Instant::now();
        for path in VIEWS {
            page.request(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{KEY_HEADER}\r\n").as_bytes())?;
        }
        spent += begun.elapsed();
        refreshes += 1;
        sleep_until(due).await;
    }
    let console = (machine::cpu_seconds(&pids)? - cpu) / began.elapsed().as_secs_f64();
    drop((tail, sockets));
    let refresh_ms = spent.as_secs_f64() * 1e3 / f64::from(refreshes);
    Ok(Cost { rest: rest * 100.0, console: console * 100.0, refresh_ms })
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
