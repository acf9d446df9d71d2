//! How sessions end.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::{Scene, Scripted, raw, request, soon};
use crate::front::Cause;

#[tokio::test(start_paused = true)]
async fn the_end_of_input_withdraws_what_runs() {
    let held: Arc<str> = "held".into();
    let mut scene = Scene::with(Scripted::silent(Arc::clone(&held)));
    scene.say(request("1", "x", "{}")).await;
    scene.alive().await;
    let (rest, ended) = scene.leave().await;
    assert_eq!(ended.cause, Cause::InputEnded);
    assert!(ended.backend.is_some());
    assert_eq!(rest, "");
    drop(ended);
    assert_eq!(Arc::strong_count(&held), 1);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_input_does_not_wait_for_a_start() {
    let mut scene = Scene::building(std::future::pending());
    scene.say(request("1", "x", "{}")).await;
    scene.say(request("2", "ping", "{}")).await;
    let unended = request("3", "ping", "{}");
    scene.to.write_all(unended.as_bytes()).await.unwrap();
    let (rest, ended) = scene.leave().await;
    assert_eq!(ended.cause, Cause::InputEnded);
    assert!(ended.backend.is_none());
    assert_eq!(
        rest.lines().count(),
        2,
        "a last line needs no line feed: {rest}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_host_that_closes_its_end_ends_the_session() {
    let Scene {
        mut to,
        from,
        ended,
        tasks,
    } = Scene::with(Scripted::echo());
    drop(from);
    let line = request("1", "ping", "{}") + "\n";
    to.write_all(line.as_bytes()).await.unwrap();
    assert_eq!(soon(ended).await.unwrap().cause, Cause::OutputClosed);
    assert!(tasks.finish(Duration::from_secs(1)).await);
}

#[tokio::test(start_paused = true)]
async fn being_told_to_stop_ends_the_session() {
    let mut scene = Scene::with(Scripted::silent("held".into()));
    scene.say(request("1", "x", "{}")).await;
    scene.alive().await;
    scene.tasks.stop();
    assert_eq!(soon(&mut scene.ended).await.unwrap().cause, Cause::Stopped);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_read_delays_the_end_by_a_moment_only() {
    let large = format!(r#""{}""#, "r".repeat(3_000_000));
    let mut scene = Scene::with(Scripted::new(move |_| {
        let large = raw(large.clone());
        async move { Ok(large) }
    }));
    scene.say(request("1", "x", "{}")).await;
    let Scene {
        to,
        from,
        ended,
        tasks,
    } = scene;
    drop(to);
    assert_eq!(soon(ended).await.unwrap().cause, Cause::InputEnded);
    assert!(tasks.finish(Duration::from_secs(1)).await);
    drop(from);
}
