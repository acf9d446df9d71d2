//! Whatever bytes come, every line that goes out is a message and the session lives on.

use proptest::prelude::*;
use serde_json::Value;

use super::{Scene, Scripted};
use crate::wire::Message;

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\",
        "\n",
        "\r\n",
        "null",
        "1",
        "-0",
        "1e999",
        "\u{feff}",
        r#""jsonrpc":"2.0""#,
        r#""id":1"#,
        r#""id":"a""#,
        r#""method":"ping""#,
        r#""method":"x""#,
        r#""params":{}"#,
        r#""result":1"#,
        r#""error":{}"#,
        "\n{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"x\",\"params\":{\"_meta\":{\"progressToken\":1}}}\n",
        "\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":2}}\n",
        "\n{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"initialize\",\"params\":{}}\n",
    ];
    prop_oneof![
        3 => proptest::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => (0..100_000_usize).prop_map(|length| vec![b'z'; length]),
    ]
}

async fn check(bytes: Vec<u8>) {
    let mut scene = Scene::with(Scripted::echo());
    scene.say(&bytes).await;
    let last = r#"{"jsonrpc":"2.0","id":"last","method":"ping"}"#;
    scene.say(last).await;
    let mut pongs = 0;
    while pongs == 0 {
        let line = scene.line().await;
        assert!(line.ends_with('\n'), "{line:?}");
        Message::parse(line.as_bytes()).unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        pongs += usize::from(line["id"] == "last");
    }
    let (rest, _) = scene.leave().await;
    for line in rest.lines() {
        Message::parse(line.as_bytes()).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_bytes_leave_the_session_alive(pieces in proptest::collection::vec(piece(), 0..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(check(pieces.concat()));
    }
}
