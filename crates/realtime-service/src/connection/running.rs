//! The task of a connection, as a future written by hand.
//!
//! It is most of what a connection at rest costs. An `async fn` would keep room for each of its await points; this keeps
//! the driver and a timer, and a box for whatever is rare.

use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use realtime_ports::Socket;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{Boxed, Driver, Refused};

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
    /// Has something rare to do, after which it may live on.
    Rare(Boxed<Option<Driver<S>>>),
    Over,
}

impl<S: Socket> Running<S> {
    pub(super) fn new(driver: Driver<S>) -> Self {
        Self { timer: sleep_until(driver.due()), state: State::Live(driver) }
    }

    pub(super) fn refused(refused: Refused<S>) -> Self {
        let told = Box::pin(async move {
            refused.tell().await;
            None
        });
        Self { timer: sleep_until(Instant::now()), state: State::Rare(told) }
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
                    let turn = ready!(driver.poll_turn(context, timer.as_mut()));
                    if let State::Live(driver) = mem::replace(this.state, State::Over) {
                        *this.state = State::Rare(Box::pin(driver.rarely(turn)));
                    }
                }
                State::Rare(rare) => match ready!(rare.as_mut().poll(context)) {
                    Some(driver) => *this.state = State::Live(driver),
                    None => *this.state = State::Over,
                },
                State::Over => return Poll::Ready(()),
            }
        }
    }
}
