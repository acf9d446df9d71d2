//! `chaperone help`: of a command, of a code, of everything that has a code, or a page of the
//! documentation.

use clap::{Args, Command, CommandFactory};

use super::Cli;
use super::console::Console;
use super::failure::{Failure, exit};
use crate::codes::Code;
use crate::pages::{PAGES, Page};
use crate::wording::wrapped;

/// What lists all codes.
const ALL: &str = "codes";
/// How wide an explanation is, on a terminal of the usual width.
const WIDTH: usize = 78;

/// Explain a command, or the code of an error, or show a page of the documentation.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chaperone help audit verify\n  chaperone help CHP-NOT-SIGNED-IN\n  chaperone help codes\n  chaperone help troubleshooting"
)]
pub struct HelpArgs {
    /// A command, a code such as CHP-NOT-SIGNED-IN, `codes` for the list of them, or a page: developer,
    /// administrator, auditor, providers, threats, troubleshooting.
    topic: Vec<String>,
}

/// Explains.
pub fn run(args: &HelpArgs, console: &mut Console) -> Result<u8, Failure> {
    let topic: Vec<&str> = args.topic.iter().map(String::as_str).collect();
    let text = match topic[..] {
        [] => format!("{}\n{}", of_command(&topic)?.trim_end(), pages()),
        [ALL] => list(),
        [word] => match (Page::find(word), Code::parse(word)) {
            (Some(page), _) => page.plain(WIDTH),
            (None, Some(code)) => of(code),
            (None, None) => of_command(&topic)?,
        },
        _ => of_command(&topic)?,
    };
    console.say(&text)?;
    Ok(exit::DONE)
}

/// The pages, each with the command that shows it.
fn pages() -> String {
    let line = |page: &Page| format!("\n  chaperone help {:<17}{}", page.name, page.about);
    let lines: Vec<String> = PAGES.iter().map(line).collect();
    format!("\nPages of the documentation:{}", lines.concat())
}

fn list() -> String {
    let line = |code: &Code| format!("{:<26}  {}", code.as_str(), code.explanation().happened);
    let lines: Vec<String> = Code::ALL.iter().map(line).collect();
    lines.join("\n")
}

fn of(code: Code) -> String {
    let told = code.explanation();
    let parts = [
        code.as_str().to_owned(),
        wrapped(told.happened, WIDTH, ""),
        wrapped(&format!("Why: {}", told.why), WIDTH, ""),
        wrapped(&format!("What to do: {}", told.next), WIDTH, ""),
        format!("Exit code of a command that ends so: {}", code.exit()),
    ];
    parts.join("\n\n")
}

fn of_command(path: &[&str]) -> Result<String, Failure> {
    let mut all = Cli::command();
    // Names, options of every command and usage lines are put together by this.
    all.build();
    let mut command: &mut Command = &mut all;
    for word in path {
        command = command.find_subcommand_mut(word).ok_or_else(|| {
            let text = format!(
                "there is no command, no code and no page {word:?}; `chaperone help` lists commands and \
                 pages, `chaperone help codes` the codes"
            );
            Failure::new(Code::Usage, text)
        })?;
    }
    Ok(command.render_long_help().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The commands that can be given, each by its words.
    fn commands(under: &Command, path: &str, all: &mut Vec<(String, String)>) {
        for command in under.get_subcommands() {
            let path = format!("{path} {}", command.get_name());
            let shown = command.clone().render_long_help().to_string();
            all.push((path.clone(), shown));
            commands(command, &path, all);
        }
    }

    #[test]
    fn every_command_shows_an_example() {
        let (mut built, mut all) = (Cli::command(), Vec::new());
        built.build();
        commands(&built, "chaperone", &mut all);
        let lacks = |(path, shown): &(String, String)| {
            let examples = shown.split_once("\nExample").map_or("", |(_, rest)| rest);
            !examples.contains(path.as_str())
        };
        let lacking = all.iter().filter(|command| lacks(command));
        let lacking: Vec<_> = lacking.map(|(path, _)| path).collect();
        assert!(lacking.is_empty(), "{lacking:?}");
    }
}
