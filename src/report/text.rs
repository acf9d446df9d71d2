//! Foreign text in a page: it can neither run, nor break out, nor look like what it is not.
//!
//! First everything that cannot be seen or that reorders what is seen is spelled out, as on a
//! terminal; then what HTML or JSON in HTML would act on is escaped.

use std::fmt::{self, Write as _};

use serde::Serialize;

use crate::wording::terminal_safe;

/// Text for an HTML document, between tags or within a quoted attribute.
#[derive(Debug, Clone, Copy)]
pub(super) struct Html<'a>(pub &'a str);

impl fmt::Display for Html<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in terminal_safe(self.0).chars() {
            match c {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// The text cut to so many characters, with an ellipsis in the place of the rest.
pub(super) fn short(text: &str, most: usize) -> String {
    if text.char_indices().nth(most).is_none() {
        return text.to_owned();
    }
    let kept = text.chars().take(most.saturating_sub(1));
    kept.chain(['\u{2026}']).collect()
}

/// JSON that can lie in a `script` element: an HTML parser sees no tag in it, and no parser of
/// scripts an end of line. These characters occur in strings only, where the escape means the same.
pub(super) fn json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let plain = serde_json::to_string(value)?;
    let mut safe = String::with_capacity(plain.len());
    for c in plain.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a string does not fail.
                let _written = write!(safe, "\\u{:04x}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    Ok(safe)
}

/// A number with its thousands apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count(pub u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                f.write_char(',')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

/// A duration in the unit that a person would use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Took(pub Option<u64>);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_char('\u{2013}'),
            Some(millis) if millis < 1000 => write!(f, "{millis}\u{a0}ms"),
            Some(millis) if millis < 100_000 && !millis.is_multiple_of(1000) => {
                write!(f, "{}.{}\u{a0}s", millis / 1000, millis % 1000 / 100)
            }
            Some(millis) => write!(f, "{}\u{a0}s", Count(millis / 1000)),
        }
    }
}

/// A share in percent; little is told from nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share(pub u64, pub u64);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mills = self.0.saturating_mul(1000) / self.1.max(1);
        match (self.0, mills) {
            (0, _) => f.write_str("0\u{a0}%"),
            (_, 0) => f.write_str("<0.1\u{a0}%"),
            (_, mills) => write!(f, "{}.{}\u{a0}%", mills / 10, mills % 10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_markup() {
        let text = "</script><img src=x onerror='a()'>&\"\u{202e}\u{1b}[31m";
        assert_eq!(
            Html(text).to_string(),
            "&lt;/script&gt;&lt;img src=x onerror=&#39;a()&#39;&gt;&amp;&quot;\\u{202e}\\u{1b}[31m"
        );
    }

    #[test]
    fn json_holds_no_tag_and_means_the_same() {
        let value = [
            "</script><!--<script>",
            "a\u{2028}b\u{2029}&amp;",
            "\\u003c\"\\",
        ];
        let safe = json(&value).unwrap();
        assert!(
            !safe.contains(['<', '>', '&', '\u{2028}', '\u{2029}']),
            "{safe}"
        );
        assert_eq!(serde_json::from_str::<[String; 3]>(&safe).unwrap(), value);
    }

    #[test]
    fn numbers_are_put_for_people() {
        assert_eq!(
            (Count(0).to_string(), Count(1_234_567).to_string()),
            ("0".into(), "1,234,567".into())
        );
        let took = |millis| Took(millis).to_string();
        assert_eq!(
            [None, Some(999), Some(1500), Some(2000)].map(took),
            ["\u{2013}", "999\u{a0}ms", "1.5\u{a0}s", "2\u{a0}s"]
        );
        assert_eq!(
            [
                Share(0, 0).to_string(),
                Share(1, 9999).to_string(),
                Share(1, 8).to_string()
            ],
            ["0\u{a0}%", "<0.1\u{a0}%", "12.5\u{a0}%"]
        );
        assert_eq!(
            (short("abc", 3), short("abcd", 3)),
            ("abc".into(), "ab\u{2026}".into())
        );
    }
}
