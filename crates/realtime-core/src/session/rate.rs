//! The rate limit of a connection's messages.

use std::time::Duration;

use realtime_schema::{CloseCode, Closing, CommandId, ErrorCode, ErrorReply};

use super::{Effect, Session, welcome::millis};

impl Session {
    /// Takes a token of the rate limit; too many refused messages in a row close the connection.
    pub(super) fn admit(&mut self, now: Duration, effects: &mut Vec<Effect>) -> Result<(), Duration> {
        let limits = &self.settings.limits;
        let taken = self.bucket.take(limits.messages_per_second, limits.burst, now);
        match taken {
            Ok(()) => self.strikes = 0,
            Err(_) if self.strikes >= limits.burst => {
                let closing = Closing::new(
                    CloseCode::OVER_LIMIT,
                    format!("over limits.messages_per_second ({}) for too long", limits.messages_per_second),
                );
                self.close(closing, effects);
            }
            Err(_) => self.strikes += 1,
        }
        taken
    }

    pub(super) fn rate_limited(&self, id: Option<CommandId>, after: Duration) -> ErrorReply {
        let message = format!(
            "more than limits.messages_per_second ({}); wait and send again",
            self.settings.limits.messages_per_second
        );
        ErrorReply { after_ms: Some(millis(after)), ..ErrorReply::new(id, ErrorCode::RateLimited, message) }
    }
}
