//! Message contracts: which types of messages a stream has, and the JSON Schema of each.
//!
//! A [`Binding`] gives the streams of a pattern their message types, each with a schema file. A [`Contract`] is the whole
//! set, compiled: it checks a payload before it is published, whichever its source. A set with one fault is refused
//! whole, and each fault names its file and its place in it ([`SchemaFault`]).
//!
//! ```
//! use realtime_contract::{Binding, Contract, SchemaFiles};
//! use realtime_ports::PayloadRules;
//! use realtime_schema::{Payload, Route};
//!
//! let schema = r#"{"type": "object", "required": ["total"], "properties": {"total": {"type": "integer", "minimum": 0}}}"#;
//! let files = SchemaFiles::parse([("order.json".parse()?, schema)])?;
//! let binding = Binding::new("topic:order:*".parse()?).with("order-updated".parse()?, "order.json".parse()?);
//! let contract = Contract::compile(vec![binding], files)?;
//!
//! let order = Route::Topic("order:123".parse()?).into();
//! let payload = Payload::from_text(r#"{"total": -1}"#.into())?;
//! let faults = contract.check(&order, &"order-updated".parse()?, &payload).expect_err("below the minimum");
//! assert_eq!(faults[0].to_string(), "payload/total: must be at least 0");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - Everything is a pure function of the bindings and the files; [`Contract::load`] alone reads files.
//! - Schemas are of draft 2020-12 or draft-07. `format` is asserted for [`ASSERTED_FORMATS`] and describes otherwise.
//! - [`generate`] makes JSON Schemas, an AsyncAPI document and types for TypeScript and Python of the same contract.
//! - [`compat`] says of each change between two contracts whom it breaks, with an example.
//! - A check is bounded by work, not by time: see [`Limits`](limits).

mod binding;
mod checker;
pub mod compat;
mod contract;
mod fault;
mod files;
mod formats;
pub mod generate;
mod graph;
pub mod limits;
mod load;
mod metered;
mod parse;
mod pattern;
mod pattern_cost;
mod schema_path;
mod unique;
mod vet;
mod walk;
mod wording;

pub use binding::{Binding, UnknownTypes};
pub use contract::Contract;
pub use fault::{SchemaFault, SchemaFaults};
pub use files::SchemaFiles;
pub use formats::ASSERTED_FORMATS;
pub use schema_path::SchemaPath;
