//! Slow and failing servers and tools.

use std::fmt::{self, Write as _};

use super::{close, close_table, more, nothing, open, open_table};
use crate::audit::stats::{Tally, Use};
use crate::report::Contents;
use crate::report::chart;
use crate::report::text::{Count, Html, Share, Took};

/// Lines of the chart, and rows of the list of tools.
const LINES: usize = 12;
const TOOLS: usize = 40;
/// What has so many calls can be judged.
const ENOUGH: u64 = 5;
const SLOW_MS: u64 = 2_000;
const FAILING_PERCENT: u64 = 5;

const ABOUT: &str = "<p>Durations are measured on this machine, from the record of the intent to the \
answer. A tool or server is called slow if one in twenty calls takes longer than 2\u{a0}s, and \
failing if 5\u{a0}% of its calls end in an error, once it has five calls.</p>";

const KEY: &str = "<p class=\"key\"><span><i class=\"dot\"></i>Median</span> \
<span><i class=\"ring\"></i>95 of 100 calls take no longer</span></p>";

pub(super) fn write(out: &mut String, contents: &Contents<'_>) -> fmt::Result {
    open(out, "servers", "Slow and failing servers", ABOUT)?;
    let stats = contents.stats;
    if stats.servers.is_empty() {
        nothing(out, "No server was used in this period.")?;
        return close(out);
    }
    let timed = stats
        .tools
        .iter()
        .filter(|tool| tool.tally.durations.median().is_some());
    let mut timed: Vec<&Use> = timed.take(LINES).collect();
    timed.sort_by_key(|tool| std::cmp::Reverse(tool.tally.durations.p95()));
    if !timed.is_empty() {
        out.write_str(
            "<figure><figcaption><h3>How long tools take</h3><p class=\"lead\">The tools that are used \
             most, the slowest first; each line on the axis is ten times the one before.</p></figcaption>",
        )?;
        chart::spread(out, &timed)?;
        write!(out, "{KEY}</figure>")?;
    }
    table(out, "Servers", &["Server"], &stats.servers)?;
    table(out, "Tools", &["Server", "Tool"], &stats.tools)?;
    close(out)
}

fn table(out: &mut String, caption: &str, names: &[&str], uses: &[Use]) -> fmt::Result {
    let mut columns = names.to_vec();
    columns.extend([
        "#Calls",
        "#Refused",
        "#Errors",
        "#Failing",
        "#Median",
        "#95\u{a0}%",
        "#Longest",
        "Verdict",
    ]);
    open_table(out, caption, &columns)?;
    for one in uses.iter().take(TOOLS) {
        row(out, one)?;
    }
    close_table(out)?;
    more(out, uses.len(), TOOLS, "tools")
}

fn row(out: &mut String, one: &Use) -> fmt::Result {
    write!(out, "<tr><th scope=\"row\">{}</th>", Html(&one.server))?;
    if let Some(tool) = &one.tool {
        write!(out, "<td>{}</td>", Html(tool))?;
    }
    let tally = &one.tally;
    for count in [tally.calls, tally.refusals, tally.errors] {
        write!(out, "<td class=\"n\">{}</td>", Count(count))?;
    }
    let durations = &tally.durations;
    write!(
        out,
        "<td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
        Share(tally.errors, tally.calls),
        Took(durations.median()),
        Took(durations.p95()),
        Took(durations.max()),
        verdict(tally)
    )
}

fn verdict(tally: &Tally) -> &'static str {
    let is_slow = tally.durations.p95().is_some_and(|p95| p95 > SLOW_MS);
    let is_failing =
        tally.errors.saturating_mul(100) >= tally.calls.saturating_mul(FAILING_PERCENT);
    match (tally.calls >= ENOUGH, is_slow, is_failing) {
        (false, _, _) | (true, false, false) => "<span class=\"nil\">\u{2013}</span>",
        (true, true, false) => "<span class=\"hot\">slow</span>",
        (true, false, true) => "<span class=\"hot\">failing</span>",
        (true, true, true) => "<span class=\"hot\">slow, failing</span>",
    }
}
