//! How far a socket is with its request: at shutdown one that still arrives is given up, one that is answered is not.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// What a socket's current request is waiting for. Both false between requests and while one arrives.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// A request arrived whole, and not all of its answer was handed over to be written.
    response_pending: AtomicBool,
    /// The peer has not taken all that was written.
    unflushed: AtomicBool,
}

impl InFlight {
    /// Whether there is an answer that the peer has a right to.
    pub(super) fn is_response_pending(&self) -> bool {
        self.response_pending.load(Relaxed) || self.unflushed.load(Relaxed)
    }

    pub(super) fn set_unflushed(&self, unflushed: bool) {
        self.unflushed.store(unflushed, Relaxed);
    }

    /// Marks an answer as owed until its body is dropped, which is when the HTTP server holds all of it.
    pub(super) fn answer<B: Body>(
        self: Arc<Self>,
        response: Response<B>,
    ) -> Response<impl Body<Data = B::Data, Error = B::Error>> {
        self.response_pending.store(true, Relaxed);
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

/// An answer that is owed as long as this lives.
struct Pending(Arc<InFlight>);

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.response_pending.store(false, Relaxed);
    }
}

/// The body of a request, as it arrives.
#[derive(Debug)]
pub struct RequestBody {
    arriving: Incoming,
    in_flight: Arc<InFlight>,
}

impl RequestBody {
    pub(super) fn new(arriving: Incoming, in_flight: Arc<InFlight>) -> Self {
        let body = Self { arriving, in_flight };
        body.note(body.arriving.is_end_stream());
        body
    }

    /// From its last byte on the server owes an answer.
    fn note(&self, whole: bool) {
        if whole {
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
