//! The period at a glance: numbers, calls over time, hours of the week, what else the log noted.

use std::fmt::{self, Write as _};

use super::{close, close_table, nothing, open, open_table, when};
use crate::audit::stats::Tally;
use crate::clock::{Offset, Timestamp};
use crate::report::Contents;
use crate::report::chart::{self, DAYS, step_name};
use crate::report::findings::Bucket;
use crate::report::text::{Count, Html, Took};

/// Bars that can still be told apart on paper.
const BARS: usize = 62;
/// Kinds of notes that are named.
const KINDS: usize = 20;

const KEY: &str = "<p class=\"key\"><span><i class=\"ok\"></i>Success</span> \
<span><i class=\"refused\"></i>Refused</span> <span><i class=\"error\"></i>Error</span> \
<span><i class=\"unknown\"></i>Unknown</span></p>";

pub(super) fn write(out: &mut String, contents: &Contents<'_>) -> fmt::Result {
    open(
        out,
        "overview",
        "What happened",
        "<p>A call counts when it ends. A refusal is a call that was not let through, and left \
         nothing behind but its record. Unknown is a call of which nobody can say whether it was \
         carried out.</p>",
    )?;
    figures(out, contents)?;
    if contents.stats.all.asked() == 0 {
        nothing(out, "No call was made or refused in this period.")?;
    } else {
        timeline(out, contents)?;
        week(out, contents)?;
    }
    notes(out, contents)?;
    close(out)
}

fn figures(out: &mut String, contents: &Contents<'_>) -> fmt::Result {
    let Tally {
        calls,
        errors,
        unknown,
        refusals,
        durations,
    } = &contents.stats.all;
    let people = u64::try_from(contents.findings.people.len()).unwrap_or(0);
    out.write_str("<dl class=\"figures\">")?;
    figure(out, "", "calls", Count(*calls))?;
    figure(
        out,
        "",
        if people == 1 { "person" } else { "people" },
        Count(people),
    )?;
    figure(out, "", "refused", Count(*refusals))?;
    let class = if *errors > 0 { " class=\"bad\"" } else { "" };
    figure(
        out,
        class,
        if *errors == 1 { "error" } else { "errors" },
        Count(*errors),
    )?;
    if *unknown > 0 {
        figure(out, "", "unknown", Count(*unknown))?;
    }
    figure(out, "", "median", Took(durations.median()))?;
    figure(out, "", "95 of 100 within", Took(durations.p95()))?;
    out.write_str("</dl>")
}

fn figure(out: &mut String, class: &str, name: &str, value: impl fmt::Display) -> fmt::Result {
    write!(out, "<div{class}><dt>{name}</dt><dd>{value}</dd></div>")
}

fn timeline(out: &mut String, contents: &Contents<'_>) -> fmt::Result {
    let offset = contents.request.offset;
    let (step, buckets) = contents.findings.timeline.buckets(BARS);
    let length = step_name(step);
    write!(
        out,
        "<figure><figcaption><h3>Timeline</h3><p class=\"lead\">One bar for {length}.</p></figcaption>"
    )?;
    chart::timeline(out, step, &buckets, offset)?;
    out.write_str(KEY)?;
    numbers(out, step, &buckets, offset)?;
    out.write_str("</figure>")
}

fn numbers(
    out: &mut String,
    step: i64,
    buckets: &[(Timestamp, Bucket)],
    offset: Offset,
) -> fmt::Result {
    out.write_str("<details><summary>The timeline in numbers</summary>")?;
    open_table(
        out,
        "Calls over time",
        &["From", "#Success", "#Refused", "#Error", "#Unknown"],
    )?;
    for (at, bucket) in buckets.iter().filter(|(_, bucket)| bucket.total() > 0) {
        write!(
            out,
            "<tr><th scope=\"row\">{}</th>",
            chart::name(*at, step, offset)
        )?;
        for count in [bucket.success, bucket.refused, bucket.error, bucket.unknown] {
            write!(out, "<td class=\"n\">{}</td>", Count(count))?;
        }
        out.write_str("</tr>")?;
    }
    close_table(out)?;
    out.write_str("</details>")
}

fn week(out: &mut String, contents: &Contents<'_>) -> fmt::Result {
    let week = &contents.stats.week;
    out.write_str(
        "<figure><figcaption><h3>Hours of the week</h3>\
         <p class=\"lead\">The stronger the colour, the more calls and refusals.</p></figcaption>",
    )?;
    chart::week(out, week)?;
    out.write_str("<details><summary>The week in numbers</summary>")?;
    let columns: Vec<String> = (0..24).map(|hour| format!("#{hour:02}")).collect();
    let mut names = vec!["Day"];
    names.extend(columns.iter().map(String::as_str));
    open_table(out, "Calls and refusals by hour of the week", &names)?;
    for (name, day) in DAYS.iter().zip(week) {
        write!(out, "<tr><th scope=\"row\">{name}</th>")?;
        for count in day {
            write!(out, "<td class=\"n\">{}</td>", Count(*count))?;
        }
        out.write_str("</tr>")?;
    }
    close_table(out)?;
    out.write_str("</details></figure>")
}

fn notes(out: &mut String, contents: &Contents<'_>) -> fmt::Result {
    if contents.findings.notes.is_empty() {
        return Ok(());
    }
    open_table(
        out,
        "What else the log noted",
        &["Kind", "#Records", "#Last"],
    )?;
    for (kind, times) in contents.findings.notes.told_apart().take(KINDS) {
        write!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            Html(&kind.replace('_', " ")),
            Count(times.count),
            when(times.last, contents.request.offset)
        )?;
    }
    close_table(out)
}
