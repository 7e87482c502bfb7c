//! Test data of the suites: ids, records, frames, and a socket that sends nowhere.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use realtime_core::{Frame, connection};
use realtime_schema::{ClientId, Closing, Connection, ConnectionId, JwtClaims, Role, Timestamp, Topic, UserId};

use crate::{SendError, SocketVisitor, WebSocketConnection};

pub(super) fn id(n: usize) -> ConnectionId {
    format!("019ab1c2-7b1e-7c3a-9d54-{n:012x}").parse().expect("an id")
}

pub(super) fn user(name: &str) -> UserId {
    UserId::new(name).expect("a user")
}

pub(super) fn role(name: &str) -> Role {
    Role::new(name).expect("a role")
}

pub(super) fn topic(name: &str) -> Topic {
    Topic::new(name).expect("a topic")
}

pub(super) fn record(n: usize, of: &str, roles: &[&str]) -> Arc<Connection> {
    let claims = JwtClaims { roles: roles.iter().map(|name| role(name)).collect(), ..JwtClaims::new(user(of)) };
    Arc::new(connection::record(id(n), &claims, None, Timestamp::EPOCH))
}

pub(super) fn frame(text: &str) -> Frame {
    let written = Frame::encode::<()>(None, |buffer| {
        buffer.extend_from_slice(text.as_bytes());
        Ok(())
    });
    written.expect("writing to a buffer can't fail")
}

/// A socket for adapters that only store sockets and show them.
pub(super) struct Bystander {
    id: ConnectionId,
    /// Set by a suite while the adapter may show this socket.
    pub(super) expected: AtomicBool,
}

impl Bystander {
    pub(super) fn new(n: usize) -> Arc<Self> {
        Arc::new(Self { id: id(n), expected: AtomicBool::new(false) })
    }
}

impl WebSocketConnection for Bystander {
    fn id(&self) -> ConnectionId {
        self.id
    }

    fn client(&self) -> Option<ClientId> {
        None
    }

    /// True while it is expected: a visitor sees only the port, and reads it here.
    fn is_open(&self) -> bool {
        self.expected.load(Ordering::SeqCst)
    }

    fn send(&self, _: &Frame) -> Result<(), SendError> {
        Ok(())
    }

    fn close(&self, _: Closing) {}
}

/// The connections that a visit shows, in the order of their ids.
pub(super) fn shown(visit: impl FnOnce(&mut dyn SocketVisitor)) -> Vec<ConnectionId> {
    let mut ids = Vec::new();
    visit(&mut |socket: &Arc<dyn WebSocketConnection>| ids.push(socket.id()));
    ids.sort_unstable();
    ids
}

/// Pseudo-random numbers, the same in every run (xorshift).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: usize) -> Self {
        Self(0x9E37_79B9_7F4A_7C15 ^ (seed as u64 + 1))
    }

    /// A number below `n`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).expect("below a usize")
    }
}
