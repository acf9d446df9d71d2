use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::fake::*;
use crate::upstream::Along;
use crate::upstream::{Aside, Asides, Listing, Notice, UpstreamError};
use crate::wire::Raw;
use crate::wire::level::Level;

/// A server that answers calls like this.
async fn calls(reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Fake {
    Fake::start(move |seen| (seen.method() == "tools/call").then(|| reply(seen))).await
}

#[tokio::test]
async fn a_stream_brings_progress_notices_and_the_result() {
    let fake = calls(|seen| {
        let before = concat!(
            "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":7,\"progress\":1}}\n\n",
            ": keep alive\n\n",
            "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n",
            "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":1}}\n\n",
            "data: nonsense\n\n",
            "data: {\"jsonrpc\":\"2.0\",\"id\":999,\"result\":{}}\n\n",
        );
        let mut reply = stream(before);
        reply.push(Step::Send(event(seen, r#"{"ok":1}"#).into()));
        // A second answer to the same request is one that nobody waits for.
        reply.push(Step::Send(event(seen, r#"{"ok":2}"#).into()));
        closed(reply)
    })
    .await;
    let mut world = World::of(&fake);
    let (told, mut asides) = Asides::new(None);
    let answer = world.upstream.send(call(), None, hearing(told)).await;
    assert_eq!(answer.outcome.unwrap().unwrap().get(), r#"{"ok":1}"#);
    let progress = Raw::parse(r#"{"progressToken":7,"progress":1}"#).unwrap();
    assert_eq!(asides.recv().await, Some(Aside::Progress(progress)));
    assert!(matches!(
        world.notice().await,
        Notice::Changed(_, Listing::Tools)
    ));
    let Notice::Told { method, params, .. } = world.notice().await else {
        panic!()
    };
    assert_eq!(&*method, "notifications/message");
    assert_eq!(params.unwrap().get(), r#"{"level":"info","data":1}"#);
    assert_eq!(world.upstream.strays(), 2);
}

#[tokio::test]
async fn log_messages_of_a_request_are_its_own_if_it_asked_for_them() {
    let fake = calls(|seen| {
        let message = |level: &str| {
            format!(
                "data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{{\"level\":\"{level}\"}}}}\n\n"
            )
        };
        let told = ["debug", "error", "notice", "loud"].map(message).concat();
        let mut reply = stream(&told);
        reply.push(Step::Send(event(seen, "{}").into()));
        closed(reply)
    })
    .await;
    let mut world = World::of(&fake);
    let (told, mut asides) = Asides::new(Some(Level::Notice));
    let answer = world.upstream.send(call(), None, hearing(told)).await;
    assert!(answer.outcome.unwrap().is_ok());
    let mut levels = Vec::new();
    while let Ok(Aside::Message(params)) = asides.try_recv() {
        levels.push(params.get().to_owned());
    }
    assert_eq!(levels, [r#"{"level":"error"}"#, r#"{"level":"notice"}"#]);
    assert!(world.notices.try_recv().is_err());
}

#[tokio::test]
async fn what_nobody_hears_in_time_is_lost_and_the_answer_is_not() {
    let fake = calls(|seen| {
        let progress = |n| {
            format!(
                "data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progress\":{n}}}}}\n\n"
            )
        };
        let long = format!(
            "data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{{\"data\":\"{}\"}}}}\n\n",
            "x".repeat(2 << 20)
        );
        let told: String = (0..10_000).map(progress).collect();
        let mut reply = stream(&(told + &long));
        reply.push(Step::Send(event(seen, "{}").into()));
        closed(reply)
    })
    .await;
    let mut world = World::of(&fake);
    let (told, mut asides) = Asides::new(None);
    let answer = world.upstream.send(call(), None, hearing(told)).await;
    assert!(answer.outcome.unwrap().is_ok());
    let mut heard = 0;
    while asides.try_recv().is_ok() {
        heard += 1;
    }
    assert_eq!(heard, 256);
    assert!(world.notices.try_recv().is_err());
    assert_eq!(world.upstream.strays(), 1);
}

#[tokio::test]
async fn the_servers_own_requests_are_answered_so_that_it_does_not_wait() {
    let fake = calls(|seen| {
        let mut reply = stream(concat!(
            "data: {\"jsonrpc\":\"2.0\",\"id\":\"s-1\",\"method\":\"ping\"}\n\n",
            "data: {\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"sampling/createMessage\",\"params\":{}}\n\n",
        ));
        reply.push(Step::Send(event(seen, "{}").into()));
        closed(reply)
    })
    .await;
    let world = World::of(&fake);
    world.answered().await;
    let replies = fake.wait_for("POST", 5).await;
    let bodies: Vec<&str> = replies.iter().map(|seen| seen.body.as_str()).collect();
    assert!(
        bodies.contains(&r#"{"jsonrpc":"2.0","id":"s-1","result":{}}"#),
        "{bodies:?}"
    );
    assert!(
        bodies
            .iter()
            .any(|body| body.contains(r#""id":2,"error":{"code":-32601"#))
    );
}

#[tokio::test]
async fn a_stream_that_breaks_is_taken_up_after_its_last_event() {
    let asked = Arc::new(AtomicUsize::new(0));
    let fake = Fake::start(
        move |seen| match (seen.verb.as_str(), seen.method().as_str()) {
            (_, "tools/call") => {
                asked.store(seen.id().parse().unwrap(), Ordering::SeqCst);
                Some(closed(stream("id: e-1\nretry: 10\ndata: \n\n")))
            }
            ("GET", _) if seen.header("last-event-id") == Some("e-1") => Some(closed(stream(
                "id: e-2\ndata: \n\ndata: {\"jsonrpc\":\"2.0\",\"id\"",
            ))),
            ("GET", _) if seen.header("last-event-id") == Some("e-2") => {
                let id = asked.load(Ordering::SeqCst);
                let answer =
                    format!("data: {{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"n\":3}}}}\n\n");
                Some(held(stream(&answer)))
            }
            _ => None,
        },
    )
    .await;
    let world = World::of(&fake);
    let answer = world.upstream.send(call(), None, Along::default()).await;
    assert_eq!(answer.outcome.unwrap().unwrap().get(), r#"{"n":3}"#);
    assert_eq!(fake.of("tools/call").len(), 1, "never sent twice");
}

#[tokio::test]
async fn a_stream_that_cannot_be_taken_up_leaves_the_outcome_open() {
    for begin in [
        "",
        "data: \n\n",
        "id: e-1\nretry: 1\ndata: \n\n",
        ": comment\n",
    ] {
        let fake = calls(move |_| closed(stream(begin))).await;
        let world = World::of(&fake);
        let error = world.failed().await;
        assert!(
            matches!(error, UpstreamError::Interrupted(_)),
            "{begin:?}: {error}"
        );
        assert!(error.may_have_run());
        assert_eq!(fake.of("tools/call").len(), 1, "never sent twice");
    }
}

#[tokio::test]
async fn a_stream_that_always_breaks_is_given_up() {
    let fake = Fake::start(|seen| match (seen.verb.as_str(), seen.method().as_str()) {
        (_, "tools/call") => Some(closed(stream("id: e-1\nretry: 1\ndata: \n\n"))),
        ("GET", _) if seen.header("last-event-id").is_some() => Some(closed(stream(""))),
        _ => None,
    })
    .await;
    let world = World::of(&fake);
    let error = world.failed().await;
    assert!(
        matches!(error, UpstreamError::Interrupted(None)),
        "{error:?}"
    );
    assert!(fake.of("GET").len() < 10);
}

#[tokio::test]
async fn an_event_of_a_gibibyte_is_bounded() {
    for endless in [
        "data: xxxxxxxxxxxxxxxxxxxxxxxx",
        "data: xxxxxxxxxxxxxxxxxxxxxxxx\n",
    ] {
        let flood = endless.repeat(1 << 12);
        let fake = calls(move |_| {
            let mut reply = stream("");
            reply.push(Step::Flood(flood.clone().into()));
            reply
        })
        .await;
        let world = World::of(&fake);
        let error = world.failed().await;
        assert!(matches!(error, UpstreamError::TooLarge), "{error}");
    }
}

#[tokio::test]
async fn endless_comments_are_bounded() {
    let flood = ": xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n".repeat(1 << 14);
    let fake = calls(move |_| {
        let mut reply = stream("");
        reply.push(Step::Flood(flood.clone().into()));
        reply
    })
    .await;
    let world = World::of(&fake);
    let error = world.failed().await;
    assert!(matches!(error, UpstreamError::TooLarge), "{error}");
}

#[tokio::test]
async fn a_connection_is_used_again_after_a_stream_that_ends_well() {
    let fake = calls(|seen| {
        let event = event(seen, "{}");
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        let length = event.len();
        vec![Step::Send(format!("{head}{length:x}\r\n{event}\r\n0\r\n\r\n").into())]
    })
    .await;
    let world = World::of(&fake);
    for _ in 0..5 {
        world.answered().await;
    }
    let last = fake.of("tools/call").pop().unwrap().connection;
    assert!(last <= 1, "{last}");
}

#[tokio::test]
async fn what_the_server_says_unasked_arrives_and_its_stream_is_taken_up() {
    let fake = Fake::start(|seen| match (seen.verb.as_str(), seen.header("last-event-id")) {
        ("GET", None) => Some(closed(stream(
            "id: n-1\nretry: 1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/prompts/list_changed\"}\n\n",
        ))),
        ("GET", Some("n-1")) => Some(held(stream(
            "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"a:b\"}}\n\n",
        ))),
        _ => None,
    })
    .await;
    let mut world = World::of(&fake);
    world.upstream.list(Listing::Prompts).await.unwrap_err();
    assert!(matches!(
        world.notice().await,
        Notice::Changed(_, Listing::Prompts)
    ));
    let Notice::Told { method, params, .. } = world.notice().await else {
        panic!()
    };
    assert_eq!(&*method, "notifications/resources/updated");
    assert_eq!(params.unwrap().get(), r#"{"uri":"a:b"}"#);
    let asked = fake.of("GET");
    assert!(
        asked
            .iter()
            .all(|seen| seen.header("mcp-session-id") == Some("first"))
    );
}
