//! The durable store of a node: its streams, positions, idempotency keys, revocations and the topics of users.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use realtime_schema::{ClientId, MessageType, Receipt, Revocation, RevocationId, Route, Timestamp, Topic, UserId};

/// Keeps what a node must remember after a restart. Cold and blocking: one writer thread calls it, never a runtime
/// thread.
///
/// The store holds what memory holds, no more: a message goes when it is [trimmed](Record::Trimmed), a position when
/// it is [forgotten](Record::Forgotten), an idempotency key when it expires. Call [`Self::load`] once, before
/// anything else.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait LogStore: Send + Sync {
    /// Passes everything that is retained to `into`, and marks the store as in use: only [`Self::close`] ends that.
    ///
    /// For each stream: its messages in the order of their offsets, then one [`Record::Position`]. Streams may be
    /// interleaved. Idempotency keys are in the order of their commits; some may have expired.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if anything stored can't be read: nothing is skipped in silence.
    fn load(&self, into: &mut dyn Loader) -> Result<Loaded, StoreError>;

    /// Stores a batch as a whole, in its order. When it has returned, the batch survives what the store is configured
    /// for: the end of this process, or a power loss too. An empty batch stores nothing; after a failure it tries
    /// whether the store works again.
    ///
    /// # Errors
    /// Nothing of the batch is stored, and the store is as it was before. The same batch may be committed again after
    /// [`StoreError::Full`] and [`StoreError::Unavailable`].
    fn commit(&self, batch: &[Record]) -> Result<(), StoreError>;

    /// Does a bounded piece of the maintenance that would delay a commit, and returns whether more is left. Called
    /// while no batch waits. An error is not reported: the next commit has it too.
    fn idle(&self) -> bool;

    /// The space that the store takes. Cheap: for metrics.
    fn usage(&self) -> Usage;

    /// Writes everything out and marks the store as closed cleanly. Nothing may be committed afterwards.
    ///
    /// # Errors
    /// The store is not marked: the next start treats this stop as a crash, and loses nothing by that.
    fn close(&self) -> Result<(), StoreError>;
}

/// Receives what a store retains. Called on the thread of [`LogStore::load`].
pub trait Loader {
    /// Takes one record: [`Record::Appended`], [`Record::Position`], [`Record::Once`], [`Record::Revoked`],
    /// [`Record::TopicGiven`] or [`Record::Secret`].
    ///
    /// The bytes of a message can share one large buffer with others: copy what you keep.
    fn record(&mut self, record: Record);
}

impl<F: FnMut(Record)> Loader for F {
    fn record(&mut self, record: Record) {
        self(record);
    }
}

/// What a store knows about itself when it has been loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loaded {
    /// Names the life of the stored streams: random, never 0. It changes when stored messages may have been lost,
    /// and when the store is begun anew. A stream whose epoch is of another generation must begin a new epoch.
    pub generation: u32,
    /// True if the generation changed at this start: after a power loss, the last messages may be missing.
    pub rolled_back: bool,
    /// The largest offset that a forgotten stream has reached: see [`Record::Forgotten`].
    pub forgotten: u64,
    /// Number of messages that were loaded.
    pub messages: u64,
    /// Number of positions that were loaded.
    pub streams: u64,
}

impl Loaded {
    /// A store of this generation, with nothing in it.
    pub fn of_generation(generation: u32) -> Self {
        Self { generation, ..Self::default() }
    }
}

/// The space that a store takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Bytes of its files.
    pub file_bytes: u64,
    /// Bytes of the records that are still needed.
    pub live_bytes: u64,
}

/// One change to store. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Record {
    /// A message was appended to its stream.
    Appended(Appended),
    /// The messages of a stream up to an offset, this one included, are no longer retained. Its position stays.
    Trimmed {
        /// The stream.
        route: Route,
        /// The last offset that goes. A higher one than the stream's top means the top.
        through: u64,
    },
    /// The position of a stream, without a message: a new epoch, or a position that outlived its messages.
    /// Messages that are retained stay.
    Position {
        /// The stream.
        route: Route,
        /// Its epoch from now on.
        epoch: u64,
        /// The highest offset that was used; 0 if none was.
        top: u64,
    },
    /// A stream was forgotten: its messages and its position go.
    Forgotten {
        /// The stream.
        route: Route,
        /// The largest offset that any forgotten stream has reached, this one included. A smaller one than that of an
        /// earlier record changes nothing.
        reached: u64,
    },
    /// A publication under an idempotency key. A later one with the same key replaces it.
    Once(Once),
    /// A revocation was made, or replaced under its id.
    Revoked(Revocation),
    /// A revocation was removed or has ended. Unknown ids are ignored.
    RevocationRemoved(RevocationId),
    /// A topic was given to a user. Giving it again changes nothing.
    TopicGiven {
        /// The user.
        user: UserId,
        /// The topic that every connection of the user has.
        topic: Topic,
    },
    /// A topic was taken away from a user. One that the user does not have is ignored.
    TopicTaken {
        /// The user.
        user: UserId,
        /// The topic.
        topic: Topic,
    },
    /// The secret that signs resume tickets. A later one replaces it.
    Secret(StoredSecret),
}

/// A message as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The stream. Not a single connection, which has none.
    pub route: Route,
    /// The stream's epoch.
    pub epoch: u64,
    /// Its offset: higher than all before it in this stream.
    pub offset: u64,
    /// When it was appended, for its age.
    pub at: Timestamp,
    /// The application's type.
    pub kind: MessageType,
    /// The JSON text of the frame as it is sent.
    pub text: Bytes,
    /// The client that does not receive it.
    pub except: Option<ClientId>,
}

/// The result of a publication under an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// The key, with the name of the publisher in it: 1 to 2,000 bytes.
    pub key: Arc<str>,
    /// Of the request: the same in every release.
    pub fingerprint: u128,
    /// What the publisher got.
    pub receipt: Receipt,
    /// When the key is free again. The store drops it some time later.
    pub expires_at: Timestamp,
}

/// A secret in the store. It is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredSecret(pub Arc<[u8]>);

impl fmt::Debug for StoredSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredSecret(hidden)")
    }
}

/// Why a store did not do something.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk, or the quota of this user, is full. It works again when there is space.
    #[error("the disk is full: free some space, or lower the limits under [history]")]
    Full,
    /// The file can't be read or written now.
    #[error("the store is unavailable")]
    Unavailable(#[source] Arc<dyn Error + Send + Sync>),
    /// There was no result in time. The request is not lost: it may still be stored.
    #[error("no result within {0:?} (store.commit_timeout); it may still be stored")]
    TimedOut(Duration),
    /// What is stored can't be read. The text says what is wrong and what to do.
    #[error("{0}")]
    Damaged(Arc<str>),
    /// Another process has the store open. The text names the directory.
    #[error("{0}")]
    InUse(Arc<str>),
    /// The caller broke the contract of the port; the text says how.
    #[error("the store was misused: {0}")]
    Misused(&'static str),
}
