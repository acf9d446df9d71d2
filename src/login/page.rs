//! The pages that the person's browser shows at the end of a sign-in, and their HTTP answers.
//!
//! Everything is constant: nothing of a request is ever repeated. The pages load nothing, run
//! nothing and are not kept.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:18vh auto 0;padding:0 1.5rem}\
h1{font-size:1.6rem;font-weight:600;margin:0 0 .5rem}\
p{margin:.5rem 0}";

/// What the browser is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    /// The sign-in is complete.
    Done,
    /// The sign-in has failed.
    Failed,
    /// The request is none that a sign-in makes.
    Refused(Refusal),
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Not HTTP, or without the right `state`.
    BadRequest,
    /// Not a navigation of the person.
    Forbidden,
    /// Another path.
    NotFound,
    /// Another method than GET.
    Method,
    /// Another host.
    Misdirected,
    /// A longer head than any browser sends.
    TooLarge,
}

/// Returns the whole HTTP answer that shows the page.
pub(super) fn answer(page: Page) -> String {
    let (status, title, text) = match page {
        Page::Done => (
            "200 OK",
            "You are signed in",
            "You can close this window and go on where you were. Nothing needs to be restarted.",
        ),
        Page::Failed => (
            "200 OK",
            "The sign-in did not succeed",
            "You can close this window. The program that started the sign-in says why, and can \
             start it again.",
        ),
        Page::Refused(refusal) => (
            status(refusal),
            "This is not a sign-in",
            "The request does not belong to a sign-in that is under way here.",
        ),
    };
    let body = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1><p>{text}</p></main></body></html>"
    );
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n{}\r\n{body}",
        body.len(),
        headers()
    )
}

/// Returns the whole HTTP answer that sends the browser to another page.
pub(super) fn see_other(location: &str) -> String {
    format!(
        "HTTP/1.1 303 See Other\r\nLocation: {location}\r\nContent-Length: 0\r\n{}\r\n",
        headers()
    )
}

fn headers() -> String {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "Content-Security-Policy: default-src 'none'; style-src 'sha256-{style}'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
         Cache-Control: no-store\r\n\
         Referrer-Policy: no-referrer\r\n\
         X-Frame-Options: DENY\r\n\
         X-Content-Type-Options: nosniff\r\n\
         Cross-Origin-Resource-Policy: same-origin\r\n\
         Connection: close\r\n"
    )
}

fn status(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::BadRequest => "400 Bad Request",
        Refusal::Forbidden => "403 Forbidden",
        Refusal::NotFound => "404 Not Found",
        Refusal::Method => "405 Method Not Allowed\r\nAllow: GET",
        Refusal::Misdirected => "421 Misdirected Request",
        Refusal::TooLarge => "431 Request Header Fields Too Large",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_loads_nothing_and_is_not_kept() {
        for page in [Page::Done, Page::Failed, Page::Refused(Refusal::NotFound)] {
            let answer = answer(page);
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            for header in [
                "Cache-Control: no-store",
                "Referrer-Policy: no-referrer",
                "X-Frame-Options: DENY",
                "X-Content-Type-Options: nosniff",
                &format!("Content-Length: {}", body.len()),
            ] {
                assert!(head.lines().any(|line| line == header), "{header}");
            }
            assert!(
                head.contains("Content-Security-Policy: default-src 'none'; style-src 'sha256-")
            );
            for loads in ["<script", "src=", "href=", "url(", "@import"] {
                assert!(!body.contains(loads), "{loads}");
            }
        }
    }

    #[test]
    fn the_policy_allows_the_style_that_is_there() {
        let answer = answer(Page::Done);
        let style = answer.split("<style>").nth(1).unwrap();
        let style = style.split("</style>").next().unwrap();
        let hash = STANDARD.encode(Sha256::digest(style));
        assert!(answer.contains(&format!("'sha256-{hash}'")));
    }
}
