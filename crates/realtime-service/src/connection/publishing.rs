//! A client's publication: checked against the limits of its user, and carried out to its end.

use std::sync::Arc;

use realtime_core::session::{ClientPublication, Input, PublishOutcome};
use realtime_ports::PublishError;
use realtime_schema::{Connection, Receipt};

use super::pending::Outcome;
use crate::{
    node::Node,
    to_end::{self, Begun},
};

/// Publishes a client's message.
pub(super) fn publish(
    node: &Arc<Node>,
    connection: &Connection,
    publication: ClientPublication,
    only_subscribers: bool,
) -> Outcome {
    if only_subscribers && !node.subscriptions.has(connection.id, &publication.topic) {
        return now(PublishOutcome::NotSubscribed(publication));
    }
    if let Err(after) = node.publish_rates.take(&connection.user, &node.settings.load(), node.clock.monotonic()) {
        return now(PublishOutcome::RateLimited { after });
    }
    let (request, once) = match publication.into_request(&connection.user, connection.client.as_ref()) {
        Ok(request) => request,
        Err(error) => return now(PublishOutcome::Invalid(vec![error])),
    };
    let node = node.clone();
    // To its end: if the connection ends meanwhile, the message is published all the same, and its receipt is kept for the
    // client that comes back and repeats the command.
    match to_end::begin(async move { outcome(node.publisher.publish_once(request, once).await) }) {
        Begun::Done(outcome) => now(outcome),
        Begun::Running(task) => {
            Outcome::Later(Box::pin(async move { Some(published(task.await.unwrap_or(PublishOutcome::Unavailable))) }))
        }
    }
}

fn now(outcome: PublishOutcome) -> Outcome {
    Outcome::Now(published(outcome))
}

fn published(outcome: PublishOutcome) -> Input {
    Input::Published(Box::new(outcome))
}

fn outcome(result: Result<Receipt, PublishError>) -> PublishOutcome {
    match result {
        Ok(Receipt { id, position, duplicate, .. }) => PublishOutcome::Published { message: id, position, duplicate },
        Err(PublishError::Invalid(errors)) => PublishOutcome::Invalid(errors),
        Err(PublishError::TooLarge { size, limit }) => PublishOutcome::TooLarge { size, limit },
        Err(PublishError::KeyReused) => PublishOutcome::Conflict,
        Err(_) => PublishOutcome::Unavailable,
    }
}
