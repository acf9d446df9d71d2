use super::*;

fn round_trip(text: &str) -> String {
    let mut line = Vec::new();
    Message::parse(text.as_bytes())
        .unwrap()
        .write_line(&mut line);
    String::from_utf8(line).unwrap()
}

#[test]
fn what_is_inside_passes_byte_for_byte() {
    for text in [
        r#"{"jsonrpc":"2.0","id":"a\u0031","method":"tools/call","params":{"z":1,"a":12345678901234567890123,"f":1e400, "s":"\ud800"}}"#,
        r#"{"jsonrpc":"2.0","id":-0,"result":{"content":[{"type":"hologram"}],"x":1.0}}"#,
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":"m","extra":true}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/odd"}"#,
    ] {
        assert_eq!(round_trip(text), format!("{text}\n"));
    }
}

#[test]
fn a_line_stays_one_line() {
    let pretty = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\r\n  \"a\": 1\r\n}}";
    assert_eq!(round_trip(pretty).matches('\n').count(), 1);
}

#[test]
fn what_is_no_message_gets_the_code_that_fits() {
    let deep = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}}",
        "[".repeat(10_000)
    );
    for (text, code) in [
        ("nonsense", code::PARSE_ERROR),
        ("{\"jsonrpc\":\"2.0\",\"id\":1", code::PARSE_ERROR),
        ("\u{feff}{}", code::PARSE_ERROR),
        (deep.as_str(), code::PARSE_ERROR),
        ("[]", code::INVALID_REQUEST),
        ("7", code::INVALID_REQUEST),
        (r#"{"id":1,"method":"ping"}"#, code::INVALID_REQUEST),
        (
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            code::INVALID_REQUEST,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
            code::INVALID_REQUEST,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"x"}"#,
            code::INVALID_REQUEST,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
            code::INVALID_REQUEST,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
            code::INVALID_REQUEST,
        ),
        (r#"{"jsonrpc":"2.0","id":1}"#, code::INVALID_REQUEST),
    ] {
        assert_eq!(
            Message::parse(text.as_bytes()).unwrap_err().code,
            code,
            "{text:.60}"
        );
    }
    assert_eq!(
        Message::parse(b"{\"a\":\"\xff\"}").unwrap_err().code,
        code::PARSE_ERROR
    );
}

#[test]
fn an_answer_without_identity_is_still_an_answer() {
    let text = br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no"}}"#;
    let Message::Response(response) = Message::parse(text).unwrap() else {
        panic!("no answer")
    };
    assert!(response.id.is_none());
}

/// It reaches logs, the record and the host, and may be anything: an echoed token, a mebibyte.
#[test]
fn what_is_no_message_is_not_repeated() {
    let key = "canary".repeat(1000);
    for text in [
        format!(r#"{{"{key}":1,"{key}":2}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","PARAMS":"{key}"}}"#),
        format!(r#"{{"jsonrpc":"{key}"}}"#),
        format!(r#"{{"jsonrpc":"2.0","{key}":nul}}"#),
        format!("\"{key}\""),
    ] {
        let reason = Message::parse(text.as_bytes()).unwrap_err().reason;
        assert!(!reason.contains("canary"), "{reason:.100}");
    }
}
