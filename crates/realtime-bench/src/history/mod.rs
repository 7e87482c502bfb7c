//! The cases of clients that come back to topics with history.

mod comeback;
mod peak;
mod recover;
mod restart;
mod timed;
mod under_recovery;

pub(crate) use self::{
    recover::measure as recover,
    restart::{measure as restart, topics},
    under_recovery::measure as under_recovery,
};
