//! The program: arguments, one match on the command, an exit code.

use std::process::ExitCode;

use chaperone::cli;

fn main() -> ExitCode {
    cli::main()
}
