//! How long tools take: from the median to what 95 of 100 calls do not exceed, on a logarithmic axis.

use std::fmt::{self, Write};

use super::{Tenths, scaled};
use crate::audit::stats::{Durations, Use};
use crate::report::text::{Html, Took, short};

const LEFT: u64 = 250;
const WIDTH: u64 = 670;
const ROW: u64 = 28;
const BELOW: u64 = 28;
/// Steps of the logarithm between a power of two and the next.
const BITS: u64 = 64;

/// Draws one line for each tool.
pub(in crate::report) fn spread(out: &mut impl Write, tools: &[&Use]) -> fmt::Result {
    let axis = Axis::of(tools);
    let rows = u64::try_from(tools.len()).unwrap_or(0);
    let (width, height) = (LEFT + WIDTH + 24, rows * ROW + BELOW);
    write!(
        out,
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"took-t took-d\">\
         <title id=\"took-t\">How long tools take</title>\
         <desc id=\"took-d\">Median and 95th percentile of {rows} tools, on a logarithmic axis; the \
         table below has the numbers.</desc>"
    )?;
    axis.write(out, rows * ROW)?;
    for (place, tool) in (0..).zip(tools) {
        line(out, tool, place * ROW + ROW / 2, axis)?;
    }
    out.write_str("</svg>")
}

/// From a power of ten to another.
#[derive(Debug, Clone, Copy)]
struct Axis {
    start: u64,
    end: u64,
}

impl Axis {
    fn of(tools: &[&Use]) -> Self {
        let durations = || tools.iter().map(|tool| &tool.tally.durations);
        let shortest = durations().filter_map(Durations::median).min().unwrap_or(1);
        let longest = durations().filter_map(Durations::p95).max().unwrap_or(1);
        let mut start = 1_u64;
        while start.saturating_mul(10) <= shortest {
            start = start.saturating_mul(10);
        }
        let mut end = start.saturating_mul(10);
        while end < longest {
            end = end.saturating_mul(10);
        }
        Self { start, end }
    }

    fn write(self, out: &mut impl Write, bottom: u64) -> fmt::Result {
        let mut mark = self.start;
        while mark <= self.end {
            let x = self.place(mark);
            write!(
                out,
                "<line class=\"grid\" x1=\"{x}\" x2=\"{x}\" y1=\"0\" y2=\"{bottom}\"/>\
                 <text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                bottom + 18,
                Took(Some(mark))
            )?;
            match mark.checked_mul(10) {
                Some(next) => mark = next,
                None => break,
            }
        }
        Ok(())
    }

    /// Where a duration lies; one from beyond lies at the end.
    fn place(self, millis: u64) -> Tenths {
        let begin = logarithm(self.start);
        let whole = logarithm(self.end).saturating_sub(begin);
        let part = logarithm(millis).saturating_sub(begin).min(whole);
        Tenths(LEFT * 10 + scaled(WIDTH, part, whole).0)
    }
}

fn line(out: &mut impl Write, tool: &Use, y: u64, axis: Axis) -> fmt::Result {
    let name = match &tool.tool {
        Some(name) => format!("{} {name}", tool.server),
        None => tool.server.to_string(),
    };
    let durations = &tool.tally.durations;
    let (median, p95) = (durations.median(), durations.p95());
    let (from, to) = (
        axis.place(median.unwrap_or(1)),
        axis.place(p95.unwrap_or(1)),
    );
    let name = short(&name, 38);
    write!(
        out,
        "<g><title>{}: median {}, 95 of 100 within {}</title>\
         <text class=\"name\" x=\"0\" y=\"{}\">{}</text>\
         <line class=\"spread\" x1=\"{from}\" x2=\"{to}\" y1=\"{y}\" y2=\"{y}\"/>\
         <circle class=\"p95\" cx=\"{to}\" cy=\"{y}\" r=\"5\"/>\
         <circle class=\"median\" cx=\"{from}\" cy=\"{y}\" r=\"5\"/></g>",
        Html(&name),
        Took(median),
        Took(p95),
        y + 4,
        Html(&name)
    )
}

/// The logarithm to the base two in steps of 1/64, straight between powers: nobody sees the
/// difference, and whole numbers draw the same picture on every machine.
fn logarithm(millis: u64) -> u64 {
    let millis = millis.max(1);
    let whole = u64::from(millis.ilog2());
    let rest = (u128::from(millis) * u128::from(BITS)) >> whole;
    whole * BITS + u64::try_from(rest).unwrap_or(BITS).saturating_sub(BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_lies_further_right_and_inside() {
        let axis = Axis {
            start: 10,
            end: 1000,
        };
        let places = [0, 10, 30, 100, 101, 900, 1000, u64::MAX].map(|millis| axis.place(millis));
        assert!(places.is_sorted());
        assert_eq!((places[0].0, places[1].0), (LEFT * 10, LEFT * 10));
        assert_eq!(
            (places[6].0, places[7].0),
            ((LEFT + WIDTH) * 10, (LEFT + WIDTH) * 10)
        );
    }
}
