//! The hours of the week, as a field of squares.

use std::fmt::{self, Write};

use super::shade;
use crate::report::text::Count;

pub(in crate::report) const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const LEFT: u64 = 44;
const ABOVE: u64 = 20;
const CELL: u64 = 37;
const HIGH: u64 = 22;

/// Draws how much was asked in each hour of the week.
pub(in crate::report) fn week(out: &mut impl Write, week: &[[u64; 24]; 7]) -> fmt::Result {
    let most = week.iter().flatten().copied().max().unwrap_or(0);
    let (width, height) = (LEFT + 24 * CELL, ABOVE + 7 * HIGH);
    write!(
        out,
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"week-t week-d\">\
         <title id=\"week-t\">Calls and refusals by hour of the week</title>\
         <desc id=\"week-d\">Seven days of 24 hours; the busiest hour has {}.</desc>",
        Count(most)
    )?;
    for hour in (0..24).step_by(3) {
        let x = LEFT + hour * CELL;
        write!(out, "<text x=\"{x}\" y=\"12\">{hour:02}:00</text>")?;
    }
    for ((day, name), row) in (0..).zip(DAYS).zip(week) {
        let y = ABOVE + day * HIGH;
        let short = name.get(..3).unwrap_or(name);
        write!(out, "<text x=\"0\" y=\"{}\">{short}</text>", y + 14)?;
        for (hour, count) in (0..).zip(row) {
            let (x, shade) = (LEFT + hour * CELL, shade(*count, most));
            write!(
                out,
                "<rect class=\"h{shade}\" x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"2\">\
                 <title>{name}, {hour:02}:00: {}</title></rect>",
                CELL - 3,
                HIGH - 3,
                Count(*count)
            )?;
        }
    }
    out.write_str("</svg>")
}
