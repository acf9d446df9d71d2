//! `chaperone headers-helper`: what a host's own connector gets, and what it does not.

use std::process::Output;

use serde_json::{Value, json};

use crate::company::Company;
use crate::world::parts::http;

async fn helper(company: &Company, arguments: &[&str]) -> Output {
    let arguments = [&["headers-helper"], arguments].concat();
    company.world.run(&arguments).await
}

/// That there is no answer, for this reason.
async fn fails(company: &Company, arguments: &[&str], code: i32, why: &str) {
    let output = helper(company, arguments).await;
    assert_eq!(output.status.code(), Some(code), "{arguments:?} {output:?}");
    assert_eq!(output.stdout, b"", "{arguments:?}");
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(told.contains(why), "{told}");
}

/// Opens a server to this, in the configuration.
fn open(company: &Company, server: &str) {
    let path = company.world.config_file();
    let text = std::fs::read_to_string(&path).expect("a configuration");
    let name = format!("name = \"{server}\"\n");
    let opened = text.replace(&name, &format!("{name}headers_helper = true\n"));
    assert_ne!(text, opened);
    company.world.write_configuration(&opened);
}

/// How a server answers a handshake that carries these headers.
async fn answer(url: &str, headers: &Value) -> u16 {
    let params = json!({"protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": {"name": "connector", "version": "1"}});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
    let mut request = http().post(url).body(body.to_string());
    request = request.header("content-type", "application/json");
    request = request.header("accept", "application/json, text/event-stream");
    for (name, value) in headers.as_object().expect("an object") {
        request = request.header(name, value.as_str().expect("a text"));
    }
    let response = request.send().await.expect("a server that listens");
    response.status().as_u16()
}

#[tokio::test]
async fn a_connector_reaches_the_server_that_is_open_to_it_with_the_same_sign_in() {
    let company = Company::new("").await;
    open(&company, "database");
    fails(&company, &["database"], 4, "chaperone login").await;
    company.sign_in("alice").await;
    let output = helper(&company, &["database"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(output.stderr, b"");
    let headers: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(
        headers.as_object().expect("an object").len(),
        1,
        "flat, and alone"
    );
    assert_eq!(answer(&company.database.url, &headers).await, 200);
    assert_eq!(answer(&company.database.url, &json!({})).await, 401);
    assert_eq!(
        answer(&company.deploy.url, &headers).await,
        401,
        "for its own audience only"
    );
    // The one that is open need not be named.
    let again = helper(&company, &[]).await;
    assert_eq!(again.stdout, output.stdout, "the token is shared");

    fails(&company, &["deploy"], 3, "headers_helper = true").await;
    fails(&company, &["nobody"], 2, "no server is called \"nobody\"").await;
    fails(&company, &["everything"], 2, "auth = \"none\"").await;
    open(&company, "deploy");
    fails(&company, &[], 2, "name one").await;
    let output = company.world.run(&["logout"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    fails(&company, &["database"], 4, "chaperone login").await;
}

#[tokio::test]
async fn no_server_is_open_unless_the_configuration_says_so() {
    let company = Company::signed_in("alice").await;
    fails(&company, &[], 3, "does not open any server").await;
    fails(&company, &["database"], 3, "does not open \"database\"").await;
}
