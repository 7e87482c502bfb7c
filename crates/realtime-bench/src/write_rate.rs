//! The write rate of a server while no client reads: what more cores gain, on a machine whose clients need cores, too.

use std::{
    thread,
    time::{Duration, Instant},
};

use memchr::memmem;

use crate::{
    cases::TOPIC,
    figures::Figures,
    http::Http,
    options::{Options, Result},
    sequence,
    servers::Running,
    subscribers::Subscribers,
    wire::Target,
};

/// Time between two readings of the counter.
const POLL_INTERVAL: Duration = Duration::from_micros(500);
/// The longest that a publication may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// The counter of written frames, in the Prometheus text format.
const WRITTEN: &[u8] = b"\nrealtime_frames_sent_total ";

/// Publishes one message after the other to all of `readers`. While the server writes, this thread, which runs the
/// readers too, only waits; afterwards they read it all.
pub(crate) async fn measure(
    running: &Running,
    readers: Subscribers,
    start: Instant,
    options: &Options,
) -> Result<Figures> {
    let mut server = Http::connect(running.publishers)?;
    let count = readers.len() as u64;
    let (warm, rounds) = if options.quick { (3, 15) } else { (5, 40) };
    let mut took = Duration::ZERO;
    for round in 0..warm + rounds {
        let before = written(&mut server)?;
        let message = (Target::Topic(TOPIC.into()), sequence::message(round, sequence::micros(start), 128));
        let request = running.server.publications(&[message]);
        let begun = Instant::now();
        server.request(request.as_bytes())?;
        while written(&mut server)? < before + count {
            if begun.elapsed() > DEADLINE {
                return Err("a publication was not written in time".into());
            }
            thread::sleep(POLL_INTERVAL);
        }
        if round >= warm {
            took += begun.elapsed();
        }
        readers.received((round + 1) * count).await?;
    }
    let (seen, sent) = (readers.finish(), (warm + rounds) * count);
    Ok(Figures {
        deliveries_per_s: Some((rounds * count) as f64 / took.as_secs_f64()),
        ..Figures::complete(&seen, sent)
    })
}

fn written(server: &mut Http) -> Result<u64> {
    let response = server.request(b"GET /metrics HTTP/1.1\r\nHost: bench\r\n\r\n")?;
    let at = memmem::find(&response, WRITTEN).ok_or("no count of what is written in /metrics")? + WRITTEN.len();
    let digits = response[at..].iter().take_while(|byte| byte.is_ascii_digit());
    Ok(digits.fold(0, |n, digit| n * 10 + u64::from(digit - b'0')))
}
