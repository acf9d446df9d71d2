//! Errors and foreign text, put so that a person can read them and a terminal obeys none of them.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Write as _;

/// An error with its causes, in one line; a cause that the error quotes already is not repeated.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

/// Returns whether a character is one that a reader cannot see or that reorders what he sees:
/// controls, bidirectional marks, zero-width characters, variation selectors, Unicode tags.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{061C}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}'
            | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

/// The character, or U+FFFD in the place of one that cannot be seen.
#[must_use]
pub fn visible(c: char) -> char {
    if is_invisible(c) { '\u{FFFD}' } else { c }
}

/// The text in lines of at most `width` characters, the later ones after `indent`; a longer word has a
/// line of its own. Line breaks in the text stay.
#[must_use]
pub fn wrapped(text: &str, width: usize, indent: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 32);
    for line in text.lines() {
        let mut used = 0;
        for word in line.split(' ').filter(|word| !word.is_empty()) {
            let length = word.chars().count();
            if used > 0 && used + 1 + length <= width {
                out.push(' ');
                used += 1 + length;
                out.push_str(word);
                continue;
            }
            if !out.is_empty() {
                out.push('\n');
                out.push_str(indent);
            }
            used = if out.is_empty() {
                0
            } else {
                indent.chars().count()
            } + length;
            out.push_str(word);
        }
    }
    out
}

/// The text with everything escaped that a terminal would act on or not show.
#[must_use]
pub fn terminal_safe(text: &str) -> Cow<'_, str> {
    if !text.contains(is_invisible) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\\n"),
            '\t' => safe.push_str("\\t"),
            '\r' => safe.push_str("\\r"),
            c if is_invisible(c) => {
                // Writing to a string does not fail.
                let _written = write!(safe, "\\u{{{:x}}}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn lines_are_as_long_as_they_may_be() {
        let text = "one two three\nfour extraordinarily five";
        assert_eq!(
            wrapped(text, 9, "  "),
            "one two\n  three\n  four\n  extraordinarily\n  five"
        );
        assert_eq!(wrapped("", 9, "  "), "");
    }

    #[test]
    fn no_text_reaches_the_terminal_raw() {
        assert!(matches!(terminal_safe("plain ä 漢"), Cow::Borrowed(_)));
        assert_eq!(
            terminal_safe("a\u{1b}[2J\nb\u{202e}c\u{9b}d\r\t"),
            "a\\u{1b}[2J\\nb\\u{202e}c\\u{9b}d\\r\\t"
        );
    }
}
