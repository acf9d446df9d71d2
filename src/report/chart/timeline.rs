//! Calls over time, in stacked bars.

use std::fmt::{self, Write};

use super::{Tenths, round_up, scaled};
use crate::clock::{Offset, Timestamp};
use crate::report::findings::Bucket;
use crate::report::text::Count;

const WIDTH: u64 = 900;
const HEIGHT: u64 = 190;
/// Room for the axis' numbers, and for dates below.
const LEFT: u64 = 44;
const BELOW: u64 = 26;
const ABOVE: u64 = 8;
const DAY: i64 = 86_400_000;

/// Draws the steps, each `step` milliseconds long.
pub(in crate::report) fn timeline(
    out: &mut impl Write,
    step: i64,
    buckets: &[(Timestamp, Bucket)],
    offset: Offset,
) -> fmt::Result {
    let most = buckets
        .iter()
        .map(|(_, bucket)| bucket.total())
        .max()
        .unwrap_or(0);
    let (top, lines) = round_up(most);
    let (width, height) = (LEFT + WIDTH, ABOVE + HEIGHT + BELOW);
    write!(
        out,
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"time-t time-d\">\
         <title id=\"time-t\">Calls and refusals over time</title>\
         <desc id=\"time-d\">{} bars; the highest stands for {}.</desc>",
        buckets.len(),
        Count(most)
    )?;
    grid(out, top, lines)?;
    let count = u64::try_from(buckets.len()).unwrap_or(1).max(1);
    for (place, (at, bucket)) in (0..).zip(buckets) {
        let x = Tenths(LEFT * 10 + scaled(WIDTH, place, count).0);
        let wide = scaled(WIDTH, 1, count).0;
        // A gap between bars, and no bar so wide that it looks like a wall.
        let bar = Tenths((wide * 8 / 10).min(480));
        let label = name(*at, step, offset);
        stack(out, x, bar, bucket, top, &label)?;
        if is_labelled(place, count) {
            let y = ABOVE + HEIGHT + 18;
            write!(out, "<text x=\"{x}\" y=\"{y}\">{label}</text>")?;
        }
    }
    out.write_str("</svg>")
}

fn grid(out: &mut impl Write, top: u64, lines: u64) -> fmt::Result {
    for line in 0..=lines {
        let value = top * line / lines;
        let y = ABOVE + HEIGHT - HEIGHT * line / lines;
        write!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\"/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            LEFT + WIDTH,
            LEFT - 10,
            y + 4,
            Count(value)
        )?;
    }
    Ok(())
}

fn stack(
    out: &mut impl Write,
    x: Tenths,
    bar: Tenths,
    bucket: &Bucket,
    top: u64,
    label: &str,
) -> fmt::Result {
    if bucket.total() == 0 {
        return Ok(());
    }
    write!(out, "<g><title>{label}: {}</title>", words(bucket))?;
    let mut base = (ABOVE + HEIGHT) * 10;
    for (class, count) in parts(bucket) {
        if count == 0 {
            continue;
        }
        // What is there is seen, be it one call among thousands.
        let high = scaled(HEIGHT, count, top).0.max(15);
        base = base.saturating_sub(high);
        let (y, high) = (Tenths(base), Tenths(high));
        write!(
            out,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{bar}\" height=\"{high}\"/>"
        )?;
    }
    out.write_str("</g>")
}

fn parts(bucket: &Bucket) -> [(&'static str, u64); 4] {
    [
        ("ok", bucket.success),
        ("unknown", bucket.unknown),
        ("refused", bucket.refused),
        ("error", bucket.error),
    ]
}

/// What a bar stands for.
fn words(bucket: &Bucket) -> String {
    format!(
        "{} successes, {} errors, {} refused, {} unknown",
        Count(bucket.success),
        Count(bucket.error),
        Count(bucket.refused),
        Count(bucket.unknown)
    )
}

/// When a step began.
pub(in crate::report) fn name(at: Timestamp, step: i64, offset: Offset) -> String {
    let moment = at.moment(offset);
    if step > 7 * DAY {
        moment.long_date()
    } else if step >= DAY {
        moment.short_date()
    } else {
        format!("{}, {}", moment.short_date(), moment.time())
    }
}

/// How long a step is.
pub(in crate::report) fn step_name(step: i64) -> String {
    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;
    match step {
        MINUTE => "each minute".to_owned(),
        HOUR => "each hour".to_owned(),
        DAY => "each day".to_owned(),
        step if step < HOUR => format!("each {} minutes", step / MINUTE),
        step if step < DAY => format!("each {} hours", step / HOUR),
        step if step == 7 * DAY => "each week".to_owned(),
        step => format!("each {} weeks", step / (7 * DAY)),
    }
}

/// About seven labels, from the first bar on, none at the very end.
fn is_labelled(place: u64, count: u64) -> bool {
    let every = count.div_ceil(7).max(1);
    place.is_multiple_of(every) && (place + every / 2 < count || count <= 7)
}
