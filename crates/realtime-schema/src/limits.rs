//! The limits that apply to a client, as in `welcome`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Every limit that applies to one connection. The error for exceeding one names the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientLimits {
    /// Largest message from the client, in bytes. Over it: close 1009.
    pub max_message_bytes: u64,
    /// Most topics that one connection may be subscribed to. Over it: `limit_exceeded`.
    pub subscriptions: u32,
    /// Longest topic, in characters. Over it: `payload_invalid`.
    pub topic_chars: u32,
    /// Average number of commands per second. Over it: `rate_limited`.
    pub messages_per_second: u32,
    /// Number of commands allowed at once after an idle time.
    pub burst: u32,
    /// Largest payload that the client may publish, in bytes. Over it: `too_large`.
    pub max_publish_bytes: u64,
    /// Average number of publications per second on this connection. Over it: `rate_limited`.
    pub publishes_per_second: u32,
    /// Number of publications allowed at once after an idle time.
    pub publish_burst: u32,
    /// Average number of publications per second on all connections of the user to this node. Over it: `rate_limited`.
    pub user_publishes_per_second: u32,
    /// Number of publications of the user allowed at once after an idle time.
    pub user_publish_burst: u32,
    /// Most messages queued for a slow reader.
    pub queue_messages: u32,
    /// Most bytes queued for a slow reader.
    pub queue_bytes: u64,
}

impl Default for ClientLimits {
    /// 64 KiB messages; 100 topics of at most 255 characters; 50 commands a second, 100 at once; payloads of 64 KiB,
    /// 20 publications a second, 40 at once, and 50 a second of one user, 100 at once; 256 messages or 1 MiB queued.
    fn default() -> Self {
        Self {
            max_message_bytes: 64 * 1024,
            subscriptions: 100,
            topic_chars: 255,
            messages_per_second: 50,
            burst: 100,
            max_publish_bytes: 64 * 1024,
            publishes_per_second: 20,
            publish_burst: 40,
            user_publishes_per_second: 50,
            user_publish_burst: 100,
            queue_messages: 256,
            queue_bytes: 1024 * 1024,
        }
    }
}
