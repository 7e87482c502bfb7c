//! The rows of the file, and how much of each is still needed.

use std::collections::BTreeMap;

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) row: u64,
    pub(super) bytes: u32,
}

/// A row of the file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Row {
    /// Needed records.
    records: u32,
    /// Bytes of these.
    pub(super) live: u32,
    /// Bytes of all.
    pub(super) size: u32,
}

impl Row {
    /// Bytes that are no longer needed.
    pub(super) fn dead(self) -> u32 {
        self.size.saturating_sub(self.live)
    }
}

/// The rows that have a needed record, and those to delete.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    rows: BTreeMap<u64, Row>,
    dead: Vec<u64>,
    /// The row that records are added to. It is not among `rows` yet.
    open: Option<(u64, Row)>,
    /// Records of one row that are not needed any more, and are not counted yet: they often come one after the other.
    released: Option<(u64, Row)>,
    live: u64,
    size: u64,
    next: u64,
}

impl Ledger {
    /// Begins a row of `size` bytes.
    pub(super) fn begin(&mut self, row: u64, size: usize) {
        self.settle();
        self.next = self.next.max(row + 1);
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        self.size += u64::from(size);
        self.open = Some((row, Row { records: 0, live: 0, size }));
    }

    /// Ends the row that was begun, and counts everything. A row without a needed record is dead at once.
    pub(super) fn settle(&mut self) {
        if let Some((number, row)) = self.open.take() {
            self.rows.insert(number, row);
            self.bury(number);
        }
        self.count_released();
    }

    /// A record of the row that was begun is needed.
    pub(super) fn hold(&mut self, place: Place) {
        if let Some((number, row)) = &mut self.open
            && *number == place.row
        {
            row.records += 1;
            row.live += place.bytes;
            self.live += u64::from(place.bytes);
        }
    }

    /// A record is no longer needed. Followed by [`Self::settle`] at some time.
    pub(super) fn release(&mut self, place: Place) {
        self.live -= u64::from(place.bytes);
        if let Some((number, row)) = &mut self.open
            && *number == place.row
        {
            row.records -= 1;
            row.live -= place.bytes;
            return;
        }
        if self.released.is_some_and(|(number, _)| number != place.row) {
            self.count_released();
        }
        let (_, released) = self.released.get_or_insert((place.row, Row::default()));
        released.records += 1;
        released.live += place.bytes;
    }

    fn count_released(&mut self) {
        let Some((number, released)) = self.released.take() else { return };
        if let Some(row) = self.rows.get_mut(&number) {
            row.records -= released.records;
            row.live -= released.live;
            self.bury(number);
        }
    }

    fn bury(&mut self, number: u64) {
        if self.rows.get(&number).is_some_and(|row| row.records == 0) {
            let row = self.rows.remove(&number).unwrap_or_default();
            self.size -= u64::from(row.size);
            self.dead.push(number);
        }
    }

    /// Drops rows whose needed records are about to be held elsewhere.
    pub(super) fn drop_rows(&mut self, rows: &[u64]) {
        self.settle();
        for row in rows.iter().filter_map(|row| self.rows.remove(row)) {
            self.size -= u64::from(row.size);
            self.live -= u64::from(row.live);
        }
    }

    /// Takes up to `max` rows to delete.
    pub(super) fn take_dead(&mut self, max: usize) -> Vec<u64> {
        self.dead.split_off(self.dead.len().saturating_sub(max))
    }

    /// Takes `rows` back that could not be deleted.
    pub(super) fn still_dead(&mut self, rows: Vec<u64>) {
        self.dead.extend(rows);
    }

    /// How many rows wait to be deleted.
    pub(super) fn dead(&self) -> usize {
        self.dead.len()
    }

    /// The rows from number `first` on.
    pub(super) fn rows_from(&self, first: u64) -> impl Iterator<Item = (u64, Row)> {
        self.rows.range(first..).map(|(number, row)| (*number, *row))
    }

    /// Whether a row has a needed record.
    pub(super) fn contains(&self, row: u64) -> bool {
        self.rows.contains_key(&row)
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Bytes of the needed records, and of all rows.
    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.live, self.size)
    }

    /// The number of the next row.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The rows with their needed records and bytes.
    #[cfg(test)]
    pub(super) fn list(&self) -> Vec<(u64, u32, u32, u32)> {
        self.rows.iter().map(|(number, row)| (*number, row.records, row.live, row.size)).collect()
    }
}
