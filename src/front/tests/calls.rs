//! Requests in flight.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;
use tokio::sync::Semaphore;

use super::{Scene, Scripted, raw, request, settled};
use crate::bounds::REQUESTS;

fn cancel(id: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
    )
}

/// Answers when a permit is there.
fn gated(gate: &Arc<Semaphore>) -> Scripted {
    let gate = Arc::clone(gate);
    Scripted::new(move |asked| {
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await.unwrap().forget();
            Ok(asked.params)
        }
    })
}

#[tokio::test(start_paused = true)]
async fn identities_and_unknown_members_pass_byte_for_byte() {
    let mut scene = Scene::with(Scripted::echo());
    let params = r#"{ "z":1e400, "a" : [12345678901234567890123 , -0,1.0], "\u0041":"\ud83d\ude00\/", "content":[{"type":"new"}]}"#;
    for id in [
        "1",
        "0",
        "-5",
        "1.0",
        "9007199254740993",
        "1e3",
        r#""1""#,
        r#""a\u0062\/""#,
        r#""""#,
    ] {
        scene.say(request(id, "x/y", params)).await;
        let expected = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{params}}}\n");
        assert_eq!(scene.line().await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_with_line_feeds_is_one_line() {
    let mut scene = Scene::with(Scripted::new(|_| async { Ok(raw("{\n\"a\":\r\n1}")) }));
    assert_eq!(
        scene.ask(request("1", "x", "{}")).await["result"],
        json!({"a": 1})
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_request_holds_up_no_other() {
    let gate = Arc::new(Semaphore::new(0));
    let slow = gated(&gate);
    let mut scene = Scene::with(Scripted::new(move |asked| {
        let slow = slow.clone();
        async move {
            match &*asked.method {
                "slow" => (slow.script)(asked).await,
                _ => Ok(asked.params),
            }
        }
    }));
    scene.say(request("1", "slow", "{}")).await;
    assert_eq!(scene.ask(request("2", "fast", "{}")).await["id"], 2);
    gate.add_permits(1);
    assert_eq!(scene.hear().await["id"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_request_is_dropped_and_not_answered() {
    let held: Arc<str> = "held".into();
    let mut scene = Scene::with(Scripted::silent(Arc::clone(&held)));
    for id in ["7", r#""7""#] {
        scene.say(request(id, "x", "{}")).await;
    }
    // One is the script's, one the test's.
    for (line, count) in [
        (cancel("8"), 4),
        (cancel("7"), 3),
        (cancel("7"), 3),
        (cancel(r#""7""#), 2),
    ] {
        scene.say(&line).await;
        settled().await;
        assert_eq!(Arc::strong_count(&held), count, "{line}");
    }
    scene.alive().await;
    let (rest, _) = scene.leave().await;
    assert_eq!(rest, "");
}

#[tokio::test(start_paused = true)]
async fn the_opening_cannot_be_cancelled() {
    let mut scene = Scene::with(Scripted::echo());
    scene.say(request("1", "initialize", "{}")).await;
    scene.say(cancel("1")).await;
    assert_eq!(scene.hear().await["id"], 1);
    scene.alive().await;
}

#[tokio::test(start_paused = true)]
async fn an_identity_in_use_is_refused_and_free_after_its_answer() {
    let gate = Arc::new(Semaphore::new(0));
    let mut scene = Scene::with(gated(&gate));
    scene.say(request("1", "x", r#"{"first":1}"#)).await;
    let reply = scene.ask(request("1", "x", "{}")).await;
    assert_eq!(reply["error"]["code"], -32600);
    assert_eq!(reply["id"], 1);
    gate.add_permits(2);
    assert_eq!(scene.hear().await["result"], json!({"first": 1}));
    assert_eq!(
        scene.ask(request("1", "x", "{}")).await["result"],
        json!({})
    );
}

#[tokio::test(start_paused = true)]
async fn more_requests_than_may_run_are_told_to_wait() {
    let gate = Arc::new(Semaphore::new(0));
    let mut scene = Scene::with(gated(&gate));
    for id in 0..300 {
        scene.say(request(&id.to_string(), "x", "{}")).await;
    }
    for id in REQUESTS..300 {
        let reply = scene.hear().await;
        assert_eq!(reply["error"]["code"], -32010);
        assert_eq!(reply["id"], id);
    }
    scene.alive().await;
    gate.add_permits(300);
    let mut answered = BTreeSet::new();
    for _ in 0..REQUESTS {
        answered.insert(scene.hear().await["id"].as_u64().unwrap());
    }
    assert_eq!(answered.len(), REQUESTS);
    assert_eq!(scene.ask(request("1", "x", "{}")).await["id"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_large_result_comes_whole() {
    let large = format!(r#""{}""#, "r".repeat(5_000_000));
    let answer = large.clone();
    let mut scene = Scene::with(Scripted::new(move |_| {
        let answer = raw(answer.clone());
        async move { Ok(answer) }
    }));
    scene.say(request("1", "x", "{}")).await;
    let line = scene.line().await;
    assert!(line.ends_with(&format!("{large}}}\n")));
    scene.alive().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_reads_late_gets_every_answer() {
    let mut scene = Scene::with(Scripted::echo());
    for id in 0..2000 {
        let method = if id % 4 == 0 { "x" } else { "ping" };
        scene.say(request(&id.to_string(), method, "{}")).await;
    }
    settled().await;
    let mut answered = BTreeSet::new();
    for _ in 0..2000 {
        let answer = scene.hear().await;
        answered.insert(answer["id"].as_u64().unwrap());
    }
    assert_eq!(answered.len(), 2000);
    scene.alive().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_host_tells_of_itself_is_passed_on() {
    let backend = Scripted::echo();
    let mut scene = Scene::with(backend.clone());
    scene.alive().await;
    settled().await;
    let told = "notifications/roots/list_changed";
    scene
        .say(format!(r#"{{"jsonrpc":"2.0","method":"{told}"}}"#))
        .await;
    scene.say(cancel("9")).await;
    scene.alive().await;
    assert_eq!(*backend.told.lock().unwrap(), [told]);
}
