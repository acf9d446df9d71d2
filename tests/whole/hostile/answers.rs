//! Servers that answer calls wrongly, in thirty ways.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::server::{Asked, Era, Hostile, Part, Reply, begun, event, head, said, whole};
use super::{EVENTS, JSON, Scene, assert_well, call, failed, healthy};

/// Messages that are none, or are not the answer.
fn wrong(asked: &Asked) -> Option<Reply> {
    let id = &asked.message["id"];
    let right = asked.message(&said("right"));
    let named = |name: &str| right.replace(&format!("\"id\":{id}"), &format!("\"id\":{name}"));
    let with = |members: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},{members}}}"#);
    let text = match asked.tool() {
        "deep" => with(&format!(
            "\"result\":{}{}",
            "[".repeat(10_000),
            "]".repeat(10_000)
        )),
        "twice" => with(r#""result":{},"result":{}"#),
        "folded" => with(r#""Result":{},"result":{}"#),
        "both" => with(r#""result":{},"error":{"code":1,"message":"m"}"#),
        "foreign" => named("987654"),
        "text" => named(&format!("\"{id}\"")),
        "nameless" => named("null"),
        "batch" => format!("[{right}]"),
        "bytes" => return Some(whole(JSON, [right.as_bytes(), b"\xff"].concat())),
        "nul" => format!("{right}\0"),
        "mark" => format!("\u{feff}{right}"),
        "empty" => String::new(),
        "page" => return Some(whole("text/html", "<html>Sign in")),
        "link" => {
            let asks = json!({"mode": "url", "url": "javascript:alert(1)", "message": "m"});
            let data = json!({"elicitations": [asks]});
            with(&format!(
                r#""error":{{"code":-32042,"message":"m","data":{data}}}"#
            ))
        }
        _ => return None,
    };
    Some(whole(JSON, text))
}

/// Answers without end, or with one that does not come.
fn endless(asked: &Asked) -> Option<Reply> {
    let begun_with = |kind: &str, part: Part| {
        let mut reply = begun(kind);
        reply.push(part);
        reply
    };
    let events = |text: String| begun_with(EVENTS, Part::Forever(text.into()));
    Some(match asked.tool() {
        "flood" => begun_with(JSON, Part::Forever(vec![b' '; 1 << 16])),
        "announced" => head(
            "200 OK",
            &format!("Content-Type: {JSON}\r\nContent-Length: {}\r\n", 1 << 30),
        ),
        "headers" => vec![
            Part::Bytes(b"HTTP/1.1 200 OK\r\n".to_vec()),
            Part::Forever(b"X-Bomb: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n".to_vec()),
        ],
        "comments" => events(": xxxxxxxxxxxxxxxxxxxxxxxxxxx\n".repeat(1 << 11)),
        "event" => events("data: xxxxxxxxxxxxxxxxxxxxxxxx".repeat(1 << 11)),
        "progress" => {
            let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress",
                "params": {"progressToken": "q", "progress": 1}});
            events(event(&progress.to_string()).repeat(1 << 10))
        }
        "trickle" => begun_with(JSON, Part::Trickle(b" ".to_vec())),
        "slow-events" => begun_with(EVENTS, Part::Trickle(b": x\n".to_vec())),
        _ => return None,
    })
}

/// Answers with odd heads, or none.
fn headless(asked: &Asked) -> Option<Reply> {
    Some(match asked.tool() {
        "packed" => {
            let lines = format!("Content-Type: {JSON}\r\nContent-Encoding: gzip\r\n");
            let mut reply = head("200 OK", &lines);
            let right = asked.message(&said("right"));
            reply.push(Part::Bytes(gzip(right.as_bytes())));
            reply
        }
        "cut" => vec![Part::Bytes(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec())],
        "nothing" => Vec::new(),
        "challenge" => {
            let challenge = "x=\"y\",".repeat(50_000);
            let line = format!("WWW-Authenticate: Bearer {challenge}\r\n");
            head("401 No", &line)
        }
        "elsewhere" => head("302 Found", "Location: file:///etc/passwd\r\n"),
        "circle" => head("307 Temporary Redirect", "Location: /mcp\r\n"),
        "gone" => head("410 Gone", ""),
        _ => return None,
    })
}

/// Answers that are large or late among strays, and are answers all the same.
fn odd(asked: &Asked) -> Option<Reply> {
    Some(match asked.tool() {
        "strays" => {
            let strays = [
                "nonsense".to_owned(),
                "\0\u{202e}".to_owned(),
                json!({"jsonrpc": "2.0", "id": 987_654, "result": {}}).to_string(),
                json!({"jsonrpc": "2.0", "id": "x", "method": "x/y"}).to_string(),
                asked.message(&said("right")),
                asked.message(&said("another")),
            ];
            whole(EVENTS, strays.map(|stray| event(&stray)).concat())
        }
        "members" => {
            let mut result = "\"content\":[]".to_owned();
            for n in 0..210_000 {
                let _written = write!(result, ",\"k{n}\":0");
            }
            let id = &asked.message["id"];
            whole(
                JSON,
                format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{{result}}}}}"#),
            )
        }
        "uris" => asked.answer(&json!({
            "content": vec![json!({"type": "resource_link", "uri": "x:y", "name": "n"}); 20_000],
        })),
        _ => return None,
    })
}

/// What fails when it is called, and what is answered all the same.
const FAIL: [&str; 30] = [
    "flood",
    "announced",
    "packed",
    "deep",
    "twice",
    "folded",
    "both",
    "foreign",
    "text",
    "nameless",
    "batch",
    "bytes",
    "nul",
    "mark",
    "empty",
    "page",
    "cut",
    "nothing",
    "headers",
    "challenge",
    "elsewhere",
    "circle",
    "comments",
    "event",
    "progress",
    "trickle",
    "slow-events",
    "link",
    "unknown",
    "gone",
];
const PASS: [&str; 3] = ["strays", "members", "uris"];

fn evil_tools(asked: &Asked) -> Option<Reply> {
    if asked.method() == "tools/list" {
        let names = FAIL.iter().chain(&PASS).filter(|name| **name != "unknown");
        let tools: Vec<Value> = names.map(|name| json!({"name": name})).collect();
        return Some(asked.answer(&json!({ "tools": tools })));
    }
    let mut ways = [wrong, endless, headless, odd].into_iter();
    ways.find_map(|way| way(asked))
}

/// Stored, which is all that a reader of gzip needs.
fn gzip(text: &[u8]) -> Vec<u8> {
    let mut crc = !0_u32;
    for byte in text {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (!(crc & 1)).wrapping_add(1));
        }
    }
    let length = u16::try_from(text.len()).expect("a short text");
    let mut packed = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x01".to_vec();
    packed.extend(length.to_le_bytes());
    packed.extend((!length).to_le_bytes());
    packed.extend(text);
    packed.extend((!crc).to_le_bytes());
    packed.extend(u32::from(length).to_le_bytes());
    packed
}

#[tokio::test]
async fn answers_of_hostile_servers_cost_their_calls_alone() {
    let old = Hostile::start(Era::Sessions, evil_tools).await;
    let new = Hostile::start(Era::Alone, evil_tools).await;
    let neighbour = healthy().await;
    let scene = Scene::of(&[("old", &old), ("new", &new), ("healthy", &neighbour)]).await;
    let mut host = scene.host("healthy__echo").await;
    host.tools_with("old__flood").await;
    host.tools_with("new__flood").await;
    // All of them at once, and the neighbour among them.
    let mut waiting = Vec::new();
    for server in ["old", "new"] {
        for name in FAIL {
            let mut params = call(&format!("{server}__{name}"));
            params["_meta"] = json!({"progressToken": "p"});
            waiting.push((server, name, host.send("tools/call", params).await));
        }
        assert_well(&mut host).await;
    }
    for (server, name, id) in waiting {
        let answer = host.answer(id).await;
        assert!(failed(&answer), "{server} {name}: {answer}");
    }
    for name in ["old", "new"]
        .into_iter()
        .flat_map(|server| PASS.map(|name| format!("{server}__{name}")))
    {
        let answer = host.request("tools/call", call(&name)).await;
        assert!(!failed(&answer), "{name}: {answer}");
        if name.ends_with("strays") {
            assert_eq!(answer["result"]["content"][0]["text"], "right");
        }
    }
    assert_well(&mut host).await;
    assert!(host.peak() < 400, "{} MiB", host.peak());
    scene.end(host).await;
}
