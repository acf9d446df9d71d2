//! Replacing URIs inside results without touching another byte.

use crate::bounds::LOOKUPS;
use std::borrow::Cow;

/// Returns the JSON text with the value of every member `uri` that is a string passed through
/// `exposed`, or `None` if nothing changes. Those beyond [`LOOKUPS`]
/// stay as they are. The text is known to be valid JSON.
pub(super) fn rename(text: &str, exposed: impl Fn(&str) -> Cow<'_, str>) -> Option<String> {
    let mut out = String::new();
    let mut copied = 0;
    let mut strings = Strings { text, at: 0 };
    let (mut key_before, mut lookups) = (false, 0);
    while let Some((from, to)) = strings.next().filter(|_| lookups < LOOKUPS) {
        let is_key = strings.follows(b':');
        let token = &text[from..to];
        if key_before
            && !is_key
            && let Ok(uri) = serde_json::from_str::<Cow<'_, str>>(token)
        {
            lookups += 1;
            let renamed = exposed(&uri);
            if renamed != uri {
                out.push_str(&text[copied..from]);
                out.push_str(&crate::wire::object::quoted(&renamed));
                copied = to;
            }
        }
        key_before = is_key && token == "\"uri\"" && strings.value_is_string();
    }
    (copied > 0).then(|| out + &text[copied..])
}

/// The string tokens of a JSON text.
struct Strings<'a> {
    text: &'a str,
    at: usize,
}

impl Strings<'_> {
    /// The next token with its quotes, as byte offsets.
    fn next(&mut self) -> Option<(usize, usize)> {
        let bytes = self.text.as_bytes();
        let from = self.at + memchr::memchr(b'"', bytes.get(self.at..)?)?;
        let mut at = from + 1;
        loop {
            match bytes.get(at)? {
                b'\\' => at += 2,
                b'"' => break,
                _ => at += 1,
            }
        }
        self.at = at + 1;
        Some((from, self.at))
    }

    /// Whether this byte comes next, blanks aside.
    fn follows(&self, wanted: u8) -> bool {
        self.rest().starts_with(char::from(wanted))
    }

    fn value_is_string(&self) -> bool {
        let rest = self.rest();
        rest.strip_prefix(':')
            .is_some_and(|value| value.trim_start().starts_with('"'))
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default().trim_start()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aliased(uri: &str) -> Cow<'_, str> {
        match uri {
            "a:1" => "chaperone://s/x".into(),
            other => other.into(),
        }
    }

    #[test]
    fn only_values_of_uri_members_are_replaced() {
        for (text, renamed) in [
            (
                r#"{"uri":"a:1","n":1e400}"#,
                Some(r#"{"uri":"chaperone://s/x","n":1e400}"#),
            ),
            (
                r#"{"uri" : "a:1" }"#,
                Some(r#"{"uri" : "chaperone://s/x" }"#),
            ),
            (
                r#"[{"uri":"\u0061:1"},{"x":["uri","a:1"]},{"uri":"b"}]"#,
                Some(r#"[{"uri":"chaperone://s/x"},{"x":["uri","a:1"]},{"uri":"b"}]"#),
            ),
            (r#"{"text":"\"uri\":\"a:1\"","uri":{"a:1":"a:1"}}"#, None),
            (r#"{"uri":7,"a:1":"a:1"}"#, None),
        ] {
            assert_eq!(rename(text, aliased).as_deref(), renamed, "{text}");
        }
        let many = format!("[{}]", vec![r#"{"uri":"a:1"}"#; LOOKUPS + 5].join(","));
        let renamed = rename(&many, aliased).unwrap();
        assert_eq!(renamed.matches("chaperone://").count(), LOOKUPS);
        assert_eq!(renamed.matches("a:1").count(), 5);
    }
}
