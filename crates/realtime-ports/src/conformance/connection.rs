//! The promises of every [`WebSocketConnection`] to its senders.

use std::{sync::Arc, thread};

use realtime_schema::{ClientId, CloseCode, Closing, ConnectionId};

use super::scene::{frame, id};
use crate::{SendError, WebSocketConnection};

/// The connection that a suite needs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionSpec {
    /// Its id.
    pub id: ConnectionId,
    /// The client name that it chose.
    pub client: Option<ClientId>,
    /// Number of frames that its queue holds while its peer does not read. A full queue closes it.
    pub capacity: usize,
}

/// A connection under test, whose peer does not read while a suite sends.
pub struct ConnectionUnderTest {
    /// The connection.
    pub socket: Arc<dyn WebSocketConnection>,
    /// Texts queued for the peer so far, oldest first. A `closing` frame may be left out.
    pub texts: Box<dyn Fn() -> Vec<String>>,
    /// The close of the connection, if it is closing.
    pub closing: Box<dyn Fn() -> Option<Closing>>,
}

/// Runs the whole suite. Each part takes a fresh connection.
///
/// # Panics
/// The connection breaks a promise of the port; the message says which.
pub fn connection_conformance(fresh: impl Fn(ConnectionSpec) -> ConnectionUnderTest) {
    let of_capacity = |capacity| fresh(ConnectionSpec { id: id(1), client: None, capacity });
    let client = ClientId::new("tab-1").expect("a client");
    it_has_its_id_and_client(
        &fresh(ConnectionSpec { id: id(7), client: Some(client.clone()), capacity: 1 }),
        id(7),
        &client,
    );
    frames_are_accepted_in_order(&of_capacity(100));
    frames_of_many_threads_are_all_accepted(&of_capacity(1_000));
    a_full_queue_closes_the_connection(&of_capacity(3));
    a_closed_connection_accepts_nothing(&of_capacity(100));
    only_the_first_close_counts(&of_capacity(100));
}

/// The numbers that a suite sent, without the frame that the connection adds when it closes.
fn numbers(connection: &ConnectionUnderTest) -> Vec<usize> {
    (connection.texts)().iter().filter_map(|text| text.parse().ok()).collect()
}

fn send(connection: &ConnectionUnderTest, n: usize) -> Result<(), SendError> {
    connection.socket.send(&frame(&n.to_string()))
}

/// The same as it was made with; and it is open.
pub fn it_has_its_id_and_client(connection: &ConnectionUnderTest, id: ConnectionId, client: &ClientId) {
    assert_eq!(connection.socket.id(), id, "its id");
    assert_eq!(connection.socket.client().as_ref(), Some(client), "its client");
    assert!(connection.socket.is_open(), "a fresh connection is open");
    assert_eq!((connection.closing)(), None, "and is not being closed");
}

/// The same frame twice is two messages.
pub fn frames_are_accepted_in_order(connection: &ConnectionUnderTest) {
    let shared = frame("0");
    for _ in 0..2 {
        assert_eq!(connection.socket.send(&shared), Ok(()), "an open connection accepts a frame");
    }
    for n in 1..50 {
        assert_eq!(send(connection, n), Ok(()), "an open connection accepts a frame");
    }
    assert_eq!(numbers(connection), [0].into_iter().chain(0..50).collect::<Vec<_>>(), "in the order sent");
}

/// The frames of each thread in its order.
pub fn frames_of_many_threads_are_all_accepted(connection: &ConnectionUnderTest) {
    const EACH: usize = 100;
    let socket = &connection.socket;
    thread::scope(|scope| {
        for at in 0..4 {
            scope.spawn(move || {
                for n in at * EACH..(at + 1) * EACH {
                    assert_eq!(socket.send(&frame(&n.to_string())), Ok(()), "an open connection accepts a frame");
                }
            });
        }
    });
    let taken = numbers(connection);
    for at in 0..4 {
        let range = at * EACH..(at + 1) * EACH;
        let of_thread: Vec<_> = taken.iter().copied().filter(|n| range.contains(n)).collect();
        assert_eq!(of_thread, range.collect::<Vec<_>>(), "each frame of a thread is queued once, in order");
    }
}

/// With 4513: the client reads too slowly.
pub fn a_full_queue_closes_the_connection(connection: &ConnectionUnderTest) {
    for n in 0..3 {
        assert_eq!(send(connection, n), Ok(()), "the queue has room for frame {n}");
    }
    assert_eq!(send(connection, 3), Err(SendError::Full), "the fourth finds the queue full");
    assert!(!connection.socket.is_open(), "a connection whose queue was full accepts no more");
    assert_eq!(send(connection, 4), Err(SendError::Closed), "and returns Closed");
    let closing = (connection.closing)().expect("it is being closed");
    assert_eq!(closing.code, CloseCode::TOO_SLOW, "with 4513");
    let left = numbers(connection);
    assert!((0..3).collect::<Vec<_>>().starts_with(&left), "no refused frame is sent: {left:?}");
}

/// And returns `Closed`.
pub fn a_closed_connection_accepts_nothing(connection: &ConnectionUnderTest) {
    assert_eq!(send(connection, 1), Ok(()), "an open connection accepts a frame");
    connection.socket.close(Closing::new(CloseCode::DRAINING, "the node is draining"));
    assert!(!connection.socket.is_open(), "a closed connection is not open");
    assert_eq!(send(connection, 2), Err(SendError::Closed), "it accepts nothing");
    assert!(!numbers(connection).contains(&2), "and sends no frame that it did not accept");
}

/// The client receives the first reason.
pub fn only_the_first_close_counts(connection: &ConnectionUnderTest) {
    let first = Closing { after_ms: 250, ..Closing::new(CloseCode::DRAINING, "the node is draining") };
    connection.socket.close(first.clone());
    connection.socket.close(Closing::new(CloseCode::FORBIDDEN, "disconnected"));
    assert_eq!((connection.closing)(), Some(first), "the first close stays, unchanged");
}
