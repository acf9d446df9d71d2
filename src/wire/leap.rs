//! Finding the end of a JSON string quickly, many bytes at a time.
//!
//! Text full of escapes stops a search every few bytes, and each stop of a vectorised one costs more
//! than the bytes that were leapt over. So large steps, which the compiler makes of vectors, only ask
//! whether there is anything, and words tell where.

use std::iter;
use std::ops::Range;

use memchr::memchr;

const LOW: u64 = u64::from_le_bytes([0x01; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// What is leapt over at a time while there is nothing.
const LEAP: usize = 32;

/// Where the next quote or backslash stands at or after `at`.
#[must_use]
pub fn stop(bytes: &[u8], at: usize) -> Option<usize> {
    let marks = |word| holds(word, b'"') | holds(word, b'\\');
    first(bytes, at, marks, |byte| matches!(byte, b'"' | b'\\'))
}

/// Where the next quote stands at or after `at`.
fn quote(bytes: &[u8], at: usize) -> Option<usize> {
    let (leaps, _) = bytes.get(at..)?.as_chunks::<LEAP>();
    let holds_none = |leap: &&[u8; LEAP]| {
        let quotes = leap.iter().map(|byte| u8::from(*byte == b'"'));
        quotes.fold(0, |found, quote| found | quote) == 0
    };
    let clear = leaps.iter().take_while(holds_none).count();
    let marks = |word| holds(word, b'"');
    first(bytes, at + clear * LEAP, marks, |byte| byte == b'"')
}

/// The first byte at or after `at` that is wanted; `marks` are those of a word, the lowest of them exact.
#[inline]
fn first(
    bytes: &[u8],
    mut at: usize,
    marks: impl Fn(u64) -> u64,
    is_wanted: impl Fn(u8) -> bool,
) -> Option<usize> {
    let (words, rest) = bytes.get(at..)?.as_chunks::<8>();
    for word in words {
        let found = marks(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(at + usize::try_from(found.trailing_zeros() / 8).unwrap_or(0));
        }
        at += 8;
    }
    let step = rest.iter().position(|byte| is_wanted(*byte))?;
    Some(at + step)
}

/// Marks the high bit of each byte that is `wanted`; of those above the first mark some may be carries.
fn holds(word: u64, wanted: u8) -> u64 {
    let zero = word ^ (LOW * u64::from(wanted));
    zero.wrapping_sub(LOW) & !zero & HIGH
}

/// The place of the quote that ends the string whose content begins at `start`; the end of the text if
/// it is not closed.
#[must_use]
pub fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(found) = quote(bytes, at) {
        let before = bytes[start..found].iter().rev();
        // Two of them are a backslash of the string's; one that is left over belongs to the quote.
        let backslashes = before.take_while(|byte| **byte == b'\\').count();
        if backslashes.is_multiple_of(2) {
            return found;
        }
        at = found + 1;
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
            plain in "a{0,70}",
            text in r#"["\\\\!#\[\]a\x{0}é\x{7f}]{0,40}"#,
            at in 0_usize..115,
        ) {
            let text = plain + &text;
            let bytes = text.as_bytes();
            let slow = (at..bytes.len()).find(|at| matches!(bytes[*at], b'"' | b'\\'));
            prop_assert_eq!(stop(bytes, at), slow);
            let slow = (at..bytes.len()).find(|at| bytes[*at] == b'"');
            prop_assert_eq!(quote(bytes, at), slow);
        }

        #[test]
        fn a_string_ends_where_a_parser_ends_it(
            plain in "a{0,70}",
            text in r#"["\\\\a-c\n é]{0,40}"#,
            more in "[\"a]{0,9}",
        ) {
            let text = plain + &text;
            let literal = serde_json::to_string(&text).unwrap();
            let whole = format!("{literal}{more}");
            prop_assert_eq!(string_end(whole.as_bytes(), 1), literal.len() - 1);
        }
    }
}
