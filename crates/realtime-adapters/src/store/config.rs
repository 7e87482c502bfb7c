//! Where a store is, and what it survives.

use std::path::PathBuf;

use super::boot;

/// What a committed batch survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The end of this process, however sudden. After a power loss or a crash of the kernel the latest batches may be
    /// missing; the store notices that and changes its generation.
    #[default]
    Process,
    /// A power loss too: each batch is written through to the disk (one `fsync`) before it counts.
    Power,
}

/// Where a store is, and what it survives.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    pub(super) dir: PathBuf,
    pub(super) durability: Durability,
    pub(super) boot_id: Option<String>,
}

impl StoreConfig {
    /// A store in the directory `dir`, which is created if it is missing. It survives the end of the process.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), durability: Durability::default(), boot_id: boot::id() }
    }

    /// The same, with another durability.
    #[must_use]
    pub fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// The same, as if the kernel had been started with this id; `None`: it has none. For tests of a power loss.
    #[must_use]
    pub fn with_boot_id(mut self, id: Option<&str>) -> Self {
        self.boot_id = id.map(str::to_owned);
        self
    }
}
