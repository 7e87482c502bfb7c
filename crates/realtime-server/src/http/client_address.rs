//! The client's address: behind proxies, the one that they name.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use prometheus_client::{metrics::counter::Counter, registry::Registry};
use realtime_adapters::front::RateLimitedLog;

use crate::config::ServerConfig;

/// The name of the header of RFC 7239; the others have lists of addresses alone.
const FORWARDED: &str = "forwarded";

/// Finds the client's address of a request.
#[derive(Debug)]
pub(crate) struct ClientAddresses {
    header: Option<HeaderName>,
    trust: Trust,
    unreadable: Counter,
    log: RateLimitedLog,
}

/// Which entries of the header proxies of ours have written.
#[derive(Debug)]
enum Trust {
    /// The last so many.
    Hops(usize),
    /// Those that name an address in these networks, and the one before them.
    Networks(Vec<IpNet>),
}

impl ClientAddresses {
    pub(super) fn new(config: &ServerConfig) -> Self {
        let networks = config.proxies();
        Self {
            header: config.client_address_header.as_ref().and_then(|name| name.parse().ok()),
            trust: if networks.is_empty() {
                Trust::Hops(config.trusted_hops.max(1))
            } else {
                Trust::Networks(networks)
            },
            unreadable: Counter::default(),
            log: RateLimitedLog::default(),
        }
    }

    /// Exposes the count of requests whose header is missing or can't be read.
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Requests whose server.client_address_header is missing or can't be read; they count under the \
                    address of their socket.";
        registry.register("unreadable_client_addresses", help, self.unreadable.clone());
    }

    /// The address of the client of a request that came from `remote`.
    pub(super) fn of(&self, headers: &HeaderMap, remote: IpAddr) -> IpAddr {
        let remote = remote.to_canonical();
        let Some(header) = &self.header else { return remote };
        if let Trust::Networks(networks) = &self.trust
            && !is_in(networks, remote)
        {
            return remote;
        }
        self.named(headers, header).unwrap_or_else(|problem| {
            self.unreadable.inc();
            self.log.write(|times| {
                tracing::warn!(%header, address = %remote, times, "{problem}; the request counts under its socket's address");
            });
            remote
        })
    }

    /// The address that the header names, or what is wrong with it.
    fn named(&self, headers: &HeaderMap, header: &HeaderName) -> Result<IpAddr, &'static str> {
        const UNREADABLE: &str = "an entry of server.client_address_header can't be read";
        let mut entries = Vec::new();
        for line in headers.get_all(header) {
            let line = line.to_str().map_err(|_| UNREADABLE)?;
            if header == FORWARDED {
                // A quote that does not end could hide the entries that the proxies append to those of the client.
                entries.extend(split_quoted(line, ',').ok_or(UNREADABLE)?);
            } else {
                // These have no quotes: one that a client sends is a character like others.
                entries.extend(line.split(','));
            }
        }
        let entries: Vec<_> = entries.into_iter().map(str::trim).filter(|entry| !entry.is_empty()).collect();
        let read = |entry: &&str| {
            let entry = if header == FORWARDED { forwarded_for(entry)? } else { entry };
            node_address(entry)
        };
        match &self.trust {
            Trust::Hops(hops) => {
                let at = entries.len().checked_sub(*hops);
                let entry = at.and_then(|at| entries.get(at));
                read(entry.ok_or("server.client_address_header has fewer entries than server.trusted_hops")?)
                    .ok_or(UNREADABLE)
            }
            Trust::Networks(networks) => {
                let mut found = Err("server.client_address_header is missing");
                for entry in entries.iter().rev() {
                    let address = read(entry).ok_or(UNREADABLE)?;
                    found = Ok(address);
                    if !is_in(networks, address) {
                        break;
                    }
                }
                found
            }
        }
    }
}

fn is_in(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// Splits at `separator`, but not within quotes (RFC 9110 section 5.6.4). `None` if a quote does not end.
fn split_quoted(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut quoted, mut escaped) = (false, false);
    let splits_at = |c| {
        let splits = c == separator && !quoted;
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        splits
    };
    let parts = text.split(splits_at).collect();
    (!quoted).then_some(parts)
}

/// The `for` of an element of `Forwarded` (RFC 7239 section 4).
fn forwarded_for(element: &str) -> Option<&str> {
    split_quoted(element, ';')?.into_iter().find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim())
    })
}

/// The address of an entry, with or without quotes, brackets and a port (RFC 7239 section 6). `None` for `unknown` and
/// for obfuscated names.
fn node_address(entry: &str) -> Option<IpAddr> {
    let entry = entry.strip_prefix('"').and_then(|entry| entry.strip_suffix('"')).unwrap_or(entry).trim();
    let address = entry
        .parse()
        .or_else(|_| entry.parse::<SocketAddr>().map(|address| address.ip()))
        .ok()
        .or_else(|| entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
        // A port may also be an obfuscated name.
        .or_else(|| entry.rsplit_once(":_")?.0.trim_matches(['[', ']']).parse().ok())?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(header: &str, hops: usize, proxies: &[&str]) -> ClientAddresses {
        ClientAddresses::new(&ServerConfig {
            client_address_header: (!header.is_empty()).then(|| header.into()),
            trusted_hops: hops,
            trusted_proxies: proxies.iter().map(|network| (*network).into()).collect(),
            ..ServerConfig::default()
        })
    }

    /// The address found for a request from 10.0.0.1, and how many were unreadable.
    fn found(addresses: &ClientAddresses, lines: &[&str]) -> (String, u64) {
        let mut headers = HeaderMap::new();
        for line in lines {
            let name = addresses.header.clone().unwrap_or(HeaderName::from_static("x-forwarded-for"));
            headers.append(name, line.parse().expect("a value"));
        }
        let before = addresses.unreadable.get();
        let address = addresses.of(&headers, "10.0.0.1".parse().expect("an address"));
        (address.to_string(), addresses.unreadable.get() - before)
    }

    #[test]
    fn the_entry_of_the_trusted_hop_counts_in_each_form() {
        let cases: [(&str, usize, &[&str], &str); 16] = [
            ("", 1, &["203.0.113.7"], "10.0.0.1"),
            ("X-Forwarded-For", 1, &["6.6.6.6, 203.0.113.7"], "203.0.113.7"),
            ("X-Forwarded-For", 1, &["6.6.6.6", "203.0.113.7"], "203.0.113.7"),
            ("X-Forwarded-For", 2, &["6.6.6.6, 203.0.113.7, 10.0.0.9"], "203.0.113.7"),
            ("X-Forwarded-For", 2, &["6.6.6.6", "203.0.113.7", "10.0.0.9"], "203.0.113.7"),
            ("X-Forwarded-For", 1, &["203.0.113.7:5678"], "203.0.113.7"),
            ("X-Forwarded-For", 1, &["[2001:db8::1]:443"], "2001:db8::1"),
            ("X-Forwarded-For", 1, &["[2001:db8::1]"], "2001:db8::1"),
            ("X-Forwarded-For", 1, &["2001:db8::1"], "2001:db8::1"),
            ("X-Forwarded-For", 1, &["::ffff:203.0.113.7"], "203.0.113.7"),
            ("X-Real-IP", 1, &["203.0.113.7"], "203.0.113.7"),
            ("Forwarded", 1, &["for=203.0.113.7"], "203.0.113.7"),
            ("Forwarded", 1, &["for=6.6.6.6, For=\"[2001:db8::1]:443\";proto=https"], "2001:db8::1"),
            ("Forwarded", 1, &["by=10.0.0.9 ; for=\"203.0.113.7:5678\""], "203.0.113.7"),
            ("Forwarded", 1, &["for=\"[2001:db8::1]:_port\""], "2001:db8::1"),
            ("Forwarded", 2, &["for=203.0.113.7;by=\"a,b;for=6.6.6.6\", for=10.0.0.9"], "203.0.113.7"),
        ];
        for (header, hops, lines, address) in cases {
            assert_eq!(found(&addresses(header, hops, &[]), lines), (address.into(), 0), "{header} {lines:?}");
        }
    }

    #[test]
    fn from_the_right_the_first_entry_outside_of_the_trusted_networks_counts() {
        let networks = &["10.0.0.0/8", "2001:db8:cd::/48", "192.0.2.1"];
        let cases: [(&[&str], &str); 5] = [
            (&["6.6.6.6, 203.0.113.7, 2001:db8:cd::9, 10.0.0.9"], "203.0.113.7"),
            (&["203.0.113.7"], "203.0.113.7"),
            (&["203.0.113.7, 192.0.2.1"], "203.0.113.7"),
            (&["6.6.6.6, 203.0.113.7, 192.0.2.2"], "192.0.2.2"),
            (&["10.3.3.3, 10.0.0.9"], "10.3.3.3"),
        ];
        for (lines, address) in cases {
            assert_eq!(found(&addresses("X-Forwarded-For", 1, networks), lines), (address.into(), 0), "{lines:?}");
        }
        // A socket from elsewhere can name no other address than its own.
        let elsewhere = addresses("X-Forwarded-For", 1, &["192.168.0.0/16"]);
        assert_eq!(found(&elsewhere, &["203.0.113.7"]), ("10.0.0.1".into(), 0));
    }

    #[test]
    fn a_quote_that_a_client_sends_does_not_hide_what_the_proxies_append() {
        for value in ["6.6.6.6, \", 203.0.113.7, 10.0.0.9", "6.6.6.6, \"\\, 203.0.113.7, 10.0.0.9"] {
            assert_eq!(found(&addresses("X-Forwarded-For", 2, &[]), &[value]), ("203.0.113.7".into(), 0), "{value}");
        }
        let hidden: [&[&str]; 4] = [
            &["for=6.6.6.6;x=\", for=203.0.113.7"],
            &["for=6.6.6.6;x=\"\\\", for=203.0.113.7"],
            &["for=6.6.6.6, \"for=203.0.113.7"],
            &["for=6.6.6.6", "x=\", for=203.0.113.7"],
        ];
        for lines in hidden {
            for networks in [&[][..], &["10.0.0.0/8"]] {
                assert_eq!(found(&addresses("Forwarded", 1, networks), lines), ("10.0.0.1".into(), 1), "{lines:?}");
            }
        }
    }

    #[test]
    fn what_can_not_be_read_is_counted_and_counts_under_the_sockets_address() {
        let cases: [(&str, usize, &[&str]); 9] = [
            ("X-Forwarded-For", 1, &[]),
            ("X-Forwarded-For", 1, &[""]),
            ("X-Forwarded-For", 1, &["203.0.113.7, unknown"]),
            ("X-Forwarded-For", 1, &["not an address"]),
            ("X-Forwarded-For", 1, &["203.0.113.7:port"]),
            ("X-Forwarded-For", 2, &["203.0.113.7"]),
            ("Forwarded", 1, &["for=_hidden"]),
            ("Forwarded", 1, &["proto=https"]),
            ("Forwarded", 1, &["203.0.113.7"]),
        ];
        for (header, hops, lines) in cases {
            assert_eq!(found(&addresses(header, hops, &[]), lines), ("10.0.0.1".into(), 1), "{header} {lines:?}");
        }
        let networks = addresses("X-Forwarded-For", 1, &["10.0.0.0/8"]);
        assert_eq!(found(&networks, &["6.6.6.6, garbage, 10.0.0.9"]), ("10.0.0.1".into(), 1));
        assert_eq!(found(&networks, &[]), ("10.0.0.1".into(), 1));
    }
}
