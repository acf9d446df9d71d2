//! Servers whose requests stand alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::fake::*;
use crate::audit::Admitted;
use crate::name::ServerName;
use crate::upstream::{Along, Asides, Listing, Notice, UpstreamError};
use crate::wire::level::Level;
use crate::wire::{Abilities, Message, Object, Raw, mirror};

fn asked(method: &str, params: &str) -> Admitted {
    Admitted::as_if(&ServerName::parse("fake").unwrap(), method, params)
}

fn world(fake: &Fake) -> World {
    World::remembering(config(fake.address), [], None)
}

fn params(seen: &Seen) -> Raw {
    match Message::parse(seen.body.as_bytes()) {
        Ok(Message::Request(request)) => request.params.unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_request_says_all_that_is_needed_and_keeps_the_rest() {
    let fake = Fake::start(|seen| Some(modern(seen))).await;
    let world = world(&fake);
    let definition = r#"{"name":"echo","inputSchema":{"properties":{
        "where":{"type":"string","x-mcp-header":"Region"},
        "n":{"type":"integer","x-mcp-header":"N"}}}}"#;
    let along = Along {
        abilities: Abilities::of(&Raw::parse(r#"{"elicitation":{}}"#).unwrap()),
        level: Some(Level::Warning),
        mirrors: mirror::of(&Raw::parse(definition).unwrap()).unwrap().into(),
        ..Along::default()
    };
    let call = asked(
        "tools/call",
        r#"{"name":"wör","arguments":{"where":"süd","n":7,"x":1e400},"_meta":{"a/b":[1]}}"#,
    );
    let answer = world.upstream.send(call, None, along).await;
    assert!(answer.alone && answer.outcome.unwrap().is_ok());
    let seen = fake.of("tools/call").pop().unwrap();
    for (name, value) in [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "=?base64?d8O2cg==?="),
        ("mcp-param-region", "=?base64?c8O8ZA==?="),
        ("mcp-param-n", "7"),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
    assert_eq!(seen.header("mcp-session-id"), None);
    let params = params(&seen);
    assert!(
        params
            .get()
            .contains(r#""arguments":{"where":"süd","n":7,"x":1e400}"#)
    );
    let params = Object::of(&params, &[]).unwrap();
    let meta = Object::of(params.get("_meta").unwrap(), &[]).unwrap();
    let said = |key: &str| meta.get(key).unwrap().get();
    assert_eq!(said("a/b"), "[1]");
    assert_eq!(
        said("io.modelcontextprotocol/protocolVersion"),
        "\"2026-07-28\""
    );
    assert_eq!(
        said("io.modelcontextprotocol/clientCapabilities"),
        r#"{"elicitation":{}}"#
    );
    assert_eq!(said("io.modelcontextprotocol/logLevel"), "\"warning\"");
    assert!(said("io.modelcontextprotocol/clientInfo").contains("chaperone"));
    let read = asked("resources/read", r#"{"uri":"a:b"}"#);
    world.upstream.send(read, None, Along::default()).await;
    let seen = fake.of("resources/read").pop().unwrap();
    assert_eq!(seen.header("mcp-name"), Some("a:b"));
    let lists = world.upstream.list(Listing::Tools).await.unwrap();
    assert_eq!(raws(&lists), [r#"{"name":"echo"}"#]);
    assert_eq!(fake.of("tools/list")[0].header("mcp-name"), None);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_again_where_nothing_changes() {
    let fake = Fake::start(|seen| match seen.method().as_str() {
        "resources/read" | "tools/call" => Some(closed(stream("id: 1\ndata:\n\n"))),
        _ => Some(modern(seen)),
    })
    .await;
    let world = world(&fake);
    let read = asked("resources/read", r#"{"uri":"a:b"}"#);
    let answer = world.upstream.send(read, None, Along::default()).await;
    assert!(matches!(answer.outcome, Err(UpstreamError::Interrupted(_))));
    let reads = fake.of("resources/read");
    assert_eq!(reads.len(), 3);
    assert!(reads[0].id() != reads[1].id() && reads[1].id() != reads[2].id());
    assert!(world.failed().await.may_have_run());
    assert_eq!(fake.of("tools/call").len(), 1);
    // Nothing is taken up again in this revision.
    assert_eq!(fake.of("GET").len(), 0);
}

#[tokio::test]
async fn a_withdrawn_request_ends_with_its_connection_alone() {
    let fake = Fake::start(|seen| match seen.method().as_str() {
        "tools/call" => Some(held(stream(": here\n\n"))),
        _ => Some(modern(seen)),
    })
    .await;
    let world = world(&fake);
    let sent = world.upstream.send(call(), None, Along::default());
    tokio::select! {
        answer = sent => panic!("{answer:?}"),
        _ = fake.wait_for("tools/call", 1) => {}
    }
    world.answer_of("prompts/get").await;
    world.upstream.close().await;
    assert_eq!(fake.of("notifications/cancelled").len(), 0);
    assert_eq!(fake.of("DELETE").len(), 0);
}

#[tokio::test]
async fn what_is_told_on_the_way_is_heard_and_requests_on_a_stream_are_not() {
    let fake = Fake::start(|seen| match seen.method().as_str() {
        "tools/call" => {
            let told = concat!(
                "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progress\":1}}\n\n",
                "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n\n",
            );
            Some(closed(stream(&format!("{told}{}", event(seen, r#"{"content":[]}"#)))))
        }
        _ => Some(modern(seen)),
    })
    .await;
    let world = world(&fake);
    let (told, mut hears) = Asides::new(None);
    let answer = world.upstream.send(call(), None, hearing(told)).await;
    assert!(answer.outcome.unwrap().is_ok());
    assert!(hears.recv().await.is_some());
    assert_eq!(world.upstream.strays(), 1);
    assert!(
        fake.seen()
            .iter()
            .all(|seen| !seen.body.contains("\"id\":1,\"result\""))
    );
}

const LISTS: &str = r#"{"toolsListChanged":true}"#;

/// A subscription that is taken on as it is asked, and what follows.
fn subscription(seen: &Seen, rest: &str) -> String {
    let id = seen.id();
    let params = params(seen);
    let params = Object::of(&params, &[]).unwrap();
    let filter = params.get("notifications").unwrap().get();
    format!(
        "data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\
         \"params\":{{\"_meta\":{{\"io.modelcontextprotocol/subscriptionId\":{id}}},\
         \"notifications\":{filter}}}}}\n\n{rest}"
    )
}

fn changed(what: &str, more: &str) -> String {
    format!(
        "data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/{what}\",\
         \"params\":{{\"_meta\":{{\"io.modelcontextprotocol/subscriptionId\":1}}{more}}}}}\n\n"
    )
}

#[tokio::test]
async fn changes_are_heard_on_a_stream_of_their_own() {
    let fake = Fake::start(|seen| match seen.method().as_str() {
        "subscriptions/listen" => {
            let rest = changed("tools/list_changed", "") + &changed("odd/thing", ",\"x\":1");
            Some(held(stream(&subscription(seen, &rest))))
        }
        _ => Some(modern(seen)),
    })
    .await;
    let mut world = world(&fake);
    world.answered().await;
    assert!(matches!(
        world.notice().await,
        Notice::Changed(_, Listing::Tools)
    ));
    let Notice::Told { method, params, .. } = world.notice().await else {
        panic!()
    };
    assert_eq!(&*method, "notifications/odd/thing");
    assert_eq!(params.unwrap().get(), r#"{"x":1}"#);
    let seen = fake.of("subscriptions/listen").pop().unwrap();
    assert!(seen.body.contains(&format!("\"notifications\":{LISTS}")));
    assert_eq!(seen.header("mcp-method"), Some("subscriptions/listen"));
    assert_eq!(fake.of("GET").len(), 0);
}

#[tokio::test]
async fn resources_are_listened_to_on_the_same_stream() {
    let fake = Fake::start(|seen| match seen.method().as_str() {
        "subscriptions/listen" if seen.body.contains("b:refused") => Some(held(stream(
            &subscription(seen, "").replace("\"b:refused\"", ""),
        ))),
        "subscriptions/listen" if seen.body.contains("a:b") => {
            let rest = changed("resources/updated", ",\"uri\":\"a:b\"");
            Some(held(stream(&subscription(seen, &rest))))
        }
        "subscriptions/listen" => Some(held(stream(&subscription(seen, "")))),
        _ => Some(modern(seen)),
    })
    .await;
    let mut world = world(&fake);
    let ask = async |method: &str, uri: &str| {
        let asked = asked(method, &format!(r#"{{"uri":"{uri}"}}"#));
        let answer = world.upstream.send(asked, None, Along::default()).await;
        answer.outcome.unwrap()
    };
    assert_eq!(ask("resources/subscribe", "a:b").await.unwrap().get(), "{}");
    assert!(ask("resources/unsubscribe", "a:b").await.is_ok());
    let refused = ask("resources/subscribe", "b:refused").await.unwrap_err();
    assert!(refused.get().contains("-32602"), "{refused:?}");
    assert_eq!(fake.of("resources/subscribe").len(), 0);
    let Notice::Told { method, params, .. } = world.notice().await else {
        panic!()
    };
    assert_eq!(&*method, "notifications/resources/updated");
    assert_eq!(params.unwrap().get(), r#"{"uri":"a:b"}"#);
}

#[tokio::test]
async fn a_stream_that_ends_is_opened_again_and_all_may_have_changed() {
    let (count, goes) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let (nth, signal) = (Arc::clone(&count), Arc::clone(&goes));
    let fake = Fake::start(move |seen| match seen.method().as_str() {
        "subscriptions/listen" => {
            let mut reply = stream(&subscription(seen, ""));
            if nth.fetch_add(1, Ordering::SeqCst) == 0 {
                reply.push(Step::Await(Arc::clone(&signal)));
                return Some(closed(reply));
            }
            Some(held(reply))
        }
        _ => Some(modern(seen)),
    })
    .await;
    let mut world = world(&fake);
    world.answered().await;
    fake.wait_for("subscriptions/listen", 1).await;
    goes.notify_one();
    fake.wait_for("subscriptions/listen", 2).await;
    for wanted in [Listing::Tools, Listing::Resources] {
        let Notice::Changed(_, told) = world.notice().await else {
            panic!()
        };
        assert_eq!(told, wanted);
    }
}

#[tokio::test]
async fn a_server_that_tells_nothing_is_not_asked_to() {
    let fake = Fake::start(|seen| match seen.method().as_str() {
        "server/discover" => Some(result(
            seen,
            r#"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}"#,
        )),
        _ => Some(modern(seen)),
    })
    .await;
    let world = world(&fake);
    world.answered().await;
    world.answered().await;
    assert_eq!(fake.of("subscriptions/listen").len(), 0);
}
