//! What is sent to a witness, and what its answers mean (C2SP tlog-witness, `add-checkpoint`).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::http::Reply;
use crate::audit::checkpoint::cosign;
use crate::audit::witness::Continuation;
use crate::note::WitnessKey;

/// What a witness says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// That it has seen the head, which is here with its signature.
    Cosigned(String),
    /// That the head it saw last covers so many records.
    Saw(u64),
    /// That the log is not the one whose head it saw.
    Contradicts(String),
    /// Nothing that is of use now.
    Later(String),
}

/// The old size, the proof, an empty line, and the head.
pub(super) fn request(shown: &Continuation) -> String {
    let mut body = format!("old {}\n", shown.old);
    for hash in &shown.proof {
        // Writing to a string does not fail.
        let _written = writeln!(body, "{}", STANDARD.encode(hash));
    }
    body + "\n" + &shown.note
}

/// Reads an answer about the head `note`.
pub(super) fn read(reply: &Reply, note: &str, key: &WitnessKey) -> Answer {
    let said = reply.excerpt();
    match reply.status.as_u16() {
        200 => taken(reply, note, key),
        403 => Answer::Later(format!(
            "it does not take this log's key (HTTP 403: {said}); give whoever runs it what \
             `chaperone audit key` prints"
        )),
        404 => Answer::Later(format!(
            "it does not know this log (HTTP 404: {said}); give whoever runs it what `chaperone \
             audit key` prints"
        )),
        409 => match size(&reply.body) {
            Some(size) => Answer::Saw(size),
            None => Answer::Later(format!("HTTP 409 without a size: {said}")),
        },
        // The proof was made from the leaves that are here, so these are not the ones that it saw.
        422 => Answer::Contradicts(format!(
            "it saw another history of this log (HTTP 422: {said}): the log was put back, cut or \
             written anew, or there are two of it"
        )),
        status => Answer::Later(format!("HTTP {status}: {said}")),
    }
}

fn taken(reply: &Reply, note: &str, key: &WitnessKey) -> Answer {
    let lines = String::from_utf8_lossy(&reply.body);
    match cosign(note, &lines, key) {
        Ok(Some(signed)) => Answer::Cosigned(signed),
        Ok(None) => Answer::Later("it answers without a signature of its key".into()),
        Err(why) => Answer::Later(format!("what it answers is no cosignature: {why}")),
    }
}

/// A size in decimal digits with a newline.
fn size(body: &[u8]) -> Option<u64> {
    let text = str::from_utf8(body).ok()?.strip_suffix('\n')?;
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    (is_plain && !text.is_empty()).then(|| text.parse().ok())?
}
