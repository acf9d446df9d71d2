//! Every odd thing is a clear error of that call, and says rightly whether the call may have run.

use std::sync::Arc;
use std::time::Duration;

use super::fake::*;
use crate::upstream::Along;
use crate::upstream::{Answer, BadAnswer, ConnectFault, Health, UpstreamError};
use crate::wording::chain;

/// What comes of a call that is answered like this.
async fn answer_to(reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Answer {
    let fake = Fake::start(move |seen| (seen.method() == "tools/call").then(|| reply(seen))).await;
    let answer = World::of(&fake)
        .upstream
        .send(call(), None, Along::default())
        .await;
    assert_eq!(fake.of("tools/call").len(), 1, "never sent twice");
    answer
}

async fn error_of(reply: Reply) -> UpstreamError {
    answer_to(move |_| reply.clone()).await.outcome.unwrap_err()
}

#[tokio::test]
async fn a_json_rpc_error_is_the_answer_whatever_the_status_and_even_without_an_id() {
    for status in ["200 OK", "400 Bad Request", "409 Conflict", "500 Oops"] {
        for nameless in [true, false] {
            let answer = answer_to(move |seen| {
                let id = if nameless { "null".into() } else { seen.id() };
                let error = r#"{"code":-32000,"message":"no","data":{"x":1e999}}"#;
                json(
                    status,
                    &format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#),
                )
            })
            .await;
            let error = answer.outcome.unwrap().unwrap_err();
            assert_eq!(
                error.get(),
                r#"{"code":-32000,"message":"no","data":{"x":1e999}}"#
            );
            assert_eq!(
                answer.http_status.map(|code| code.to_string()),
                Some(status[..3].into())
            );
        }
    }
}

#[tokio::test]
async fn statuses_are_told_apart() {
    for (status, head, ran, phrase) in [
        (
            "302 Found",
            "Location: /x\r\n",
            false,
            "redirects elsewhere (HTTP 302)",
        ),
        (
            "401 No",
            "",
            false,
            "does not accept the access token (HTTP 401)",
        ),
        ("403 No", "", false, "forbids it (HTTP 403) (why not)"),
        (
            "405 No",
            "",
            false,
            "no MCP endpoint at the server's address (HTTP 405) (why not)",
        ),
        (
            "429 Slow",
            "Retry-After: 7\r\n",
            false,
            "asks to wait (HTTP 429) for 7 s",
        ),
        (
            "418 Teapot",
            "",
            false,
            "refuses the request (HTTP 418) (why not)",
        ),
        ("500 Oops", "", true, "failed (HTTP 500) (why not)"),
        (
            "502 Oops",
            "Content-Type: text/html\r\n",
            true,
            "failed (HTTP 502)",
        ),
        ("202 Accepted", "", true, "unexpected"),
    ] {
        let body = if status.starts_with("202") {
            ""
        } else {
            "why\u{1b} not"
        };
        let error = error_of(raw(status, head, body)).await;
        let text = error.to_string();
        let phrase = phrase.replace("unexpected", "HTTP 202 without an answer");
        assert!(text.contains(&phrase), "{status}: {text}");
        assert_eq!(error.may_have_run(), ran, "{status}");
    }
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let challenge =
        "WWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"mcp:admin\"\r\n";
    let error = error_of(raw("403 Forbidden", challenge, "")).await;
    let UpstreamError::Forbidden { scope, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(scope.as_deref(), Some("mcp:admin"));
}

#[tokio::test]
async fn what_is_no_answer_is_said_to_be_none() {
    let both = r#"{"jsonrpc":"2.0","id":ID,"result":{},"error":{"code":1,"message":"x"}}"#;
    for (kind, body, expected) in [
        ("text/html; charset=utf-8", "<html>Sign in", None),
        ("application/json", "<html>", None),
        ("application/json", "", Some(BadAnswer::Empty(200))),
        (
            "application/json",
            r#"{"jsonrpc":"2.0","id":999,"result":{}}"#,
            Some(BadAnswer::Foreign),
        ),
        (
            "application/json",
            r#"{"jsonrpc":"2.0","id":"ID","result":{}}"#,
            Some(BadAnswer::Foreign),
        ),
        (
            "application/json",
            r#"{"jsonrpc":"2.0","id":null,"result":{}}"#,
            Some(BadAnswer::Foreign),
        ),
        (
            "application/json",
            r#"{"jsonrpc":"2.0","method":"x"}"#,
            Some(BadAnswer::Foreign),
        ),
        ("application/json", both, None),
        ("text/event-stream", &format!("data: {both}\n\n"), None),
    ] {
        let (kind, body) = (kind.to_owned(), body.to_owned());
        let shown = format!("{kind} {body}");
        let answer = answer_to(move |seen| {
            let body = body.replace("ID", &seen.id());
            raw("200 OK", &format!("Content-Type: {kind}\r\n"), &body)
        })
        .await;
        match answer.outcome {
            Err(UpstreamError::BadAnswer(bad)) => {
                assert!(
                    expected.is_none_or(|expected| expected == bad),
                    "{shown}: {bad}"
                );
            }
            other => panic!("{shown}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_broken_connection_leaves_the_outcome_open() {
    let half = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{";
    for reply in [
        vec![Step::Reset],
        vec![Step::Close],
        vec![Step::Send("HTTP/1.1 200".into()), Step::Close],
        vec![Step::Send(half.into()), Step::Close],
        vec![Step::Send("nonsense\r\n\r\n".into()), Step::Close],
    ] {
        let error = error_of(reply).await;
        assert!(matches!(error, UpstreamError::Interrupted(_)), "{error}");
        assert!(error.may_have_run());
    }
}

#[tokio::test]
async fn a_head_without_end_is_given_up() {
    let flood = Step::Flood("X-Bomb: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n".into());
    let error = error_of(vec![Step::Send("HTTP/1.1 200 OK\r\n".into()), flood]).await;
    assert!(matches!(error, UpstreamError::Interrupted(_)), "{error}");
}

#[tokio::test]
async fn bodies_are_bounded_announced_or_not() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let announced = format!("{head}Content-Length: 1073741824\r\n\r\n");
    let endless = format!("{head}Connection: close\r\n\r\n");
    for head in [announced, endless] {
        let flood = Step::Flood(vec![b' '; 1 << 16]);
        let error = error_of(vec![Step::Send(head.into()), flood]).await;
        assert!(matches!(error, UpstreamError::TooLarge), "{error}");
        assert!(error.may_have_run());
    }
}

#[tokio::test]
async fn a_large_answer_arrives_whole() {
    let text = "x".repeat(3 << 20);
    let expected = format!(r#"{{"text":"{text}"}}"#);
    let sent = expected.clone();
    let answer = answer_to(move |seen| result(seen, &sent)).await;
    assert_eq!(answer.outcome.unwrap().unwrap().get(), expected);
}

#[tokio::test]
async fn silence_ends_with_the_deadline_and_the_server_is_told() {
    let fake = Fake::start(|seen| (seen.method() == "tools/call").then(|| held(Vec::new()))).await;
    let mut config = config(fake.address);
    config.call_timeout = Duration::from_millis(300);
    let world = World::with(config, []);
    let error = world.failed().await;
    assert_eq!(error.to_string(), "the server did not answer within 0.3 s");
    assert!(error.may_have_run());
    let cancelled = fake
        .wait_for("notifications/cancelled", 1)
        .await
        .pop()
        .unwrap();
    let id = fake.of("tools/call")[0].id();
    assert!(
        cancelled.body.contains(&format!(r#""requestId":{id}"#)),
        "{}",
        cancelled.body
    );
    assert_eq!(cancelled.header("mcp-session-id"), Some("first"));
}

#[tokio::test]
async fn dropping_a_call_withdraws_it() {
    let fake = Fake::start(|seen| (seen.method() == "tools/call").then(|| held(Vec::new()))).await;
    let world = World::of(&fake);
    let sent = world.upstream.send(call(), None, Along::default());
    tokio::select! {
        answer = sent => panic!("{answer:?}"),
        _ = fake.wait_for("tools/call", 1) => {}
    }
    let cancelled = fake.wait_for("notifications/cancelled", 1).await;
    assert!(cancelled[0].body.contains("withdrawn by the host"));
}

#[tokio::test]
async fn a_finished_call_is_not_withdrawn() {
    let fake = Fake::start(|_| None).await;
    let world = World::of(&fake);
    world.answered().await;
    world.answered().await;
    assert_eq!(fake.of("notifications/cancelled").len(), 0);
}

#[tokio::test]
async fn a_slow_call_does_not_delay_others() {
    let go = Arc::new(tokio::sync::Notify::new());
    let gate = Arc::clone(&go);
    let fake = Fake::start(move |seen| {
        seen.body.contains("slow").then(|| {
            let mut reply = vec![Step::Await(Arc::clone(&gate))];
            reply.extend(result(seen, "{}"));
            reply
        })
    })
    .await;
    let world = World::of(&fake);
    let slow =
        crate::audit::Admitted::as_if(world.upstream.name(), "tools/call", r#"{"name":"slow"}"#);
    let slow = world.upstream.send(slow, None, Along::default());
    let quick = async {
        fake.wait_for("tools/call", 1).await;
        for _ in 0..5 {
            world.answered().await;
        }
        go.notify_one();
    };
    // The slow one ends only after the others have, so it cannot have been waited for.
    let (slow, ()) = tokio::join!(slow, quick);
    slow.outcome.unwrap().unwrap();
}

#[tokio::test]
async fn an_admission_for_another_server_is_not_sent() {
    let fake = Fake::start(|_| None).await;
    let other = crate::name::ServerName::parse("other").unwrap();
    let admitted = crate::audit::Admitted::as_if(&other, "tools/call", "{}");
    let answer = World::of(&fake)
        .upstream
        .send(admitted, None, Along::default())
        .await;
    assert!(matches!(answer.outcome, Err(UpstreamError::Misdirected)));
    assert!(fake.seen().is_empty());
}

#[tokio::test]
async fn nothing_there_is_said_to_be_so() {
    let fake = Fake::start(|_| None).await;
    let address = fake.address;
    fake.stop().await;
    let world = World::with(config(address), []);
    let error = world.failed().await;
    assert!(
        matches!(error, UpstreamError::Unreachable(ConnectFault::Refused)),
        "{error:?}"
    );
    assert!(!error.may_have_run());
    let Health::Down { reason, .. } = world.upstream.health() else {
        panic!()
    };
    assert!(reason.contains("connection refused"), "{reason}");
}

#[tokio::test]
async fn an_unknown_name_and_a_server_without_tls_are_told_apart() {
    let fake = Fake::start(|_| None).await;
    for (url, expected) in [
        (
            "https://no-such-host.invalid/mcp".to_owned(),
            "its name cannot be resolved",
        ),
        (
            format!("https://127.0.0.1:{}/mcp", fake.address.port()),
            "no secure connection",
        ),
    ] {
        let mut config = config(fake.address);
        config.url = url.parse().unwrap();
        let world = World::with(config, []);
        let error = world.failed().await;
        assert!(chain(&error).contains(expected), "{}", chain(&error));
    }
}
