//! Who used what.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use super::{close, close_table, more, nothing, open, open_table, when};
use crate::report::Contents;
use crate::report::chart::shade;
use crate::report::findings::Findings;
use crate::report::text::{Count, Html, short};

/// People in the list.
const LISTED: usize = 50;
/// People and tools in the field.
const ACROSS: usize = 8;
const DOWN: usize = 12;

type Tool<'a> = (&'a str, &'a str);

pub(super) fn write(out: &mut String, contents: &Contents<'_>) -> fmt::Result {
    open(
        out,
        "people",
        "Who used what",
        "<p>People are named as the identity provider names them. The field shows calls that were let \
         through, of those who did most and the tools that were used most.</p>",
    )?;
    if contents.findings.people.is_empty() {
        nothing(out, "Nobody did anything in this period.")?;
    } else {
        field(out, contents.findings)?;
        list(out, contents)?;
    }
    close(out)
}

/// Who used which tool how often, as a table that can also be looked at.
fn field(out: &mut String, findings: &Findings) -> fmt::Result {
    let tools = most_used(findings);
    if tools.is_empty() {
        return Ok(());
    }
    let people: Vec<&str> = findings
        .ranked_people()
        .into_iter()
        .map(|(name, _)| name)
        .take(DOWN)
        .collect();
    let count = |person: &str, tool: Tool<'_>| {
        let mut uses = findings.uses.told_apart();
        let found =
            uses.find(|((who, server, name), _)| (&**who, (&**server, &**name)) == (person, tool));
        found.map_or(0, |(_, count)| *count)
    };
    let counts = people
        .iter()
        .map(|person| tools.iter().map(|tool| count(person, *tool)).collect());
    let counts: Vec<Vec<u64>> = counts.collect();
    let most = counts.iter().flatten().copied().max().unwrap_or(0);
    out.write_str(
        "<div class=\"wrap\" tabindex=\"0\" role=\"group\" aria-label=\"Calls by person and tool\">\
         <table class=\"matrix\"><caption>Calls by person and tool</caption><thead><tr><th scope=\"col\">Person</th>",
    )?;
    for (server, tool) in &tools {
        let (server, tool) = (short(server, 18), short(tool, 22));
        write!(
            out,
            "<th scope=\"col\">{}<br>{}</th>",
            Html(&server),
            Html(&tool)
        )?;
    }
    out.write_str("</tr></thead><tbody>")?;
    for (person, counts) in people.iter().zip(counts) {
        write!(
            out,
            "<tr><th scope=\"row\">{}</th>",
            Html(&short(person, 32))
        )?;
        for count in counts {
            match count {
                0 => out.write_str("<td class=\"h0\">\u{b7}</td>")?,
                count => write!(
                    out,
                    "<td class=\"h{}\">{}</td>",
                    shade(count, most),
                    Count(count)
                )?,
            }
        }
        out.write_str("</tr>")?;
    }
    close_table(out)
}

fn most_used(findings: &Findings) -> Vec<Tool<'_>> {
    let mut totals = BTreeMap::<Tool<'_>, u64>::new();
    for ((_, server, tool), count) in findings.uses.told_apart() {
        *totals.entry((server, tool)).or_default() += count;
    }
    let mut tools: Vec<_> = totals.into_iter().collect();
    tools.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    tools
        .into_iter()
        .map(|(tool, _)| tool)
        .take(ACROSS)
        .collect()
}

fn list(out: &mut String, contents: &Contents<'_>) -> fmt::Result {
    let mut tools = BTreeMap::<&str, BTreeSet<Tool<'_>>>::new();
    for ((person, server, tool), _) in contents.findings.uses.told_apart() {
        tools.entry(person).or_default().insert((server, tool));
    }
    let columns = ["Person", "#Calls", "#Tools", "#Refused", "#Errors", "#Last"];
    open_table(out, "People", &columns)?;
    let people = contents.findings.ranked_people();
    for (name, person) in people.iter().take(LISTED) {
        let tally = &person.tally;
        let tools = tools.get(name).map_or(0, BTreeSet::len);
        write!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{tools}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            Html(name),
            Count(tally.calls),
            Count(tally.refusals),
            Count(tally.errors),
            when(person.last, contents.request.offset)
        )?;
    }
    close_table(out)?;
    more(out, people.len(), LISTED, "people")
}
