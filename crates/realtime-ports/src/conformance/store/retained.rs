//! What a store retains, as its load shows it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use realtime_schema::{Revocation, RevocationId, Topic, UserId};

use crate::{Appended, Loaded, LogStore, Once, Record, StoreError, StoredSecret};

/// What a store retains, as [`LogStore::load`] shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// The messages of each stream and its position, by the route's debug text.
    pub streams: BTreeMap<String, RetainedStream>,
    /// The idempotency keys, latest result.
    pub once: BTreeMap<Arc<str>, Once>,
    /// The revocations.
    pub revocations: BTreeMap<RevocationId, Revocation>,
    /// The topics of users.
    pub user_topics: BTreeSet<(UserId, Topic)>,
    /// The secret.
    pub secret: Option<StoredSecret>,
}

/// A stream of [`Retained`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetainedStream {
    /// Epoch and highest offset.
    pub position: (u64, u64),
    /// Its messages, oldest first.
    pub messages: Vec<Appended>,
}

impl Retained {
    /// Loads `store`.
    ///
    /// # Errors
    /// Those of [`LogStore::load`].
    ///
    /// # Panics
    /// What it loads breaks a promise of the port.
    pub fn load(store: &dyn LogStore) -> Result<(Loaded, Self), StoreError> {
        let (mut retained, mut positions) = (Self::default(), HashMap::new());
        let loaded = store.load(&mut |record: Record| {
            match &record {
                Record::Appended(message) => {
                    let stream = retained.streams.entry(format!("{:?}", message.route)).or_default();
                    let last = stream.messages.last().map_or(0, |last| last.offset);
                    assert!(message.offset > last, "offset {} is loaded after {last}", message.offset);
                    assert!(!positions.contains_key(&message.route), "a message is loaded after its stream's position");
                }
                Record::Position { route, .. } => {
                    assert!(positions.insert(route.clone(), ()).is_none(), "{route:?} has two positions");
                }
                Record::Once(_) | Record::Revoked(_) | Record::TopicGiven { .. } | Record::Secret(_) => {}
                other => panic!("{other:?} is not what a load passes"),
            }
            retained.apply(&record);
        })?;
        let messages: usize = retained.streams.values().map(|stream| stream.messages.len()).sum();
        assert_eq!(positions.len(), retained.streams.len(), "each stream has its position");
        assert_eq!(
            (loaded.streams, loaded.messages),
            (retained.streams.len() as u64, messages as u64),
            "the counts are of what was loaded"
        );
        Ok((loaded, retained))
    }

    /// Changes it by `record`, as a store must.
    pub fn apply(&mut self, record: &Record) {
        match record {
            Record::Appended(message) => {
                let stream = self.streams.entry(format!("{:?}", message.route)).or_default();
                stream.position = (message.epoch, message.offset);
                stream.messages.push(message.clone());
            }
            Record::Trimmed { route, through } => {
                if let Some(stream) = self.streams.get_mut(&format!("{route:?}")) {
                    stream.messages.retain(|message| message.offset > *through);
                }
            }
            Record::Position { route, epoch, top } => {
                self.streams.entry(format!("{route:?}")).or_default().position = (*epoch, *top);
            }
            Record::Forgotten { route, .. } => {
                self.streams.remove(&format!("{route:?}"));
            }
            Record::Once(once) => {
                self.once.insert(Arc::clone(&once.key), once.clone());
            }
            Record::Revoked(revocation) => {
                self.revocations.insert(revocation.id, revocation.clone());
            }
            Record::RevocationRemoved(id) => {
                self.revocations.remove(id);
            }
            Record::TopicGiven { user, topic } => {
                self.user_topics.insert((user.clone(), topic.clone()));
            }
            Record::TopicTaken { user, topic } => {
                self.user_topics.remove(&(user.clone(), topic.clone()));
            }
            Record::Secret(secret) => self.secret = Some(secret.clone()),
        }
    }
}
