//! Whether one schema accepts all that another one does.

use super::{canonical, change::Example, proof, witness};
use crate::{checker::Checker, contract::Contract, schema_path::SchemaPath};

/// The schema of one side.
#[derive(Clone, Copy)]
pub(crate) struct Side<'c> {
    pub(crate) contract: &'c Contract,
    pub(crate) path: &'c SchemaPath,
}

impl Side<'_> {
    pub(crate) fn checker(&self) -> &Checker {
        self.contract.checker(self.path)
    }
}

/// The answer.
#[derive(Debug)]
pub(crate) enum Coverage {
    /// Proven.
    Yes,
    /// Something is not accepted.
    No(Example),
    /// Undecided, and why.
    Unknown(String),
}

/// Whether `wide` accepts every payload that `narrow` does. An example decides first, since it can't be wrong; then the
/// proof of this crate; then the library's.
pub(crate) fn covers(wide: Side<'_>, narrow: Side<'_>) -> Coverage {
    if let Some(example) = witness::against(wide, narrow) {
        return Coverage::No(Example::Payload(example));
    }
    if proof::covers(wide, narrow) {
        return Coverage::Yes;
    }
    canonical::covers(wide, narrow)
}
