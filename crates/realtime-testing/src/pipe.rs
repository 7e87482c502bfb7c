//! One direction of a connection: what is on its way, bounded as the kernels' buffers are.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::{lock, network::Network, seed::Dice};

/// The connection is gone, as a reset or the end of the stream shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

/// What is on its way, and how the way is.
struct Pipe<T> {
    network: Network,
    dice: Dice,
    packets: VecDeque<Packet<T>>,
    /// Bytes of the packets; at most `network.buffer`.
    bytes: usize,
    condition: Condition,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Some bytes, and the item that is complete with them.
struct Packet<T> {
    bytes: usize,
    arrives: Instant,
    item: Option<T>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Up,
    /// The writer has closed: what is on its way still arrives.
    Ended,
    /// Nothing arrives any more, and neither side is notified.
    Silent,
    /// Reset: both sides are notified, and what was on its way is lost.
    Cut,
}

/// A way for items from a writer to a reader.
pub(crate) fn pipe<T>(network: Network, seed: u64) -> (Writer<T>, Reader<T>) {
    let pipe = Arc::new(Mutex::new(Pipe {
        network: Network { buffer: network.buffer.max(1), ..network },
        dice: Dice::new(seed),
        packets: VecDeque::new(),
        bytes: 0,
        condition: Condition::Up,
        reader: None,
        writer: None,
    }));
    (Writer(pipe.clone()), Reader { pipe, timer: None })
}

impl<T> Pipe<T> {
    fn wake(&mut self) {
        self.reader.take().into_iter().chain(self.writer.take()).for_each(Waker::wake);
    }

    /// A side that is silent never learns anything.
    fn set(&mut self, condition: Condition) {
        if self.condition != Condition::Silent {
            self.condition = condition;
            self.wake();
        }
    }

    /// Puts as many bytes on their way as fit.
    fn put(&mut self, sending: &mut Sending<T>) {
        let fits = (self.network.buffer - self.bytes).min(sending.left);
        if fits == 0 {
            return;
        }
        let jitter = u64::try_from(self.network.jitter.as_micros()).unwrap_or(u64::MAX);
        let delay = self.network.latency + Duration::from_micros(self.dice.up_to(jitter));
        let arrives = (Instant::now() + delay).max(self.packets.back().map_or_else(Instant::now, |last| last.arrives));
        sending.left -= fits;
        self.bytes += fits;
        let item = if sending.left == 0 { sending.item.take() } else { None };
        self.packets.push_back(Packet { bytes: fits, arrives, item });
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

/// An item that is being written.
pub(crate) struct Sending<T> {
    /// Bytes that are not on their way yet.
    left: usize,
    item: Option<T>,
}

impl<T> Sending<T> {
    pub(crate) fn new(bytes: usize, item: T) -> Self {
        Self { left: bytes.max(1), item: Some(item) }
    }

    /// Bytes that are not on their way yet.
    pub(crate) fn left(&self) -> usize {
        self.left
    }
}

/// The end that is written to.
pub(crate) struct Writer<T>(Arc<Mutex<Pipe<T>>>);

impl<T> Writer<T> {
    /// Writes the rest of an item; pending while the buffers are full.
    pub(crate) fn poll_write(&self, cx: &mut Context<'_>, sending: &mut Sending<T>) -> Poll<Result<(), Gone>> {
        let mut pipe = lock(&self.0);
        if pipe.condition == Condition::Cut {
            return Poll::Ready(Err(Gone));
        }
        pipe.put(sending);
        if sending.left == 0 {
            return Poll::Ready(Ok(()));
        }
        pipe.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Writes an item.
    pub(crate) async fn write(&self, bytes: usize, item: T) -> Result<(), Gone> {
        let mut sending = Sending::new(bytes, item);
        std::future::poll_fn(|cx| self.poll_write(cx, &mut sending)).await
    }

    /// Decides what happens on the way.
    pub(crate) fn control(&self) -> Control<T> {
        Control(self.0.clone())
    }
}

/// Decides what happens on the way.
pub(crate) struct Control<T>(Arc<Mutex<Pipe<T>>>);

impl<T> Control<T> {
    /// Resets the connection: both sides are notified, and what was on its way is lost.
    pub(crate) fn cut(&self) {
        lock(&self.0).set(Condition::Cut);
    }

    /// The writer has closed: what is on its way still arrives, and then the reader is notified.
    pub(crate) fn end(&self) {
        let mut pipe = lock(&self.0);
        if pipe.condition == Condition::Up {
            pipe.set(Condition::Ended);
        }
    }

    /// Nothing arrives any more, and neither side is notified.
    pub(crate) fn silence(&self) {
        lock(&self.0).condition = Condition::Silent;
    }
}

impl<T> Drop for Writer<T> {
    fn drop(&mut self) {
        self.control().end();
    }
}

/// The end that is read from.
pub(crate) struct Reader<T> {
    pipe: Arc<Mutex<Pipe<T>>>,
    /// Fires when the next packet arrives.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<T> Reader<T> {
    /// Decides what happens on the way.
    pub(crate) fn control(&self) -> Control<T> {
        Control(self.pipe.clone())
    }

    /// The next item, once all of its bytes have arrived.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Gone>> {
        loop {
            let arrives = {
                let mut pipe = lock(&self.pipe);
                match (pipe.condition, pipe.packets.front()) {
                    (Condition::Cut, _) | (Condition::Ended, None) => return Poll::Ready(Err(Gone)),
                    (Condition::Silent, _) | (Condition::Up, None) => {
                        pipe.reader = Some(cx.waker().clone());
                        return Poll::Pending;
                    }
                    (Condition::Up | Condition::Ended, Some(packet)) if packet.arrives <= Instant::now() => {
                        let Some(packet) = pipe.packets.pop_front() else { continue };
                        pipe.bytes -= packet.bytes;
                        if let Some(writer) = pipe.writer.take() {
                            writer.wake();
                        }
                        match packet.item {
                            Some(item) => return Poll::Ready(Ok(item)),
                            None => continue,
                        }
                    }
                    (Condition::Up | Condition::Ended, Some(packet)) => {
                        let arrives = packet.arrives;
                        pipe.reader = Some(cx.waker().clone());
                        arrives
                    }
                }
            };
            let timer = match &mut self.timer {
                Some(timer) if timer.deadline() == arrives => timer,
                timer => timer.insert(Box::pin(sleep_until(arrives))),
            };
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.timer = None;
        }
    }
}

impl<T> Drop for Reader<T> {
    fn drop(&mut self) {
        lock(&self.pipe).set(Condition::Cut);
    }
}
