//! Sockets for which there is no slot: those that ask for a reserved path are served all the same, the others get 503.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body_util::Full;
use realtime_schema::{ErrorCode, Problem};
use tokio_util::sync::CancellationToken;

use super::slots::OverLimit;

/// Sockets in the reserve at once.
const MAX_SOCKETS: usize = 256;
/// How long one of them may take to send its request.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one of them is kept at most.
pub(super) const SOCKET_TIMEOUT: Duration = Duration::from_secs(10);
/// When to come back to a server without a free slot.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The sockets beyond the limits, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Reserve(Arc<Mutex<Sockets>>);

#[derive(Debug, Default)]
struct Sockets {
    next: u64,
    waiting: VecDeque<(u64, CancellationToken)>,
}

/// A socket in the reserve. Dropping it makes room.
#[derive(Debug)]
pub(super) struct Reserved {
    id: u64,
    reserve: Reserve,
    /// Cancelled when a newer socket takes its place.
    pub(super) evicted: CancellationToken,
}

impl Reserve {
    /// Takes a socket in; where there is no room, the oldest one has to go: a health check sends its request at once,
    /// and a socket that stays idle must not keep it out.
    pub(super) fn enter(&self) -> Reserved {
        let evicted = CancellationToken::new();
        let mut sockets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sockets.waiting.len() >= MAX_SOCKETS
            && let Some((_, oldest)) = sockets.waiting.pop_front()
        {
            oldest.cancel();
        }
        let id = sockets.next;
        sockets.next += 1;
        sockets.waiting.push_back((id, evicted.clone()));
        Reserved { id, reserve: self.clone(), evicted }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut sockets = self.reserve.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The ids are in order.
        if let Ok(at) = sockets.waiting.binary_search_by_key(&self.id, |(id, _)| *id) {
            sockets.waiting.remove(at);
        }
    }
}

/// The response to a request for which there is no slot.
pub(super) fn no_slot(limit: OverLimit) -> Response<Full<Bytes>> {
    let after_ms = u64::try_from(RETRY_AFTER.as_millis()).ok();
    let detail = format!("{} of this server is used up; come back later", limit.setting());
    let problem = Problem { after_ms, ..Problem::new(ErrorCode::Unavailable, detail) };
    let body = serde_json::to_vec(&problem).expect("a problem is plain data");
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/problem+json"));
    headers.insert(header::RETRY_AFTER, header::HeaderValue::from(RETRY_AFTER.as_secs()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_socket_takes_the_place_of_the_oldest() {
        let reserve = Reserve::default();
        let mut sockets: VecDeque<_> = (0..MAX_SOCKETS).map(|_| reserve.enter()).collect();
        sockets.remove(1);
        let newest = reserve.enter();
        assert!(sockets.iter().all(|socket| !socket.evicted.is_cancelled()), "one had left");
        let newer = reserve.enter();
        assert!(sockets[0].evicted.is_cancelled() && !sockets[1].evicted.is_cancelled());
        assert!(!newest.evicted.is_cancelled() && !newer.evicted.is_cancelled());
        drop(sockets);
        assert_eq!(reserve.0.lock().expect("no panic").waiting.len(), 2);
    }
}
