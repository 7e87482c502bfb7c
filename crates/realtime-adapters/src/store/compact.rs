//! Writing rows again without what is no longer needed.

use realtime_ports::StoreError;

use super::{
    codec::{self, Writer},
    database::Database,
    error::damaged,
    index::Index,
    ledger::Row,
};

/// Bytes of rows that one step reads.
const STEP_BYTES: u64 = 1 << 20;
/// Rows that one step looks at.
const STEP_ROWS: usize = 2_000;
/// Rows that one transaction deletes.
pub(super) const DELETE_ROWS: usize = 1_000;
/// A written row ends here, in bytes.
const ROW_BYTES: usize = 256 << 10;
/// Rows up to this size are joined with their neighbours, in bytes.
const SMALL_ROW: u32 = 4 << 10;
/// Dead bytes that never matter.
const SLACK: u64 = 1 << 20;
/// Dead bytes beyond the needed ones that are accepted while batches wait.
const PRESSING_SLACK: u64 = 32 << 20;
/// As many rows never matter.
const ROWS_SLACK: usize = 4_096;

/// Goes through the rows in a circle.
#[derive(Debug, Default)]
pub(super) struct Compactor {
    next: u64,
    /// Whether the present round has written anything, and the one before.
    useful: bool,
    was_useless: bool,
}

impl Compactor {
    /// A batch was committed: a new round may find something.
    pub(super) fn renew(&mut self) {
        self.was_useless = false;
    }

    /// Whether a step is worth it while no batch waits.
    pub(super) fn is_due(&self, index: &Index) -> bool {
        let (live, size) = index.ledger.bytes();
        let dead = size - live;
        let rows = index.ledger.rows();
        let many_rows = rows > ROWS_SLACK && live / (rows as u64) < u64::from(SMALL_ROW) / 4;
        !self.was_useless && (dead > SLACK + live / 3 || many_rows)
    }

    /// Whether a step can't wait any longer.
    pub(super) fn is_pressing(&self, index: &Index) -> bool {
        let (live, size) = index.ledger.bytes();
        !self.was_useless && size - live > PRESSING_SLACK + live
    }

    /// Does a bounded piece of a round.
    pub(super) fn step(&mut self, index: &mut Index, database: &mut Database) -> Result<(), StoreError> {
        // A dead row between two that are joined would come after what replaced its records.
        let dead = index.ledger.take_dead(usize::MAX);
        if let Err(error) = database.remove(&dead) {
            index.ledger.still_dead(dead);
            return Err(error);
        }
        let (mut group, mut bytes, mut seen) = (Group::default(), 0, 0);
        let mut groups = Vec::new();
        let mut end = None;
        for (number, row) in index.ledger.rows_from(self.next) {
            if bytes >= STEP_BYTES || seen >= STEP_ROWS {
                end = Some(number);
                break;
            }
            seen += 1;
            if !is_worth_it(row) {
                groups.push(std::mem::take(&mut group));
                continue;
            }
            if group.live + row.live as usize > ROW_BYTES {
                groups.push(std::mem::take(&mut group));
            }
            bytes += u64::from(row.size);
            group.rows.push(number);
            group.live += row.live as usize;
            group.dead += u64::from(row.dead());
        }
        groups.push(group);
        for group in groups.into_iter().filter(Group::is_worth_it) {
            rewrite(&group.rows, index, database)?;
            self.useful = true;
        }
        self.next = end.unwrap_or_default();
        if end.is_none() {
            self.was_useless = !std::mem::take(&mut self.useful);
        }
        Ok(())
    }
}

/// Neighbours that become one row.
#[derive(Debug, Default)]
struct Group {
    rows: Vec<u64>,
    live: usize,
    dead: u64,
}

impl Group {
    /// One row alone must have something dead; more than one are at least joined.
    fn is_worth_it(&self) -> bool {
        self.rows.len() > 1 || self.dead > u64::from(SMALL_ROW)
    }
}

/// A fifth is dead, or it is small.
fn is_worth_it(row: Row) -> bool {
    row.dead() >= row.size / 5 || row.size <= SMALL_ROW
}

/// Writes what is needed of `rows`, neighbours, into the first of them.
fn rewrite(rows: &[u64], index: &mut Index, database: &mut Database) -> Result<(), StoreError> {
    let [into, ..] = rows else { return Ok(()) };
    let mut writer = Writer::with_capacity(ROW_BYTES);
    for row in rows {
        let data = database.read(*row)?;
        let garbled = |error| damaged(database.path(), &format!("batch {row}: {error}"));
        codec::check(&data).map_err(garbled)?;
        for record in codec::records(&data) {
            let (record, _) = record.map_err(garbled)?;
            if index.needs(*row, &record) {
                writer.push(&record);
            }
        }
    }
    let data = writer.finish();
    database.replace(rows, *into, &data)?;
    index.moved(rows, *into, data.len(), codec::records(&data).filter_map(Result::ok));
    Ok(())
}
