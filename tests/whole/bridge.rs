//! What crosses from one era of the protocol to the other in the middle of a call: questions of
//! servers, for hosts and servers that keep sessions and for those that do not.

use serde_json::{Value, json};

use crate::world::World;
use crate::world::host::Host;
use crate::world::parts::{Kind, Provider};

const POLICY: &str = r#"
version: "1.0"
policies:
  - name: "all"
    servers: ["*"]
    roles: ["*"]
"#;

/// The same server twice, once for each era, and somebody who may use both.
struct Pair {
    world: World,
    _provider: Provider,
}

impl Pair {
    async fn signed_in() -> Self {
        let mut world = World::new();
        world.keychain().await;
        let provider = world.provider(json!({})).await;
        let old = world.server(Kind::Old, &provider).await;
        let new = world.server(Kind::New, &provider).await;
        world.configure(&provider, &[&old, &new], "");
        world.write_policy(POLICY);
        let (page, output) = world.sign_in("alice").await;
        assert_eq!(
            (page.status, output.status.code()),
            (200, Some(0)),
            "{output:?}"
        );
        Self {
            world,
            _provider: provider,
        }
    }

    /// A host with a session that can be asked anything.
    async fn asked(&self) -> Host {
        let mut host = self.world.host();
        host.initialize_with("2025-11-25", abilities()).await;
        host.tools().await;
        host
    }

    /// What servers asked, and how it ended.
    async fn questions(&self) -> Vec<(String, String)> {
        let output = self.world.run(&["audit", "list", "--all", "--json"]).await;
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let records = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let ends = records.filter(|record| record["kind"] == "outcome");
        let asked = ends.filter(|record| record["method"] != "tools/call");
        let told = |record: &Value, key: &str| record[key].as_str().unwrap_or_default().to_owned();
        let asked = asked.map(|record| (told(&record, "method"), told(&record, "outcome")));
        let asked = asked.collect();
        let verified = self.world.run(&["audit", "verify"]).await;
        assert_eq!(verified.status.code(), Some(0), "{verified:?}");
        asked
    }
}

fn abilities() -> Value {
    json!({"elicitation": {}, "sampling": {}, "roots": {"listChanged": true}})
}

fn call(tool: &str) -> Value {
    json!({"name": tool, "arguments": {}})
}

/// Parameters of a request that stands alone, of a host that can do this.
fn alone(mut params: Value, abilities: &Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": abilities,
        "io.modelcontextprotocol/clientInfo": {"name": "alone", "version": "1"},
    });
    params
}

fn said(answer: &Value) -> &str {
    let text = answer["result"]["content"][0]["text"].as_str();
    text.unwrap_or_else(|| panic!("no text: {answer}"))
}

fn accepted(content: &Value) -> Value {
    json!({"action": "accept", "content": content})
}

fn written(text: &str) -> Value {
    json!({"role": "assistant", "model": "m", "content": {"type": "text", "text": text}})
}

#[tokio::test]
async fn a_server_without_sessions_asks_a_host_with_one() {
    let pair = Pair::signed_in().await;
    let mut host = pair.asked().await;
    let id = host
        .send(
            "tools/call",
            call("new__test_input_required_result_elicitation"),
        )
        .await;
    let asked = host.method("elicitation/create").await;
    assert_eq!(asked["params"]["message"], "What is your name?");
    host.reply(&asked, accepted(&json!({"name": "Ada"}))).await;
    let answer = host.answer(id).await;
    assert_eq!(said(&answer), "Hello, Ada!");
    assert_eq!(answer["result"].get("resultType"), None);

    let id = host
        .send(
            "tools/call",
            call("new__test_input_required_result_multiple_inputs"),
        )
        .await;
    let asked = host.method("elicitation/create").await;
    host.reply(&asked, accepted(&json!({"name": "Ada"}))).await;
    let asked = host.method("sampling/createMessage").await;
    host.reply(&asked, written("Good day,")).await;
    let asked = host.method("roots/list").await;
    host.reply(
        &asked,
        json!({"roots": [{"uri": "file:///a"}, {"uri": "file:///b"}]}),
    )
    .await;
    assert_eq!(said(&host.answer(id).await), "Good day, Ada, 2 roots");

    let id = host
        .send(
            "tools/call",
            call("new__test_input_required_result_multi_round"),
        )
        .await;
    for (question, content) in [
        ("Step 1", json!({"name": "Ada"})),
        ("Step 2", json!({"color": "green"})),
    ] {
        let asked = host.method("elicitation/create").await;
        let message = asked["params"]["message"].as_str().expect("a message");
        assert!(message.starts_with(question), "{message}");
        host.reply(&asked, accepted(&content)).await;
    }
    assert_eq!(said(&host.answer(id).await), "Ada likes green");

    let prompt = json!({"name": "new__test_input_required_result_prompt"});
    let id = host.send("prompts/get", prompt).await;
    let asked = host.method("elicitation/create").await;
    host.reply(&asked, accepted(&json!({"context": "tea"})))
        .await;
    let text = &host.answer(id).await["result"]["messages"][0]["content"]["text"];
    assert_eq!(text, "Use this context: tea");
    host.close().await;
    let asked: Vec<_> = pair.questions().await;
    let elicited = asked
        .iter()
        .filter(|(method, _)| method == "elicitation/create");
    assert_eq!(elicited.count(), 5, "{asked:?}");
}

#[tokio::test]
async fn a_server_with_sessions_asks_a_host_with_one() {
    let pair = Pair::signed_in().await;
    let mut host = pair.asked().await;
    let ask = json!({"name": "old__test_elicitation", "arguments": {"message": "Who?"}});
    let first = host.send("tools/call", ask.clone()).await;
    let asked = host.method("elicitation/create").await;
    let second = host.send("tools/call", ask).await;
    let again = host.method("elicitation/create").await;
    assert_ne!(asked["id"], again["id"]);
    assert_eq!(asked["params"]["message"], "Who?");
    host.reply(&again, json!({"action": "decline"})).await;
    assert!(said(&host.answer(second).await).contains("action=decline"));
    let person = json!({"username": "ada", "email": "ada@example.com"});
    host.reply(&asked, accepted(&person)).await;
    assert!(said(&host.answer(first).await).contains("\"username\":\"ada\""));

    let sample = json!({"name": "old__test_sampling", "arguments": {"prompt": "Say it"}});
    let id = host.send("tools/call", sample).await;
    let asked = host.method("sampling/createMessage").await;
    host.reply(&asked, written("it")).await;
    assert_eq!(said(&host.answer(id).await), "LLM response: it");
    // Answers that nobody asked for, and that came already, are nothing.
    host.reply(&asked, written("again")).await;
    host.reply(&json!({"id": "chaperone-99"}), json!({})).await;
    host.ping().await;
    host.close().await;
    let asked = pair.questions().await;
    assert_eq!(
        asked
            .iter()
            .filter(|(_, outcome)| outcome == "success")
            .count(),
        3,
        "{asked:?}"
    );
}

#[tokio::test]
async fn a_server_with_sessions_asks_a_host_without_one() {
    let pair = Pair::signed_in().await;
    let mut host = pair.world.host();
    let can = abilities();
    host.result("tools/list", alone(json!({}), &can)).await;
    let ask = json!({"name": "old__test_elicitation", "arguments": {"message": "Who?"}});
    let asked = host.result("tools/call", alone(ask.clone(), &can)).await;
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let (key, question) = asked["inputRequests"]
        .as_object()
        .expect("a map")
        .iter()
        .next()
        .expect("one");
    assert_eq!(question["method"], "elicitation/create");
    assert_eq!(question["params"]["message"], "Who?");

    let person = accepted(&json!({"username": "ada", "email": "ada@example.com"}));
    let mut again = ask.clone();
    again["inputResponses"] = json!({ key: person });
    again["requestState"] = asked["requestState"].clone();
    // For other arguments, or with another state, it goes on with nothing.
    let mut other = again.clone();
    other["arguments"]["message"] = json!("Whom?");
    let mut forged = again.clone();
    let state = asked["requestState"].as_str().expect("a state");
    let first = if state.starts_with('A') { "B" } else { "A" };
    forged["requestState"] = json!(format!("{first}{}", &state[1..]));
    for refused in [other, forged] {
        let answer = host.request("tools/call", alone(refused, &can)).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
    // Whoever brings nothing is asked the same once more.
    let mut empty = again.clone();
    empty["inputResponses"] = json!({});
    let asked = host.result("tools/call", alone(empty, &can)).await;
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    // Nor does it go on with what it has not asked: the call is another one.
    let mut unasked = again.clone();
    unasked
        .as_object_mut()
        .expect("a map")
        .remove("requestState");
    let anew = host.result("tools/call", alone(unasked, &can)).await;
    assert_eq!(anew["resultType"], "input_required", "{anew}");
    // A server that asks for more than the host can do with this request costs it the call alone.
    let needs = host
        .request("tools/call", alone(ask.clone(), &json!({})))
        .await;
    assert_eq!(needs["error"]["code"], -32021, "{needs}");
    assert_eq!(
        needs["error"]["data"],
        json!({"code": "CHP-HOST-INCAPABLE", "requiredCapabilities": {"elicitation": {}}})
    );
    let used = again.clone();
    again["requestState"] = asked["requestState"].clone();
    let answer = host.request("tools/call", alone(again, &can)).await;
    assert!(said(&answer).contains("\"username\":\"ada\""), "{answer}");
    assert_eq!(answer["result"]["resultType"], "complete");
    let answer = host.request("tools/call", alone(used, &can)).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    host.close().await;
    let mut asked = pair.questions().await;
    asked.sort();
    let elicited = |outcome: &str| ("elicitation/create".to_owned(), outcome.to_owned());
    assert_eq!(asked, [elicited("success"), elicited("unknown")]);
}

#[tokio::test]
async fn a_server_and_a_host_without_sessions_are_left_to_themselves() {
    let pair = Pair::signed_in().await;
    let mut host = pair.world.host();
    let can = abilities();
    host.result("tools/list", alone(json!({}), &can)).await;
    let first = call("new__test_input_required_result_request_state");
    let asked = host.result("tools/call", alone(first.clone(), &can)).await;
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let mut again = first;
    again["inputResponses"] = json!({"confirm": accepted(&json!({"ok": true}))});
    again["requestState"] = asked["requestState"].clone();
    let answer = host.request("tools/call", alone(again, &can)).await;
    assert_eq!(said(&answer), "state-ok");
    host.close().await;
    let asked = pair.questions().await;
    assert_eq!(asked, [("elicitation/create".into(), "success".into())]);
}

#[tokio::test]
async fn what_a_host_cannot_do_is_told_to_no_server() {
    let pair = Pair::signed_in().await;
    let mut host = pair.world.host();
    host.initialize("2025-11-25").await;
    host.tools().await;
    let answer = host
        .request(
            "tools/call",
            call("new__test_input_required_result_capabilities"),
        )
        .await;
    assert_eq!(said(&answer), "nothing can be asked");
    for tool in [
        "new__test_input_required_result_elicitation",
        "old__test_sampling",
    ] {
        let params = json!({"name": tool, "arguments": {"prompt": "?"}});
        let answer = host.request("tools/call", params).await;
        assert!(
            answer.get("error").is_some() || answer["result"]["isError"] == true,
            "{tool}: {answer}"
        );
    }
    let none = json!({});
    let inside = alone(call("old__test_input_required_result_capabilities"), &none);
    let answer = host.request("tools/call", inside).await;
    assert_eq!(said(&answer), "nothing can be asked");
    let transcript = host.transcript();
    for method in ["elicitation/create", "sampling/createMessage", "roots/list"] {
        assert!(
            !transcript.contains(&format!("\"method\":\"{method}\"")),
            "{transcript}"
        );
    }
    host.close().await;
}

#[tokio::test]
async fn a_withdrawn_call_takes_its_question_back() {
    let pair = Pair::signed_in().await;
    let mut host = pair.asked().await;
    let id = host
        .send(
            "tools/call",
            call("new__test_input_required_result_elicitation"),
        )
        .await;
    let asked = host.method("elicitation/create").await;
    host.notify("notifications/cancelled", json!({"requestId": id}))
        .await;
    let withdrawn = host.method("notifications/cancelled").await;
    assert_eq!(withdrawn["params"]["requestId"], asked["id"]);
    host.close().await;
    let asked = pair.questions().await;
    assert_eq!(asked, [("elicitation/create".into(), "unknown".into())]);
}
