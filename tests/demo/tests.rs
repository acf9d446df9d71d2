//! The company alone: an independent library accepts its provider, and its servers their own tokens.

use std::str::FromStr as _;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use openidconnect::core::{
    CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKeySet, CoreJwsSigningAlgorithm,
    CoreProviderMetadata,
};
use openidconnect::{ClientId, Nonce};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::*;

const VERIFIER: &str = "a-verifier-that-is-long-enough-to-be-one-in-earnest";
const CALLBACK: &str = "http://127.0.0.1:9/callback";

fn http() -> reqwest::Client {
    let none = reqwest::redirect::Policy::none();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(none)
        .build()
        .unwrap()
}

async fn fetch(url: &str) -> Value {
    serde_json::from_slice(&http().get(url).send().await.unwrap().bytes().await.unwrap()).unwrap()
}

async fn post(url: &str, form: &[(&str, &str)]) -> reqwest::Response {
    let mut body = Url::parse("form:").unwrap();
    body.query_pairs_mut().extend_pairs(form);
    let request = http()
        .post(url)
        .header("content-type", "application/x-www-form-urlencoded");
    request
        .body(body.query().unwrap().to_owned())
        .send()
        .await
        .unwrap()
}

async fn token(company: &Addresses, form: &[(&str, &str)]) -> Value {
    let response = post(&format!("{}/token", company.issuer), form).await;
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

/// Signs in for both servers and redeems the code for a token of the database.
async fn signed_in(company: &Addresses, person: Person) -> Value {
    let mut link = Url::parse(&format!("{}/auth", company.issuer)).unwrap();
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    link.query_pairs_mut()
        .append_pair("client_id", provider::CLIENT)
        .append_pair("response_type", "code")
        .append_pair("redirect_uri", CALLBACK)
        .append_pair("scope", "openid mcp:tools:read mcp:admin")
        .append_pair("state", "a-state")
        .append_pair("nonce", "a-nonce")
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .append_pair("resource", &company.database)
        .append_pair("resource", &company.deploy);
    let page = http().get(link).send().await.unwrap().text().await.unwrap();
    let request = page
        .split_once("name=\"request\" value=\"")
        .unwrap()
        .1
        .split('"')
        .next()
        .unwrap();
    let chosen = [("request", request), ("person", person.id)];
    let response = post(&format!("{}/choose", company.issuer), &chosen).await;
    let callback = Url::parse(response.headers()["location"].to_str().unwrap()).unwrap();
    let found = |name: &str| {
        callback
            .query_pairs()
            .find(|(key, _)| key == name)
            .unwrap()
            .1
            .into_owned()
    };
    assert_eq!(
        (found("state"), found("iss")),
        ("a-state".to_owned(), company.issuer.clone())
    );
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", provider::CLIENT),
        ("code", &found("code")),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
        ("resource", &company.database),
    ];
    token(company, &form).await
}

async fn status_of(server: &str, bearer: &str) -> u16 {
    let message = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
    let request = http().post(server).bearer_auth(bearer).body(message);
    let request = request.header("content-type", "application/json");
    let request = request.header("accept", "application/json, text/event-stream");
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn tokens_verify_with_an_independent_library() {
    let tasks = Tasks::new();
    let company = open_company(&tasks).await.unwrap();
    let metadata = fetch(&format!(
        "{}/.well-known/openid-configuration",
        company.issuer
    ))
    .await;
    let metadata: CoreProviderMetadata = serde_json::from_value(metadata).unwrap();
    let keys = fetch(metadata.jwks_uri()).await;
    let keys: CoreJsonWebKeySet = serde_json::from_value(keys).unwrap();
    let client = ClientId::new(provider::CLIENT.to_owned());
    let verifier = CoreIdTokenVerifier::new_public_client(client, metadata.issuer().clone(), keys)
        .set_allowed_algs([CoreJwsSigningAlgorithm::EdDsa]);

    let tokens = signed_in(&company, ANA).await;
    let id_token = CoreIdToken::from_str(tokens["id_token"].as_str().unwrap()).unwrap();
    let claims = id_token
        .claims(&verifier, &Nonce::new("a-nonce".to_owned()))
        .unwrap();
    assert_eq!(claims.subject().as_str(), "ana");
    assert!(
        id_token
            .claims(&verifier, &Nonce::new("another".to_owned()))
            .is_err()
    );
    tasks.finish(Duration::from_secs(2)).await;
}

#[tokio::test]
async fn scopes_follow_the_person_and_audiences_the_server() {
    let tasks = Tasks::new();
    let company = open_company(&tasks).await.unwrap();
    let ana = signed_in(&company, ANA).await;
    assert_eq!(ana["scope"], "mcp:tools:read openid");
    assert_eq!(
        signed_in(&company, DEV).await["scope"],
        "mcp:admin mcp:tools:read openid"
    );

    let bearer = ana["access_token"].as_str().unwrap();
    assert_eq!(status_of(&company.database, bearer).await, 200);
    assert_eq!(status_of(&company.deploy, bearer).await, 401);
    assert_eq!(status_of(&company.database, "nonsense").await, 401);
    tasks.finish(Duration::from_secs(2)).await;
}

#[tokio::test]
async fn refresh_tokens_are_spent_and_their_replay_ends_the_session() {
    let tasks = Tasks::new();
    let company = open_company(&tasks).await.unwrap();
    let first = signed_in(&company, ANA).await;
    let refresh = |tokens: &Value, resource: &str| {
        let old = tokens["refresh_token"].as_str().unwrap().to_owned();
        let resource = resource.to_owned();
        let company = &company;
        async move {
            let form = [
                ("grant_type", "refresh_token"),
                ("refresh_token", &old),
                ("resource", &resource),
            ];
            token(company, &form).await
        }
    };
    let second = refresh(&first, &company.deploy).await;
    assert_eq!(
        status_of(&company.deploy, second["access_token"].as_str().unwrap()).await,
        200
    );
    assert_eq!(
        refresh(&first, &company.deploy).await["error"],
        "invalid_grant"
    );
    assert_eq!(
        refresh(&second, &company.deploy).await["error"],
        "invalid_grant"
    );

    let third = signed_in(&company, ANA).await;
    assert_eq!(
        refresh(&third, "https://elsewhere.example/").await["error"],
        "invalid_target"
    );
    tasks.finish(Duration::from_secs(2)).await;
}
