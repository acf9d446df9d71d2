//! A check in words: a line that begins with the state's, and what to do below it.

use super::{Check, State};
use crate::wording::{terminal_safe, wrapped};

/// How wide a line is.
const WIDTH: usize = 80;
/// Room for the longest word of a state, and two blanks.
const WORD: usize = 9;

/// The check in lines for a terminal. Colour only repeats what the first word says.
#[must_use]
pub fn line(check: &Check, colour: bool) -> String {
    let Check {
        id,
        state,
        detail,
        fix,
        code,
        ..
    } = check;
    let safe: Vec<_> = detail.lines().map(terminal_safe).collect();
    let indent = " ".repeat(WORD);
    let told = format!("{id}: {}", safe.join("\n"));
    let mut text = wrapped(&told, WIDTH - WORD, "").replace('\n', &format!("\n{indent}"));
    if let Some(fix) = fix {
        let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
        let told = format!("Fix: {}{code}", terminal_safe(fix));
        let told = wrapped(&told, WIDTH - WORD - 2, "  ").replace('\n', &format!("\n{indent}  "));
        text = format!("{text}\n{indent}  {told}");
    }
    let word = format!("{:<WORD$}", state.as_str());
    format!("{}{text}", coloured(*state, &word, colour))
}

fn coloured(state: State, word: &str, colour: bool) -> String {
    let number = match state {
        State::Skipped | State::Note => 36,
        State::Ok => 32,
        State::Warning => 33,
        State::Failed => 31,
    };
    if colour {
        format!("\u{1b}[{number}m{word}\u{1b}[0m")
    } else {
        word.to_owned()
    }
}
