//! The steps of a schedule, drawn from a seed.

/// Number of connections, of publishers, and of streams.
pub(super) const CLIENTS: usize = 2;
pub(super) const PUBLISHERS: usize = 2;
pub(super) const STREAMS: usize = 4;
/// The streams before this one are topics.
pub(super) const TOPICS: usize = 2;
/// The stream of a role, and that of all connections.
pub(super) const ROLE: usize = 2;
pub(super) const ALL: usize = 3;

/// Random numbers from a seed: splitmix64.
#[derive(Clone, Debug)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let n = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        n ^ (n >> 31)
    }

    /// A number below `n`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).expect("below n")
    }

    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// Where a client subscribes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    Live,
    /// What it has last seen of the stream; live if nothing.
    Known,
    /// Before the first message of the current epoch.
    Begin,
    /// A position that the stream has not reached.
    Beyond,
    /// An epoch of another generation.
    OtherEpoch,
    /// A text that is no epoch.
    NoEpoch,
}

/// A change of what a connection receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Subscribe(usize, Since),
    Unsubscribe(usize),
    /// By the backend, from another thread than the connection's task.
    Give(usize),
    Revoke(usize),
    /// A `refresh` with another set of roles.
    Roles,
    Resume([bool; TOPICS], Since),
}

/// One step. A step that must wait for another one, such as for a lock, does nothing. `at_once` runs all sections of a
/// change, without a step of another thread in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Locks a stream and appends to it; the messages are one frame for the queues.
    Append {
        publisher: usize,
        stream: usize,
        messages: usize,
        except: Option<usize>,
        at_once: bool,
    },
    /// Pushes to the next listener, or unlocks the stream after the last one.
    Push {
        publisher: usize,
    },
    /// The oldest messages expire, or are evicted by the bound over all streams.
    Evict {
        stream: usize,
        messages: usize,
    },
    /// A stream without a listener is forgotten, with its position.
    Forget {
        stream: usize,
    },
    /// The node ends; with a durable store it has its histories again.
    Restart {
        durable: bool,
        rolled_back: bool,
    },
    Connect {
        client: usize,
        role: bool,
        holds: bool,
        at_once: bool,
    },
    Disconnect {
        client: usize,
    },
    Change {
        client: usize,
        change: Wanted,
        at_once: bool,
    },
    HoldExpires {
        client: usize,
    },
    /// The next section of a change of this connection.
    Continue {
        client: usize,
    },
    /// The connection's task writes what waits, or a page.
    Pump {
        client: usize,
        messages: usize,
    },
    /// A control frame, or a publication that no history keeps.
    Other {
        client: usize,
        control: bool,
    },
}

impl Step {
    /// A schedule: in most of them the clients are connected, and subscribed, at first.
    pub(super) fn schedule(dice: &mut Dice, most: usize) -> Vec<Self> {
        let mut steps = Vec::new();
        for client in 0..CLIENTS {
            if dice.chance(80) {
                steps.push(Self::Connect { client, role: dice.chance(50), holds: dice.chance(30), at_once: true });
            }
            for topic in 0..TOPICS {
                if dice.chance(50) {
                    let change = Wanted::Subscribe(topic, Since::Live);
                    steps.push(Self::Change { client, change, at_once: true });
                    steps.push(Self::Pump { client, messages: 1 });
                }
            }
        }
        let hurry = [10, 50, 90][dice.below(3)];
        let count = 10 + dice.below(most - 10);
        steps.extend((0..count).map(|_| Self::draw(dice, hurry)));
        steps
    }

    /// A step; `hurry` is the percentage of those that are taken without another one between their sections.
    fn draw(dice: &mut Dice, hurry: usize) -> Self {
        let client = dice.below(CLIENTS);
        let at_once = dice.chance(hurry);
        match dice.below(100) {
            0..22 => Self::Append {
                publisher: dice.below(PUBLISHERS),
                stream: dice.below(STREAMS),
                messages: if dice.chance(70) { 1 } else { 2 + dice.below(2) },
                except: dice.chance(20).then_some(client),
                at_once,
            },
            22..42 => Self::Push { publisher: dice.below(PUBLISHERS) },
            42..44 => Self::Evict { stream: dice.below(STREAMS), messages: 1 + dice.below(3) },
            44 => Self::Forget { stream: dice.below(STREAMS) },
            45 if dice.chance(30) => Self::Restart { durable: dice.chance(60), rolled_back: dice.chance(40) },
            46 if dice.chance(50) => Self::Disconnect { client },
            45..50 => Self::Connect { client, role: dice.chance(50), holds: dice.chance(50), at_once },
            50..66 => Self::Change { client, change: wanted(dice), at_once },
            66 => Self::HoldExpires { client },
            67..82 => Self::Continue { client },
            82..96 => Self::Pump { client, messages: 1 + dice.below(4) },
            _ => Self::Other { client, control: dice.chance(60) },
        }
    }
}

fn wanted(dice: &mut Dice) -> Wanted {
    let topic = dice.below(TOPICS);
    match dice.below(20) {
        0..9 => Wanted::Subscribe(topic, since(dice)),
        9..12 => Wanted::Unsubscribe(topic),
        12..14 => Wanted::Give(topic),
        14..16 => Wanted::Revoke(topic),
        16 => Wanted::Roles,
        _ => Wanted::Resume([dice.chance(60), dice.chance(60)], since(dice)),
    }
}

fn since(dice: &mut Dice) -> Since {
    match dice.below(20) {
        0..6 => Since::Live,
        6..14 => Since::Known,
        14..17 => Since::Begin,
        17 => Since::Beyond,
        18 => Since::OtherEpoch,
        _ => Since::NoEpoch,
    }
}

/// The bounds of one schedule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Of a queue.
    pub(super) messages: usize,
    pub(super) bytes: usize,
    /// Entries of a history.
    pub(super) kept: usize,
    /// Subscriptions of a connection.
    pub(super) topics: usize,
}

impl Bounds {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let bytes = if dice.chance(80) { 10_000 } else { 60 + dice.below(200) };
        let topics = if dice.chance(90) { TOPICS } else { 1 };
        Self { messages: 1 + dice.below(4), bytes, kept: 1 + dice.below(6), topics }
    }
}
