//! Lines that are no messages: each gets its error and the session goes on.

use serde_json::{Value, json};

use super::{LINE_LIMIT, Scene, Scripted};

/// Holds that each line gets an error with the code, and with the identity beside it.
async fn check(code: i32, rows: &[(&[u8], Value)]) {
    let mut scene = Scene::with(Scripted::echo());
    for (line, id) in rows {
        let reply = scene.ask(line).await;
        let line = String::from_utf8_lossy(line);
        assert_eq!(reply["error"]["code"], code, "{line}");
        assert_eq!(reply["id"], *id, "{line}");
        assert!(reply["error"]["message"].is_string(), "{line}");
        scene.alive().await;
    }
}

const UNREADABLE: Value = Value::Null;

#[tokio::test(start_paused = true)]
async fn what_is_no_json_is_a_parse_error() {
    let deep = "[".repeat(10_000);
    let deep = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"a":{deep}"#);
    let marked = "\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}";
    let rows: &[(&[u8], Value)] = &[
        (b"hello", UNREADABLE),
        (b"{", UNREADABLE),
        (b"\0", UNREADABLE),
        (b"\xff\xfe{}", UNREADABLE),
        (marked.as_bytes(), UNREADABLE),
        (
            br#"{"jsonrpc":"2.0","id":1,"method":"ping"} more"#,
            UNREADABLE,
        ),
        (br#"{"jsonrpc":"2.0","id":1,"method":"ping",}"#, UNREADABLE),
        (deep.as_bytes(), UNREADABLE),
    ];
    check(-32700, rows).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_message_is_an_invalid_request() {
    let rows: &[(&[u8], Value)] = &[
        (b"1", UNREADABLE),
        (b"null", UNREADABLE),
        (b"[]", UNREADABLE),
        (br#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, UNREADABLE),
        (br#"{"id":1,"method":"ping"}"#, json!(1)),
        (br#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, json!(1)),
        (br#"{"jsonrpc":"2.0","id":"a","method":5}"#, json!("a")),
        (br#"{"jsonrpc":"2.0","id":"a"}"#, json!("a")),
        (br#"{"jsonrpc":"2.0","id":null,"method":"x"}"#, UNREADABLE),
        (br#"{"jsonrpc":"2.0","id":[1],"method":"x"}"#, UNREADABLE),
        (
            br#"{"jsonrpc":"2.0","id":2,"method":"x","params":[]}"#,
            json!(2),
        ),
        (
            br#"{"jsonrpc":"2.0","id":3,"result":{},"error":{}}"#,
            json!(3),
        ),
        (
            br#"{"jsonrpc":"2.0","id":3,"method":"x","result":{}}"#,
            json!(3),
        ),
    ];
    check(-32600, rows).await;
}

#[tokio::test(start_paused = true)]
async fn keys_that_two_readers_may_read_differently_are_refused() {
    let folded = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"param\u{17f}\":{}}";
    let rows: &[(&[u8], Value)] = &[
        (
            br#"{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}"#,
            UNREADABLE,
        ),
        (
            br#"{"jsonrpc":"2.0","id":1,"method":"a","method":"x"}"#,
            UNREADABLE,
        ),
        (
            br#"{"jsonrpc":"2.0","id":1,"m\u0065thod":"a","method":"x"}"#,
            UNREADABLE,
        ),
        (br#"{"jsonrpc":"2.0","id":1,"Method":"x"}"#, UNREADABLE),
        (br#"{"jsonrpc":"2.0","ID":1,"method":"x"}"#, UNREADABLE),
        (folded.as_bytes(), UNREADABLE),
    ];
    check(-32600, rows).await;
}

#[tokio::test(start_paused = true)]
async fn a_line_over_the_limit_is_skipped_whole() {
    let mut scene = Scene::with(Scripted::echo());
    for excess in [1, 1000, 4 * LINE_LIMIT, 40 * LINE_LIMIT] {
        let reply = scene.ask("x".repeat(LINE_LIMIT + excess)).await;
        assert_eq!(reply["error"]["code"], -32600);
        assert_eq!(reply["id"], Value::Null);
        scene.alive().await;
    }
    let (rest, _) = scene.leave().await;
    assert_eq!(rest, "", "one error for each");
}

#[tokio::test(start_paused = true)]
async fn a_line_of_the_limit_is_read() {
    let mut scene = Scene::with(Scripted::echo());
    let empty = super::request("1", "x", r#"{"a":""}"#).len();
    let filler = "y".repeat(LINE_LIMIT - empty);
    let reply = scene
        .ask(super::request("1", "x", &format!(r#"{{"a":"{filler}"}}"#)))
        .await;
    assert_eq!(reply["result"]["a"], filler);
    let longer = scene
        .ask(super::request("1", "x", &format!(r#"{{"a":"{filler}y"}}"#)))
        .await;
    assert_eq!(longer["error"]["code"], -32600);
}

#[tokio::test(start_paused = true)]
async fn blank_lines_and_carriage_returns_are_tolerated() {
    let mut scene = Scene::with(Scripted::echo());
    scene.say("\n\r\n  \t\r").await;
    let reply = scene
        .ask("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\r")
        .await;
    assert_eq!(reply["id"], 1);
    let (rest, _) = scene.leave().await;
    assert_eq!(rest, "");
}

#[tokio::test(start_paused = true)]
async fn what_wants_no_answer_gets_none() {
    let mut scene = Scene::with(Scripted::echo());
    for line in [
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":null}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"none"}}"#,
        r#"{"jsonrpc":"2.0","method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"m"}}"#,
    ] {
        scene.say(line).await;
        scene.alive().await;
    }
}
