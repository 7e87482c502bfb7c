//! Work that runs to its end even if its caller goes away: a publication with an idempotency key, so that a retry finds the
//! receipt of a message that went out; a change of a user's topics, so that the store, the table and the connections agree.

use std::{future::Future, panic, sync::Arc};

use futures_util::FutureExt;
use realtime_ports::{BusError, PublishError, UserTopicError};
use realtime_schema::{PublishRequest, Receipt, UserTopicChange};
use tokio::task::{JoinError, JoinHandle};

use crate::node::Node;

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

/// Publishes one message of the backend or the application.
pub(crate) async fn publish(node: &Arc<Node>, request: PublishRequest) -> Result<Receipt, PublishError> {
    if request.idempotency_key.is_none() {
        return node.publisher.publish(request).await;
    }
    let node = node.clone();
    match begin(async move { node.publisher.publish(request).await }) {
        Begun::Done(result) => result,
        Begun::Running(task) => task.await.unwrap_or_else(|error| Err(ended(error))),
    }
}

/// Publishes several messages in their order, with a result for each.
pub(crate) async fn publish_batch(
    node: &Arc<Node>,
    requests: Vec<PublishRequest>,
) -> Vec<Result<Receipt, PublishError>> {
    if requests.iter().all(|request| request.idempotency_key.is_none()) {
        return node.publisher.publish_batch(requests).await;
    }
    let (node, count) = (node.clone(), requests.len());
    match begin(async move { node.publisher.publish_batch(requests).await }) {
        Begun::Done(results) => results,
        Begun::Running(task) => task.await.unwrap_or_else(|error| vec![Err(ended(error)); count]),
    }
}

/// Changes the topics of a user.
pub(crate) async fn change_topics(
    change: impl Future<Output = Result<UserTopicChange, UserTopicError>> + Send + 'static,
) -> Result<UserTopicChange, UserTopicError> {
    match begin(change) {
        Begun::Done(result) => result,
        Begun::Running(task) => task.await.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => panic::resume_unwind(panic),
            Err(_) => Err(UserTopicError::Unavailable),
        }),
    }
}

/// A task that did not end by itself: the runtime stops.
fn ended(error: JoinError) -> PublishError {
    match error.try_into_panic() {
        Ok(panic) => panic::resume_unwind(panic),
        Err(error) => PublishError::Bus(BusError::Unavailable(Arc::new(error))),
    }
}
