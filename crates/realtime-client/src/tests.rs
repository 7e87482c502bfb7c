//! The machine against the scenario files that every client shares, and against random schedules of a model server.

mod acts;
mod clock;
mod log;
mod model;
mod oracle;
mod pattern;
mod random;
mod runner;
mod scenarios;
mod schedules;
mod subject;
mod world;
