//! What the driver takes from outside: random numbers and sockets. Tests replace it.

use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    options::BoxFuture,
    socket::{Connection, Dial, connection},
};

pub(crate) trait Outside: Send {
    /// In `[0, 1)`.
    fn random(&mut self) -> f64;
    /// A socket for the attempt `n`, and the task that carries it out; `frames` wait to be written, at most.
    fn connect(&mut self, n: u64, dial: Dial, frames: usize) -> (Connection, BoxFuture<()>);
    /// The driver waits until this time, at most.
    fn waits(&mut self, _until: Option<Instant>) {}
}

pub(crate) struct Real;

impl Outside for Real {
    fn random(&mut self) -> f64 {
        (Uuid::new_v4().as_u128() >> 76) as f64 / (1u64 << 52) as f64
    }

    fn connect(&mut self, n: u64, dial: Dial, frames: usize) -> (Connection, BoxFuture<()>) {
        let (connection, task) = connection(n, dial, frames);
        (connection, Box::pin(task))
    }
}
