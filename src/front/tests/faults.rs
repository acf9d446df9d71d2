//! Which answer each fault becomes.

use std::time::Duration;

use serde_json::{Value, json};

use crate::front::reply;
use crate::gateway::Fault;
use crate::gateway::fault::{Kind, Refused};
use crate::policy::{Refusal, Rule};
use crate::wire::{Id, Message, method};

use super::raw;

fn check(asked: &str, fault: Fault, expected: &Value) {
    let response = reply::outcome(Id::from_raw(&raw("1")).unwrap(), asked, Err(fault));
    let mut line = Vec::new();
    Message::Response(response).write_line(&mut line);
    let mut answer: Value = serde_json::from_slice(&line).unwrap();
    let answer = answer.as_object_mut().unwrap();
    assert_eq!(answer.remove("jsonrpc"), Some(json!("2.0")));
    assert_eq!(answer.remove("id"), Some(json!(1)));
    assert_eq!(Value::Object(answer.clone()), *expected, "{asked}");
}

fn refused(kind: Kind, shown: bool) -> Fault {
    Fault::Refused(Refused {
        asked: "db__drop".into(),
        kind,
        refusal: Refusal {
            policy: None,
            rule: Rule::NoPolicy,
            message: "Ask the platform team.".into(),
        },
        shown,
    })
}

fn failed(code: &str, text: &str) -> Value {
    let content = json!([{"type": "text", "text": text}]);
    json!({"result": {"_meta": {"chaperone/code": code}, "content": content, "isError": true}})
}

fn error(code: i32, message: &str, named: &str) -> Value {
    json!({"error": {"code": code, "message": message, "data": {"code": named}}})
}

#[test]
fn a_tool_that_fails_answers_with_a_result_that_models_read() {
    let check = |fault: Fault, code, text| {
        check(method::TOOLS_CALL, fault, &failed(code, text));
    };
    check(
        refused(Kind::Tool, true),
        "CHP-POLICY-DENIED",
        "Ask the platform team.",
    );
    check(
        Fault::NotSignedIn("Sign in.".into()),
        "CHP-NOT-SIGNED-IN",
        "Sign in.",
    );
    check(
        Fault::Unavailable("Away.".into()),
        "CHP-UNREACHABLE",
        "Away.",
    );
    check(
        Fault::Unrecorded("Disk full.".into()),
        "CHP-LOG-UNUSABLE",
        "Disk full.",
    );
    check(
        Fault::Withheld("It ran.".into()),
        "CHP-LOG-WITHHELD",
        "It ran.",
    );
    let limited = Fault::RateLimited {
        policy: "p".into(),
        per_minute: 5,
        retry_after: Duration::from_secs(7),
    };
    let text = limited.sentence();
    check(limited, "CHP-POLICY-RATE", &text);
}

#[test]
fn a_tool_that_the_host_does_not_know_of_is_unknown() {
    let unknown = error(-32602, "Unknown tool: db__drop", "CHP-UNKNOWN-NAME");
    check(method::TOOLS_CALL, refused(Kind::Tool, false), &unknown);
    let nothing = Fault::Unknown(Kind::Tool, "db__drop".into());
    check(method::TOOLS_CALL, nothing, &unknown);
}

#[test]
fn other_requests_that_fail_are_errors() {
    for (asked, fault, code, message, named) in [
        (
            method::PROMPTS_GET,
            Fault::Unknown(Kind::Prompt, "p".into()),
            -32602,
            "Unknown prompt: p",
            "CHP-UNKNOWN-NAME",
        ),
        (
            method::PROMPTS_GET,
            refused(Kind::Prompt, true),
            -32011,
            "Ask the platform team.",
            "CHP-POLICY-DENIED",
        ),
        (
            method::TOOLS_LIST,
            Fault::Unavailable("Away.".into()),
            -32011,
            "Away.",
            "CHP-UNREACHABLE",
        ),
        (
            method::COMPLETE,
            Fault::NotSignedIn("Sign in.".into()),
            -32011,
            "Sign in.",
            "CHP-NOT-SIGNED-IN",
        ),
        (
            "x/y",
            Fault::UnknownMethod,
            -32601,
            "chaperone does not serve this method.",
            "CHP-UNKNOWN-METHOD",
        ),
        (
            method::TOOLS_CALL,
            Fault::BadParams("why".into()),
            -32602,
            "The parameters cannot be used: why.",
            "CHP-BAD-PARAMS",
        ),
    ] {
        check(asked, fault, &error(code, message, named));
    }
}

#[test]
fn a_resource_that_does_not_exist_is_named() {
    for (fault, uri) in [
        (Fault::Unknown(Kind::Resource, "u:/".into()), "u:/"),
        (refused(Kind::Resource, false), "db__drop"),
    ] {
        let mut expected = error(-32002, &format!("Resource not found: {uri}"), "");
        expected["error"]["data"] = json!({"code": "CHP-UNKNOWN-NAME", "uri": uri});
        check(method::RESOURCES_READ, fault, &expected);
    }
}

#[test]
fn a_servers_own_error_passes_unchanged() {
    let own = r#"{"code":-32042,"message":"m","data":{"x":[1]},"more":true}"#;
    for asked in [method::TOOLS_CALL, method::PROMPTS_GET] {
        let expected = json!({"error": serde_json::from_str::<Value>(own).unwrap()});
        check(asked, Fault::Upstream(raw(own)), &expected);
    }
}
