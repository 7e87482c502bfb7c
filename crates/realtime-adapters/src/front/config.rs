//! The limits and deadlines of the HTTP front end.

use std::time::Duration;

use ipnet::IpNet;

/// What a socket may do before it is a WebSocket, or while it only speaks HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptorConfig {
    /// How long the head of a request may take to arrive, from its first byte; also how long a new connection may send
    /// nothing. Over it: disconnected.
    pub header_read_timeout: Duration,
    /// How long a connection may be idle between two requests. Over it: disconnected. A proxy that keeps connections
    /// in a pool needs a shorter limit of its own.
    pub keep_alive_timeout: Duration,
    /// How long the peer may take to read a whole response, once the kernel buffers no more of it. Over it:
    /// disconnected.
    pub answer_timeout: Duration,
    /// Most bytes of a request's head, 8 KiB at the least. Over it: 431.
    pub max_header_bytes: usize,
    /// Most header lines. Over it: 431.
    pub max_headers: usize,
    /// Most sockets that are in HTTP at once; WebSockets don't count. Over it: 503.
    pub max_http_sockets: usize,
    /// Most of them from one address, or from one /64 network of IPv6. Over it: 503.
    pub max_http_sockets_per_address: usize,
    /// The networks of proxies, whose addresses stand for many clients: they have no limit per address.
    pub proxies: Vec<IpNet>,
    /// The paths that are served even when no slot is free, such as the one of a health check. Their handlers must
    /// return soon.
    pub reserved_paths: Vec<String>,
}

impl Default for AcceptorConfig {
    /// 10 s, 75 s, 30 s, 16 KiB, 100 lines, 4,096 sockets of which 1,024 from one address, no reserved path.
    fn default() -> Self {
        Self {
            header_read_timeout: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_secs(75),
            answer_timeout: Duration::from_secs(30),
            max_header_bytes: 16 * 1024,
            max_headers: 100,
            max_http_sockets: 4096,
            max_http_sockets_per_address: 1024,
            proxies: Vec::new(),
            reserved_paths: Vec::new(),
        }
    }
}
