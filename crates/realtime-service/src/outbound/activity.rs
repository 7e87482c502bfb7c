//! What a connection does now, for lists: kept beside its queue, in as few bytes as an idle connection can afford.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};

use realtime_ports::SocketActivity;

use super::Outbound;

/// An address in 16 bytes.
pub(super) enum Address {
    Unknown,
    V4(Ipv4Addr),
    V6(Box<Ipv6Addr>),
}

impl From<Option<IpAddr>> for Address {
    fn from(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            None => Self::Unknown,
            Some(IpAddr::V4(address)) => Self::V4(address),
            Some(IpAddr::V6(address)) => Self::V6(Box::new(address)),
        }
    }
}

/// The low bits of the milliseconds.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn millis(at: Duration) -> u32 {
    at.as_millis() as u32
}

impl Outbound {
    /// The client has sent something.
    pub(crate) fn received(&self, now: Duration) {
        self.received_ms.store(millis(now), Relaxed);
    }

    /// The connection's task has written frames: for that task alone.
    pub(crate) fn sent(&self, frames: usize) {
        let frames = u32::try_from(frames).unwrap_or(u32::MAX);
        self.sent_frames.store(self.sent_frames.load(Relaxed).saturating_add(frames), Relaxed);
    }

    /// What it does at `now`, on the service's clock.
    pub(super) fn activity_at(&self, now: Duration) -> SocketActivity {
        let silent_ms = millis(now).wrapping_sub(self.received_ms.load(Relaxed));
        // It has sent something after `now` was read.
        let silent_ms = if silent_ms > u32::MAX / 2 { 0 } else { silent_ms };
        let state = self.state();
        SocketActivity {
            address: match &self.address {
                Address::Unknown => None,
                Address::V4(address) => Some((*address).into()),
                Address::V6(address) => Some((**address).into()),
            },
            silent_for: Some(Duration::from_millis(silent_ms.into())),
            queued_messages: state.queue.len(),
            queued_bytes: state.queue.bytes(),
            sent_frames: self.sent_frames.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use realtime_core::outbound::QueueLimits;

    use super::*;
    use crate::outbound::OutboundShared;

    fn outbound(address: Option<&str>, now: Duration) -> Outbound {
        let limits = QueueLimits { messages: 1, bytes: 1 };
        let shared = Arc::new(OutboundShared { limits, metrics: Arc::default() });
        let id = "019ab1c2-7b1e-7c3a-9d54-3f2a1b0c9d8e".parse().expect("an id");
        Outbound::new(id, None, address.map(|address| address.parse().expect("an address")), now, shared)
    }

    #[test]
    fn an_address_is_shown_as_it_is_written_shortest() {
        for (address, shown) in
            [("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::1")]
        {
            let known = outbound(Some(address), Duration::ZERO).activity_at(Duration::ZERO).address;
            assert_eq!(known.map(|known| known.to_string()).as_deref(), Some(shown));
        }
        assert_eq!(outbound(None, Duration::ZERO).activity_at(Duration::ZERO).address, None);
    }

    #[test]
    fn the_silence_is_right_after_the_milliseconds_have_wrapped_and_never_negative() {
        let ms = Duration::from_millis;
        let silence = |outbound: &Outbound, now| outbound.activity_at(now).silent_for.expect("known");
        let old = outbound(None, ms(5));
        assert_eq!(silence(&old, ms(1_005)), ms(1_000));
        let wrap = ms(u64::from(u32::MAX) + 1);
        old.received(wrap - ms(10));
        assert_eq!(silence(&old, wrap + ms(20)), ms(30));
        assert_eq!(silence(&old, wrap - ms(11)), ms(0), "it sent something after the clock was read");
    }

    #[test]
    fn sent_frames_stop_at_the_most_that_can_be_counted() {
        let outbound = outbound(None, Duration::ZERO);
        outbound.sent(3);
        outbound.sent(2);
        assert_eq!(outbound.activity_at(Duration::ZERO).sent_frames, 5);
        outbound.sent(usize::MAX);
        assert_eq!(outbound.activity_at(Duration::ZERO).sent_frames, u32::MAX);
    }
}
