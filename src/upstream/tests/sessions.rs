use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::fake::*;
use crate::login::Grant;
use crate::upstream::Along;
use crate::upstream::{Health, Listing, Notice, UpstreamError};
use crate::wording::chain;

#[tokio::test]
async fn a_session_is_opened_once_however_many_want_it() {
    let fake = Fake::start(|_| None).await;
    let world = World::of(&fake);
    assert!(matches!(world.upstream.health(), Health::Unused));
    let calls = (0..20).map(|_| world.upstream.send(call(), None, Along::default()));
    for answer in futures_util::future::join_all(calls).await {
        assert_eq!(answer.outcome.unwrap().unwrap().get(), r#"{"content":[]}"#);
        assert_eq!(answer.http_status, Some(200));
    }
    assert_eq!(fake.of("initialize").len(), 1);
    assert_eq!(fake.of("notifications/initialized").len(), 1);
    let Health::Up {
        server_info,
        revision,
    } = world.upstream.health()
    else {
        panic!()
    };
    assert_eq!(
        (server_info.as_deref(), &*revision),
        (Some("fake 1"), "2025-06-18")
    );
}

#[tokio::test]
async fn a_call_arrives_as_it_was_admitted_with_its_names() {
    let fake = Fake::start(|_| None).await;
    let world = World::of(&fake);
    let answer = world.upstream.send(call(), None, Along::default()).await;
    let seen = fake.of("tools/call").pop().unwrap();
    assert!(
        seen.body
            .ends_with(r#""params":{"name":"echo","arguments":{"n":1e400}}}"#)
    );
    assert_eq!(answer.bytes_out, u64::try_from(seen.body.len()).unwrap());
    assert_eq!(seen.header("x-request-id"), Some("0199-request"));
    assert_eq!(seen.header("mcp-session-id"), Some("first"));
    assert_eq!(seen.header("mcp-protocol-version"), Some("2025-06-18"));
    assert_eq!(
        seen.header("accept"),
        Some("application/json, text/event-stream")
    );
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("authorization"), None);
    let trace = seen.header("traceparent").unwrap();
    let parts: Vec<&str> = trace.split('-').collect();
    assert_eq!(parts[..2], ["00", "0af7651916cd43dd8448eb211c80319c"]);
    assert_eq!((parts[2].len(), parts[3]), (16, "01"));
    let hello = fake.of("initialize").pop().unwrap();
    assert!(
        hello
            .body
            .contains(r#""protocolVersion":"2025-11-25","capabilities":{}"#)
    );
    assert_eq!(hello.header("mcp-protocol-version"), None);
}

#[tokio::test]
async fn connections_are_kept_and_used_again() {
    let fake = Fake::start(|_| None).await;
    let world = World::of(&fake);
    for _ in 0..10 {
        world.answered().await;
    }
    let connections = fake
        .of("tools/call")
        .iter()
        .map(|seen| seen.connection)
        .max();
    assert!(connections <= Some(1), "{connections:?}");
}

#[tokio::test]
async fn a_forgotten_session_is_opened_anew_without_the_caller_noticing() {
    for refusal in ["404 Not Found", "400 Bad Request"] {
        let opened = Arc::new(AtomicUsize::new(0));
        let fake = Fake::start(move |seen| match seen.method().as_str() {
            "initialize" => {
                let nth = opened.fetch_add(1, Ordering::SeqCst);
                Some(welcome(seen, &format!("session-{nth}")))
            }
            "tools/call" | "ping" if seen.header("mcp-session-id") == Some("session-0") => {
                let error = r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"},"id":null}"#;
                Some(json(refusal, error))
            }
            _ => None,
        })
        .await;
        let mut world = World::of(&fake);
        let answer = world.upstream.send(call(), None, Along::default()).await;
        assert!(answer.outcome.unwrap().is_ok(), "{refusal}");
        assert_eq!(answer.http_status, Some(200));
        let calls = fake.of("tools/call");
        assert_eq!(calls.len(), 2);
        assert_eq!(calls[0].body, calls[1].body);
        assert_eq!(calls[1].header("mcp-session-id"), Some("session-1"));
        assert!(matches!(
            world.notice().await,
            Notice::Changed(_, Listing::Tools)
        ));
    }
}

#[tokio::test]
async fn a_server_that_forgets_every_session_is_not_asked_for_ever() {
    let fake =
        Fake::start(|seen| (seen.method() == "tools/call").then(|| raw("404 Not Found", "", "")))
            .await;
    let answer = World::of(&fake)
        .upstream
        .send(call(), None, Along::default())
        .await;
    let error = answer.outcome.unwrap_err();
    assert!(
        matches!(error, UpstreamError::NoEndpoint { status: 404, .. }),
        "{error}"
    );
    assert!(!error.may_have_run());
    assert_eq!(fake.of("tools/call").len(), 2);
}

#[tokio::test]
async fn an_unknown_revision_is_a_clear_error_and_nothing_is_called() {
    let fake = Fake::start(|seen| {
        let hello =
            r#"{"protocolVersion":"1999-01-01","capabilities":{},"serverInfo":{"name":"x"}}"#;
        (seen.method() == "initialize").then(|| result(seen, hello))
    })
    .await;
    let world = World::of(&fake);
    let error = world.failed().await;
    assert!(matches!(&error, UpstreamError::Revision(said) if &**said == "1999-01-01"));
    assert!(!error.may_have_run());
    assert_eq!(fake.of("tools/call").len(), 0);
}

#[tokio::test]
async fn a_failing_handshake_means_that_the_call_did_not_run() {
    let error = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"go\naway"}}"#;
    for (reply, phrase) in [
        (json("400 Bad Request", error), "error -32600 (go away)"),
        (
            json("500 Oops", "boom"),
            "the server failed (HTTP 500) (boom)",
        ),
        (
            raw("200 OK", "Content-Type: text/html\r\n", "<html>"),
            "text/html",
        ),
        (vec![Step::Reset], "the connection broke"),
        (raw("202 Accepted", "", ""), "HTTP 202 without an answer"),
    ] {
        let fake =
            Fake::start(move |seen| (seen.method() == "initialize").then(|| reply.clone())).await;
        let world = World::of(&fake);
        let error = world.failed().await;
        assert!(
            chain(&error).contains(phrase),
            "{} / {phrase}",
            chain(&error)
        );
        assert!(!error.may_have_run());
        assert!(matches!(world.upstream.health(), Health::Down { .. }));
    }
}

#[tokio::test]
async fn closing_deletes_the_session_and_nothing_is_sent_afterwards() {
    let fake = Fake::start(|_| None).await;
    let world = World::of(&fake);
    world.answered().await;
    world.upstream.close().await;
    let deleted = fake.of("DELETE").pop().unwrap();
    assert_eq!(deleted.header("mcp-session-id"), Some("first"));
    let before = fake.seen().len();
    let error = world.failed().await;
    assert!(matches!(error, UpstreamError::Stopping));
    assert_eq!(fake.seen().len(), before);
}

#[tokio::test]
async fn closing_waits_no_longer_than_a_second_for_a_silent_server() {
    let fake = Fake::start(|seen| (seen.verb == "DELETE").then(|| held(Vec::new()))).await;
    let world = World::of(&fake);
    world.answered().await;
    let begun = tokio::time::Instant::now();
    world.upstream.close().await;
    assert!(begun.elapsed().as_millis() < 1900);
}

#[tokio::test]
async fn another_person_gets_another_session() {
    let opened = Arc::new(AtomicUsize::new(0));
    let fake = Fake::start(move |seen| {
        (seen.method() == "initialize").then(|| {
            welcome(
                seen,
                &format!("session-{}", opened.fetch_add(1, Ordering::SeqCst)),
            )
        })
    })
    .await;
    let (alice, bob) = (
        Grant::of("alice-token", "alice"),
        Grant::of("bob-token", "bob"),
    );
    let world = World::signed_in(&fake, [Arc::clone(&alice)]);
    for who in [&alice, &bob] {
        world
            .upstream
            .send(call(), Some(who), Along::default())
            .await
            .outcome
            .unwrap()
            .unwrap();
    }
    let sessions: Vec<_> = fake
        .of("tools/call")
        .iter()
        .map(|seen| {
            (
                seen.head["authorization"].clone(),
                seen.head["mcp-session-id"].clone(),
            )
        })
        .collect();
    let expected = [
        ("Bearer alice-token", "session-0"),
        ("Bearer bob-token", "session-1"),
    ];
    assert_eq!(
        sessions,
        expected.map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
}
