//! The checks, in the order in which they run: the quick ones first.

mod clippy_parity;
mod closure;
mod generated;
mod layers;
mod tidy;
mod tools;

pub(crate) use generated::{write_config_docs, write_schemas};

use crate::report::Check;

/// Every check.
pub(crate) const ALL: &[Check] = &[
    layers::CHECK,
    closure::PURITY,
    closure::BACKENDS,
    clippy_parity::CHECK,
    tidy::CHECK,
    generated::SCHEMAS,
    generated::OPENAPI,
    tools::DENY,
    tools::UNUSED,
    tools::FMT,
    tools::CLIPPY,
    tools::RUSTDOC,
    generated::CONFIG_DOCS,
    tools::FEATURES,
];
