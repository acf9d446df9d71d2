//! How far long work is, on a terminal, in one line that is gone afterwards.

use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Work that is over sooner needs no word.
const SILENT: Duration = Duration::from_millis(700);
/// How often a line is written.
const EVERY: Duration = Duration::from_millis(200);

/// Shows how far long work is; nothing, where nobody watches.
pub struct Meter<W: Write = io::Stderr> {
    out: Option<W>,
    done: &'static str,
    what: &'static str,
    begun: Instant,
    told: Option<Instant>,
}

impl<W: Write> Meter<W> {
    /// On a terminal, for work of which so much is `done` ("verified") of `what` ("records").
    pub fn on(out: Option<W>, done: &'static str, what: &'static str) -> Self {
        Self {
            out,
            done,
            what,
            begun: Instant::now(),
            told: None,
        }
    }

    /// So many are done, of so many.
    pub fn tell(&mut self, done: u64, of: u64) {
        let now = Instant::now();
        let is_due = match self.told {
            None => now - self.begun >= SILENT,
            Some(told) => now - told >= EVERY,
        };
        let Some(out) = self.out.as_mut().filter(|_| is_due) else {
            return;
        };
        self.told = Some(now);
        // There is nowhere else to say that this failed.
        let _unseen = write!(out, "\r{done} of {of} {} {}\u{1b}[K", self.what, self.done)
            .and_then(|()| out.flush());
    }
}

/// The line is gone before the result is shown.
impl<W: Write> Drop for Meter<W> {
    fn drop(&mut self) {
        if let (Some(out), Some(_)) = (&mut self.out, self.told) {
            let _unseen = write!(out, "\r\u{1b}[K").and_then(|()| out.flush());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_work_is_told_of_and_short_work_is_not() {
        let mut out = Vec::new();
        Meter::on(Some(&mut out), "verified", "records").tell(1, 2);
        assert_eq!(out, b"");
        let mut meter = Meter::on(Some(&mut out), "verified", "records");
        meter.begun = Instant::now().checked_sub(SILENT).unwrap();
        meter.tell(16384, 90_000);
        meter.tell(32768, 90_000);
        drop(meter);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "\r16384 of 90000 records verified\u{1b}[K\r\u{1b}[K");
    }
}
