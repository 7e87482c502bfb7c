//! The write rate of a server while no client reads: what more cores gain, on a machine whose clients need cores, too.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use memchr::memmem;

use crate::{
    cases::TOPIC,
    figures::Figures,
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
    let mut server = Server::connect(running.publishers)?;
    let count = readers.len() as u64;
    let (warm, rounds) = if options.quick { (3, 15) } else { (5, 40) };
    let mut took = Duration::ZERO;
    for round in 0..warm + rounds {
        let before = server.written()?;
        let message = (Target::Topic(TOPIC.into()), sequence::message(round, sequence::micros(start), 128));
        let request = running.server.publications(&[message]);
        let begun = Instant::now();
        server.ask(request.as_bytes())?;
        while server.written()? < before + count {
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
        missing: sent.saturating_sub(seen.received),
        duplicated: seen.duplicated + seen.received.saturating_sub(sent),
        out_of_order: seen.out_of_order,
        received: seen.received,
        ..Figures::default()
    })
}

/// The server's HTTP side, asked without the readers' turn in between.
struct Server(TcpStream);

impl Server {
    fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        Ok(Self(stream))
    }

    /// The whole answer to a request.
    fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>> {
        self.0.write_all(request)?;
        let (mut answer, mut buffer) = (Vec::new(), [0; 16 * 1024]);
        loop {
            let n = self.0.read(&mut buffer)?;
            if n == 0 {
                return Err("the server hung up".into());
            }
            answer.extend_from_slice(&buffer[..n]);
            if whole(&answer) {
                return Ok(answer);
            }
        }
    }

    fn written(&mut self) -> Result<u64> {
        let answer = self.ask(b"GET /metrics HTTP/1.1\r\nHost: bench\r\n\r\n")?;
        let at = memmem::find(&answer, WRITTEN).ok_or("no count of what is written in /metrics")? + WRITTEN.len();
        let digits = answer[at..].iter().take_while(|byte| byte.is_ascii_digit());
        Ok(digits.fold(0, |n, digit| n * 10 + u64::from(digit - b'0')))
    }
}

/// Whether an answer has all of the body that its head announces.
fn whole(answer: &[u8]) -> bool {
    let Some(end) = memmem::find(answer, b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.trim().parse().ok());
    length.is_some_and(|length: usize| answer.len() >= end + 4 + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_body() {
        assert!(!whole(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n"));
        assert!(!whole(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1"));
        assert!(whole(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n12"));
    }
}
