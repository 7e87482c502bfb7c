//! The key of a client's address in limits per address.

use core::net::{IpAddr, Ipv6Addr};

/// The key of `address` in a limit per address: an IPv4 address itself, also where it is mapped into IPv6
/// (RFC 4291 section 2.5.5.2), and the /64 network of an IPv6 address, because one host has all of it
/// (RFC 4291 section 2.5.4) and could use another address for each connection.
pub fn limit_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_counts_by_address_and_ipv6_by_network() {
        let cases = [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2::", "2001:db8:1:2::"),
            ("::1", "::"),
        ];
        for (address, key) in cases {
            let key: IpAddr = key.parse().expect("an address");
            assert_eq!(limit_key(address.parse().expect("an address")), key, "{address}");
        }
    }
}
