//! Takes out of a text what nobody else should read: what looks like a secret, and what addresses carry
//! beside the place they lead to.

use std::sync::OnceLock;

use crate::audit::redact::Redactor;

/// The text without secrets. Digests of what was taken out are not kept, so their key is none.
#[must_use]
pub fn clean(text: &str) -> String {
    static REDACTOR: OnceLock<Redactor> = OnceLock::new();
    let redactor = REDACTOR.get_or_init(|| Redactor::new(&[], [0; 32]));
    redactor.text(&addresses(text)).into_owned()
}

/// Addresses without user, password, query and fragment.
fn addresses(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`' | ')');
        let end = after.find(ends).unwrap_or(after.len());
        let (address, next) = after.split_at(end);
        let host = address.find(['/', '?', '#']).unwrap_or(address.len());
        let (authority, path) = address.split_at(host);
        let place = authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host);
        out.push_str(place);
        match path.split_once(['?', '#']) {
            Some((path, _)) => {
                out.push_str(path);
                out.push_str("?…");
            }
            None => out.push_str(path),
        }
        rest = next;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_the_place_alone() {
        for (text, expected) in [
            ("see https://a.example/b.", "see https://a.example/b."),
            (
                "(https://u:p@a.example/b?key=v#f) x",
                "(https://a.example/b?…) x",
            ),
            (
                "http://u@[::1]:80 and \"x://y?z\"",
                "http://[::1]:80 and \"x://y?…\"",
            ),
            ("https://a@b@c/d", "https://c/d"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(clean(text), expected);
        }
    }

    #[test]
    fn what_looks_like_a_secret_is_taken_out() {
        let told = clean("it said: Authorization: Bearer abcdefghijklmnop0123456789");
        assert!(!told.contains("abcdefghijklmnop"), "{told}");
    }
}
