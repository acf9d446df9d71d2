//! Finding the end of a JSON string quickly, eight bytes at a time.
//!
//! Text full of escapes stops a vectorised search every few bytes, and each stop costs more than
//! the bytes that were leapt over; words cost the same whatever the text holds.

use std::iter;
use std::ops::Range;

use memchr::memchr;

const LOW: u64 = u64::from_le_bytes([0x01; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// Where the next quote or backslash stands at or after `at`.
#[must_use]
pub fn stop(bytes: &[u8], mut at: usize) -> Option<usize> {
    let (words, rest) = bytes.get(at..)?.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        let found = holds(word, b'"') | holds(word, b'\\');
        if found != 0 {
            // The lowest mark is exact; those above it may be carries.
            return Some(at + usize::try_from(found.trailing_zeros() / 8).unwrap_or(0));
        }
        at += 8;
    }
    let step = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    Some(at + step)
}

/// Marks the high bit of each byte that is `wanted`; of those above the first mark some may be wrong.
fn holds(word: u64, wanted: u8) -> u64 {
    let zero = word ^ (LOW * u64::from(wanted));
    zero.wrapping_sub(LOW) & !zero & HIGH
}

/// The place of the quote that ends the string whose content begins at `at`; the end of the text if
/// it is not closed.
#[must_use]
pub fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(found) = stop(bytes, at) {
        if bytes.get(found) == Some(&b'"') {
            return found;
        }
        at = found + 2;
    }
    bytes.len()
}

/// Where the strings of a JSON text stand, keys included, each with its quotes.
pub fn literals(text: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    let mut at = 0;
    iter::from_fn(move || {
        let start = at + memchr(b'"', bytes.get(at..)?)?;
        at = (string_end(bytes, start + 1) + 1).min(bytes.len());
        Some(start..at)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn stops_are_where_a_slow_search_finds_them(
            text in r#"["\\\\!#\[\]a\x{0}é\x{7f}]{0,40}"#,
            at in 0_usize..45,
        ) {
            let bytes = text.as_bytes();
            let slow = (at..bytes.len()).find(|at| matches!(bytes[*at], b'"' | b'\\'));
            prop_assert_eq!(stop(bytes, at), slow);
        }

        #[test]
        fn a_string_ends_where_a_parser_ends_it(text in r#"["\\\\a-c\n é]{0,40}"#, more in "[\"a]{0,9}") {
            let literal = serde_json::to_string(&text).unwrap();
            let whole = format!("{literal}{more}");
            prop_assert_eq!(string_end(whole.as_bytes(), 1), literal.len() - 1);
        }
    }
}
