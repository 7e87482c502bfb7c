//! The progress of a socket's current request: its deadlines depend on it, and at shutdown a request that still
//! arrives is given up, but one that is handled is not.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// What a socket is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing has arrived yet.
    New,
    /// A head arrives.
    Head,
    /// A head has arrived, and its response is not handed over completely.
    Handled,
    /// A response was handed over, and nothing of the next request has arrived.
    Between,
    /// It no longer speaks HTTP.
    Upgraded,
}

/// The progress of a socket's current request.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// A [`Phase`].
    phase: AtomicU8,
    /// A request arrived whole, and not all of its response was handed over to be written.
    response_pending: AtomicBool,
    /// The peer has not read all that was written.
    unflushed: AtomicBool,
}

impl InFlight {
    pub(super) fn phase(&self) -> Phase {
        [Phase::New, Phase::Head, Phase::Handled, Phase::Between, Phase::Upgraded]
            .into_iter()
            .find(|phase| *phase as u8 == self.phase.load(Relaxed))
            .unwrap_or(Phase::New)
    }

    pub(super) fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
    }

    /// Bytes have arrived: they begin a head, unless they belong to a request that has begun.
    pub(super) fn head_begins(&self) {
        if matches!(self.phase(), Phase::New | Phase::Between) {
            self.set_phase(Phase::Head);
        }
    }

    /// Whether there is a response that the peer has a right to.
    pub(super) fn is_response_pending(&self) -> bool {
        self.response_pending.load(Relaxed) || self.unflushed.load(Relaxed)
    }

    pub(super) fn set_unflushed(&self, unflushed: bool) {
        self.unflushed.store(unflushed, Relaxed);
    }

    /// Marks a response as pending until its body is dropped, which is when the HTTP server holds all of it.
    pub(super) fn respond<B: Body>(
        self: Arc<Self>,
        response: Response<B>,
    ) -> Response<impl Body<Data = B::Data, Error = B::Error>> {
        self.response_pending.store(true, Relaxed);
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            self.set_phase(Phase::Upgraded);
        }
        let pending = Pending(self);
        // The closure changes no error: it is there because it lives as long as the body.
        response.map(|body| {
            body.map_err(move |error| {
                let _lives_on = &pending;
                error
            })
        })
    }
}

/// A response is pending as long as this lives.
struct Pending(Arc<InFlight>);

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.response_pending.store(false, Relaxed);
        if self.0.phase() == Phase::Handled {
            self.0.set_phase(Phase::Between);
        }
    }
}

/// The body of a request, as it arrives.
#[derive(Debug)]
pub struct RequestBody {
    arriving: Incoming,
    in_flight: Arc<InFlight>,
}

impl RequestBody {
    /// The body of a request whose head has arrived.
    pub(super) fn new(arriving: Incoming, in_flight: Arc<InFlight>) -> Self {
        in_flight.set_phase(Phase::Handled);
        let body = Self { arriving, in_flight };
        body.note(body.arriving.is_end_stream());
        body
    }

    /// From its last byte on, a response is pending.
    fn note(&self, complete: bool) {
        if complete {
            self.in_flight.response_pending.store(true, Relaxed);
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.arriving).poll_frame(cx);
        self.note(matches!(polled, Poll::Ready(None)) || self.arriving.is_end_stream());
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.arriving.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.arriving.size_hint()
    }
}
