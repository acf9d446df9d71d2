//! Progress comes before its answer, and to nobody else.

use serde_json::json;

use super::{Scene, Scripted, raw, request};

/// Tells what the parameters' `tell` holds, answers at once, and tells it again.
fn telling() -> Scripted {
    Scripted::new(|asked| async move {
        let params: serde_json::Value = serde_json::from_str(asked.params.get()).unwrap();
        let told = params["tell"].as_array().unwrap().clone();
        if let Some(sink) = &asked.asides {
            for progress in &told {
                sink.progress(raw(progress.to_string()));
            }
            tokio::task::yield_now().await;
            sink.progress(raw(told[0].to_string()));
        }
        Ok(raw(json!({"asked": asked.asides.is_some()}).to_string()))
    })
}

#[tokio::test(start_paused = true)]
async fn progress_comes_in_order_before_the_answer() {
    let mut scene = Scene::with(telling());
    let params = r#"{"_meta":{"progressToken":9007199254740993},"tell":[
        {"progressToken":9007199254740993,"progress":1},
        {"progressToken":9007199254740993,"progress":2,"message":"half"}]}"#;
    scene
        .say(request("1", "x", &params.replace('\n', "")))
        .await;
    for progress in [1, 2, 1] {
        let notice = scene.hear().await;
        assert_eq!(notice["method"], "notifications/progress");
        assert_eq!(notice["params"]["progress"], progress);
    }
    assert_eq!(scene.hear().await["result"], json!({"asked": true}));
    let (rest, _) = scene.leave().await;
    assert_eq!(rest, "");
}

#[tokio::test(start_paused = true)]
async fn progress_of_another_request_is_dropped() {
    let mut scene = Scene::with(telling());
    for (token, told, passes) in [
        (r#""a""#, r#""a""#, true),
        (r#""a/b""#, r#""a\/b""#, true),
        (r#""1""#, "1", false),
        ("1", r#""1""#, false),
        ("9007199254740993", "9007199254740992", false),
        ("1", "null", false),
        ("1", "[1]", false),
    ] {
        let params = format!(
            r#"{{"_meta":{{"progressToken":{token}}},"tell":[{{"progressToken":{told}}}]}}"#
        );
        scene.say(request("1", "x", &params)).await;
        for _ in 0..if passes { 2 } else { 0 } {
            assert_eq!(
                scene.hear().await["method"],
                "notifications/progress",
                "{params}"
            );
        }
        assert_eq!(scene.hear().await["id"], 1, "{params}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_ask_for_progress_gets_none() {
    let mut scene = Scene::with(telling());
    for params in [
        r#"{"tell":[{}]}"#,
        r#"{"tell":[{}],"_meta":{"progressToken":null}}"#,
        r#"{"tell":[{}],"_meta":{"progresstoken":1}}"#,
        r#"{"tell":[{}],"arguments":{"progressToken":1}}"#,
        r#"{"tell":[{}],"_meta":"progressToken"}"#,
    ] {
        let reply = scene.ask(request("1", "x", params)).await;
        assert_eq!(reply["result"], json!({"asked": false}), "{params}");
    }
}
