//! The topics that the backend gave to users. Every connection of the user has them: those of now, and those that are
//! opened later. A durable store keeps them over a restart.
//!
//! A change is stored first, then in the table, then on the connections: one that can't be stored changes nothing.
//! A connection is registered before it reads the topics of its user, and a change is in the table before it looks for
//! the user's connections. So of a change and an opening at the same time, one sees the other.

use std::{
    array,
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use realtime_core::user_topics::UserTopics as Table;
use realtime_ports::{
    ConnectionRegistry, Record, Selection, StoreError, SubscribeError, UserTopicError, WebSocketConnection,
};
use realtime_schema::{ConnectionId, Origin, Topic, UserId, UserTopicChange};

use crate::{journal::Journal, settings::LiveSettings, subscriptions::Subscriptions};

/// Locks of users: changes of users with different locks don't wait for each other.
const LOCKS: usize = 64;
/// Attempts to subscribe a new connection while the bus is unavailable, and the time between them.
const ATTEMPTS: usize = 30;
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The topics of users.
pub(crate) struct UserTopics {
    table: Mutex<Table>,
    /// Held while a change of a user's topics is carried out on the user's connections, so that two changes end in the
    /// same order in the table and on the connections.
    changing: [tokio::sync::Mutex<()>; LOCKS],
    settings: LiveSettings,
    registry: Arc<dyn ConnectionRegistry>,
    subscriptions: Arc<Subscriptions>,
    /// `None` without a durable store.
    journal: Option<Arc<Journal>>,
}

impl UserTopics {
    /// `kept`: what a durable store has kept.
    pub(crate) fn new(
        settings: LiveSettings,
        registry: Arc<dyn ConnectionRegistry>,
        subscriptions: Arc<Subscriptions>,
        journal: Option<Arc<Journal>>,
        kept: Vec<(UserId, Topic)>,
    ) -> Self {
        let changing = array::from_fn(|_| tokio::sync::Mutex::default());
        let mut table = Table::new();
        kept.into_iter().for_each(|(user, topic)| table.restore(user, topic));
        Self { table: Mutex::new(table), changing, settings, registry, subscriptions, journal }
    }

    /// The topics of `user`, sorted as text.
    pub(crate) fn of(&self, user: &UserId) -> Vec<Topic> {
        self.table().of(user)
    }

    /// Gives `topic` to `user`, and subscribes the user's connections. Repeating it subscribes those that are not
    /// subscribed, whatever the reason.
    pub(crate) async fn give(self: Arc<Self>, user: UserId, topic: Topic) -> Result<UserTopicChange, UserTopicError> {
        let (user, topic) = (&user, &topic);
        let _turn = self.turn(user).await?;
        let limits = self.settings.load().user_topics;
        let changed = self.table().reserve(user, topic, limits)?;
        if changed {
            let stored = self.store(Record::TopicGiven { user: user.clone(), topic: topic.clone() }).await;
            self.table().settle(user, topic, stored.is_ok());
            stored?;
        }
        let mut change = UserTopicChange { changed, ..UserTopicChange::default() };
        let mut unavailable = false;
        for id in self.connections(user) {
            match self.subscriptions.subscribe(id, topic, Origin::Server).await {
                Ok(_) => change.connections += 1,
                Err(SubscribeError::NotConnected) => {}
                Err(SubscribeError::LimitExceeded { .. }) => change.refused += 1,
                Err(_) => unavailable = true,
            }
        }
        if unavailable { Err(UserTopicError::Unavailable) } else { Ok(change) }
    }

    /// Takes `topic` away from `user`, and ends the subscriptions of the user's connections to it, whoever made them.
    pub(crate) async fn take(self: Arc<Self>, user: UserId, topic: Topic) -> Result<UserTopicChange, UserTopicError> {
        let (user, topic) = (&user, &topic);
        let _turn = self.turn(user).await?;
        let changed = self.table().has(user, topic);
        if changed {
            self.store(Record::TopicTaken { user: user.clone(), topic: topic.clone() }).await?;
            self.table().take(user, topic);
        }
        let mut change = UserTopicChange { changed, ..UserTopicChange::default() };
        for id in self.connections(user) {
            change.connections += u64::from(self.subscriptions.unsubscribe(id, topic));
        }
        Ok(change)
    }

    async fn store(&self, record: Record) -> Result<(), UserTopicError> {
        match &self.journal {
            Some(journal) => journal.store_to_end(vec![record]).await.map_err(UserTopicError::Store),
            None => Ok(()),
        }
    }

    /// Subscribes a connection, which was registered just now, to the topics of its user.
    pub(crate) fn enter(self: &Arc<Self>, id: ConnectionId, user: &UserId) {
        if self.of(user).is_empty() {
            return;
        }
        let mut entering = Box::pin(self.clone().enter_all(id, user.clone()));
        // At once, unless the bus must be asked for the topics.
        if entering.as_mut().now_or_never().is_none() {
            tokio::spawn(entering);
        }
    }

    async fn enter_all(self: Arc<Self>, id: ConnectionId, user: UserId) {
        let mut entered = BTreeSet::new();
        loop {
            let wanted = self.of(&user);
            // Taken away after it was read, and maybe before it was subscribed.
            let lost: Vec<Topic> = entered.iter().filter(|topic| !wanted.contains(topic)).cloned().collect();
            for topic in lost {
                self.subscriptions.unsubscribe(id, &topic);
                entered.remove(&topic);
            }
            for topic in &wanted {
                if entered.insert(topic.clone()) && !self.enter_one(id, topic).await {
                    return;
                }
            }
            if self.of(&user) == wanted {
                return;
            }
        }
    }

    /// Subscribes a new connection to one topic; false if the connection has ended.
    async fn enter_one(&self, id: ConnectionId, topic: &Topic) -> bool {
        for _ in 0..ATTEMPTS {
            match self.subscriptions.subscribe(id, topic, Origin::Server).await {
                Ok(_) => return true,
                Err(SubscribeError::NotConnected) => return false,
                Err(SubscribeError::LimitExceeded { limit }) => {
                    tracing::warn!(connection = %id, %topic, limit, "a topic of the user exceeds limits.subscriptions");
                    return true;
                }
                Err(_) => tokio::time::sleep(RETRY_INTERVAL).await,
            }
        }
        tracing::warn!(connection = %id, %topic, "a connection lacks a topic of its user: the bus is unavailable");
        true
    }

    fn connections(&self, user: &UserId) -> Vec<ConnectionId> {
        let mut ids = Vec::new();
        let mut note = |socket: &Arc<dyn WebSocketConnection>| ids.push(socket.id());
        self.registry.visit(&Selection::User(user.clone()), &mut note);
        ids
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn of `user`; a change that waits for the store holds it.
    async fn turn(&self, user: &UserId) -> Result<tokio::sync::MutexGuard<'_, ()>, UserTopicError> {
        let wait = self.settings.load().store.commit_timeout;
        let late = |_| UserTopicError::Store(StoreError::TimedOut(wait));
        tokio::time::timeout(wait, self.lock(user).lock()).await.map_err(late)
    }

    fn lock(&self, user: &UserId) -> &tokio::sync::Mutex<()> {
        let mut hasher = DefaultHasher::new();
        user.hash(&mut hasher);
        let bits = usize::try_from(hasher.finish() % LOCKS as u64).unwrap_or_default();
        &self.changing[bits]
    }
}
