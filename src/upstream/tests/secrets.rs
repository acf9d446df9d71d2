//! The bearer goes to its own server, and nothing of it comes back.

use super::super::Asides;
use super::fake::*;
use crate::login::Grant;
use crate::upstream::Along;
use crate::upstream::{Listing, Notice, UpstreamError};
use crate::wire::level::Level;
use crate::wording::chain;

type Answering = Box<dyn Fn(&Seen) -> Reply + Send + Sync>;

const TOKEN: &str = "eyJhbGciOi.canary-token.c2ln";

#[tokio::test]
async fn every_request_of_a_session_carries_the_bearer() {
    let fake = Fake::start(|_| None).await;
    let world = World::signed_in(&fake, [Grant::of(TOKEN, "alice")]);
    world.upstream.list(Listing::Tools).await.unwrap_err();
    world.upstream.close().await;
    let expected = format!("Bearer {TOKEN}");
    for seen in fake.seen() {
        assert_eq!(
            seen.header("authorization"),
            Some(expected.as_str()),
            "{}",
            seen.verb
        );
    }
    assert_eq!(fake.of("DELETE").len(), 1);
}

#[tokio::test]
async fn a_server_without_sign_in_gets_no_token_even_if_there_is_one() {
    let fake = Fake::start(|_| None).await;
    let world = World::of(&fake);
    let grant = Grant::of(TOKEN, "alice");
    world
        .upstream
        .send(call(), Some(&grant), Along::default())
        .await
        .outcome
        .unwrap()
        .unwrap();
    assert!(
        fake.seen()
            .iter()
            .all(|seen| seen.header("authorization").is_none())
    );
}

#[tokio::test]
async fn without_a_session_nothing_is_sent() {
    let fake = Fake::start(|_| None).await;
    let world = World::signed_in(&fake, []);
    let error = world.upstream.list(Listing::Tools).await.unwrap_err();
    assert!(matches!(error, UpstreamError::NoGrant(_)), "{error}");
    assert!(fake.seen().is_empty());
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let fake = Fake::start(|seen| {
        let old = seen.header("authorization") == Some("Bearer old");
        (old && seen.method() == "tools/call").then(|| raw("401 Unauthorized", "", ""))
    })
    .await;
    let (old, new) = (Grant::of("old", "alice"), Grant::of("new", "alice"));
    let world = World::signed_in(&fake, [old.clone(), new]);
    world
        .upstream
        .send(call(), Some(&old), Along::default())
        .await
        .outcome
        .unwrap()
        .unwrap();
    let bearers: Vec<_> = fake
        .of("tools/call")
        .iter()
        .map(|seen| seen.head["authorization"].clone())
        .collect();
    assert_eq!(bearers, ["Bearer old", "Bearer new"]);
    assert_eq!(fake.of("initialize").len(), 1);
}

#[tokio::test]
async fn a_token_that_is_refused_in_the_handshake_is_replaced_too() {
    let fake = Fake::start(|seen| {
        let old = seen.header("authorization") == Some("Bearer old");
        old.then(|| raw("401 Unauthorized", "", ""))
    })
    .await;
    let (old, new) = (Grant::of("old", "alice"), Grant::of("new", "alice"));
    let world = World::signed_in(&fake, [old.clone(), new]);
    world
        .upstream
        .send(call(), Some(&old), Along::default())
        .await
        .outcome
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_server_that_refuses_every_token_is_asked_twice() {
    let challenge = "WWW-Authenticate: Bearer error=\"invalid_token\", error_description=\"bad eyJhbGciOi.canary-token.c2ln aud\"\r\n";
    let fake = Fake::start(move |seen| {
        (seen.method() == "tools/call").then(|| raw("401 Unauthorized", challenge, ""))
    })
    .await;
    let grants = [Grant::of("old", "alice"), Grant::of(TOKEN, "alice")];
    let world = World::signed_in(&fake, grants.clone());
    let error = world
        .upstream
        .send(call(), Some(&grants[0]), Along::default())
        .await
        .outcome
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server does not accept the access token (HTTP 401) (bad [REDACTED] aud); check `audience`"
    );
    assert!(!error.may_have_run());
    assert_eq!(fake.of("tools/call").len(), 2);
}

#[tokio::test]
async fn an_echoed_bearer_reaches_nobody() {
    let echo = format!(r#"{{"code":1,"message":"bad token Bearer {TOKEN}"}}"#);
    let stream_of = |seen: &Seen| {
        let mut reply = stream(&format!(
            "data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{{\"data\":\"{TOKEN}\"}}}}\n\n\
             data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"message\":\"{TOKEN}\"}}}}\n\n",
        ));
        reply.push(Step::Send(
            event(seen, &format!(r#"{{"token":"{TOKEN}"}}"#)).into(),
        ));
        closed(reply)
    };
    let error_of = move |seen: &Seen| {
        let id = seen.id();
        json(
            "400 Bad",
            &format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{echo}}}"#),
        )
    };
    let replies: Vec<Answering> = vec![
        Box::new(stream_of),
        Box::new(error_of),
        Box::new(|_| json("500 Oops", &format!("token {TOKEN} expired"))),
        Box::new(|_| raw("403 No", "", &format!("not you, {TOKEN}"))),
        Box::new(|_| raw("200 OK", "Content-Type: text/plain\r\n", TOKEN)),
        Box::new(|seen| result(seen, &format!(r#"{{"content":[{{"text":"{TOKEN}"}}]}}"#))),
    ];
    for reply in replies {
        let fake =
            Fake::start(move |seen| (seen.method() == "tools/call").then(|| reply(seen))).await;
        let grant = Grant::of(TOKEN, "alice");
        let mut world = World::signed_in(&fake, [grant.clone()]);
        let (told, mut asides) = Asides::new(Some(Level::Debug));
        let answer = world
            .upstream
            .send(call(), Some(&grant), hearing(told))
            .await;
        let said = match &answer.outcome {
            Ok(Ok(raw) | Err(raw)) => raw.get().to_owned(),
            Err(error) => format!("{} {error:?}", chain(&error)),
        };
        assert!(!said.contains("canary"), "{said}");
        assert!(said.contains("[REDACTED]"), "{said}");
        while let Ok(aside) = asides.try_recv() {
            assert!(!format!("{aside:?}").contains("canary"));
        }
        while let Ok(Notice::Told { params, .. }) = world.notices.try_recv() {
            assert!(!params.unwrap().get().contains("canary"));
        }
        assert!(!format!("{:?} {:?}", world.upstream, world.upstream.inner).contains("canary"));
    }
}

#[tokio::test]
async fn redirects_within_the_origin_keep_the_call_and_no_other_is_followed() {
    let other = Fake::start(|_| None).await;
    let elsewhere = format!("http://{}/mcp", other.address);
    for (status, target, followed) in [
        ("307 Temporary Redirect", "/moved".to_owned(), true),
        ("308 Permanent Redirect", "/moved".to_owned(), true),
        ("301 Moved", "/moved".to_owned(), false),
        ("302 Found", "/moved".to_owned(), false),
        ("303 See Other", "/moved".to_owned(), false),
        ("307 Temporary Redirect", elsewhere.clone(), false),
        ("308 Permanent Redirect", elsewhere, false),
        ("307 Temporary Redirect", "/mcp".to_owned(), false),
    ] {
        let shown = format!("{status} {target}");
        let fake = Fake::start(move |seen| {
            (seen.method() == "tools/call" && seen.path == "/mcp")
                .then(|| raw(status, &format!("Location: {target}\r\n"), ""))
        })
        .await;
        let grant = Grant::of(TOKEN, "alice");
        let world = World::signed_in(&fake, [grant.clone()]);
        let answer = world
            .upstream
            .send(call(), Some(&grant), Along::default())
            .await;
        let calls = fake.of("tools/call");
        assert!(calls.len() <= 7, "{shown}");
        if followed {
            assert!(answer.outcome.unwrap().is_ok(), "{shown}");
            assert_eq!(calls[0].body, calls[1].body);
            assert_eq!(calls[1].path, "/moved");
            assert_eq!(
                calls[0].header("authorization"),
                calls[1].header("authorization")
            );
        } else {
            let error = answer.outcome.unwrap_err();
            assert!(
                matches!(error, UpstreamError::Redirected { .. }),
                "{shown}: {error}"
            );
            assert!(!error.may_have_run());
        }
    }
    assert!(other.seen().is_empty(), "nothing reached the other origin");
}
