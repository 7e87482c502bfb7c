//! The suites that every adapter of a port must pass: ours, and yours.

pub mod verifier;
