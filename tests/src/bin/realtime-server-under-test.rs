//! The server as a process that a story may kill: the same as the binary `realtime-server`.

use std::process::ExitCode;

fn main() -> ExitCode {
    realtime_server::cli::main()
}
