//! The page around the data: the skeleton with its parts put in, and the policy that lets nothing in.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::text::{Count, Html};
use super::{Contents, rows, sections};
use crate::audit::stats::Period;
use crate::clock::{Moment, Timestamp};

const SKELETON: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Where in the skeleton the data goes.
const DATA: &str = "{{data}}";

/// The page before its data and after it.
pub(super) fn around_data(contents: &Contents<'_>) -> Result<(String, String), fmt::Error> {
    let (before, after) = SKELETON.split_once(DATA).ok_or(fmt::Error)?;
    Ok((filled(before, contents)?, filled(after, contents)?))
}

/// Puts the parts in. What a part says is never looked at for places of further ones.
fn filled(skeleton: &str, contents: &Contents<'_>) -> Result<String, fmt::Error> {
    let mut page = String::with_capacity(64 * 1024);
    let mut rest = skeleton;
    while let Some((before, from)) = rest.split_once("{{") {
        let (name, after) = from.split_once("}}").ok_or(fmt::Error)?;
        page.push_str(before);
        page.push_str(&part(name, contents)?);
        rest = after;
    }
    page.push_str(rest);
    Ok(page)
}

fn part(name: &str, contents: &Contents<'_>) -> Result<String, fmt::Error> {
    match name {
        "policy" => Ok(policy()),
        "style" => Ok(STYLE.to_owned()),
        "script" => Ok(SCRIPT.to_owned()),
        "title" => Ok(format!("Audit report, {}", span(contents))),
        "period" => Ok(span(contents)),
        "about" => Ok(about(contents)),
        "sections" => sections::all(contents),
        "shown" => Ok(shown(contents)),
        "foot" => Ok(foot(contents)),
        _ => Err(fmt::Error),
    }
}

/// Nothing is loaded, from anywhere; the style and the script are those that are here.
fn policy() -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; \
         form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

/// The days from the first to the last: what was asked for, else what is there.
fn span(contents: &Contents<'_>) -> String {
    let Period { since, until } = contents.request.period;
    // The end is not in the period.
    let last = until.map(|until| Timestamp::from_millis(until.millis().saturating_sub(1)));
    let ends = since
        .or(contents.stats.first)
        .zip(last.or(contents.stats.last));
    let Some((from, to)) = ends else {
        return "No records".to_owned();
    };
    let offset = contents.request.offset;
    days(from.moment(offset), to.moment(offset))
}

fn days(from: Moment, to: Moment) -> String {
    let (first, last) = (from.long_date(), to.long_date());
    if first == last {
        return last;
    }
    let start = match (from.year == to.year, from.month == to.month) {
        (true, true) => from.day.to_string(),
        (true, false) => first
            .trim_end_matches(&format!(" {}", from.year))
            .to_owned(),
        (false, _) => first,
    };
    format!("{start} \u{2013} {last}")
}

fn about(contents: &Contents<'_>) -> String {
    let offset = contents.request.offset;
    let made = contents.request.made.moment(offset);
    let log = contents
        .verdict
        .log_id
        .as_deref()
        .unwrap_or("without a name");
    format!(
        "Calls that MCP hosts made through chaperone, from the log <span class=\"mono\">{}</span>. \
         Made {}, {}. All times are {offset}.",
        Html(log),
        made.long_date(),
        made.time()
    )
}

fn shown(contents: &Contents<'_>) -> String {
    let total = contents.rows();
    match total.checked_sub(rows::MOST) {
        None | Some(0) => String::new(),
        Some(_) => format!(
            "Of {} rows, the newest {} are here; a shorter period shows the others.",
            Count(total),
            Count(rows::MOST)
        ),
    }
}

fn foot(contents: &Contents<'_>) -> String {
    format!(
        "<p>Arguments were redacted before they were recorded. Medians and percentiles are exact below \
         256\u{a0}ms and within 0.4\u{a0}% above. {}Made by chaperone {}; this file loads nothing and \
         sends nothing.</p>",
        match contents.stats.unreadable {
            0 => String::new(),
            count => format!(
                "{} records of the log have no content to read. ",
                Count(count)
            ),
        },
        env!("CARGO_PKG_VERSION")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Offset;

    #[test]
    fn spans_repeat_nothing() {
        let day = |text: &str| {
            let at = Timestamp::parse(&format!("{text}T12:00:00Z")).unwrap();
            at.moment(Offset::default())
        };
        for (from, to, span) in [
            ("2026-11-01", "2026-11-01", "1 November 2026"),
            ("2026-11-01", "2026-11-14", "1 \u{2013} 14 November 2026"),
            (
                "2026-10-28",
                "2026-11-14",
                "28 October \u{2013} 14 November 2026",
            ),
            (
                "2025-12-31",
                "2026-01-01",
                "31 December 2025 \u{2013} 1 January 2026",
            ),
        ] {
            assert_eq!(days(day(from), day(to)), span);
        }
    }

    #[test]
    fn style_and_script_do_not_end_themselves() {
        assert!(!STYLE.contains("</") && !SCRIPT.contains("</") && !SCRIPT.contains("<!--"));
        for unsafe_way in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
        ] {
            assert!(!SCRIPT.contains(unsafe_way), "{unsafe_way}");
        }
    }
}
