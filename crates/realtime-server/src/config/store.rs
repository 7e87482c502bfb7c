//! `[store]`: the durable store.

use std::path::{Path, PathBuf};

use realtime_adapters::store::{self, SqliteLogStore};
use realtime_ports::StoreError;
use realtime_service::Settings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{duration::Span, problems::Problems, secret::base};

/// Where histories, idempotency keys, revocations and the topics of users are kept over a restart. Without `store.dir`
/// they are in memory alone.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// The directory of the store, for this server alone; it is created if it is missing. Messages are in it as they
    /// were sent: only the server's user should be able to read it. What is kept is also in memory, so the limits under
    /// `[history]` bound both.
    #[schemars(with = "Option<String>")]
    pub dir: Option<PathBuf>,
    /// What a message survives once it is delivered: `process`, the end of the server, however sudden; after a power
    /// loss the last messages may be missing, and each stream has a `gap`. `power`, a power loss too: each batch of
    /// messages waits for the disk (one `fsync`), which takes milliseconds.
    pub durability: Durability,
    /// How long a publication waits until it is stored. After that it fails with `unavailable`, and may still be stored
    /// and published: a retry with the same idempotency key publishes once. While the disk does not respond, later ones
    /// fail at once, and `/readyz` responds 503. Should be less than `api.timeout`.
    pub commit_timeout: Span,
}

impl Default for StoreConfig {
    fn default() -> Self {
        let commit_timeout = Settings::default().store.commit_timeout.into();
        Self { dir: None, durability: Durability::default(), commit_timeout }
    }
}

/// What a message survives once it is delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// The end of the server.
    #[default]
    Process,
    /// A power loss too.
    Power,
}

impl StoreConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        match self.dir.as_deref() {
            Some(dir) if dir == Path::new("") => {
                problems.add("store.dir", "is empty: name a directory, or leave it out to keep nothing over a restart");
            }
            Some(dir) if dir.exists() && !dir.is_dir() => {
                problems.add("store.dir", format!("{}{} is not a directory", dir.display(), base(dir)));
            }
            _ => {}
        }
        problems.waits(&[("store.commit_timeout", self.commit_timeout)]);
    }

    pub(super) fn apply(&self, settings: &mut Settings) {
        settings.store.commit_timeout = self.commit_timeout.0;
    }

    pub(super) fn warn(&self, warnings: &mut Problems) {
        if self.dir.is_none() && self.durability != Durability::Process {
            warnings.add("store.durability", "has no effect without store.dir");
        }
    }

    /// Opens the store, if there is to be one. Blocks.
    pub(crate) fn open(&self) -> Result<Option<SqliteLogStore>, StoreError> {
        let Some(dir) = &self.dir else { return Ok(None) };
        let durability = match self.durability {
            Durability::Process => store::Durability::Process,
            Durability::Power => store::Durability::Power,
        };
        SqliteLogStore::open(store::StoreConfig::new(dir).with_durability(durability)).map(Some)
    }

    /// Moves the store aside, so that the server begins an empty one, and returns its new path. Blocks.
    pub(crate) fn reset(&self) -> Result<Option<PathBuf>, StoreError> {
        self.dir.as_deref().map_or(Ok(None), store::move_aside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::problems::Problem;

    fn check(dir: &Path) -> Vec<Problem> {
        let mut problems = Problems::default();
        StoreConfig { dir: Some(dir.into()), ..StoreConfig::default() }.check(&mut problems);
        problems.into_list()
    }

    #[test]
    fn a_directory_that_cannot_be_one_is_found_without_serving() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(check(folder.path()), [], "one that is there");
        assert_eq!(check(&folder.path().join("new")), [], "one that is made at the start");
        assert!(!folder.path().join("new").exists(), "a check makes nothing");
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("written");
        for (dir, said) in [(file.as_path(), "is not a directory"), (Path::new(""), "is empty: name a directory")] {
            let found = check(dir);
            assert!(found.len() == 1 && found[0].key == "store.dir" && found[0].what.contains(said), "{found:?}");
        }
    }

    #[test]
    fn a_durability_without_a_directory_is_warned_of() {
        let mut warnings = Problems::default();
        StoreConfig { durability: Durability::Power, ..StoreConfig::default() }.warn(&mut warnings);
        let warnings = warnings.into_list();
        assert!(warnings.len() == 1 && warnings[0].what.contains("without store.dir"), "{warnings:?}");
    }
}
