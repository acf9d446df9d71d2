//! `chaperone completions` and `chaperone man`, and what is said to wrong use.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use super::console::Console;
use super::failure::{Failure, exit};
use crate::codes::Code;

/// Print completions for a shell.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chaperone completions bash > ~/.local/share/bash-completion/completions/chaperone"
)]
pub struct CompletionsArgs {
    /// Which shell.
    shell: Shell,
}

/// Prints completions.
pub fn completions(args: &CompletionsArgs, console: &mut Console) -> Result<u8, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "chaperone", &mut text);
    print(&text, console)
}

/// Prints the manual page.
pub fn man(console: &mut Console) -> Result<u8, Failure> {
    let mut text = Vec::new();
    let page = clap_mangen::Man::new(Cli::command());
    page.render(&mut text)
        .map_err(|error| Failure::of(Code::Output, &error))?;
    print(&text, console)
}

fn print(text: &[u8], console: &mut Console) -> Result<u8, Failure> {
    console.say(&String::from_utf8_lossy(text))?;
    Ok(exit::DONE)
}

/// Help and version go to standard output, mistakes to standard error.
pub fn usage(error: &clap::Error, console: &mut Console) -> ExitCode {
    // There is nowhere else to say that this failed.
    let _unheard = error.print();
    if !error.use_stderr() {
        return ExitCode::from(exit::DONE);
    }
    let code = Code::Usage;
    console.note(&format!("{code}: chaperone help {code}"));
    ExitCode::from(code.exit())
}
