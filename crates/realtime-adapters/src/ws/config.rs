//! The limits and waits of WebSockets.

use std::time::Duration;

use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::origins::Origins;

/// What tungstenite reads at once. Sockets are read into a buffer of the thread, so this is only its staging area.
const STAGING_BYTES: usize = 256;

/// What a WebSocket endpoint accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WsConfig {
    /// Largest message, in bytes. Over it: close 1009.
    pub max_message_bytes: usize,
    /// Largest frame, in bytes. Over it: close 1009.
    pub max_frame_bytes: usize,
    /// Most frames that one message may be cut into, at least one. Over it: close 1009.
    pub max_fragments: u32,
    /// How long the HTTP server may take to hand over the socket after the 101 response.
    pub upgrade_timeout: Duration,
    /// Which origins may connect, besides the server's own host.
    pub origins: Origins,
}

impl Default for WsConfig {
    /// 64 KiB, 64 fragments, 5 s, no other origin.
    fn default() -> Self {
        Self {
            max_message_bytes: 64 * 1024,
            max_frame_bytes: 64 * 1024,
            max_fragments: 64,
            upgrade_timeout: Duration::from_secs(5),
            origins: Origins::None,
        }
    }
}

impl WsConfig {
    /// The same for tungstenite. Its defaults hold 128 KiB per connection and let a message grow to 64 MiB.
    pub(super) fn for_tungstenite(&self) -> WebSocketConfig {
        WebSocketConfig::default()
            .read_buffer_size(STAGING_BYTES)
            .write_buffer_size(0)
            // Only control frames and echoes pass through tungstenite's buffer, and are taken out at once.
            .max_write_buffer_size(self.max_message_bytes.saturating_add(1024))
            .max_message_size(Some(self.max_message_bytes))
            .max_frame_size(Some(self.max_frame_bytes))
            .accept_unmasked_frames(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tungstenite_is_never_left_to_its_defaults() {
        let ours = WsConfig { max_message_bytes: 1000, max_frame_bytes: 500, ..WsConfig::default() };
        let theirs = ours.for_tungstenite();
        assert_eq!((theirs.max_message_size, theirs.max_frame_size), (Some(1000), Some(500)));
        assert!(theirs.read_buffer_size <= 1024 && !theirs.accept_unmasked_frames);
        assert!(theirs.max_write_buffer_size > 1000 && theirs.max_write_buffer_size < usize::MAX);
    }
}
