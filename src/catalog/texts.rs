//! Takes out of a definition, or of a question, what a reader cannot see: a model reads it, and a
//! terminal obeys it.
//!
//! Escape sequences of terminals, bidirectional overrides and Unicode tags hide instructions in a
//! tool's description. Texts lose them, wherever they stand in the definition; everything else keeps
//! its bytes. A definition with such characters in its keys is refused, because a schema with other
//! keys is another schema.

use std::ops::Range;

use crate::wire::leap::literals;
use crate::wire::{Raw, object};
use crate::wording::is_invisible;

/// A hidden character in a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HiddenKey;

/// The definition without hidden characters; `None` if it has none.
///
/// # Errors
/// When a key holds one.
pub fn cleaned(definition: &Raw) -> Result<Option<Raw>, HiddenKey> {
    let text = definition.get();
    if !is_suspicious(text) {
        return Ok(None);
    }
    let (mut out, mut copied) = (String::new(), 0);
    for Range { start, end } in literals(text) {
        let Some(plain) = without_hidden(&text[start..end]) else {
            continue;
        };
        if text[end..].trim_start().starts_with(':') {
            return Err(HiddenKey);
        }
        out.push_str(&text[copied..start]);
        out.push_str(&object::quoted(&plain));
        copied = end;
    }
    if copied == 0 {
        return Ok(None);
    }
    out.push_str(&text[copied..]);
    // Strings took the place of strings; what could not be read back would be shown as it came.
    Raw::parse(&out).map(Some).map_err(|_| HiddenKey)
}

/// Whether a text may hold hidden characters; nearly none does.
fn is_suspicious(text: &str) -> bool {
    text.contains("\\u") || text.contains("\\b") || text.contains("\\f") || text.contains(is_hidden)
}

/// The text of a string literal without hidden characters; `None` if it has none.
fn without_hidden(literal: &str) -> Option<String> {
    if !is_suspicious(literal) {
        return None;
    }
    if let Ok(text) = serde_json::from_str::<String>(literal) {
        return text
            .contains(is_hidden)
            .then(|| text.replace(is_hidden, ""));
    }
    // Half a surrogate pair, which no text can hold.
    let text: String = serde_json::from_str(&whole(literal)).unwrap_or_default();
    Some(text.replace(is_hidden, ""))
}

/// The literal with U+FFFD for every escaped surrogate.
fn whole(literal: &str) -> String {
    let mut parts = literal.split("\\u");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let unit = part.get(..4);
        let unit = unit.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        out.push_str("\\u");
        if matches!(unit, Some(0xD800..=0xDFFF)) {
            out.push_str("fffd");
            out.push_str(part.get(4..).unwrap_or_default());
        } else {
            out.push_str(part);
        }
    }
    out
}

/// What cannot be seen, but for line breaks and tabs, and what scripts and emoji are made of: joiners
/// and the two selectors between text and picture. All other selectors, of which two hundred can spell
/// any byte, go.
fn is_hidden(c: char) -> bool {
    is_invisible(c)
        && !matches!(
            c,
            '\n' | '\r' | '\t' | '\u{200C}' | '\u{200D}' | '\u{FE0E}' | '\u{FE0F}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(text: &str) -> Result<Option<String>, HiddenKey> {
        let cleaned = cleaned(&Raw::parse(text).unwrap())?;
        Ok(cleaned.map(|raw| raw.get().to_owned()))
    }

    #[test]
    fn texts_lose_what_cannot_be_seen_and_nothing_else() {
        for (text, expected) in [
            (
                "{\"description\":\"a\u{202e}b\", \"n\" : 1e400}",
                "{\"description\":\"ab\", \"n\" : 1e400}",
            ),
            (
                r#"{"description":"\u001b[31mred\u001b[0m \u001b]8;;x\u0007y"}"#,
                r#"{"description":"[31mred[0m ]8;;xy"}"#,
            ),
            (
                "{\"inputSchema\":{\"properties\":{\"q\":{\"title\":\"x\u{E0049}\u{E0067}\"}}}}",
                r#"{"inputSchema":{"properties":{"q":{"title":"x"}}}}"#,
            ),
            (
                "{\"description\":\"a\u{200B}b\u{FEFF}c\u{E0141}\u{FE01}\u{2063}\"}",
                r#"{"description":"abc"}"#,
            ),
            (r#"{"title":"a\ud800b"}"#, "{\"title\":\"a\u{fffd}b\"}"),
            (r#"["\udb40\udc41x","plain"]"#, r#"["x","plain"]"#),
        ] {
            assert_eq!(clean(text).unwrap().as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn ordinary_texts_keep_their_bytes() {
        for text in [
            r#"{"description":"first\nsecond\ttabbed \u00e9 \\u001b \" end"}"#,
            "{\"description\":\"👩‍💻 ✔️ नमस्ते\"}",
            r#"{"pattern":"^\\u202e$","n":12345678901234567890123}"#,
        ] {
            assert_eq!(clean(text), Ok(None), "{text}");
        }
    }

    #[test]
    fn a_key_that_hides_something_is_refused() {
        let hidden = "{\"inputSchema\":{\"properties\":{\"q\u{202e}\" : {}}}}";
        assert_eq!(clean(hidden), Err(HiddenKey));
        assert_eq!(clean(r#"{"a\u0007":1}"#), Err(HiddenKey));
    }
}
