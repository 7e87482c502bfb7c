//! Resume tickets: what a client brings from its last connection.

use realtime_core::ticket::Ticket;
use realtime_schema::Timestamp;

/// Seals and opens resume tickets. Cold: called once per connection; must not block.
///
/// A sealed ticket is opaque to the client and can't be forged or changed. Every node of a cluster must open the
/// tickets of the others, so all of them need the same secrets.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait Tickets: Send + Sync {
    /// The ticket as a text of at most [`Ticket::MAX_CHARS`] characters, each of them a letter, a digit or one of
    /// `-._~` (RFC 3986 section 2.3). Names that don't fit are left out, and [`Ticket::left_out`] counts them.
    fn seal(&self, ticket: &Ticket) -> String;

    /// The ticket of a sealed text, if it was sealed with a known secret and has not expired at `now`. The caller
    /// checks whose it is: [`Ticket::belongs_to`].
    ///
    /// # Errors
    /// The text is forged, changed, too long, expired, or no ticket at all. The error does not say which.
    fn open(&self, text: &str, now: Timestamp) -> Result<Ticket, TicketError>;
}

/// A resume ticket is not accepted. It has no details, because a client can only connect without the ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the resume ticket is not accepted; connect without it")]
pub struct TicketError;
