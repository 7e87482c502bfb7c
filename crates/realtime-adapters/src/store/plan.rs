//! What one batch changes in the file, worked out before anything is changed.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use realtime_ports::{Appended, Record, StoreError, StoredSecret};
use realtime_schema::{Revocation, RevocationId, Route, Topic, UserId};

use super::{
    codec::{Message, Once, Position, Stored, Writer},
    index::Index,
};

/// The changes of a batch.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    row: Writer,
    /// New streams.
    pub(super) created: Vec<(u64, &'a Route)>,
    /// Streams that go.
    pub(super) forgotten: Vec<u64>,
    /// The largest offset that one of them has reached.
    pub(super) reached: Option<u64>,
    /// Revocations to write, or to remove.
    pub(super) revocations: BTreeMap<RevocationId, Option<&'a Revocation>>,
    /// Topics that users have from now on, or no longer.
    pub(super) user_topics: BTreeMap<(&'a UserId, &'a Topic), bool>,
    /// The new secret.
    pub(super) secret: Option<&'a StoredSecret>,
    next_stream: u64,
}

/// A stream while a batch is planned.
#[derive(Debug)]
struct Draft {
    id: Option<u64>,
    epoch: u64,
    top: u64,
    first: u64,
    /// True while no planned record says this.
    unsaid: bool,
}

impl<'a> Plan<'a> {
    pub(super) fn new(index: &Index, batch: &'a [Record]) -> Result<Self, StoreError> {
        let text: usize =
            batch.iter().map(|record| if let Record::Appended(m) = record { m.text.len() } else { 0 }).sum();
        let mut plan = Self {
            row: Writer::with_capacity(text + 64 * batch.len()),
            created: Vec::new(),
            forgotten: Vec::new(),
            reached: None,
            revocations: BTreeMap::new(),
            user_topics: BTreeMap::new(),
            secret: None,
            next_stream: index.next_stream(),
        };
        let mut drafts = HashMap::new();
        let mut keys: HashMap<&str, &realtime_ports::Once> = HashMap::new();
        for record in batch {
            match record {
                Record::Appended(message) => plan.append(message, draft(&mut drafts, index, &message.route)?)?,
                Record::Trimmed { route, through } => draft(&mut drafts, index, route)?.trim(*through),
                Record::Position { route, epoch, top } => {
                    let draft = draft(&mut drafts, index, route)?;
                    plan.id(draft, route);
                    draft.place(*epoch, *top)?;
                }
                Record::Forgotten { route, reached } => {
                    plan.forget(draft(&mut drafts, index, route)?);
                    plan.reached = plan.reached.max(Some(*reached));
                }
                Record::Once(once) => drop(keys.insert(&once.key, once)),
                Record::Revoked(revocation) => drop(plan.revocations.insert(revocation.id, Some(revocation))),
                Record::RevocationRemoved(id) => drop(plan.revocations.insert(*id, None)),
                Record::TopicGiven { user, topic } => drop(plan.user_topics.insert((user, topic), true)),
                Record::TopicTaken { user, topic } => drop(plan.user_topics.insert((user, topic), false)),
                Record::Secret(secret) => plan.secret = Some(secret),
                _ => return Err(StoreError::Misused("this store does not know a record of the batch")),
            }
        }
        for Draft { id, epoch, top, first, unsaid } in drafts.into_values() {
            if let (Some(stream), true) = (id, unsaid) {
                plan.row.push(&Stored::Position(Position { stream, epoch, top, first }));
            }
        }
        keys.into_values().try_for_each(|once| plan.once(once))?;
        Ok(plan)
    }

    /// Takes the bytes of the new row: empty if it has no record.
    pub(super) fn take_row(&mut self) -> Vec<u8> {
        let row = std::mem::replace(&mut self.row, Writer::with_capacity(0));
        if row.is_empty() { Vec::new() } else { row.finish() }
    }

    /// Whether only a row is written.
    pub(super) fn is_row_only(&self) -> bool {
        let Self { created, forgotten, reached, revocations, user_topics, secret, .. } = self;
        let no_stream = created.is_empty() && forgotten.is_empty() && reached.is_none();
        no_stream && revocations.is_empty() && user_topics.is_empty() && secret.is_none()
    }

    fn append(&mut self, message: &'a Appended, draft: &mut Draft) -> Result<(), StoreError> {
        if message.offset <= draft.top {
            return Err(StoreError::Misused("an offset is not above those before it in its stream"));
        }
        let stream = self.id(draft, &message.route);
        (draft.epoch, draft.top, draft.unsaid) = (message.epoch, message.offset, false);
        let text = std::str::from_utf8(&message.text).map_err(|_| StoreError::Misused("a message is not UTF-8"))?;
        self.row.push(&Stored::Message(Message {
            stream,
            epoch: message.epoch,
            offset: message.offset,
            first: draft.first,
            at: message.at.as_millis(),
            kind: message.kind.as_str(),
            except: message.except.as_ref().map(|client| client.as_str()),
            text,
        }));
        Ok(())
    }

    fn once(&mut self, once: &realtime_ports::Once) -> Result<(), StoreError> {
        let receipt = serde_json::to_string(&once.receipt).map_err(|error| StoreError::Unavailable(Arc::new(error)))?;
        self.row.push(&Stored::Once(Once {
            key: &once.key,
            fingerprint: once.fingerprint,
            expires_at: once.expires_at.as_millis(),
            receipt: &receipt,
        }));
        Ok(())
    }

    fn id(&mut self, draft: &mut Draft, route: &'a Route) -> u64 {
        *draft.id.get_or_insert_with(|| {
            let id = self.next_stream;
            self.next_stream += 1;
            self.created.push((id, route));
            id
        })
    }

    fn forget(&mut self, draft: &mut Draft) {
        let forgotten = std::mem::replace(draft, Draft::new());
        let Some(id) = forgotten.id else { return };
        let created = self.created.len();
        self.created.retain(|(new, _)| *new != id);
        if self.created.len() == created {
            self.forgotten.push(id);
        }
    }
}

fn draft<'d, 'a>(
    drafts: &'d mut HashMap<&'a Route, Draft>,
    index: &Index,
    route: &'a Route,
) -> Result<&'d mut Draft, StoreError> {
    if matches!(route, Route::Connection(_)) {
        return Err(StoreError::Misused("a single connection has no stream"));
    }
    Ok(drafts.entry(route).or_insert_with(|| match index.stream(route) {
        Some((id, stream)) => {
            Draft { id: Some(id), epoch: stream.epoch, top: stream.top, first: stream.first, unsaid: false }
        }
        None => Draft::new(),
    }))
}

impl Draft {
    fn new() -> Self {
        Self { id: None, epoch: 0, top: 0, first: 1, unsaid: false }
    }

    fn trim(&mut self, through: u64) {
        let first = through.min(self.top).saturating_add(1);
        if self.id.is_some() && first > self.first {
            (self.first, self.unsaid) = (first, true);
        }
    }

    fn place(&mut self, epoch: u64, top: u64) -> Result<(), StoreError> {
        if top < self.top {
            return Err(StoreError::Misused("a position is below an offset that was used"));
        }
        (self.epoch, self.top, self.unsaid) = (epoch, top, true);
        Ok(())
    }
}
