//! What the check of a payload with its schema costs a publication: without a contract, to a topic that has none, and to
//! one that has, in turns. `cargo xtask bench --contract`.

use std::{fmt::Write as _, fs, time::Instant};

use serde_json::{Value, json};

use crate::{
    http::Http,
    machine,
    options::{Options, Result},
    servers::{Running, Server, Start, realtime::publish_json},
    stats::{median, spread},
};

/// How a request is sent: its name, and how many publications it has.
const REQUESTS: [(&str, usize); 2] = [("one by one", 1), ("batches of 100", 100)];

/// What is compared with the first: whether the server has a contract, and the topic.
const TOPICS: [(&str, bool, &str); 3] =
    [("no contract", false, "order:1"), ("another topic", true, "parcel:1"), ("checked", true, "order:1")];

/// The cost of one publication, in microseconds.
#[derive(Clone, Copy, Default)]
struct Cost {
    cpu: f64,
    wall: f64,
}

/// Publishes to each topic, and prints the cost and its ratio to the cost without a contract.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let plain = Server::Realtime.start(options, &Start::default()).await?;
    let bound = Server::Realtime.start(options, &Start { contract: true, ..Start::default() }).await?;
    let table = measure(options, &plain, &bound);
    plain.stop().await;
    bound.stop().await;
    let text = format!("\n## Publications with a schema\n\n{}", table?);
    println!("{text}");
    fs::create_dir_all(&options.out)?;
    fs::write(options.out.join("contract.md"), text)?;
    Ok(())
}

fn measure(options: &Options, plain: &Running, bound: &Running) -> Result<String> {
    let payload = order();
    let mut table = format!(
        "Payloads of {} bytes, no subscriber. Each ratio is taken within a round.\n\n\
         | requests | topic | server CPU us/publication | ratio | wall us/publication | ratio |\n\
         |---|---|---:|---:|---:|---:|\n",
        payload.to_string().len()
    );
    for (requests, size) in REQUESTS {
        let count = if options.quick { 2_000 } else { 20_000 } / size;
        let mut rounds = Vec::new();
        for round in 0..=options.rounds() {
            eprint!("\rpublishing {requests}, round {round} of {}          ", options.rounds());
            let mut costs = [Cost::default(); TOPICS.len()];
            for turn in 0..TOPICS.len() {
                let at = (turn + round) % TOPICS.len();
                let (_, contract, topic) = TOPICS[at];
                let running = if contract { bound } else { plain };
                costs[at] = publish(running, &publish_json(topic, &payload, size), count, size)?;
            }
            // The first round warms up.
            if round > 0 {
                rounds.push(costs);
            }
        }
        eprintln!();
        for (at, (topic, ..)) in TOPICS.iter().enumerate() {
            let of = |figure: fn(&Cost) -> f64| {
                let values: Vec<_> = rounds.iter().map(|costs| figure(&costs[at])).collect();
                let ratios: Vec<_> = rounds.iter().map(|costs| figure(&costs[at]) / figure(&costs[0])).collect();
                let (low, high) = spread(&ratios);
                format!("{:.2} | {:.2} ({low:.2}–{high:.2})", median(&values), median(&ratios))
            };
            let _ = writeln!(table, "| {requests} | {topic} | {} | {} |", of(|cost| cost.cpu), of(|cost| cost.wall));
        }
    }
    Ok(table)
}

/// Sends a request of `size` publications `count` times, one after the other.
fn publish(running: &Running, request: &str, count: usize, size: usize) -> Result<Cost> {
    let mut http = Http::connect(running.publishers)?;
    let pids = running.pids();
    let (cpu, began) = (machine::cpu_seconds(&pids)?, Instant::now());
    for _ in 0..count {
        let response = http.request(request.as_bytes())?;
        // A batch succeeds as a whole even if its publications are refused.
        if memchr::memmem::find(&response, b"payload_invalid").is_some() {
            return Err("a publication was refused by its schema".into());
        }
    }
    let per = |seconds: f64| seconds * 1e6 / (count * size) as f64;
    Ok(Cost { cpu: per(machine::cpu_seconds(&pids)? - cpu), wall: per(began.elapsed().as_secs_f64()) })
}

/// An order of 300 bytes.
fn order() -> Value {
    let line = |sku: &str, count: u32| json!({"sku": sku, "count": count, "note": null});
    json!({
        "order": "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8f-00000000000000000000000000",
        "status": "paid",
        "total": 12_900,
        "currency": "EUR",
        "updated_at": "2026-11-23T13:00:00Z",
        "lines": [line("tea-green-100", 2), line("cup-white", 4), line("kettle-1500", 1)],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_has_the_size_of_the_counted_case() {
        assert_eq!(order().to_string().len(), 300);
    }
}
