//! What was verified, how, and what came of it, in the verifier's words.

use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{close, open};
use crate::audit::verify::{KeySource, Memory, Report, Verdict};
use crate::report::Contents;
use crate::report::text::{Count, Html};

const ABOUT: &str = "<p>The whole log was read, not only the period of this report. Each record was \
hashed as it is stored, the hashes were joined to a tree (RFC\u{a0}9162), and the tree was compared with \
the log\u{2019}s signed head and with the heads that somebody outside the log remembers.</p>\
<p><span class=\"mono\">chaperone audit verify</span> does the same at any time.</p>";

pub(super) fn write(out: &mut String, contents: &Contents<'_>) -> fmt::Result {
    open(out, "proof", "Is this what was written?", ABOUT)?;
    let verdict = contents.verdict;
    let (class, word) = match verdict.verdict {
        Verdict::Intact => ("intact", "Intact"),
        Verdict::Unproven => ("unproven", "Nothing wrong, not all proven"),
        Verdict::Changed => ("changed", "Changed"),
    };
    let sentence = verdict.to_string();
    write!(
        out,
        "<div class=\"verdict {class}\"><h3>{word}</h3><p>{}.</p></div>",
        Html(&sentence)
    )?;
    facts(out, verdict)?;
    close(out)
}

fn facts(out: &mut String, verdict: &Report) -> fmt::Result {
    let key = match verdict.key {
        KeySource::Given => "given by the person who made this report",
        KeySource::Keychain => "the keychain\u{2019}s",
        KeySource::File => "the file\u{2019}s own, which proves nothing by itself",
    };
    let memory = match verdict.memory {
        Some(Memory::Keychain) => "the keychain",
        Some(Memory::Given) => "the person who made this report",
        Some(Memory::Witness) => "a witness, at the instant of its signature",
        None => "nobody",
    };
    out.write_str("<dl class=\"facts\">")?;
    fact(out, "Records read", &Count(verdict.records).to_string())?;
    fact(out, "Of them proven", &Count(verdict.proven).to_string())?;
    fact(
        out,
        "Covered by the signed head",
        &Count(verdict.signed).to_string(),
    )?;
    let remembered = verdict
        .remembered
        .map_or_else(|| "none".to_owned(), |size| Count(size).to_string());
    fact(out, "Covered by a remembered head", &remembered)?;
    fact(out, "Remembered by", memory)?;
    fact(out, "Signature checked with", key)?;
    if let Some(root) = verdict.root {
        let root = STANDARD.encode(root);
        write!(
            out,
            "<div class=\"wide\"><dt>Root of the tree</dt><dd class=\"mono\">{root}</dd></div>"
        )?;
    }
    out.write_str("</dl>")
}

fn fact(out: &mut String, name: &str, text: &str) -> fmt::Result {
    write!(out, "<div><dt>{name}</dt><dd>{text}</dd></div>")
}
