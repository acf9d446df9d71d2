//! A server that was away is used again soon after its return, and costs nobody else anything.

use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;

use super::fake::*;
use crate::upstream::Along;
use crate::upstream::{ConnectFault, Health, Listing, Notice, UpstreamError};
use crate::wording::chain;

#[tokio::test]
async fn a_server_that_was_wanted_is_found_when_it_comes_back() {
    let fake = Fake::start(|_| None).await;
    let address = fake.address;
    fake.stop().await;
    let mut world = World::with(config(address), []);
    world.upstream.list(Listing::Tools).await.unwrap_err();
    let fake = Fake::at(address, |_| None).await;
    let back = Instant::now();
    // Nobody calls; the notices come by themselves.
    for expected in [
        Listing::Tools,
        Listing::Resources,
        Listing::Templates,
        Listing::Prompts,
    ] {
        let notice = world.notice().await;
        assert!(matches!(notice, Notice::Changed(_, listing) if listing == expected));
    }
    assert!(back.elapsed() < Duration::from_secs(5));
    assert!(matches!(world.upstream.health(), Health::Up { .. }));
    world.answered().await;
    assert_eq!(fake.of("initialize").len(), 1);
}

#[tokio::test]
async fn a_server_that_restarts_between_calls_is_found_again() {
    let fake = Fake::start(|_| None).await;
    let address = fake.address;
    let world = World::of(&fake);
    world.answered().await;
    fake.stop().await;
    let error = world.failed().await;
    // The kept connection may be found broken before anything is written on it, or after.
    let expected = matches!(
        error,
        UpstreamError::Unreachable(_) | UpstreamError::Interrupted(_)
    );
    assert!(expected, "{error}");
    let fake = Fake::at(address, |_| None).await;
    let begun = Instant::now();
    while world
        .upstream
        .send(call(), None, Along::default())
        .await
        .outcome
        .is_err()
    {
        assert!(begun.elapsed() < Duration::from_secs(5));
        tokio::task::yield_now().await;
    }
    assert!(fake.of("tools/call").len() == 1);
}

#[tokio::test]
async fn a_server_that_ends_is_missed_through_its_stream_and_found_when_it_is_back() {
    let quiet = |seen: &Seen| (seen.verb == "GET").then(|| held(stream("")));
    let fake = Fake::start(quiet).await;
    let address = fake.address;
    let mut world = World::of(&fake);
    world.answered().await;
    fake.wait_for("GET", 1).await;
    fake.stop().await;
    let begun = Instant::now();
    while !matches!(world.upstream.health(), Health::Down { .. }) {
        assert!(begun.elapsed() < Duration::from_secs(5));
        tokio::task::yield_now().await;
    }
    let fake = Fake::at(address, quiet).await;
    assert!(matches!(
        world.notice().await,
        Notice::Changed(_, Listing::Tools)
    ));
    // The session that broke off is ended too.
    let ended = fake.wait_for("DELETE", 1).await;
    assert_eq!(ended[0].header("mcp-session-id"), Some("first"));
}

#[tokio::test]
async fn while_a_server_is_away_calls_fail_at_once_with_the_reason() {
    let fake = Fake::start(|_| None).await;
    let address = fake.address;
    fake.stop().await;
    let world = World::with(config(address), []);
    let first = world.failed().await;
    let begun = Instant::now();
    for _ in 0..100 {
        let next = world.failed().await;
        assert_eq!(chain(&next), chain(&first));
    }
    assert!(begun.elapsed() < Duration::from_millis(900));
    assert!(matches!(world.upstream.health(), Health::Down { .. }));
}

/// Calls on a healthy server while `other` is under way; how long they took.
async fn meanwhile<T>(other: impl Future<Output = T>) -> (T, Duration) {
    let healthy = Fake::start(|_| None).await;
    let world = World::of(&healthy);
    let bright = async {
        let begun = Instant::now();
        for _ in 0..20 {
            world.answered().await;
        }
        begun.elapsed()
    };
    tokio::join!(other, bright)
}

#[tokio::test]
async fn a_server_that_accepts_and_is_silent_costs_only_itself() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = config(silent.local_addr().unwrap());
    config.list_timeout = Duration::from_millis(500);
    let world = World::with(config, []);
    let (listed, others) = meanwhile(Box::pin(world.upstream.list(Listing::Tools))).await;
    let error = listed.unwrap_err();
    assert!(
        chain(&error).contains("did not answer within 0.5 s"),
        "{}",
        chain(&error)
    );
    assert!(!error.may_have_run());
    assert!(others < Duration::from_millis(400), "{others:?}");
}

#[tokio::test]
async fn a_black_hole_costs_only_itself() {
    // With its backlog full the kernel drops further connections, as a firewall does.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let hole = socket.listen(1).unwrap();
    let address = hole.local_addr().unwrap();
    let filling = (0..4)
        .map(|_| tokio::time::timeout(Duration::from_millis(100), TcpStream::connect(address)));
    let filled = futures_util::future::join_all(filling).await;
    assert!(filled.iter().any(Result::is_err), "the backlog is full");
    let mut config = config(address);
    config.connect_timeout = Duration::from_millis(500);
    let world = World::with(config, []);
    let (answer, others) = meanwhile(Box::pin(world.upstream.send(
        call(),
        None,
        Along::default(),
    )))
    .await;
    let error = answer.outcome.unwrap_err();
    let expected = UpstreamError::Unreachable(ConnectFault::Slow(Duration::from_millis(500)));
    assert_eq!(chain(&error), chain(&expected));
    assert!(!error.may_have_run());
    assert!(others < Duration::from_millis(400), "{others:?}");
}

#[tokio::test]
async fn giving_up_a_first_request_does_not_cost_the_next_one_its_session() {
    let gate = std::sync::Arc::new(tokio::sync::Notify::new());
    let open = std::sync::Arc::clone(&gate);
    let fake = Fake::start(move |seen| {
        (seen.method() == "initialize").then(|| {
            let mut reply = vec![Step::Await(std::sync::Arc::clone(&open))];
            reply.extend(welcome(seen, "first"));
            reply
        })
    })
    .await;
    let world = World::of(&fake);
    tokio::select! {
        answer = world.upstream.send(call(), None, Along::default()) => panic!("{answer:?}"),
        _ = fake.wait_for("initialize", 1) => {}
    }
    gate.notify_one();
    world.answered().await;
    assert_eq!(fake.of("initialize").len(), 1);
    assert_eq!(fake.of("tools/call").len(), 1);
}

#[tokio::test]
async fn stopping_ends_every_task() {
    let fake = Fake::start(|seen| (seen.verb == "GET").then(|| held(stream("")))).await;
    let world = World::of(&fake);
    world.answered().await;
    fake.wait_for("GET", 1).await;
    world.upstream.close().await;
    assert!(world.tasks.finish(Duration::from_secs(1)).await);
}
