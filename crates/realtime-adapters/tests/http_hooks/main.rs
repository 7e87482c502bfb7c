//! Hooks over HTTP, with a backend as each test scripts it.
#![cfg(feature = "http-hooks")]

mod backend;
mod faults;
mod requests;
