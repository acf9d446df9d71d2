//! What a pass needs of a record's content.

use std::borrow::Cow;
use std::str;

use serde::Deserialize;

/// Some members of a record; all others are stepped over.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Body<'a> {
    pub(super) seq: u64,
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) request_id: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) pruned_to: Option<u64>,
}

impl<'a> Body<'a> {
    /// Reads a record whose hash is the one in the tree; `None` if it is none.
    ///
    /// Nearly all are the two records of a call, which this program begins with all that is asked
    /// for. Those are read no further: their content is what was signed, whatever follows.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        Self::of_call(bytes).or_else(|| serde_json::from_slice(bytes).ok())
    }

    fn of_call(bytes: &'a [u8]) -> Option<Self> {
        let (id, rest) = text(bytes.strip_prefix(br#"{"id":""#)?)?;
        let rest = rest.strip_prefix(br#","seq":"#)?;
        let (seq, rest) = rest.split_at(rest.iter().position(|byte| *byte == b',')?);
        let (_, rest) = text(rest.strip_prefix(br#","timestamp":""#)?)?;
        let (kind, rest) = text(rest.strip_prefix(br#","kind":""#)?)?;
        let (request, _) = text(rest.strip_prefix(br#","request_id":""#)?)?;
        (kind == "intent" || kind == "outcome").then_some(())?;
        Some(Self {
            seq: str::from_utf8(seq).ok()?.parse().ok()?,
            id: id.into(),
            kind: kind.into(),
            request_id: Some(request.into()),
            pruned_to: None,
        })
    }
}

/// A text without escapes up to its quote, and what follows that.
fn text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    let (text, rest) = bytes.split_at_checked(end)?;
    Some((str::from_utf8(text).ok()?, rest.strip_prefix(b"\"")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &str = r#"{"id":"01J","seq":7,"timestamp":"2026-11-21T10:00:00Z","kind":"intent","request_id":"r-1""#;

    #[test]
    fn the_two_records_of_a_call_are_read_by_their_beginning() {
        for kind in ["intent", "outcome"] {
            let whole = format!("{CALL},\"user_id\":\"u\"}}").replace("intent", kind);
            let short = Body::of_call(whole.as_bytes()).expect("a record of a call");
            assert_eq!(short, serde_json::from_str(&whole).unwrap());
        }
    }

    #[test]
    fn whatever_begins_otherwise_is_read_whole() {
        let others = [
            CALL.replace("intent", "policy"),
            CALL.replace("r-1", r"r\u00e4"),
            CALL.replace(r#""seq":7"#, r#""seq": 7"#),
            CALL.replace("seq", "sequence"),
            CALL.replace("01J", r#"0\"1J"#),
            CALL.replace(r#","request_id":"r-1""#, ""),
        ];
        for start in others {
            assert_eq!(Body::of_call(start.as_bytes()), None, "{start}");
            let whole = format!("{start}}}");
            let read = serde_json::from_str::<Body<'_>>(&whole).ok();
            assert_eq!(Body::read(whole.as_bytes()), read, "{whole}");
        }
    }
}
