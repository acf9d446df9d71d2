//! The terminal: results on standard output, the rest on standard error.

use std::io::{self, BufRead, BufReader, IsTerminal, Write};

use serde::Serialize;

use super::failure::Failure;
use super::meter::Meter;
use crate::codes::Code;
use crate::config;
use crate::wording::terminal_safe;

/// Where a command prints.
pub struct Console {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    input: Box<dyn BufRead>,
    colour: bool,
    can_ask: bool,
    shows_progress: bool,
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
            colour: io::stdout().is_terminal() && !config::is_colour_unwanted(),
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            input: Box::new(BufReader::new(io::stdin())),
            can_ask: io::stdin().is_terminal() && io::stderr().is_terminal(),
            shows_progress: true,
        }
    }

    /// One that is answered with `said`, and what it has printed anywhere.
    #[cfg(test)]
    pub fn of_test(said: &'static str) -> (Self, Printed) {
        let printed = Printed::default();
        let console = Self {
            out: Box::new(printed.clone()),
            err: Box::new(printed.clone()),
            input: Box::new(said.as_bytes()),
            colour: false,
            can_ask: true,
            shows_progress: true,
        };
        (console, printed)
    }

    /// Whatever counts up while long work goes on is not wanted.
    pub fn hide_progress(&mut self) {
        self.shows_progress = false;
    }

    /// Whether it is told how far long work is.
    pub fn shows_progress(&self) -> bool {
        self.shows_progress
    }

    /// Shows how far work is of which so much is `done` ("verified") of `what` ("records").
    pub fn meter(&self, done: &'static str, what: &'static str) -> Meter {
        let err = io::stderr();
        let is_watched = self.shows_progress && err.is_terminal();
        Meter::on(is_watched.then_some(err), done, what)
    }

    /// Whether a person sits there who can be asked.
    pub fn can_ask(&self) -> bool {
        self.can_ask
    }

    /// Asks for a line of text; `None` at the end of the input.
    pub fn ask(&mut self, question: &str) -> Result<Option<String>, Failure> {
        let asked = write!(self.err, "{question} ").and_then(|()| self.err.flush());
        asked.map_err(|error| Failure::of(Code::Output, &error))?;
        let mut line = String::new();
        let read = self.input.read_line(&mut line);
        match read.map_err(|error| Failure::of(Code::Input, &error))? {
            0 => Ok(None),
            _ => Ok(Some(line.trim().to_owned())),
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
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::of(Code::Output, &error))
            }
            Err(_) | Ok(()) => Ok(()),
        }
    }

    /// Prints one line of JSON.
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let line =
            serde_json::to_string(value).map_err(|error| Failure::of(Code::Output, &error))?;
        self.say(&line)
    }

    /// Tells something beside the result.
    pub fn note(&mut self, text: &str) {
        // There is nowhere else to say that this failed.
        let _unheard = writeln!(self.err, "{text}");
    }

    /// Tells why there is no result; returns the exit code.
    pub fn fail(&mut self, failure: &Failure) -> u8 {
        if !failure.text().is_empty() {
            let (text, code) = (lines_safe(failure.text()), failure.code());
            self.note(&format!("chaperone: {text}\n{code}: chaperone help {code}"));
        }
        failure.exit()
    }
}

/// What a test's console has printed.
#[cfg(test)]
#[derive(Debug, Clone, Default)]
pub struct Printed(std::rc::Rc<std::cell::RefCell<Vec<u8>>>);

#[cfg(test)]
impl Printed {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.borrow()).into_owned()
    }
}

#[cfg(test)]
impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
