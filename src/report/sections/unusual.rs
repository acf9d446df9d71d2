//! What an auditor would look at twice, with the rule that found it.

use std::cmp::Reverse;
use std::fmt::{self, Write as _};

use super::{close, close_table, more, nothing, open, open_table, when};
use crate::report::Contents;
use crate::report::findings::{NIGHT, PER_MINUTE};
use crate::report::text::{Count, Html, Share};

/// Rows of each list.
const LISTED: usize = 25;

pub(super) fn write(out: &mut String, contents: &Contents<'_>) -> fmt::Result {
    open(
        out,
        "unusual",
        "Unusual activity",
        "<p>Unusual is not wrong. The rules are simple, so that they can be checked by hand; each \
         stands above what it found.</p>",
    )?;
    out.write_str("<div class=\"cards\">")?;
    first_uses(out, contents)?;
    nights(out, contents)?;
    bursts(out, contents)?;
    out.write_str("</div>")?;
    close(out)
}

fn card(out: &mut String, heading: &str, rule: &str) -> fmt::Result {
    write!(out, "<div><h3>{heading}</h3><p class=\"lead\">{rule}</p>")
}

fn first_uses(out: &mut String, contents: &Contents<'_>) -> fmt::Result {
    card(
        out,
        "First use of a tool",
        "The first call of the tool, by anybody, in the whole log lies in this period. The log\u{2019}s \
         first 24 hours do not count, because everything is new then.",
    )?;
    let uses = contents.findings.unusual.first_uses();
    if uses.is_empty() {
        nothing(out, "No tool was used for the first time.")?;
        return out.write_str("</div>");
    }
    open_table(
        out,
        "Tools that were new",
        &["Server", "Tool", "Person", "#First call"],
    )?;
    for (server, tool, first) in uses.iter().take(LISTED) {
        write!(
            out,
            "<tr><td>{}</td><th scope=\"row\">{}</th><td>{}</td><td class=\"n\">{}</td></tr>",
            Html(server),
            Html(tool),
            Html(&first.person),
            when(first.at, contents.request.offset)
        )?;
    }
    close_table(out)?;
    more(out, uses.len(), LISTED, "tools")?;
    out.write_str("</div>")
}

fn nights(out: &mut String, contents: &Contents<'_>) -> fmt::Result {
    let (from, to) = NIGHT;
    let offset = contents.request.offset;
    let rule = format!("Calls and refusals from {from:02}:00 to {to:02}:00, {offset}, on any day.");
    card(out, "At night", &rule)?;
    let people = contents.findings.people.told_apart();
    let mut people: Vec<_> = people.filter(|(_, person)| person.nightly > 0).collect();
    if people.is_empty() {
        nothing(out, "Nobody did anything at night.")?;
        return out.write_str("</div>");
    }
    people.sort_by_key(|(_, person)| Reverse(person.nightly));
    open_table(
        out,
        "People at night",
        &["Person", "#At night", "#Of all", "#Last"],
    )?;
    for (name, person) in people.iter().take(LISTED) {
        write!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            Html(name),
            Count(person.nightly),
            Share(person.nightly, person.tally.asked()),
            when(person.last_night, offset)
        )?;
    }
    close_table(out)?;
    more(out, people.len(), LISTED, "people")?;
    out.write_str("</div>")
}

fn bursts(out: &mut String, contents: &Contents<'_>) -> fmt::Result {
    let rule = format!(
        "{PER_MINUTE} or more calls and refusals of one person within a minute of the clock; minutes \
         in a row are one burst."
    );
    card(out, "Bursts", &rule)?;
    let unusual = &contents.findings.unusual;
    if unusual.bursts.is_empty() {
        nothing(out, "There was no burst.")?;
        return out.write_str("</div>");
    }
    open_table(
        out,
        "Bursts of calls",
        &["Person", "#Began", "#Minutes", "#Calls and refusals"],
    )?;
    for burst in unusual.bursts.iter().take(LISTED) {
        write!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            Html(&burst.person),
            when(Some(burst.from), contents.request.offset),
            Count(burst.minutes),
            Count(burst.count)
        )?;
    }
    close_table(out)?;
    let unkept = usize::try_from(unusual.more_bursts).unwrap_or(usize::MAX);
    let found = unusual.bursts.len().saturating_add(unkept);
    more(out, found, LISTED, "bursts")?;
    out.write_str("</div>")
}
