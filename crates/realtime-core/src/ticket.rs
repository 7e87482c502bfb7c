//! Resume tickets: the streams that a connection had, for the client's next connection.

use realtime_schema::{ClientId, Stream, Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// The streams that a connection had. The server gives it to the client as an opaque, signed text, and the client
/// gives it back when it reconnects.
///
/// A ticket admits nobody: the token, the roles, the grants and the revocations are checked as for any connection. It
/// only names streams whose past the client may read, because it received them before. It names no topic: who may
/// subscribe to one is decided anew on each connection (docs/decisions/0023).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The user of the connection.
    #[serde(rename = "u")]
    pub user: UserId,
    /// The client id of the connection, if it had one.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// The time at which the ticket was made, on the server's wall clock.
    #[serde(rename = "i")]
    pub issued_at: Timestamp,
    /// The time from which it is refused, on the server's wall clock.
    #[serde(rename = "e")]
    pub expires_at: Timestamp,
    /// The user's own stream, the roles' and `all`, as far as the connection received them.
    #[serde(rename = "s", default, skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<Stream>,
    /// Number of streams that are left out, because the ticket would be larger than [`Ticket::MAX_CHARS`] with them. The
    /// client resumes them with a `gap`.
    #[serde(rename = "l", default, skip_serializing_if = "is_zero")]
    pub left_out: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Ticket {
    /// The longest sealed ticket, in characters: it must fit into a URL, beside the token.
    pub const MAX_CHARS: usize = 4096;

    /// Whether the ticket was made for this user and this client id.
    pub fn belongs_to(&self, user: &UserId, client: Option<&ClientId>) -> bool {
        self.user == *user && self.client.as_ref() == client
    }

    /// Leaves out the last streams until the JSON text has at most `max_bytes`; counts them in [`Self::left_out`]. User
    /// and client always stay.
    #[must_use]
    pub fn fitted(&self, max_bytes: usize) -> Self {
        let mut fitted = Self { streams: Vec::new(), left_out: u32::MAX, ..self.clone() };
        // The list is absent while it is empty: `,"s":[]`.
        let mut bytes = json_bytes(&fitted) + 7;
        // Nothing follows the first name that does not fit, not even a shorter one: the result depends on the order alone.
        let fits = |stream: &&Stream| {
            // The name and a comma.
            bytes += json_bytes(stream) + 1;
            bytes <= max_bytes
        };
        fitted.streams = self.streams.iter().take_while(fits).cloned().collect();
        let left_out = u32::try_from(self.streams.len() - fitted.streams.len()).unwrap_or(u32::MAX);
        fitted.left_out = self.left_out.saturating_add(left_out);
        fitted
    }
}

fn json_bytes(value: &impl Serialize) -> usize {
    serde_json::to_string(value).expect("names and numbers have a JSON form").len()
}

#[cfg(test)]
mod tests {
    use realtime_schema::Role;

    use super::*;

    fn ticket(roles: usize) -> Ticket {
        let roles = (0..roles).map(|n| Stream::Role(Role::new(format!("team-{n}")).expect("a role")));
        Ticket {
            user: UserId::new("alice").expect("a user"),
            client: Some(ClientId::new("tab-1").expect("a client")),
            issued_at: Timestamp::from_millis(1_000),
            expires_at: Timestamp::from_millis(2_000),
            streams: [Stream::All, Stream::User].into_iter().chain(roles).collect(),
            left_out: 0,
        }
    }

    #[test]
    fn a_ticket_is_the_same_after_it_was_written_and_read() {
        for (roles, left_out) in [(0, 0), (1, 0), (100, 0), (1, 7)] {
            let ticket = Ticket { left_out, ..ticket(roles) };
            let text = serde_json::to_string(&ticket).expect("JSON");
            assert_eq!(serde_json::from_str::<Ticket>(&text).expect("a ticket"), ticket);
            assert_eq!(text.contains(r#""l":"#), left_out > 0, "{text}");
        }
    }

    #[test]
    fn nothing_is_left_out_for_which_there_is_room_beside_the_largest_count() {
        // What is counted beyond the text: the count itself, and a comma after the last name.
        let spare = r#","l":4294967295"#.len() + 1;
        let all = ticket(3);
        let bytes = json_bytes(&all) + spare;
        assert_eq!(all.fitted(bytes), all);
        let fitted = all.fitted(bytes - 1);
        assert_eq!((fitted.streams.len(), fitted.left_out), (4, 1));
        let before = Ticket { left_out: 5, ..all };
        assert_eq!(before.fitted(bytes - 1).left_out, 6, "what was left out before is still left out");
    }

    #[test]
    fn a_ticket_that_fits_is_unchanged_and_one_that_does_not_says_how_much_is_left_out() {
        let all = ticket(100);
        assert_eq!(all.fitted(10_000), all);
        for max in 0..2_000 {
            let fitted = all.fitted(max);
            let kept = fitted.streams.len();
            assert_eq!(kept + fitted.left_out as usize, 102, "at {max} bytes");
            assert!(kept == 0 || json_bytes(&fitted) <= max, "at {max} bytes");
            assert!(all.streams.starts_with(&fitted.streams));
        }
        assert!(all.fitted(1_000).streams.len() > 20, "most of what fits is there");
    }

    #[test]
    fn a_ticket_belongs_to_one_user_and_one_client() {
        let ticket = ticket(1);
        let (alice, bob) = (UserId::new("alice").expect("a user"), UserId::new("bob").expect("a user"));
        let other = ClientId::new("tab-2").expect("a client");
        assert!(ticket.belongs_to(&alice, ticket.client.as_ref()));
        assert!(!ticket.belongs_to(&bob, ticket.client.as_ref()));
        assert!(!ticket.belongs_to(&alice, Some(&other)));
        assert!(!ticket.belongs_to(&alice, None));
    }
}
