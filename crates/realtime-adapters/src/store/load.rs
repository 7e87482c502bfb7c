//! Reading everything that a store retains.

use std::sync::Arc;

use bytes::Bytes;
use realtime_ports::{Appended, Loaded, Loader, Once, Record, StoreError, StoredSecret};
use realtime_schema::{ClientId, MessageType, Revocation, Timestamp, Topic, UserId};
use rusqlite::Row;

use super::{
    codec::{self, Stored},
    database::Database,
    error::{damaged, of_sqlite},
    index::Index,
    node::Node,
    route,
};

const BATCHES: &str = "SELECT seq, data FROM batch ORDER BY seq";

/// Builds the index. Every batch is checked.
pub(super) fn index(database: &Database) -> Result<Index, StoreError> {
    let mut index = Index::default();
    each(database, "SELECT id, route, checksum FROM stream", |row| {
        let id = get::<i64>(database, row, 0)?.cast_unsigned();
        let text = checked(database, row, &id.to_string())?;
        let route = route::of_text(&text).ok_or_else(|| damaged(database.path(), "a stream has an invalid name"))?;
        index.create(id, route);
        Ok(())
    })?;
    each(database, BATCHES, |row| {
        let (number, data) = batch(database, row)?;
        let garbled = |error| damaged(database.path(), &format!("batch {number}: {error}"));
        codec::check(data).map_err(garbled)?;
        index.ledger.begin(number, data.len());
        for record in codec::records(data) {
            let (record, bytes) = record.map_err(garbled)?;
            index.add(number, &record, bytes);
        }
        index.ledger.settle();
        Ok(())
    })?;
    if index.streams().any(|stream| !stream.has_position()) {
        return Err(damaged(database.path(), "a stream has no position"));
    }
    Ok(index)
}

/// Passes what is needed to `into`.
pub(super) fn replay(
    database: &Database,
    index: &Index,
    node: &Node,
    into: &mut dyn Loader,
) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded::of_generation(node.generation);
    (loaded.rolled_back, loaded.forgotten) = (node.rolled_back, node.forgotten);
    let invalid = || damaged(database.path(), "a record has an invalid value");
    each(database, BATCHES, |row| {
        let (number, data) = batch(database, row)?;
        // Not in the index: nothing in it is needed.
        if !index.ledger.contains(number) {
            return Ok(());
        }
        let data = Bytes::copy_from_slice(data);
        for record in codec::records(&data) {
            let (record, _) = record.map_err(|_| invalid())?;
            if !index.needs(number, &record) {
                continue;
            }
            match record {
                Stored::Message(message) => {
                    let stream = index.stream_of(message.stream).ok_or_else(invalid)?;
                    loaded.messages += 1;
                    into.record(Record::Appended(Appended {
                        route: stream.route.clone(),
                        epoch: message.epoch,
                        offset: message.offset,
                        at: Timestamp::from_millis(message.at),
                        kind: MessageType::new(message.kind).map_err(|_| invalid())?,
                        text: data.slice_ref(message.text.as_bytes()),
                        except: message.except.map(ClientId::new).transpose().map_err(|_| invalid())?,
                    }));
                }
                Stored::Position(_) => {}
                Stored::Once(once) => into.record(Record::Once(Once {
                    key: once.key.into(),
                    fingerprint: once.fingerprint,
                    receipt: serde_json::from_str(once.receipt).map_err(|_| invalid())?,
                    expires_at: Timestamp::from_millis(once.expires_at),
                })),
            }
        }
        Ok(())
    })?;
    for stream in index.streams() {
        loaded.streams += 1;
        into.record(Record::Position { route: stream.route.clone(), epoch: stream.epoch, top: stream.top });
    }
    each(database, "SELECT id, data, checksum FROM revocation ORDER BY id", |row| {
        let data = checked(database, row, &get::<String>(database, row, 0)?)?;
        let revocation: Revocation = serde_json::from_str(&data).map_err(|_| invalid())?;
        into.record(Record::Revoked(revocation));
        Ok(())
    })?;
    each(database, "SELECT user, topic, checksum FROM user_topic ORDER BY user, topic", |row| {
        let user = get::<String>(database, row, 0)?;
        let topic = Topic::new(checked(database, row, &user)?).map_err(|_| invalid())?;
        into.record(Record::TopicGiven { user: UserId::new(user).map_err(|_| invalid())?, topic });
        Ok(())
    })?;
    if let Some(secret) = &node.secret {
        into.record(Record::Secret(StoredSecret(Arc::from(secret.as_slice()))));
    }
    Ok(loaded)
}

fn each(
    database: &Database,
    sql: &str,
    mut row: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let sqlite = |error| of_sqlite(error, database.path());
    let mut statement = database.connection().prepare(sql).map_err(sqlite)?;
    let mut rows = statement.query([]).map_err(sqlite)?;
    while let Some(found) = rows.next().map_err(sqlite)? {
        row(found)?;
    }
    Ok(())
}

fn get<T: rusqlite::types::FromSql>(database: &Database, row: &Row<'_>, column: usize) -> Result<T, StoreError> {
    row.get(column).map_err(|error| damaged(database.path(), &error.to_string()))
}

/// The text in column 1, checked by the checksum in column 2.
fn checked(database: &Database, row: &Row<'_>, id: &str) -> Result<String, StoreError> {
    let (text, checksum): (String, i64) = (get(database, row, 1)?, get(database, row, 2)?);
    if codec::text_checksum(id, &text) != checksum {
        return Err(damaged(database.path(), "the checksum of a row is wrong"));
    }
    Ok(text)
}

fn batch<'r>(database: &Database, row: &'r Row<'_>) -> Result<(u64, &'r [u8]), StoreError> {
    let data = row.get_ref(1).map_err(|error| of_sqlite(error, database.path()))?;
    let data = data.as_blob().map_err(|_| damaged(database.path(), "a batch has no bytes"))?;
    Ok((get::<i64>(database, row, 0)?.cast_unsigned(), data))
}
