//! Takes secrets out of what is about to be recorded.
//!
//! Two ways: by key, where the name of a member says that its value is a secret ([`key`]), and by
//! value, where a text has the shape of one ([`shape`]). The JSON is walked as text ([`walk`]), so
//! that numbers, order and spelling of everything else stay as they were. What was taken leaves its
//! place and a keyed digest, which lets somebody who knows the secret find where it was used and
//! nobody else guess it.
//!
//! Redaction comes before cutting: half a secret at the edge of a cut has no shape.

mod cursor;
mod key;
mod place;
mod shape;
mod walk;

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use sha2::Sha256;

use self::cursor::{Cursor, beginning};
use self::key::Keys;
use self::shape::Shapes;
use self::walk::{Extent, Walk};

/// Stands where a secret was.
pub const MARK: &str = "[REDACTED]";
/// The longest arguments that are kept whole.
const ARGUMENTS_LIMIT: usize = 16 * 1024;
/// How much is kept of longer ones.
const HEAD_LIMIT: usize = 1024;
/// The characters of an answer that are kept.
const SUMMARY_CHARS: usize = 200;
/// How much of an answer is searched to keep [`SUMMARY_CHARS`] of it.
const WINDOW: usize = 4096;
/// What is dropped at the end of a full window, where a secret may begin that has no shape yet.
const MARGIN: usize = 512;
/// Places beyond this number are redacted like all others but not listed.
const PLACES_LIMIT: usize = 256;

/// Knows what a secret looks like.
pub struct Redactor {
    keys: Keys,
    shapes: Shapes,
    digest: Hmac<Sha256>,
}

/// Arguments that can be recorded.
#[expect(clippy::struct_field_names, reason = "the record's own word")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted {
    /// One JSON value.
    pub json: String,
    /// What was taken out and where, at most 256 places.
    pub redacted: Vec<RedactedPlace>,
    /// `blake3:` and the digest of the text as it came.
    pub digest: String,
    /// Whether `json` holds the beginning only, with size and digest of the whole.
    pub cut: bool,
}

/// Where something was taken out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RedactedPlace {
    /// The JSON pointer (RFC 6901) of the value. Inside a string that holds JSON it is that
    /// string's; a pointer of more than 256 bytes is cut and ends with `…`.
    pub path: String,
    /// `hmac-sha256:` and the digest of what was there: of a string its text, else its JSON.
    pub digest: String,
}

/// Arguments too long to be kept.
#[derive(Serialize)]
struct Cut<'a> {
    truncated: bool,
    size: usize,
    digest: &'a str,
    head: &'a str,
}

/// `blake3:` and the digest of some bytes in hexadecimal digits.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    format!("blake3:{}", blake3::hash(bytes).to_hex())
}

impl Redactor {
    /// Knows the built-in names of secrets and `extra_keys`; `digest_key` keys the digests.
    #[must_use]
    pub fn new(extra_keys: &[Box<str>], digest_key: [u8; 32]) -> Self {
        Self {
            keys: Keys::new(extra_keys),
            shapes: Shapes::new(extra_keys),
            // The key is put into a block of 64 bytes as it is.
            digest: Hmac::new(&{
                let mut block = [0; 64];
                block[..32].copy_from_slice(&digest_key);
                block.into()
            }),
        }
    }

    /// Redacts the arguments of a call, then cuts them.
    #[must_use]
    pub fn arguments(&self, json: &str) -> Redacted {
        let digest = digest(json.as_bytes());
        let mut walk = Walk::new(self, json, Extent::Whole, ARGUMENTS_LIMIT);
        let walked = walk.document().is_ok().then(|| walk.finish());
        // The walk does not look into strings and numbers; what is recorded has to be read.
        let readable = walked.filter(|(text, _, full)| *full || is_json(text));
        let (text, redacted, full) = readable.unwrap_or_else(|| self.unreadable(json));
        let json = if full {
            let head = beginning(&text, HEAD_LIMIT);
            let cut = Cut {
                truncated: true,
                size: json.len(),
                digest: &digest,
                head,
            };
            serde_json::to_string(&cut).unwrap_or_default()
        } else {
            text
        };
        Redacted {
            json,
            redacted,
            digest,
            cut: full,
        }
    }

    /// What is no JSON becomes a string of its redacted text.
    fn unreadable(&self, source: &str) -> (String, Vec<RedactedPlace>, bool) {
        let text = self.text(source);
        let json = quoted(&text);
        if json.len() > ARGUMENTS_LIMIT {
            (text.into_owned(), Vec::new(), true)
        } else {
            (json, Vec::new(), false)
        }
    }

    /// The first 200 characters of an answer: of a tool's result its texts, else its JSON.
    #[must_use]
    pub fn summary(&self, response: &str) -> String {
        let texts = content_texts(response);
        let source = texts.as_deref().unwrap_or(response);
        let cut = source.len() > WINDOW;
        let window = beginning(source, WINDOW);
        let extent = if cut { Extent::Begun } else { Extent::Whole };
        let text = self.inner(window, extent);
        let dropped = if cut && !text.trim_end_matches('"').ends_with(MARK) {
            MARGIN
        } else {
            0
        };
        let sure = beginning(&text, text.len().saturating_sub(dropped));
        sure.chars().take(SUMMARY_CHARS).collect()
    }

    /// Redacts a text that is no JSON, as the message of an error.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.inner(text, Extent::Whole)
    }

    fn inner<'a>(&self, text: &'a str, extent: Extent) -> Cow<'a, str> {
        let mut walk = Walk::new(self, text, extent, usize::MAX);
        walk.anything();
        walk.into_text()
    }

    /// Redacts by shape alone.
    fn without_shapes(&self, text: &str, open: bool) -> String {
        let mut out = String::with_capacity(text.len());
        let mut copied = 0;
        for found in self.shapes.find(&self.keys, text, open) {
            out.push_str(&text[copied..found.start]);
            out.push_str(MARK);
            copied = found.end;
        }
        out.push_str(&text[copied..]);
        out
    }

    /// The keyed digest of a secret, as `redacted` in the record carries it.
    #[must_use]
    pub fn keyed_digest(&self, secret: &str) -> String {
        let mut mac = self.digest.clone();
        mac.update(secret.as_bytes());
        let mut text = String::from("hmac-sha256:");
        for byte in mac.finalize().into_bytes() {
            // Writing to a string does not fail.
            let _written = write!(text, "{byte:02x}");
        }
        text
    }
}

/// Without the key of the digests.
impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

fn quoted(text: &str) -> String {
    crate::wire::object::quoted(text)
}

/// The texts of a tool's result (`content[].text`), joined by line breaks, as far as they fill a
/// window; nothing if there are none.
fn content_texts(response: &str) -> Option<String> {
    let mut texts: Option<String> = None;
    let mut top = Cursor::new(response);
    if top.peek() != Some(b'{') {
        return None;
    }
    // An error ends the walk; the texts are found by then or there are none.
    let _end = top.object(|key, top| {
        if key != "content" {
            return top.skip();
        }
        top.array(|items| items.object(|key, item| add_text(&mut texts, key, item)))?;
        Err(cursor::Syntax)
    });
    texts
}

/// Appends the value at the cursor if it is a content block's text.
fn add_text(
    texts: &mut Option<String>,
    key: &str,
    item: &mut Cursor<'_>,
) -> Result<(), cursor::Syntax> {
    if key != "text" || item.peek() != Some(b'"') {
        return item.skip();
    }
    let string = item.string_within(WINDOW * 2)?;
    let so_far = texts.get_or_insert_default();
    if so_far.len() > WINDOW {
        return Err(cursor::Syntax);
    }
    if !so_far.is_empty() {
        so_far.push('\n');
    }
    so_far.push_str(&string.decode());
    Ok(())
}

#[cfg(test)]
mod tests;
