//! The program: arguments, one match on the command, an exit code.

use std::process::ExitCode;

use chaperone::cli;

#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
