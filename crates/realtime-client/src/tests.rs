//! The machine against the scenario files that every client shares, and against random schedules of a model server.

mod acts;
mod clock;
mod loads;
mod log;
mod model;
mod oracle;
mod pattern;
mod random;
mod runner;
mod scenarios;
mod scene;
mod schedules;
mod server;
mod sockets;
mod subject;
mod whole;
mod wire;
mod world;
