//! Cases whose instructions are counted.
//!
//! `cargo xtask instructions` runs each case under valgrind and compares it with the `baseline.toml` of its crate. When run
//! directly, every case runs once and nothing is counted.
//!
//! Only the calls of [`measured`] are counted: callgrind collects inside that function only, so that preparing a case costs
//! nothing.

use std::{hint::black_box, process::ExitCode};

/// One measurement.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// The unit by which its instructions are divided.
    pub(crate) unit: &'static str,
    /// Prepares the case, runs its work in [`measured`], and returns the number of units.
    pub(crate) run: fn() -> usize,
}

/// How often the work of most cases is run.
pub(crate) const ROUNDS: usize = 100;

/// With the name of a case, runs it and prints the number of units; with `--list`, prints one `name unit` per line;
/// without an argument, runs each case once.
pub(crate) fn main(cases: &[Case]) -> ExitCode {
    let argument = std::env::args().nth(1).filter(|argument| argument != "--bench");
    match argument.as_deref() {
        None => cases.iter().for_each(|case| _ = (case.run)()),
        Some("--list") => cases.iter().for_each(|case| println!("{} {}", case.name, case.unit)),
        Some(name) => match cases.iter().find(|case| case.name == name) {
            Some(case) => println!("{}", (case.run)()),
            None => {
                eprintln!("unknown case `{name}`; --list prints all cases");
                return ExitCode::FAILURE;
            }
        },
    }
    ExitCode::SUCCESS
}

/// The only function whose instructions are counted, its callees included. `cargo xtask instructions` uses its name.
#[inline(never)]
pub(crate) fn measured(work: &mut dyn FnMut()) {
    work();
    black_box(());
}
