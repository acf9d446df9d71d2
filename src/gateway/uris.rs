//! Replacing URIs inside results without touching another byte.

use std::borrow::Cow;
use std::ops::Range;

use crate::bounds::LOOKUPS;
use crate::wire::leap::literals;

/// Returns the JSON text with the value of every member `uri` that is a string passed through
/// `exposed`, or `None` if nothing changes. Those beyond [`LOOKUPS`] stay as they are. The text is known to be valid JSON.
pub(super) fn rename(text: &str, exposed: impl Fn(&str) -> Cow<'_, str>) -> Option<String> {
    let mut out = String::new();
    let mut copied = 0;
    let (mut key_before, mut lookups) = (false, 0);
    for Range { start, end } in literals(text) {
        if lookups == LOOKUPS {
            break;
        }
        let (token, rest) = (&text[start..end], &text[end..]);
        let is_key = begins(rest, ':');
        if key_before
            && !is_key
            && let Ok(uri) = serde_json::from_str::<Cow<'_, str>>(token)
        {
            lookups += 1;
            let renamed = exposed(&uri);
            if renamed != uri {
                out.push_str(&text[copied..start]);
                out.push_str(&crate::wire::object::quoted(&renamed));
                copied = end;
            }
        }
        key_before = is_key && token == "\"uri\"" && value_is_string(rest);
    }
    (copied > 0).then(|| out + &text[copied..])
}

/// Whether this byte comes first, blanks aside.
fn begins(rest: &str, wanted: char) -> bool {
    rest.trim_start().starts_with(wanted)
}

fn value_is_string(rest: &str) -> bool {
    let value = rest.trim_start().strip_prefix(':');
    value.is_some_and(|value| begins(value, '"'))
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
