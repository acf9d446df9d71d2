//! The terminal: results on standard output, the rest on standard error.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use super::failure::Failure;
use crate::wording::terminal_safe;

/// Where a command prints.
pub struct Console {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    colour: bool,
}

/// The text with everything escaped that a terminal would act on, except for the ends of lines.
pub fn lines_safe(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(terminal_safe).collect();
    lines.join("\n")
}

impl Console {
    /// The process' own.
    pub fn of_system() -> Self {
        Self {
            colour: io::stdout().is_terminal(),
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
        }
    }

    /// Whether colours are wanted.
    pub fn colour(&self) -> bool {
        self.colour
    }

    /// Where results go.
    pub fn out(&mut self) -> &mut dyn Write {
        &mut *self.out
    }

    /// Prints text that ends with a line break or gets one. A reader that went away, as `head`
    /// does, has read what it wanted: that is no failure.
    pub fn say(&mut self, text: &str) -> Result<(), Failure> {
        let end = if text.ends_with('\n') { "" } else { "\n" };
        match write!(self.out, "{text}{end}").and_then(|()| self.out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::failed(&error)),
            Err(_) | Ok(()) => Ok(()),
        }
    }

    /// Prints one line of JSON.
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let line = serde_json::to_string(value).map_err(|error| Failure::failed(&error))?;
        self.say(&line)
    }

    /// Tells something beside the result.
    pub fn note(&mut self, text: &str) {
        // There is nowhere else to say that this failed.
        let _unheard = writeln!(self.err, "{text}");
    }

    /// Tells why there is no result; returns the exit code.
    pub fn fail(&mut self, failure: &Failure) -> u8 {
        if !failure.text.is_empty() {
            self.note(&format!("chaperone: {}", lines_safe(&failure.text)));
        }
        failure.code
    }
}
