use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn redactor() -> Redactor {
    Redactor::new(&["pin_code".into()], [9; 32])
}

const JWT: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiJhbGljZSIsImV4cCI6MTc2N30.c2lnbmF0dXJlLXNpZ25hdHVyZQ";

/// Assembled, so that this file holds no text that scanners of repositories take for a secret.
#[expect(clippy::too_many_lines, reason = "a table")]
fn shapes() -> Vec<(String, String)> {
    let tail = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0";
    let mut all = vec![
        (JWT.to_owned(), JWT.to_owned()),
        (
            format!("AKIA{}", "IOSFODNN7EXAMPLE"),
            format!("AKIA{}", "IOSFODNN7EXAMPLE"),
        ),
        (
            format!("ASIA{}", "IOSFODNN7EXAMPLE"),
            format!("ASIA{}", "IOSFODNN7EXAMPLE"),
        ),
    ];
    for prefix in [
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
        "ghr_",
        "github_pat_",
        "glpat-",
        "xoxb-",
        "xoxp-",
        "AIza",
        "ya29.",
        "sk_live_",
        "rk_live_",
        "sk-",
        "sk-proj-",
        "sk-ant-api03-",
        "npm_",
        "hf_",
        "whsec_",
        "shpat_",
        "hvs.",
    ] {
        all.push((format!("{prefix}{tail}"), format!("{prefix}{tail}")));
    }
    for (text, secret) in [
        ("Authorization: Bearer abc.DEF-123~xyz", "abc.DEF-123~xyz"),
        ("authorization: bearer 0123456789abcdef", "0123456789abcdef"),
        (
            "Authorization: Basic YWxpY2U6aHVudGVyMg==",
            "YWxpY2U6aHVudGVyMg",
        ),
        ("send Bearer mF_9.B5f-4.1JqM please", "mF_9.B5f-4.1JqM"),
        (
            "send Basic YWxpY2U6aHVudGVyMg== please",
            "YWxpY2U6aHVudGVyMg",
        ),
        (
            "curl -H 'Authorization: token s3cr3t-v4lu3' x",
            "s3cr3t-v4lu3",
        ),
        (
            "Cookie: sid=31d4d96e407aad42; theme=dark",
            "31d4d96e407aad42",
        ),
        ("postgres://app:hunter2@db.example/prod", "hunter2"),
        ("amqp://app:hun/ter2@mq.example/", "hun/ter2"),
        (
            "https://0123456789abcdef0123@git.example/r.git",
            "0123456789abcdef0123",
        ),
        (
            "https://x.blob.core.windows.net/c?sv=1&sig=abc%2Bdef%2Fghi0123456789%3D&se=1",
            "abc%2Bdef%2Fghi0123456789%3D",
        ),
        ("Server=db;User=sa;Password=hunter2;Encrypt=1", "hunter2"),
        ("export PGPASSWORD=hunter2 && psql", "hunter2"),
        ("GET /v1?api_key=zzz999&x=1", "zzz999"),
        (
            "DefaultEndpointsProtocol=https;AccountKey=Zm9vYmFyYmF6cXV4;",
            "Zm9vYmFyYmF6cXV4",
        ),
        ("password: hunter2", "hunter2"),
        ("{'client_secret': 'hunter2'}", "hunter2"),
        ("result: {\"password\": \"hun ter2\"} end", "hun ter2"),
        ("\\\"apiKey\\\": \\\"hun ter2\\\" end", "hun ter2"),
        ("deploy --token hunter2 --force", "hunter2"),
        ("<password>hunter2</password>", "hunter2"),
        (
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG",
            "wJalrXUtnFEMI/K7MDENG",
        ),
        ("pin_code=4711", "4711"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----\nend",
            "MIIEowIBAAKCAQEA",
        ),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA",
            "b3BlbnNzaC1rZXktdjEAAAAA",
        ),
    ] {
        all.push((text.into(), secret.into()));
    }
    all
}

/// Texts that only look a little like one.
const PLAIN: &[&str] = &[
    "max_tokens=512 and keyboard=qwerty",
    "the risk-management-and-mitigation-plan",
    "task-0123456789abcdef0123456789abcdef",
    "see https://example.com:8443/a/b?page=2 and ssh://git@example.com/x",
    "mail alice@example.com via http://[::1]:80/x@y",
    "Basic authentication is off, Bearer tokens are on",
    "the token is checked; a secret: kept",
    "const token = next(); let password_policy",
    "eyJ and eyJabc.def are short",
    "a broken monkey spoken of",
    "password=",
    "password=null&secret=[REDACTED]",
    "AKIA is a prefix",
    "SELECT * FROM tokens WHERE id = 7",
    "-----BEGIN is how it starts",
];

#[test]
fn every_shape_is_taken_out_of_every_place() {
    let redactor = redactor();
    for (text, secret) in shapes() {
        let clean = redactor.text(&text);
        assert!(
            !clean.contains(&secret) && clean.contains(MARK),
            "{text} -> {clean}"
        );
        for json in [
            format!("{{\"q\":{}}}", quoted(&text)),
            format!("[1,{}]", quoted(&format!("before {text} after"))),
            format!("{{{}:1}}", quoted(&text)),
            format!(
                "{{\"body\":{}}}",
                quoted(&format!("{{\"a\":{}}}", quoted(&text)))
            ),
            format!("{{\"u\":\"{}\"}}", escaped(&text)),
            // Half a surrogate pair makes it a string that few decoders take.
            format!("{{\"u\":\"\\ud800 {}\"}}", escaped(&text)),
        ] {
            let redacted = redactor.arguments(&json);
            assert!(
                !decoded(&redacted.json).contains(&secret),
                "{json} -> {}",
                redacted.json
            );
            assert!(!redacted.redacted.is_empty(), "{json}");
            let listed = format!("{:?}", redacted.redacted);
            assert!(!listed.contains(&secret), "{listed}");
        }
    }
}

/// Every character as `\uXXXX`.
fn escaped(text: &str) -> String {
    text.encode_utf16()
        .fold(String::new(), |text, unit| format!("{text}\\u{unit:04x}"))
}

/// The document with every level of escaping undone.
fn decoded(json: &str) -> String {
    let mut text = json.to_owned();
    for _ in 0..4 {
        text = text
            .replace("\\\\", "\\")
            .replace("\\\"", "\"")
            .replace("\\n", "\n");
    }
    text
}

#[test]
fn texts_without_secrets_stay_as_they_are() {
    let redactor = redactor();
    for text in PLAIN {
        assert_eq!(redactor.text(text), *text);
        assert!(matches!(redactor.text(text), Cow::Borrowed(_)));
        let json = format!("{{\"q\":{}}}", quoted(text));
        assert_eq!(redactor.arguments(&json).json, json);
    }
}

#[test]
fn only_the_secret_is_replaced() {
    for (source, expected) in [
        (
            r#"{"password":"hunter2","n":12345678901234567890123}"#,
            r#"{"password":"[REDACTED]","n":12345678901234567890123}"#,
        ),
        (
            r#"{ "a" : { "apiKey" : [1, {"b":2}] } , "c":1e400 }"#,
            r#"{ "a" : { "apiKey" : "[REDACTED]" } , "c":1e400 }"#,
        ),
        (
            r#"[{"secret":12},{"secret":null},{"has_token":true}]"#,
            r#"[{"secret":"[REDACTED]"},{"secret":null},{"has_token":true}]"#,
        ),
        (
            r#"{"body":"{\"password\":\"x\",\"n\":1.50}"}"#,
            r#"{"body":"{\"password\":\"[REDACTED]\",\"n\":1.50}"}"#,
        ),
        (
            r#"{"env":[{"name":"DB_PASSWORD","value":"x"},{"name":"PORT","value":"1"}]}"#,
            r#"{"env":[{"name":"DB_PASSWORD","value":"[REDACTED]"},{"name":"PORT","value":"1"}]}"#,
        ),
        (
            r#"["run","--password","x","--verbose","y"]"#,
            r#"["run","--password","[REDACTED]","--verbose","y"]"#,
        ),
        (
            r#"{"url":"https://a:b@h/p?password=q&x=1"}"#,
            r#"{"url":"https://a:[REDACTED]@h/p?password=[REDACTED]&x=1"}"#,
        ),
        (
            r#"{"pass\u0077ord":"x"}"#,
            r#"{"pass\u0077ord":"[REDACTED]"}"#,
        ),
        (r#""plain""#, r#""plain""#),
        ("{}", "{}"),
        (
            r#"{"password":"[REDACTED]"}"#,
            r#"{"password":"[REDACTED]"}"#,
        ),
    ] {
        let redacted = redactor().arguments(source);
        assert_eq!(redacted.json, expected);
        assert_eq!(redacted.digest, digest(source.as_bytes()));
        assert!(!redacted.cut);
    }
}

#[test]
fn places_are_pointers_with_keyed_digests() {
    let redactor = redactor();
    let source = r#"{"a/b":{"~":[0,{"password":"hunter2"}]},"q":"x password=hunter2"}"#;
    let redacted = redactor.arguments(source).redacted;
    let paths: Vec<&str> = redacted.iter().map(|place| place.path.as_str()).collect();
    assert_eq!(paths, ["/a~1b/~0/1/password", "/q"]);
    assert_eq!(redacted[0].digest, redactor.keyed_digest("hunter2"));
    assert_eq!(redacted[0].digest, redacted[1].digest);
    let other = Redactor::new(&[], [8; 32]);
    assert_ne!(other.keyed_digest("hunter2"), redacted[0].digest);
    // RFC 4231, test case 2, with the key padded to 32 bytes, which changes nothing.
    let mut key = [0; 32];
    key[..4].copy_from_slice(b"Jefe");
    assert_eq!(
        Redactor::new(&[], key).keyed_digest("what do ya want for nothing?"),
        "hmac-sha256:5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
}

#[test]
fn long_arguments_are_cut_after_redaction() {
    let filler = "word ".repeat(4000);
    let source = format!("{{\"password\":\"hunter2\",\"text\":\"{filler} {JWT}\"}}");
    let redacted = redactor().arguments(&source);
    assert!(redacted.cut);
    assert!(redacted.json.len() < 2048);
    assert_eq!(redacted.redacted.len(), 2);
    let cut: Value = serde_json::from_str(&redacted.json).unwrap();
    assert_eq!(cut["truncated"], true);
    assert_eq!(cut["size"], source.len());
    assert_eq!(cut["digest"], redacted.digest.as_str());
    let head = cut["head"].as_str().unwrap();
    assert!(head.starts_with("{\"password\":\"[REDACTED]\",\"text\":\"word "));
    assert_eq!(head.len(), 1024);
    // A secret that fills megabytes leaves nothing to cut.
    let source = format!("{{\"password\":\"{filler}\"}}");
    assert_eq!(
        redactor().arguments(&source).json,
        "{\"password\":\"[REDACTED]\"}"
    );
}

#[test]
fn a_secret_across_the_edge_of_what_is_kept_does_not_show() {
    let redactor = redactor();
    for (text, secret) in shapes() {
        for before in (0..=1024_usize).rev().step_by(7).take(40).chain(150..=200) {
            let source = format!(
                "{{\"q\":{}}}",
                quoted(&format!(
                    "{}{text}{}",
                    " ".repeat(before),
                    " x".repeat(9000)
                ))
            );
            let redacted = redactor.arguments(&source);
            assert!(
                !decoded(&redacted.json).contains(&secret[..6.min(secret.len())])
                    || secret.len() < 8,
                "{before} {text}"
            );
            for response in [source.clone(), quoted(&source)] {
                assert!(
                    !redactor.summary(&response).contains(&secret),
                    "{before} {text}"
                );
            }
        }
    }
}

#[test]
fn a_summary_is_the_text_of_a_result() {
    let redactor = redactor();
    let result = r#"{"structuredContent":{"x":["}"]},"content":[{"type":"text","text":"first\n"},{"type":"image","data":"AAAA"},{"type":"text","text":"password=hunter2 \u00e4"}],"isError":false}"#;
    assert_eq!(redactor.summary(result), "first\n\npassword=[REDACTED] ä");
    assert_eq!(
        redactor.summary(r#"{"code":-32000,"message":"no","data":{"token":"x"}}"#),
        r#"{"code":-32000,"message":"no","data":{"token":"[REDACTED]"}}"#
    );
    assert_eq!(redactor.summary(r#"{"content":[]}"#), r#"{"content":[]}"#);
    let text = r#"{"content":[{"type":"text","text":"{\"rows\":[{\"api_key\":\"zzz\"}]}"}]}"#;
    assert_eq!(
        redactor.summary(text),
        r#"{"rows":[{"api_key":"[REDACTED]"}]}"#
    );
    let long = format!(
        "{{\"content\":[{{\"type\":\"text\",\"text\":{}}}]}}",
        quoted(&"ä".repeat(50_000))
    );
    assert_eq!(redactor.summary(&long), "ä".repeat(200));
    assert_eq!(redactor.summary("not json"), "not json");
}

/// Each kind of secret begins at each of the last bytes of the window, after so many other secrets
/// that the window's end is part of what is kept.
#[test]
fn a_secret_across_the_edge_of_what_is_searched_does_not_show() {
    let redactor = redactor();
    let block = format!("AKIA{} ", "IOSFODNN7EXAMPLE0123456789".repeat(12));
    for (text, secret) in shapes()
        .into_iter()
        .filter(|(_, secret)| secret.len() >= 12)
    {
        for start in (WINDOW - 120..WINDOW + 8).step_by(3) {
            let mut response = block.repeat(start / block.len());
            response.push_str(&" ".repeat(start - response.len()));
            response.push_str(&text);
            response.push_str(&" end".repeat(100));
            let summary = redactor.summary(&response);
            assert!(
                !summary.contains(&secret[..10]),
                "{start} {text}: {summary}"
            );
        }
    }
}

#[test]
fn a_long_signed_token_is_taken_out_of_a_summary() {
    for length in [100, 3000, 5000, 20_000] {
        let part = "a".repeat(length);
        for token in [
            format!("eyJ{part}.{part}.{part}"),
            format!("eyJabcdefg.{part}.{part}"),
        ] {
            let summary = redactor().summary(&format!("token {token} end"));
            assert!(!summary.contains("aaaaaaaa"), "{summary}");
        }
    }
}

#[test]
fn what_is_no_json_is_recorded_as_text() {
    for (source, expected) in [
        (
            "{\"password\":\"hunter2\"",
            "\"{\\\"password\\\":\\\"[REDACTED]\\\"\"",
        ),
        ("password=hunter2", "\"password=[REDACTED]\""),
        ("{} password=hunter2", "\"{} password=[REDACTED]\""),
    ] {
        assert_eq!(redactor().arguments(source).json, expected);
    }
}

#[test]
fn depth_and_nesting_have_an_end() {
    let deep = format!(
        "{}\"password=hunter2\"{}",
        "[".repeat(50_000),
        "]".repeat(50_000)
    );
    let redacted = redactor().arguments(&deep);
    assert!(!redacted.json.contains("hunter2"));
    assert!(serde_json::from_str::<Value>(&redacted.json).is_ok());
    let mut nested = "{\"password\":\"hunter2\"}".to_owned();
    for _ in 0..8 {
        nested = format!("{{\"a\":{}}}", quoted(&nested));
    }
    assert!(!redactor().arguments(&nested).json.contains("hunter2"));
}

/// Repeated beginnings of shapes are the worst that a text can hold. The bound is generous: a look
/// that grew with the square of the length would take hours.
#[test]
fn hostile_texts_take_linear_time() {
    let redactor = redactor();
    for piece in [
        "eyJ",
        "eyJ.",
        "://",
        "://a:b",
        "password",
        "password=",
        "password='",
        "-----BEGIN ",
        "-----BEGIN A-----",
        "Bearer ",
        "Basic YTpi",
        "sk-",
        "AKIA",
        "token: ",
        "\\\\\"",
        "--token ",
        "<secret>",
    ] {
        let text = piece.repeat(100_000 / piece.len());
        let json = format!("{{\"a\":{}}}", quoted(&text));
        let redacted = redactor.arguments(&json);
        assert!(redacted.json.len() <= ARGUMENTS_LIMIT, "{piece}");
        let _text = redactor.text(&text);
    }
}

proptest! {
    #[test]
    fn no_planted_secret_comes_through(
        seed in "[a-z0-9]{24}",
        before in "[ -~]{0,40}[ ,;]",
        after in "[ ,;][ -~]{0,40}",
        kind in 0..8_usize,
        depth in 0..5_usize,
    ) {
        let secret = format!("{seed}Zz9");
        let planted = match kind {
            0 => format!("ghp_{secret}"),
            1 => format!("eyJhbGciOiJub25lIn0.{secret}.{secret}"),
            2 => format!("Bearer {secret}"),
            3 => format!("https://u:{secret}@example.com/"),
            4 => format!("api_key={secret}"),
            5 => format!("sk-ant-{secret}"),
            6 => format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----"),
            _ => format!("{{\"clientSecret\": \"{secret}\"}}"),
        };
        let mut json = quoted(&format!("{before}{planted}{after}"));
        for level in 0..depth {
            json = match level % 3 {
                0 => format!("{{\"x\":{json}}}"),
                1 => format!("[1,{json},null]"),
                _ => quoted(&json),
            };
        }
        let redacted = redactor().arguments(&json);
        prop_assert!(!redacted.json.contains(&secret), "{}", redacted.json);
        prop_assert!(serde_json::from_str::<Value>(&redacted.json).is_ok());
        prop_assert!(!redactor().summary(&json).contains(&secret));
        prop_assert!(!redactor().text(&json).contains(&secret));
    }

    #[test]
    fn whatever_comes_the_record_stays_json(source in "[ -~äß\u{1F600}\\\\\"{}\\[\\]:,]{0,60}") {
        let redacted = redactor().arguments(&source);
        prop_assert!(serde_json::from_str::<Value>(&redacted.json).is_ok(), "{}", redacted.json);
        let _summary = redactor().summary(&source);
    }
}
