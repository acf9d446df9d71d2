//! What a call was, in sentences: who asked for what, what was decided by which rule, how it ended.

use std::io::{self, Write};

use serde::Deserialize;

use crate::audit::bundle;
use crate::audit::query::Entry;
use crate::audit::reader::Reader;
use crate::wording::{chain, terminal_safe};

/// The members that sentences are made of.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    kind: String,
    user_id: Option<String>,
    subject: Option<String>,
    agent_id: Option<String>,
    server: Option<String>,
    tool_name: Option<String>,
    method: Option<String>,
    decision: Option<String>,
    policy: Option<String>,
    policy_digest: Option<String>,
    reason: Option<String>,
    outcome: Option<String>,
    duration_ms: Option<u64>,
}

/// Explains the records of one call, and says nothing of other records.
pub(super) fn call(found: &[Entry], out: &mut dyn Write) -> io::Result<()> {
    let records: Vec<Said> = found
        .iter()
        .map(|entry| serde_json::from_str(&entry.json).unwrap_or_default())
        .collect();
    let of = |kinds: [&str; 2]| records.iter().find(|said| kinds.contains(&&*said.kind));
    if let Some(said) = of(["intent", "refusal"]) {
        writeln!(out, "{}", asked(said))?;
        writeln!(out, "{}", decided(said))?;
    } else if let Some(said) = of(["outcome", ""]) {
        writeln!(out, "{}", asked(said))?;
    } else {
        return Ok(());
    }
    if let Some(said) = of(["outcome", ""]) {
        writeln!(out, "{}", ended(said))?;
    }
    writeln!(out)
}

/// Says whether the records are proven to be in the log as they are shown.
pub(super) fn proof(reader: &Reader, found: &[Entry], out: &mut dyn Write) -> io::Result<()> {
    let numbers: Vec<String> = found.iter().map(|entry| entry.seq.to_string()).collect();
    let which = match &numbers[..] {
        [one] => format!("Record {one} is"),
        _ => format!("Records {} are", numbers.join(" and ")),
    };
    match bundle::proven(reader, found.iter().map(|entry| entry.seq)) {
        Ok(size) => writeln!(
            out,
            "{which} proven to be under the signed head over {size} records; --proof writes that as \
             evidence."
        ),
        Err(why) => writeln!(out, "{which} not proven: {}.", chain(&why)),
    }?;
    writeln!(out)
}

/// A part of a sentence, if there is something to say.
fn part(before: &str, text: Option<&String>, after: &str) -> String {
    text.map_or_else(String::new, |text| {
        format!("{before}{}{after}", terminal_safe(text))
    })
}

fn asked(said: &Said) -> String {
    let who = said.user_id.as_ref().or(said.subject.as_ref());
    let who = who.map_or("Somebody who is not signed in".into(), |who| {
        terminal_safe(who)
    });
    let what = said.tool_name.as_ref().or(said.method.as_ref());
    let what = what.map_or("something".into(), |what| terminal_safe(what));
    let server = part(" on ", said.server.as_ref(), "");
    let agent = part(" through ", said.agent_id.as_ref(), "");
    format!("{who} asked for {what}{server}{agent}.")
}

fn decided(said: &Said) -> String {
    let what = match said.decision.as_deref() {
        Some("permit") => "Permitted",
        Some("needs_scope") => "Refused for want of a scope",
        Some("needs_approval") => "Refused for want of an approval",
        Some("rate_limited") => "Refused as too often",
        Some("not_signed_in") => "Refused, because nobody was signed in",
        Some("disk_full") => "Refused, because the disk was full; permitted",
        Some("spool_full") => "Refused, because too much waited to be sent; permitted",
        Some(_) | None => "Refused",
    };
    let policy = part(" by the policy ", said.policy.as_ref(), "");
    let reason = said.reason.as_deref().map(|reason| rule(reason).to_owned());
    let reason = part(": ", reason.as_ref(), "");
    let digest = part(" (document ", said.policy_digest.as_ref(), ")");
    format!("{what}{policy}{reason}{digest}.")
}

/// A rule's word in a clause; what is no such word is a reason in words already.
fn rule(word: &str) -> &str {
    match word {
        "no_document" => "there was no readable policy",
        "no_policy" => "no policy names the server and one of the roles",
        "effect" => "its effect is deny",
        "scope" => "a scope is missing",
        "approval" => "an approval is needed",
        "denied" => "it is under `denied`",
        "not_allowed" => "it is not under `allowed`",
        "allowed" => "it is under `allowed`, or there is no such list",
        "definition" => "the definition is not one that was accepted",
        other => other.trim_end_matches('.'),
    }
}

fn ended(said: &Said) -> String {
    let what = match said.outcome.as_deref() {
        Some("success") => "The server did it",
        Some("error") => "It failed",
        Some(_) | None => "Whether it was done is not known",
    };
    let took = said.duration_ms.map(|duration| duration.to_string());
    let took = part(" after ", took.as_ref(), " ms");
    let reason = said.reason.as_deref().map(|reason| rule(reason).to_owned());
    let reason = part(": ", reason.as_ref(), "");
    format!("{what}{took}{reason}.")
}
