//! Publishing to a stream with a history.

use realtime_core::{
    codec::prepare_publication,
    message::{Stamp, from_request},
    policy::Retention,
};
use realtime_ports::{PublishError, Published};
use realtime_schema::{FieldError, PublishRequest, Route, Stream};

use super::{PublishResult, Publisher};
use crate::{journal::OnceKey, streams::Streams};

/// The history that a publication goes to.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    route: Route,
    retention: Retention,
}

impl Kept {
    /// The history for a request; `None` if it goes to no stream that has one, or is not to be kept.
    pub(super) fn of(streams: &Streams, request: &PublishRequest) -> Option<Self> {
        let [route] = request.to.routes() else { return None };
        let retention = streams.retention(route).filter(|_| request.history)?;
        Some(Self { route: route.clone(), retention })
    }

    pub(super) fn route(&self) -> &Route {
        &self.route
    }
}

/// Refuses a union of routes one of which has a history: its messages have one position, and a union has none.
pub(super) fn check_union(streams: &Streams, request: &PublishRequest) -> Result<(), FieldError> {
    let [_, _, ..] = request.to.routes() else { return Ok(()) };
    if !request.history {
        return Ok(());
    }
    let kept = request.to.routes().iter().find(|route| streams.has_history(route));
    let Some(stream) = kept.and_then(Stream::of) else { return Ok(()) };
    Err(FieldError::new(
        "to",
        format!(
            "names several routes, and `{stream}` has a history, in which a message to several routes has no position; \
             publish a batch with one message for each route, or set \"history\": false to send it once and keep it nowhere"
        ),
    ))
}

impl Publisher {
    /// Publishes messages for one stream with a history, with a result for each. `once` is remembered with the first.
    pub(super) async fn publish_kept(
        &self,
        kept: Kept,
        requests: Vec<PublishRequest>,
        once: Option<OnceKey>,
    ) -> Vec<PublishResult> {
        let Some(first) = requests.first() else { return Vec::new() };
        let overflow = self.parts.settings.load().namespaces.overflow(&first.to);
        let (mut begun, mut messages) = (Vec::with_capacity(requests.len()), Vec::with_capacity(requests.len()));
        for request in requests {
            let stamp = Stamp { id: self.parts.ids.message_id(), now: self.parts.clock.now() };
            let note = self.note(&request);
            let message = from_request(request, stamp);
            if let Some(prepared) = prepare_publication(&message, overflow) {
                begun.push((stamp.id, note));
                messages.push((stamp.id, prepared));
            }
        }
        let Kept { route, retention } = kept;
        let appended = match &self.parts.journal {
            Some(journal) => journal.append(route, retention, messages, once).await,
            None => {
                let prepared = messages.into_iter().map(|(_, prepared)| prepared).collect();
                Ok(self.parts.streams.append(&route, retention, prepared))
            }
        };
        match appended {
            Ok(appended) => {
                let published = |index| Published::locally(appended.delivered).at(appended.position(index));
                begun
                    .into_iter()
                    .enumerate()
                    .map(|(index, (id, note))| Ok(self.receipt(id, note, published(index))))
                    .collect()
            }
            Err(error) => begun.iter().map(|_| Err(PublishError::Store(error.clone()))).collect(),
        }
    }
}
