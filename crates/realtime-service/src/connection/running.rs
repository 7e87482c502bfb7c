//! The task of a connection, as a future written by hand.
//!
//! It is most of what an idle connection costs. An `async fn` would keep room for each of its await points; this keeps
//! the driver and a timer, and a box for the slow path.

use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use realtime_ports::Socket;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{driver::Driver, opening::NotOpened, pending::Boxed};

pin_project! {
    /// A connection from its opening to its end. The driver comes first, beside what the runtime keeps of the task.
    #[repr(C)]
    pub(super) struct Running<S> {
        state: State<S>,
        #[pin]
        timer: Sleep,
    }
}

#[expect(clippy::large_enum_variant, reason = "it is the large one for nearly all of its life")]
enum State<S> {
    /// Reads, decides and writes.
    Live(Driver<S>),
    /// Runs a step of the slow path, after which it may live on.
    Slow(Boxed<Option<Driver<S>>>),
    Ended,
}

impl<S: Socket> Running<S> {
    pub(super) fn new(driver: Driver<S>) -> Self {
        Self { timer: sleep_until(driver.due()), state: State::Live(driver) }
    }

    pub(super) fn not_opened(not_opened: NotOpened<S>) -> Self {
        let closing = Box::pin(async move {
            not_opened.close().await;
            None
        });
        Self { timer: sleep_until(Instant::now()), state: State::Slow(closing) }
    }
}

impl<S: Socket> Future for Running<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let mut timer = this.timer;
        loop {
            match this.state {
                State::Live(driver) => {
                    let step = ready!(driver.poll_fast_path(context, timer.as_mut()));
                    if let State::Live(driver) = mem::replace(this.state, State::Ended) {
                        *this.state = State::Slow(Box::pin(driver.run_slow_path(step)));
                    }
                }
                State::Slow(step) => match ready!(step.as_mut().poll(context)) {
                    Some(driver) => *this.state = State::Live(driver),
                    None => *this.state = State::Ended,
                },
                State::Ended => return Poll::Ready(()),
            }
        }
    }
}
