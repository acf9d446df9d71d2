//! Finding out how a server is spoken to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::fake::*;
use crate::upstream::era::Era;
use crate::upstream::{Along, Health, UpstreamError};

fn revision(world: &World) -> String {
    match world.upstream.health() {
        Health::Up { revision, .. } => revision.into(),
        other @ (Health::Unused | Health::Down { .. }) => format!("{other:?}"),
    }
}

fn unknown(fake: &Fake) -> World {
    World::remembering(config(fake.address), [], None)
}

fn error(seen: &Seen, status: &str, error: &str) -> Reply {
    let id = seen.id();
    json(
        status,
        &format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#),
    )
}

#[tokio::test]
async fn a_server_that_answers_is_spoken_to_without_a_session() {
    let fake = Fake::start(|seen| Some(modern(seen))).await;
    let world = unknown(&fake);
    world.answered().await;
    world.answered().await;
    assert_eq!(revision(&world), "2026-07-28");
    assert_eq!(fake.of("server/discover").len(), 1);
    assert_eq!(fake.of("initialize").len(), 0);
    assert!(world.upstream.is_alone());
}

#[tokio::test]
async fn whatever_is_no_answer_of_that_revision_means_sessions() {
    type Answer = fn(&Seen) -> Reply;
    let answers: [(&str, Answer); 9] = [
        ("400", |_| {
            raw("400 Bad Request", "", "Bad Request: Missing session ID")
        }),
        ("404", |_| raw("404 Not Found", "", "")),
        ("405", |_| raw("405 Method Not Allowed", "", "")),
        ("html", |_| {
            raw("200 OK", "Content-Type: text/html\r\n", "<html>")
        }),
        ("-32000", |seen| {
            error(
                seen,
                "400 Bad Request",
                r#"{"code":-32000,"message":"Server not initialized"}"#,
            )
        }),
        ("-32601", |seen| {
            error(seen, "200 OK", r#"{"code":-32601,"message":"?"}"#)
        }),
        ("anything", |seen| result(seen, "{}")),
        ("its versions", |seen| {
            result(
                seen,
                r#"{"supportedVersions":["2025-11-25"],"capabilities":{}}"#,
            )
        }),
        ("-32022", |seen| {
            let said = r#"{"code":-32022,"message":"?","data":{"supported":["2025-06-18"]}}"#;
            error(seen, "400 Bad Request", said)
        }),
    ];
    for (name, answer) in answers {
        let fake =
            Fake::start(move |seen| (seen.method() == "server/discover").then(|| answer(seen)))
                .await;
        let world = unknown(&fake);
        world.answered().await;
        assert_eq!(revision(&world), "2025-06-18", "{name}");
        world.upstream.close().await;
        assert_eq!(fake.of("server/discover").len(), 1, "{name}");
    }
}

#[tokio::test]
async fn errors_of_that_revision_never_mean_sessions() {
    for (said, told) in [
        (r#"{"code":-32020,"message":"Header mismatch"}"#, "-32020"),
        (r#"{"code":-32021,"message":"needs roots"}"#, "-32021"),
        (
            r#"{"code":-32022,"message":"?","data":{"supported":["2099-01-01"]}}"#,
            "2099-01-01",
        ),
    ] {
        let fake = Fake::start(move |seen| {
            (seen.method() == "server/discover").then(|| error(seen, "400 Bad Request", said))
        })
        .await;
        let world = unknown(&fake);
        let failed = crate::wording::chain(&world.failed().await);
        assert!(failed.contains(told), "{failed}");
        assert_eq!(fake.of("initialize").len(), 0, "{said}");
    }
}

#[tokio::test]
async fn silence_proves_nothing_and_is_asked_about_again() {
    let silent = Arc::new(AtomicBool::new(true));
    let said = Arc::clone(&silent);
    let fake = Fake::start(move |seen| {
        let asked = seen.method();
        if asked == "server/discover" && said.load(Ordering::SeqCst) {
            return Some(vec![Step::Hold]);
        }
        if said.load(Ordering::SeqCst) {
            None
        } else {
            Some(modern(seen))
        }
    })
    .await;
    let mut short = config(fake.address);
    short.list_timeout = Duration::from_millis(400);
    let world = World::remembering(short, [], None);
    world.answered().await;
    assert_eq!(revision(&world), "2025-06-18");
    assert_eq!(world.upstream.remembered(), None);
    silent.store(false, Ordering::SeqCst);
    world.upstream.forget_connection();
    world.answered().await;
    assert_eq!(revision(&world), "2026-07-28");
    assert_eq!(world.upstream.remembered(), Some(Era::Alone));
}

#[tokio::test]
async fn a_server_that_answers_neither_is_unknown() {
    let fake = Fake::start(|_| Some(vec![Step::Hold])).await;
    let mut short = config(fake.address);
    short.list_timeout = Duration::from_millis(200);
    let world = World::remembering(short, [], None);
    world.failed().await;
    assert_eq!(world.upstream.remembered(), None);
}

#[tokio::test]
async fn what_is_remembered_is_found_out_anew_when_it_does_not_fit() {
    // Sessions are remembered, and there are none any more.
    let fake = Fake::start(|seen| {
        if seen.method() == "initialize" {
            return Some(error(
                seen,
                "400 Bad Request",
                r#"{"code":-32020,"message":"no head"}"#,
            ));
        }
        Some(modern(seen))
    })
    .await;
    let world = World::remembering(config(fake.address), [], Some(Era::Sessions));
    world.answered().await;
    assert_eq!(revision(&world), "2026-07-28");
    assert_eq!(world.upstream.remembered(), Some(Era::Alone));
    // The other way round.
    let fake = Fake::start(|seen| {
        (seen.method() == "server/discover").then(|| raw("404 Not Found", "", ""))
    })
    .await;
    let world = World::remembering(config(fake.address), [], Some(Era::Alone));
    world.answered().await;
    assert_eq!(revision(&world), "2025-06-18");
    assert_eq!(world.upstream.remembered(), Some(Era::Sessions));
}

#[tokio::test]
async fn a_server_that_changes_while_it_runs_is_asked_again_and_the_call_sent_once_more() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let fake = Fake::start(move |seen| {
        if seen.method() == "tools/call" && counted.fetch_add(1, Ordering::SeqCst) == 0 {
            let said = r#"{"code":-32022,"message":"?","data":{"supported":["2025-11-25"]}}"#;
            return Some(error(seen, "400 Bad Request", said));
        }
        if counted.load(Ordering::SeqCst) == 0 {
            return Some(modern(seen));
        }
        (seen.method() == "server/discover").then(|| raw("404 Not Found", "", ""))
    })
    .await;
    let world = unknown(&fake);
    world.answered().await;
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    assert_eq!(revision(&world), "2025-06-18");
}

#[tokio::test]
async fn a_refusal_that_explains_nothing_costs_its_call_and_is_followed_up() {
    let changed = Arc::new(AtomicBool::new(false));
    let seen_changed = Arc::clone(&changed);
    let fake = Fake::start(move |seen| {
        if !seen_changed.load(Ordering::SeqCst) {
            return Some(modern(seen));
        }
        let stands_alone = seen.header("mcp-method").is_some();
        stands_alone.then(|| raw("404 Not Found", "", "gone"))
    })
    .await;
    let world = unknown(&fake);
    world.answered().await;
    changed.store(true, Ordering::SeqCst);
    let failed = world.failed().await;
    assert!(
        matches!(failed, UpstreamError::NoEndpoint { .. }),
        "{failed}"
    );
    assert_eq!(fake.of("tools/call").len(), 2);
    let answer = world.upstream.send(call(), None, Along::default()).await;
    assert!(answer.outcome.is_ok() && !answer.alone);
}

#[tokio::test]
async fn a_server_that_refuses_what_it_supports_is_asked_once_more() {
    for patience in [1, 9] {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let fake = Fake::start(move |seen| {
            if seen.method() == "server/discover"
                && counted.fetch_add(1, Ordering::SeqCst) < patience
            {
                let said = r#"{"code":-32022,"message":"?","data":{"supported":["2026-07-28"]}}"#;
                return Some(error(seen, "400 Bad Request", said));
            }
            Some(modern(seen))
        })
        .await;
        let world = unknown(&fake);
        let answer = world.upstream.send(call(), None, Along::default()).await;
        assert_eq!(answer.outcome.is_ok(), patience == 1);
        world.upstream.close().await;
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }
}
