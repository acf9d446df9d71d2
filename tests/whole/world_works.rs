//! The world itself: what the other tests rely on is there, and says no where it should.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::world::browser::{self, Choice};
use crate::world::host::{Driver, Host};
use crate::world::parts::{Kind, Provider, Server, http};
use crate::world::{World, finish, installed};

const VERIFIER: &str = "a-verifier-that-is-long-enough-to-be-one-in-earnest";

/// A sign-in link as a client would make it.
fn link(provider: &Provider, resources: &[&str]) -> String {
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let mut url = Url::parse(&format!("{}/auth", provider.url)).expect("an address");
    url.query_pairs_mut()
        .append_pair("client_id", "mcp-desktop")
        .append_pair("response_type", "code")
        .append_pair("redirect_uri", "http://127.0.0.1:9/callback")
        .append_pair(
            "scope",
            "openid profile email offline_access mcp:tools:read mcp:tools:execute",
        )
        .append_pair("prompt", "consent")
        .append_pair("state", "a-state")
        .append_pair("nonce", "a-nonce")
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .extend_pairs(resources.iter().map(|resource| ("resource", *resource)));
    url.into()
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

async fn token(provider: &Provider, form: &[(&str, &str)]) -> Value {
    let mut body = Url::parse("form:").expect("an address");
    body.query_pairs_mut()
        .append_pair("client_id", "mcp-desktop")
        .extend_pairs(form);
    let request = http()
        .post(format!("{}/token", provider.url))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.query().unwrap_or_default().to_owned());
    let response = request
        .send()
        .await
        .expect("an answer")
        .bytes()
        .await
        .expect("a body");
    serde_json::from_slice(&response).expect("JSON")
}

/// Signs in and redeems the code for a token of `resource`.
async fn signed_in(provider: &Provider, person: &str, resource: &str) -> Value {
    let callback = browser::authorize(&link(provider, &[resource]), Choice::SignIn(person)).await;
    assert_eq!(
        parameter(&callback, "state").as_deref(),
        Some("a-state"),
        "{callback}"
    );
    let code = parameter(&callback, "code").expect("a code");
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", "http://127.0.0.1:9/callback"),
        ("code_verifier", VERIFIER),
        ("resource", resource),
    ];
    token(provider, &form).await
}

async fn post(server: &Server, bearer: Option<&str>) -> (u16, String) {
    let client = json!({ "name": "world", "version": "1" });
    let params =
        json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
    let mut request = http()
        .post(&server.url)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(message.to_string());
    if let Some(bearer) = bearer {
        request = request.bearer_auth(bearer);
    }
    let response = request.send().await.expect("an answer");
    (
        response.status().as_u16(),
        response.text().await.expect("a body"),
    )
}

#[tokio::test]
async fn provider_signs_in_and_servers_take_their_own_tokens_only() {
    let mut world = World::new();
    let provider = world.provider(json!({})).await;
    let database = world.server(Kind::Database, &provider).await;
    let deploy = world.server(Kind::Deploy, &provider).await;
    let everything = world.server(Kind::Everything, &provider).await;

    let tokens = signed_in(&provider, "alice", &database.url).await;
    let bearer = tokens["access_token"].as_str().expect("an access token");
    assert!(
        tokens["id_token"].is_string() && tokens["refresh_token"].is_string(),
        "{tokens}"
    );

    assert_eq!(post(&database, None).await.0, 401);
    let (status, body) = post(&database, Some(bearer)).await;
    assert_eq!((status, body.contains("\"result\"")), (200, true), "{body}");
    assert_eq!(
        post(&deploy, Some(bearer)).await.0,
        401,
        "a token for another server"
    );
    assert_eq!(post(&everything, None).await.0, 200);

    let seen = database.seen().await;
    assert_eq!(seen.last().expect("a request")["subject"], "alice");
    assert!(database.calls().await.is_empty());
}

#[tokio::test]
async fn provider_rotates_refresh_tokens_and_can_be_held() {
    let mut world = World::new();
    let provider = world.provider(json!({})).await;
    provider.add_resource("http://127.0.0.1:1/mcp").await;
    let tokens = signed_in(&provider, "bob", "http://127.0.0.1:1/mcp").await;
    let spent = tokens["refresh_token"].as_str().expect("a refresh token");
    let form = [("grant_type", "refresh_token"), ("refresh_token", spent)];

    provider.control("hold", json!({ "when": "after" })).await;
    let waiting = async {
        provider.control("held", json!({ "count": 1 })).await;
        assert_eq!(provider.count("live_refresh_tokens").await, 1);
        provider.control("release", json!({})).await
    };
    let (fresh, _) = tokio::join!(token(&provider, &form), waiting);
    assert_ne!(fresh["refresh_token"], tokens["refresh_token"], "{fresh}");

    let replayed = token(&provider, &form).await;
    assert_eq!(replayed["error"], "invalid_grant");
    assert_eq!(
        provider.count("live_refresh_tokens").await,
        0,
        "the family ends with a replay"
    );
}

#[tokio::test]
async fn provider_refuses_what_it_should() {
    let mut world = World::new();
    let provider = world.provider(json!({})).await;
    let aborted = browser::authorize(&link(&provider, &[]), Choice::Abort).await;
    assert_eq!(
        parameter(&aborted, "error").as_deref(),
        Some("access_denied")
    );

    let unknown = link(&provider, &["https://unknown.example.test/"]);
    let refused = browser::authorize(&unknown, Choice::SignIn("alice")).await;
    assert_eq!(
        parameter(&refused, "error").as_deref(),
        Some("invalid_target")
    );

    provider
        .control(
            "style",
            json!({ "resource": "none", "iss": false, "pkce": false }),
        )
        .await;
    let resource = "http://127.0.0.1:1/mcp";
    provider.add_resource(resource).await;
    let refused = browser::authorize(&link(&provider, &[resource]), Choice::SignIn("alice")).await;
    assert_eq!(
        parameter(&refused, "error").as_deref(),
        Some("invalid_target")
    );
    assert_eq!(parameter(&refused, "iss"), None);
}

#[tokio::test]
async fn chromium_completes_the_sign_in() {
    let mut world = World::new();
    let provider = world.provider(json!({})).await;
    // Any server will do to be called back: its "not found" is a page too.
    let end = Url::parse(&world.server(Kind::Everything, &provider).await.url).expect("an address");
    let port = end.port().expect("a port").to_string();
    let link = link(&provider, &[]).replace("%3A9%2F", &format!("%3A{port}%2F"));
    let seen = world.chromium(&link, "alice").await;
    assert!(
        seen["url"]
            .as_str()
            .is_some_and(|url| url.contains("code=")),
        "{seen}"
    );
}

#[tokio::test]
async fn keychain_keeps_a_secret() {
    let mut world = World::new();
    world.keychain().await;
    let store = "printf secret | secret-tool store --label=test service world && secret-tool lookup service world";
    let output = finish(world.command("sh").args(["-c", store])).await;
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "secret",
        "{output:?}"
    );
}

#[tokio::test]
async fn without_a_keychain_there_is_none_to_reach() {
    let world = World::new();
    let output = finish(
        world
            .command("secret-tool")
            .args(["lookup", "service", "world"]),
    )
    .await;
    assert!(!output.status.success(), "{output:?}");
}

#[tokio::test]
async fn host_speaks_to_a_server_over_stdio() {
    let world = World::new();
    let mut command = world.command(installed("bin/node"));
    command.arg(installed(
        "npm/node_modules/@modelcontextprotocol/server-everything/dist/index.js",
    ));
    let mut host = Host::start(command, &world.log("everything"));
    assert_eq!(
        host.initialize("2025-06-18").await["protocolVersion"],
        "2025-06-18"
    );
    assert!(host.tools().await.contains(&"echo".to_owned()));
    let result = host.call("echo", json!({ "message": "hello" })).await;
    assert!(result.to_string().contains("hello"), "{result}");
    host.close().await;
}

#[tokio::test]
async fn hosts_that_others_made_list_and_call() {
    let world = World::new();
    let node = installed("bin/node");
    let server =
        installed("npm/node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    let server = [node.to_str().expect("text"), server.to_str().expect("text")];
    for driver in [Driver::Sdk, Driver::Inspector, Driver::Python] {
        let seen = world
            .drive(driver, &server, "echo", json!({ "message": "hello" }))
            .await;
        assert_eq!(seen["is_error"], false, "{driver:?}: {seen}");
        assert!(
            seen["text"]
                .as_str()
                .is_some_and(|text| text.contains("hello")),
            "{seen}"
        );
        assert!(
            seen["tools"]
                .as_array()
                .is_some_and(|tools| tools.contains(&json!("echo"))),
            "{seen}"
        );
    }
}
