//! Texts that have the shape of a secret.
//!
//! One expression of plain literals finds where a secret may be; it runs at memory speed over text
//! that holds none. What stands there is then looked at by hand, each look bounded or never
//! repeated over the same bytes, so that no text takes more than linear time.

mod assignment;

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;

use super::cursor::beginning;
use super::key::Keys;

/// What a token of a known maker looks like.
struct Prefix {
    text: &'static str,
    /// The fewest characters that have to follow.
    least: usize,
    /// Whether it counts in the middle of a word, because nothing else looks like it.
    anywhere: bool,
}

const fn prefix(text: &'static str, least: usize) -> Prefix {
    Prefix {
        text,
        least,
        anywhere: true,
    }
}

const fn word(text: &'static str, least: usize) -> Prefix {
    Prefix {
        text,
        least,
        anywhere: false,
    }
}

/// Makers' prefixes, from their own documentation of secret scanning.
const PREFIXES: &[Prefix] = &[
    word("AKIA", 16),
    word("ASIA", 16),
    prefix("ghp_", 20),
    prefix("gho_", 20),
    prefix("ghu_", 20),
    prefix("ghs_", 20),
    prefix("ghr_", 20),
    prefix("github_pat_", 20),
    prefix("glpat-", 16),
    prefix("xoxb-", 10),
    prefix("xoxp-", 10),
    prefix("xoxa-", 10),
    prefix("xoxe", 10),
    prefix("xoxo-", 10),
    prefix("xoxr-", 10),
    prefix("xoxs-", 10),
    prefix("xoxc-", 10),
    prefix("xoxd-", 10),
    prefix("xapp-", 20),
    prefix("AIza", 30),
    word("ya29.", 16),
    prefix("sk_live_", 12),
    prefix("rk_live_", 12),
    prefix("sk_test_", 12),
    prefix("rk_test_", 12),
    word("whsec_", 16),
    // OpenAI and, with `sk-ant-`, Anthropic.
    word("sk-", 20),
    word("npm_", 30),
    word("pypi-", 40),
    word("hf_", 30),
    word("SG.", 40),
    word("hvs.", 20),
    prefix("dop_v1_", 40),
    prefix("shpat_", 24),
    word("sig=", 20),
];
/// Literals that begin something other than a maker's token.
const OTHER_HINTS: &[&str] = &[JWT, PEM, AUTHORITY, "earer ", "EARER ", "asic ", "ASIC "];
const JWT: &str = "eyJ";
const PEM: &str = "-----BEGIN ";
const AUTHORITY: &str = "://";
/// The longest name and password in an address.
const USERINFO_LIMIT: usize = 384;

/// The literals and what to do where one stands.
#[derive(Debug)]
pub(super) struct Shapes {
    hints: Regex,
}

/// What one look found.
enum Look {
    Secret(Range<usize>),
    Nothing,
}

impl Shapes {
    pub(super) fn new(extra_keys: &[Box<str>]) -> Self {
        let fixed = PREFIXES.iter().map(|prefix| prefix.text);
        let fixed = fixed.chain(OTHER_HINTS.iter().copied()).map(String::from);
        let words = assignment::hints(extra_keys);
        let all: Vec<String> = fixed
            .chain(words)
            .map(|hint| regex::escape(&hint))
            .collect();
        Self {
            hints: Regex::new(&all.join("|")).unwrap_or_else(|_| everywhere()),
        }
    }

    /// Whether the text deserves a look; most do not.
    pub(super) fn may_hold(&self, text: &str) -> bool {
        self.hints.is_match(text)
    }

    /// Where the secrets are, in order and apart. A text that was cut at its end is `open`: what
    /// reaches the end and may be the beginning of a secret is one.
    pub(super) fn find(&self, keys: &Keys, text: &str, open: bool) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        let (mut at, mut jwt_after) = (0, 0);
        while let Some(hint) = self.hints.find_at(text, at) {
            let start = hint.start();
            let look = match hint.as_str() {
                JWT if start < jwt_after => Look::Nothing,
                JWT => jwt(text, start, open, &mut jwt_after),
                PEM => pem(text, start),
                AUTHORITY => userinfo(text, hint.end()),
                "earer " | "EARER " => bearer(text, hint.end()),
                "asic " | "ASIC " => basic(text, hint.end()),
                other => named(keys, text, start, other),
            };
            at = match look {
                Look::Secret(range) => {
                    let end = range.end;
                    found.push(range);
                    end.max(start + 1)
                }
                Look::Nothing => start + text[start..].chars().next().map_or(1, char::len_utf8),
            };
        }
        found
    }
}

/// Stands in for an expression that does not compile, which plain literals always do: a look at
/// every character is slow and safe.
fn everywhere() -> Regex {
    #[expect(clippy::unwrap_used, reason = "the pattern is constant")]
    Regex::new("(?s-u:[ -~])").unwrap()
}

/// A maker's token, or a name and its value.
fn named(keys: &Keys, text: &str, start: usize, hint: &str) -> Look {
    let Some(prefix) = PREFIXES.iter().find(|prefix| prefix.text == hint) else {
        return match assignment::value(keys, text, start) {
            Some(range) => Look::Secret(range),
            None => Look::Nothing,
        };
    };
    let bytes = text.as_bytes();
    let inside = start
        .checked_sub(1)
        .is_some_and(|at| bytes[at].is_ascii_alphanumeric());
    let first = start + hint.len();
    let end = first + run(&bytes[first..], is_token);
    if end - first < prefix.least || (inside && !prefix.anywhere) {
        return Look::Nothing;
    }
    // The parameter's name stays readable.
    let from = if hint == "sig=" { first } else { start };
    Look::Secret(from..end)
}

/// `eyJ…`.`…`, signed or not. Its first part is base64 of `{"`, which nothing else begins with.
fn jwt(text: &str, start: usize, open: bool, after: &mut usize) -> Look {
    let bytes = text.as_bytes();
    let part = |from: usize| run(&bytes[from..], is_base64url);
    let header = start + part(start);
    *after = header;
    if header == bytes.len() && open {
        return Look::Secret(start..header);
    }
    if header - start < 8 || bytes.get(header) != Some(&b'.') {
        return Look::Nothing;
    }
    // Two parts of a signed token, four of an encrypted one; an empty one is possible.
    let mut end = header + 1 + part(header + 1);
    if end - header < 8 && !(open && end == bytes.len()) {
        return Look::Nothing;
    }
    for _ in 0..3 {
        if bytes.get(end) != Some(&b'.') {
            break;
        }
        end += 1 + part(end + 1);
    }
    Look::Secret(start..end)
}

/// A block from its first line to its last, or to the end of the text.
fn pem(text: &str, start: usize) -> Look {
    let rest = &text[start + PEM.len()..];
    let label = rest.bytes().take(64).position(|byte| byte == b'-');
    let Some(label) = label.filter(|at| rest[*at..].starts_with("-----")) else {
        return Look::Nothing;
    };
    let body = start + PEM.len() + label + 5;
    let Some(last) = memchr::memmem::find(&text.as_bytes()[body..], b"-----END ") else {
        return Look::Secret(start..text.len());
    };
    let last = body + last + "-----END ".len();
    let label = text[last..].find("-----");
    Look::Secret(start..label.map_or(text.len(), |at| last + at + 5))
}

/// The password of `scheme://name:password@host`, or a long name alone, which is a token.
fn userinfo(text: &str, start: usize) -> Look {
    let rest = beginning(&text[start..], USERINFO_LIMIT);
    let upto = |text: &'_ str, more: &[u8]| {
        let ends = |byte: u8| byte <= b' ' || b"\"'<>`".contains(&byte) || more.contains(&byte);
        text.bytes().position(ends).unwrap_or(text.len())
    };
    let authority = &rest[..upto(rest, b"/?#")];
    // Passwords are written with raw slashes too; a port is a number.
    let odd_port = authority.rsplit_once(':').is_some_and(|(_, port)| {
        !port.ends_with(']') && !port.bytes().all(|byte| byte.is_ascii_digit())
    });
    let beyond = || {
        odd_port
            .then(|| rest[..upto(rest, b"")].rfind('@'))
            .flatten()
    };
    let Some(at) = authority.rfind('@').or_else(beyond) else {
        return Look::Nothing;
    };
    match rest[..at].find(':') {
        Some(colon) if colon + 1 < at => Look::Secret(start + colon + 1..start + at),
        None if at >= 20 => Look::Secret(start..start + at),
        Some(_) | None => Look::Nothing,
    }
}

/// What follows `Bearer`; ordinary words after it are shorter or have no digit.
fn bearer(text: &str, start: usize) -> Look {
    let token = run(&text.as_bytes()[start..], is_token68);
    let digits = text[start..start + token]
        .bytes()
        .any(|byte| byte.is_ascii_digit());
    if token >= 16 || (token >= 6 && digits) {
        Look::Secret(start..start + token)
    } else {
        Look::Nothing
    }
}

/// What follows `Basic`, if it is base64 of `name:password`.
fn basic(text: &str, start: usize) -> Look {
    let token = run(&text.as_bytes()[start..], is_token68);
    let encoded = text[start..start + token].trim_end_matches('=');
    // The beginning decides, so that one that is cut is known as well.
    let whole = encoded.len() / 4 * 4;
    let decoded = STANDARD
        .decode(&encoded[..whole.min(256)])
        .unwrap_or_default();
    let printable = decoded.iter().all(|byte| *byte >= b' ' && *byte != 0x7F);
    let last_colon = encoded.len() > whole && token >= 8;
    if printable && !decoded.is_empty() && (decoded.contains(&b':') || last_colon && token > 200) {
        Look::Secret(start..start + token)
    } else {
        Look::Nothing
    }
}

fn run(bytes: &[u8], belongs: fn(u8) -> bool) -> usize {
    let end = bytes.iter().position(|byte| !belongs(*byte));
    end.unwrap_or(bytes.len())
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn is_token(byte: u8) -> bool {
    is_base64url(byte) || matches!(byte, b'.' | b'%' | b'+' | b'/' | b'=')
}

/// RFC 9110 §11.2.
fn is_token68(byte: u8) -> bool {
    is_token(byte) && byte != b'%' || byte == b'~'
}
