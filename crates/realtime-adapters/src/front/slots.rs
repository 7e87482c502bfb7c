//! The slots of sockets in HTTP: so many in all, so many for one address.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use ipnet::IpNet;
use realtime_core::address::limit_key;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::config::AcceptorConfig;

/// Which limit a socket is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OverLimit {
    Total,
    Address,
}

impl OverLimit {
    /// The name of its setting.
    pub(super) fn setting(self) -> &'static str {
        match self {
            Self::Total => "limits.http_sockets",
            Self::Address => "limits.http_sockets_per_address",
        }
    }
}

/// The slots of a listener: so many sockets may speak HTTP at once. Cloning makes another handle to them.
#[derive(Clone, Debug)]
pub struct Slots {
    total: Arc<Semaphore>,
    max: usize,
    addresses: Arc<Addresses>,
}

#[derive(Debug)]
struct Addresses {
    counts: Mutex<HashMap<IpAddr, usize>>,
    max: usize,
    unlimited: Vec<IpNet>,
}

/// A slot, given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    _permit: OwnedSemaphorePermit,
    _address: Option<AddressSlot>,
}

/// One of the slots of an address, given back when dropped.
#[derive(Debug)]
pub(super) struct AddressSlot {
    key: IpAddr,
    addresses: Arc<Addresses>,
}

impl Slots {
    /// As many as `config` allows.
    pub fn new(config: &AcceptorConfig) -> Self {
        let max = config.max_http_sockets.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            total: Arc::new(Semaphore::new(max)),
            max,
            addresses: Arc::new(Addresses {
                counts: Mutex::default(),
                max: config.max_http_sockets_per_address.max(1),
                unlimited: config.proxies.clone(),
            }),
        }
    }

    /// Number of slots that are in use: sockets that speak HTTP, and those of which nothing has arrived yet. A WebSocket
    /// has given its slot back.
    pub fn in_use(&self) -> usize {
        self.max.saturating_sub(self.total.available_permits())
    }

    /// A slot for a socket whose other end is `peer`.
    pub(super) fn take(&self, peer: SocketAddr) -> Result<Slot, OverLimit> {
        let permit = self.total.clone().try_acquire_owned().map_err(|_| OverLimit::Total)?;
        Ok(Slot { _permit: permit, _address: self.take_address(peer.ip())? })
    }

    /// One of the slots of `address`; `None` if it has no limit, because it is a proxy's.
    pub(super) fn take_address(&self, address: IpAddr) -> Result<Option<AddressSlot>, OverLimit> {
        let Addresses { counts, max, unlimited } = &*self.addresses;
        let address = address.to_canonical();
        if unlimited.iter().any(|network| network.contains(&address)) {
            return Ok(None);
        }
        let key = limit_key(address);
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key).or_default();
        if *count >= *max {
            return Err(OverLimit::Address);
        }
        *count += 1;
        Ok(Some(AddressSlot { key, addresses: self.addresses.clone() }))
    }
}

impl Drop for AddressSlot {
    fn drop(&mut self) {
        let mut counts = self.addresses.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut entry) = counts.entry(self.key) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(total: usize, per_address: usize, proxies: &[&str]) -> Slots {
        Slots::new(&AcceptorConfig {
            max_http_sockets: total,
            max_http_sockets_per_address: per_address,
            proxies: proxies.iter().map(|network| network.parse().expect("a network")).collect(),
            ..AcceptorConfig::default()
        })
    }

    fn from(address: &str) -> SocketAddr {
        SocketAddr::new(address.parse().expect("an address"), 4000)
    }

    #[test]
    fn one_address_can_not_take_all_slots_and_a_slot_that_is_given_back_can_be_taken_again() {
        let slots = slots(3, 2, &[]);
        assert_eq!(slots.in_use(), 0);
        let first = slots.take(from("192.0.2.1")).expect("a slot");
        let _second = slots.take(from("::ffff:192.0.2.1")).expect("the same address, in its other form");
        assert_eq!(slots.take(from("192.0.2.1")).expect_err("a third"), OverLimit::Address);
        let _other = slots.take(from("192.0.2.2")).expect("another address");
        assert_eq!(slots.take(from("192.0.2.3")).expect_err("a fourth in all"), OverLimit::Total);
        assert_eq!(slots.in_use(), 3, "a refused socket uses none");
        drop(first);
        assert_eq!(slots.in_use(), 2);
        slots.take(from("192.0.2.1")).expect("given back");
        assert!(slots.addresses.counts.lock().expect("no panic").len() <= 2, "an address without sockets is forgotten");
    }

    #[test]
    fn an_ipv6_address_counts_with_its_network() {
        let slots = slots(9, 1, &[]);
        let _first = slots.take(from("2001:db8:1:2::1")).expect("a slot");
        assert_eq!(slots.take(from("2001:db8:1:2:3:4:5:6")).expect_err("the same /64"), OverLimit::Address);
        slots.take(from("2001:db8:1:3::1")).expect("another /64");
    }

    #[test]
    fn a_proxy_may_take_all_slots() {
        let slots = slots(3, 1, &["10.0.0.0/8"]);
        let taken: Vec<_> = (0..3).map(|_| slots.take(from("10.1.2.3")).expect("a slot")).collect();
        assert_eq!(slots.take(from("10.1.2.3")).expect_err("all are taken"), OverLimit::Total);
        drop(taken);
    }
}
