//! The limits and waits of the front door.

use std::time::Duration;

/// The front door: what a socket may do before it is a WebSocket, or while it only speaks HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptorConfig {
    /// How long the head of a request may take to arrive; also how long a connection may idle between requests.
    pub header_read_timeout: Duration,
    /// How long the peer may take to take a whole answer, once the kernel holds no more of it. Over it: hung up.
    pub answer_timeout: Duration,
    /// Most bytes of a request's head, 8 KiB at the least. Over it: 431.
    pub max_header_bytes: usize,
    /// Most header lines. Over it: 431.
    pub max_headers: usize,
    /// Most sockets that are in HTTP at once; WebSockets don't count. Over it: 503.
    pub max_http_sockets: usize,
}

impl Default for AcceptorConfig {
    /// 10 s, 30 s, 16 KiB, 100 lines, 4,096 sockets.
    fn default() -> Self {
        Self {
            header_read_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(30),
            max_header_bytes: 16 * 1024,
            max_headers: 100,
            max_http_sockets: 4096,
        }
    }
}
