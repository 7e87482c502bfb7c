//! One client as a pure state machine: [`step`] takes an event, changes the state, and returns effects.
//!
//! No clock, no socket, no randomness, no task: they come with the event. Everything from outside carries the number of
//! its attempt, request or timer; what is stale is dropped in one place, `step.rs`. The files have the names of the
//! TypeScript machine (`clients/typescript/src/machine`), and do the same; the scenarios of `tests/scenarios` run on both.

mod closing;
mod commands;
mod connection;
mod events;
mod loads;
mod out;
mod recovery;
mod session;
mod state;
mod step;
mod subscriptions;
mod timers;
mod token;
mod types;
mod wanted;

pub use events::{Effect, Event};
pub use session::Session;
pub use state::State;
#[cfg(test)]
pub(crate) use state::SubPhase;
pub(crate) use state::failure;
pub use step::{deliverable, step};
pub use types::{
    Command, ConnectionPhase, ConnectionState, Emission, Failure, Gap, LoadReason, Message, Options, Position, Reason,
    ReasonCode, SubscriptionStatus, Timer, TokenReason,
};
