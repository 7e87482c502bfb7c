//! The promises of every [`Tickets`].

use realtime_core::ticket::Ticket;
use realtime_schema::{ClientId, Role, Stream, Timestamp, UserId};

use crate::{TicketError, Tickets};

/// When the tickets expire, in milliseconds since 1970.
const EXPIRES_MS: i64 = 1_795_442_400_123;

/// `ms` before the tickets expire.
fn before_expiry(ms: i64) -> Timestamp {
    Timestamp::from_millis(EXPIRES_MS - ms)
}

fn issued() -> Timestamp {
    before_expiry(3_600_000)
}

/// Runs the whole suite. Each part takes fresh adapters: those of `fresh` have the same secrets, those of `foreign`
/// others.
///
/// # Panics
/// The adapter breaks a promise of the port; the message says which.
pub fn tickets_conformance<T: Tickets>(fresh: impl Fn() -> T, foreign: impl Fn() -> T) {
    a_ticket_is_opened_by_every_node_with_the_secrets(&fresh(), &fresh());
    an_expired_ticket_is_refused(&fresh());
    a_changed_ticket_is_refused(&fresh());
    a_foreign_ticket_is_refused(&fresh(), &foreign());
    garbage_is_refused(&fresh());
    a_ticket_is_bounded_and_says_what_is_left_out(&fresh());
}

/// A ticket with the streams of `roles` roles, and two more.
fn ticket(roles: usize) -> Ticket {
    let roles = (0..roles).map(|n| Stream::Role(Role::new(format!("team-{n}")).expect("a role")));
    Ticket {
        user: UserId::new("alice ❤ \"quotes\"").expect("a user"),
        client: Some(ClientId::new("tab-7f3a").expect("a client")),
        issued_at: issued(),
        expires_at: before_expiry(0),
        streams: [Stream::All, Stream::User].into_iter().chain(roles).collect(),
        left_out: 0,
    }
}

/// Until it expires, with every field as it was, and as a text that needs no escape in a URL.
pub fn a_ticket_is_opened_by_every_node_with_the_secrets<T: Tickets>(one: &T, other: &T) {
    let anonymous = Ticket { client: None, streams: Vec::new(), ..ticket(0) };
    for ticket in [ticket(0), ticket(1), ticket(40), anonymous] {
        let text = one.seal(&ticket);
        let unreserved = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        assert!(text.chars().all(unreserved), "a sealed ticket needs no escape in a URL: {text}");
        for node in [one, other] {
            for now in [issued(), before_expiry(1)] {
                assert_eq!(node.open(&text, now).as_ref(), Ok(&ticket), "a sealed ticket opens to itself");
            }
        }
    }
}

/// From its `expires_at` on.
pub fn an_expired_ticket_is_refused<T: Tickets>(tickets: &T) {
    let text = tickets.seal(&ticket(1));
    for now in [before_expiry(0), before_expiry(-3_600_000)] {
        assert_eq!(tickets.open(&text, now), Err(TicketError), "an expired ticket is refused");
    }
}

/// One character changed, cut off or added anywhere makes no ticket.
pub fn a_changed_ticket_is_refused<T: Tickets>(tickets: &T) {
    let text = tickets.seal(&ticket(2));
    for (at, old) in text.char_indices() {
        let new = if old == 'A' { 'Q' } else { 'A' };
        let changed = format!("{}{new}{}", &text[..at], &text[at + old.len_utf8()..]);
        assert_eq!(tickets.open(&changed, issued()), Err(TicketError), "changed at {at}");
        assert_eq!(tickets.open(&text[..at], issued()), Err(TicketError), "cut at {at}");
    }
    for changed in [format!("{text}A"), format!("A{text}"), format!(" {text}"), format!("{text}\n")] {
        assert_eq!(tickets.open(&changed, issued()), Err(TicketError), "something added");
    }
}

/// A ticket that was sealed with other secrets.
pub fn a_foreign_ticket_is_refused<T: Tickets>(tickets: &T, foreign: &T) {
    assert_eq!(tickets.open(&foreign.seal(&ticket(1)), issued()), Err(TicketError), "sealed with another secret");
}

/// Anything that a client can put into a URL.
pub fn garbage_is_refused<T: Tickets>(tickets: &T) {
    let long = "A".repeat(1 << 20);
    for text in ["", ".", "..", "...", "A", "a.b.c", "rt1..", "❤", "eyJhbGciOiJub25lIn0.e30.", "\0", &long] {
        let head: String = text.chars().take(20).collect();
        assert_eq!(tickets.open(text, issued()), Err(TicketError), "garbage: {head:?}");
    }
}

/// A connection with very many roles gets a ticket too.
pub fn a_ticket_is_bounded_and_says_what_is_left_out<T: Tickets>(tickets: &T) {
    for roles in [50, 100, 10_000] {
        let whole = ticket(roles);
        let text = tickets.seal(&whole);
        assert!(text.len() <= Ticket::MAX_CHARS, "{roles} roles make {} characters", text.len());
        let opened = tickets.open(&text, issued()).expect("a ticket that leaves something out is valid");
        assert!(whole.streams.starts_with(&opened.streams), "the first streams are kept");
        let kept = opened.streams.len();
        assert_eq!(kept + opened.left_out as usize, whole.streams.len(), "what is left out is counted");
        assert!(kept >= 50, "{kept} streams of {roles} roles are kept");
    }
}
