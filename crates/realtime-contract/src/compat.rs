//! What a change of a contract breaks, and for whom.
//!
//! A stream has two sides. *Readers*: messages of the new contract reach clients that know the old one. *Writers*:
//! messages of publishers that know the old contract reach a server with the new one. A change is safe for readers if the
//! old schema accepts all that the new one does, and safe for writers if it is the other way round.
//!
//! A verdict is never a guess. A break has an example that was checked with both schemas, or the schema of what is lost;
//! that there is none is proven; everything else is "can't tell".

mod apart;
mod canonical;
mod change;
mod covers;
mod open_fields;
mod proof;
mod same;
mod witness;

pub use change::{Change, Effect, Evolve, Example, compare};

#[cfg(test)]
mod tests;
