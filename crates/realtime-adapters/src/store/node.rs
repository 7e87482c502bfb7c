//! The one row about the node: its generation, and how the last process ended.

use std::hash::{BuildHasher, RandomState};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::config::Durability;

/// The row.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) generation: u32,
    pub(super) rolled_back: bool,
    pub(super) forgotten: u64,
    pub(super) secret: Option<Vec<u8>>,
}

/// Writes the row of a new store.
pub(super) fn insert(connection: &Connection) -> rusqlite::Result<()> {
    let sql = "INSERT INTO node (id, generation, boot_id, clean, power, forgotten) VALUES (1, ?1, '', 1, 1, 0)";
    connection.execute(sql, [another(0)]).map(drop)
}

/// Reads the row and marks the store as in use, by this start of the kernel; `None` if the row is missing.
///
/// Messages may be missing if the last process did not close the store, and either the kernel was started anew since
/// and the store was not written through to the disk, or the log of writes is gone. Then the generation changes.
pub(super) fn begin(
    connection: &Connection,
    boot_id: Option<&str>,
    durability: Durability,
    had_wal: bool,
) -> rusqlite::Result<Option<Node>> {
    let sql = "SELECT generation, boot_id, clean, power, forgotten, secret FROM node";
    let row = connection.query_row(sql, [], |row| {
        let node = Node {
            generation: row.get(0)?,
            rolled_back: false,
            forgotten: row.get::<_, i64>(4)?.cast_unsigned(),
            secret: row.get(5)?,
        };
        Ok((node, row.get::<_, String>(1)?, row.get::<_, bool>(2)?, row.get::<_, bool>(3)?))
    });
    let Some((mut node, last_boot_id, clean, power)) = row.optional()? else { return Ok(None) };
    let same_boot = boot_id.is_some_and(|id| id == last_boot_id);
    node.rolled_back = !clean && (!had_wal || !same_boot && !power);
    if node.rolled_back {
        node.generation = another(node.generation);
    }
    connection.execute(
        "UPDATE node SET generation = ?1, boot_id = ?2, clean = 0, power = ?3",
        params![node.generation, boot_id.unwrap_or_default(), durability == Durability::Power],
    )?;
    Ok(Some(node))
}

/// Marks the store as closed.
pub(super) fn end(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("UPDATE node SET clean = 1", []).map(drop)
}

/// A random generation that is neither 0 nor `before`.
fn another(before: u32) -> u32 {
    let mut random = std::iter::repeat_with(|| RandomState::new().hash_one(0) as u32);
    random.find(|generation| ![0, before].contains(generation)).unwrap_or(1)
}
