//! The checks, in the order in which they run: the quick ones first.

mod advisories;
mod clippy_parity;
mod deny_parity;
mod features;
mod generated;
mod layers;
mod licences;
mod purity;
mod tidy;
mod tools;
mod trees;

pub(crate) use generated::{write_config_docs, write_schemas};

use crate::report::Check;

/// Every check.
pub(crate) const ALL: &[Check] = &[
    layers::CHECK,
    deny_parity::CHECK,
    purity::CHECK,
    clippy_parity::CHECK,
    trees::NO_RUNTIME,
    trees::BACKENDS,
    tidy::CHECK,
    licences::CHECK,
    advisories::CHECK,
    generated::SCHEMAS,
    generated::SCHEMA_DOCS,
    generated::OPENAPI,
    tools::FMT,
    tools::CLIPPY,
    tools::RUSTDOC,
    generated::CONFIG_DOCS,
    features::CHECK,
];
