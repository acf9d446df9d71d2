//! What a challenge says is what the grammar of RFC 9110 finds in it.

#![no_main]

use chaperone_fuzz::challenges::{is_header, parameters};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let headers: Vec<&str> = text.split('\n').filter(|text| is_header(text)).collect();
    let scope = chaperone::fuzzing::missing_scope(&headers);
    let complaint = chaperone::fuzzing::complaint(&headers);

    let part = |said: &str| headers.iter().any(|header| header.contains(said));
    assert!(
        scope
            .as_deref()
            .is_none_or(|scope| !scope.is_empty() && part(scope))
    );
    assert!(complaint.is_empty() || part(&complaint));

    let read = headers.iter().take(8).map(|header| parameters(header));
    let Some(read) = read.collect::<Option<Vec<_>>>() else {
        return;
    };
    assert_eq!(scope.as_deref(), expected_scope(&read));
    assert_eq!(complaint, expected_complaint(&read).unwrap_or_default());
});

type Parameters<'a> = Vec<(&'a str, &'a str)>;

fn value<'a>(header: &Parameters<'a>, name: &str) -> Option<&'a str> {
    let mut named = header
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(name));
    Some(named.next()?.1)
}

fn expected_scope<'a>(headers: &[Parameters<'a>]) -> Option<&'a str> {
    let mut headers = headers.iter();
    let asking = headers.find(|header| value(header, "error") == Some("insufficient_scope"))?;
    value(asking, "scope").filter(|scope| !scope.is_empty())
}

fn expected_complaint<'a>(headers: &[Parameters<'a>]) -> Option<&'a str> {
    let said = |header| value(header, "error_description").or_else(|| value(header, "error"));
    headers.iter().find_map(said)
}
