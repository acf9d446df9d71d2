//! What the policy refused and allowed, by which rules.

use std::cmp::Reverse;
use std::fmt::{self, Write as _};

use super::{close, close_table, more, nothing, open, open_table, when};
use crate::report::Contents;
use crate::report::text::{Count, Html};

/// Refusals in the list, and rules that allowed.
const REFUSALS: usize = 60;
const PERMITS: usize = 40;

pub(super) fn write(out: &mut String, contents: &Contents<'_>) -> fmt::Result {
    open(
        out,
        "decisions",
        "Refusals and approvals",
        "<p>Each decision is the policy\u{2019}s at that time, with the policy and the rule in it that \
         decided. A call that needs an approval is refused until there is one.</p>",
    )?;
    refusals(out, contents)?;
    permits(out, contents)?;
    close(out)
}

fn refusals(out: &mut String, contents: &Contents<'_>) -> fmt::Result {
    let mut found: Vec<_> = contents.findings.refusals.told_apart().collect();
    if found.is_empty() {
        return nothing(out, "Nothing was refused in this period.");
    }
    found.sort_by_key(|(_, times)| Reverse(times.count));
    let columns = [
        "Person",
        "Wanted",
        "Decision",
        "Policy",
        "Rule or reason",
        "#Times",
        "#Last",
    ];
    open_table(out, "Refused", &columns)?;
    for (refusal, times) in found.iter().take(REFUSALS) {
        write!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            Html(&refusal.person),
            Html(&refusal.target),
            decision(&refusal.decision),
            Html(&refusal.policy),
            Html(&refusal.rule.replace('_', " ")),
            Count(times.count),
            when(times.last, contents.request.offset)
        )?;
    }
    close_table(out)?;
    more(out, found.len(), REFUSALS, "sorts of refusals")
}

/// The record's word, for people.
fn decision(word: &str) -> String {
    match word {
        "deny" => "refused".to_owned(),
        "needs_approval" => "<span class=\"hot\">needs an approval</span>".to_owned(),
        "needs_scope" => "needs a scope".to_owned(),
        "rate_limited" => "too often".to_owned(),
        "not_signed_in" => "not signed in".to_owned(),
        "disk_full" => "<span class=\"hot\">the disk was full</span>".to_owned(),
        "spool_full" => "<span class=\"hot\">too much waits to be sent</span>".to_owned(),
        other => Html(other).to_string(),
    }
}

fn permits(out: &mut String, contents: &Contents<'_>) -> fmt::Result {
    let mut found: Vec<_> = contents.findings.permits.told_apart().collect();
    if found.is_empty() {
        return nothing(out, "Nothing was let through in this period.");
    }
    found.sort_by_key(|(_, times)| Reverse(times.count));
    open_table(out, "Let through", &["Policy", "Rule", "#Times", "#Last"])?;
    for ((policy, rule), times) in found.iter().take(PERMITS) {
        write!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            Html(policy),
            Html(&rule.replace('_', " ")),
            Count(times.count),
            when(times.last, contents.request.offset)
        )?;
    }
    close_table(out)?;
    more(out, found.len(), PERMITS, "rules")
}
