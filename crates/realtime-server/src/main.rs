//! The command line of the server. See `realtime-server --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    realtime_server::cli::main()
}
