//! Work that runs to its end even if its caller goes away: a publication with an idempotency key, so that a retry finds the
//! receipt of a message that went out; a change of a user's topics, so that the store, the table and the connections agree.

use std::{future::Future, panic, sync::Arc, time::Duration};

use futures_util::FutureExt;
use realtime_ports::{BusError, PublishError, StoreError, UserTopicError};
use realtime_schema::UserTopicChange;
use tokio::{
    task::{JoinError, JoinHandle},
    time::timeout,
};

/// Work that was begun.
pub(crate) enum Begun<T> {
    /// It did not have to wait.
    Done(T),
    /// It runs in a task of its own.
    Running(JoinHandle<T>),
}

/// Begins `work`; the rest runs in a task of its own.
pub(crate) fn begin<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Begun<T> {
    let mut work = Box::pin(work);
    match work.as_mut().now_or_never() {
        Some(done) => Begun::Done(done),
        None => Begun::Running(tokio::spawn(work)),
    }
}

/// Changes the topics of a user. After `wait` it returns [`StoreError::TimedOut`], and the change goes on.
pub(crate) async fn change_topics(
    wait: Duration,
    change: impl Future<Output = Result<UserTopicChange, UserTopicError>> + Send + 'static,
) -> Result<UserTopicChange, UserTopicError> {
    match begin(change) {
        Begun::Done(result) => result,
        Begun::Running(task) => match timeout(wait, task).await {
            Ok(ended) => ended.unwrap_or_else(|error| match error.try_into_panic() {
                Ok(panic) => panic::resume_unwind(panic),
                Err(_) => Err(UserTopicError::Unavailable),
            }),
            Err(_) => Err(UserTopicError::Store(StoreError::TimedOut(wait))),
        },
    }
}

/// The error of a publication whose task did not end by itself: the runtime stops.
pub(crate) fn ended(error: JoinError) -> PublishError {
    match error.try_into_panic() {
        Ok(panic) => panic::resume_unwind(panic),
        Err(error) => PublishError::Bus(BusError::Unavailable(Arc::new(error))),
    }
}
