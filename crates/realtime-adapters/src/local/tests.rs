//! Many threads at once: nothing is lost, duplicated or orphaned.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
};

use realtime_core::{
    Frame,
    connection::{ConnectionUpdate, record},
};
use realtime_ports::{ConnectionRegistry, PubSubManager, PubSubStats, SendError, WebSocketConnection};
use realtime_schema::{ClientId, Closing, ConnectionId, JwtClaims, Origin, Role, Timestamp, Topic, UserId};
use uuid::Uuid;

use super::{LocalPubSub, LocalRegistry, UuidGenerator};

struct Counting {
    id: ConnectionId,
    subscribed: AtomicBool,
    late: AtomicU64,
}

impl Counting {
    fn new(n: usize) -> Arc<Self> {
        Arc::new(Self { id: id(n), subscribed: AtomicBool::new(false), late: AtomicU64::new(0) })
    }
}

impl WebSocketConnection for Counting {
    fn id(&self) -> ConnectionId {
        self.id
    }

    fn client(&self) -> Option<ClientId> {
        None
    }

    fn is_open(&self) -> bool {
        true
    }

    fn send(&self, _: &Frame) -> Result<(), SendError> {
        if !self.subscribed.load(SeqCst) {
            self.late.fetch_add(1, SeqCst);
        }
        Ok(())
    }

    fn close(&self, _: Closing) {}
}

fn id(n: usize) -> ConnectionId {
    ConnectionId(Uuid::from_u128(n as u128))
}

fn topic(n: usize) -> Topic {
    Topic::new(format!("order:{n}")).expect("a topic")
}

fn role(n: usize) -> Role {
    Role::new(format!("role-{n}")).expect("a role")
}

/// Pseudo-random numbers, the same in every run (a linear congruence).
fn dice(seed: usize) -> impl FnMut(usize) -> usize {
    let mut state = seed as u64;
    move |n| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % n
    }
}

#[test]
fn random_changes_by_many_threads_leave_no_index_entry_behind() {
    let (registry, pubsub) = (LocalRegistry::new(), LocalPubSub::new());
    thread::scope(|scope| {
        for seed in 0..8 {
            let (registry, pubsub) = (&registry, &pubsub);
            scope.spawn(move || {
                let mut dice = dice(seed);
                for _ in 0..5_000 {
                    let n = dice(64);
                    match dice(8) {
                        0 => {
                            let claims = JwtClaims {
                                roles: vec![role(dice(4)), role(dice(4))],
                                ..JwtClaims::new(UserId::new(format!("user-{}", dice(8))).expect("a user"))
                            };
                            let socket = Counting::new(n);
                            let record = Arc::new(record(id(n), &claims, None, Timestamp::EPOCH));
                            if registry.register(record, Arc::clone(&socket) as _).is_ok() {
                                pubsub.attach(socket, 5);
                            }
                        }
                        1 => {
                            pubsub.detach(id(n));
                            registry.unregister(id(n));
                        }
                        2 => {
                            let roles = Some(vec![role(dice(4))]);
                            registry.update(id(n), ConnectionUpdate { roles, ..ConnectionUpdate::default() });
                        }
                        3 | 4 => drop(pubsub.unsubscribe(id(n), &topic(dice(10)))),
                        5 => pubsub.visit(&topic(dice(10)), &mut |_: &Arc<dyn WebSocketConnection>| {}),
                        _ => drop(pubsub.subscribe(id(n), &topic(dice(10)), Origin::Client)),
                    }
                }
            });
        }
    });
    assert!(registry.count() > 0 && pubsub.stats().subscriptions > 0, "the threads did something");
    for n in 0..64 {
        pubsub.detach(id(n));
        registry.unregister(id(n));
    }
    assert_eq!((registry.count(), registry.indexed()), (0, (0, 0)));
    assert_eq!((pubsub.stats(), pubsub.attached()), (PubSubStats::default(), 0));
}

#[test]
fn nothing_is_sent_after_unsubscribe_has_returned_even_on_a_busy_topic() {
    let pubsub = LocalPubSub::new();
    let sockets: Vec<_> = (0..8).map(Counting::new).collect();
    for socket in &sockets {
        pubsub.attach(Arc::clone(socket) as _, 10);
    }
    let frame = Frame::encode::<()>(None, |buffer| {
        buffer.extend_from_slice(b"{}");
        Ok(())
    })
    .expect("writes");
    let done = AtomicBool::new(false);
    let sent = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    pubsub.visit(&topic(1), &mut |socket: &Arc<dyn WebSocketConnection>| {
                        socket.send(&frame).expect("taken");
                        sent.fetch_add(1, SeqCst);
                    });
                }
            });
        }
        let subscribers: Vec<_> = sockets
            .chunks(4)
            .map(|mine| {
                scope.spawn(|| {
                    for round in 0..2_000 {
                        let socket = &mine[round % mine.len()];
                        socket.subscribed.store(true, SeqCst);
                        pubsub.subscribe(socket.id, &topic(1), Origin::Client).expect("attached");
                        assert!(pubsub.unsubscribe(socket.id, &topic(1)));
                        socket.subscribed.store(false, SeqCst);
                    }
                })
            })
            .collect();
        let ended: Vec<_> = subscribers.into_iter().map(|thread| thread.join().is_ok()).collect();
        // One that stays subscribed, to prove that the publishers reach a connection.
        sockets[0].subscribed.store(true, SeqCst);
        pubsub.subscribe(id(0), &topic(1), Origin::Server).expect("attached");
        let before = sent.load(SeqCst);
        while sent.load(SeqCst) == before {
            thread::yield_now();
        }
        done.store(true, SeqCst);
        assert_eq!(ended, [true, true]);
    });
    assert_eq!(sockets.iter().map(|socket| socket.late.load(SeqCst)).sum::<u64>(), 0);
}

#[test]
fn ids_sort_in_the_order_they_were_made() {
    use realtime_ports::IdGenerator;
    let ids = UuidGenerator::new();
    let made: Vec<_> = (0..10_000).map(|_| ids.message_id()).collect();
    assert!(made.is_sorted());
}
