//! A small provider on loopback that can be told to misbehave.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use url::Url;

use super::{Provider, client};
use crate::clock::{Clock, FakeClock};
use crate::config::{AudienceBy, ClaimPath, IdentityConfig, NetworkConfig, ScopeNames};
use crate::login::Audience;
use crate::stop::Tasks;

pub(in crate::login) type Pairs = Vec<(String, String)>;

/// What the provider does next, and what it has seen.
#[derive(Default)]
pub(in crate::login) struct Script {
    /// Members laid over the metadata; null takes one away.
    pub(in crate::login) metadata: Value,
    /// Answers of the metadata endpoint instead of the document.
    pub(in crate::login) discovery: Option<(u16, String)>,
    /// Key ids that are published; the key follows from the id.
    pub(in crate::login) keys: Vec<&'static str>,
    pub(in crate::login) key_requests: usize,
    /// Answers of the token endpoint; without one it behaves.
    pub(in crate::login) answers: VecDeque<(u16, String)>,
    /// The error of every refresh.
    pub(in crate::login) refresh_error: Option<&'static str>,
    pub(in crate::login) token_requests: Vec<Pairs>,
    pub(in crate::login) revocations: Vec<Pairs>,
    /// Errors of the authorization endpoint; without one everybody is signed in.
    pub(in crate::login) authorization_errors: VecDeque<&'static str>,
    pub(in crate::login) authorizations: Vec<Pairs>,
}

#[derive(Clone)]
pub(in crate::login) struct Fake {
    pub(in crate::login) issuer: String,
    pub(in crate::login) script: Arc<Mutex<Script>>,
    pub(in crate::login) clock: Arc<FakeClock>,
    pub(in crate::login) tasks: Tasks,
}

pub(in crate::login) fn audience(id: &str, scopes: &[&str]) -> Audience {
    Audience {
        id: id.into(),
        scopes: scopes.iter().map(|&scope| scope.into()).collect(),
    }
}

/// The values of one parameter.
pub(in crate::login) fn values<'a>(pairs: &'a Pairs, name: &str) -> Vec<&'a str> {
    let named = pairs.iter().filter(|(found, _)| found == name);
    named.map(|(_, value)| value.as_str()).collect()
}

impl Fake {
    pub(in crate::login) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let script = Script {
            keys: vec!["one"],
            ..Script::default()
        };
        let fake = Self {
            issuer: format!("http://{}", listener.local_addr().unwrap()),
            script: Arc::new(Mutex::new(script)),
            clock: FakeClock::new(),
            tasks: Tasks::new(),
        };
        let app = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/jwks", get(jwks))
            .route("/auth", get(authorize))
            .route("/token", post(token))
            .route("/moved", post(moved))
            .route("/revoke", post(revoke))
            .with_state(fake.clone());
        fake.tasks.spawn_until_stop(async move {
            axum::serve(listener, app).await.unwrap();
        });
        fake
    }

    pub(in crate::login) fn identity(&self, audience_by: AudienceBy) -> IdentityConfig {
        let scopes = ["openid", "profile", "offline_access", "mcp:tools:read"];
        IdentityConfig {
            issuer: self.issuer.as_str().into(),
            client_id: "desktop".into(),
            scopes: scopes.map(Into::into).into(),
            roles_claim: vec![ClaimPath(vec!["roles".into()])],
            redirect_host: "127.0.0.1".into(),
            redirect_port: 0,
            audience_by,
            scope_names: ScopeNames::default(),
            allow_unadvertised_pkce: false,
        }
    }

    pub(in crate::login) fn provider(&self, audience_by: AudienceBy) -> Provider {
        self.provider_of(self.identity(audience_by))
    }

    pub(in crate::login) fn provider_of(&self, identity: IdentityConfig) -> Provider {
        let http = client(&NetworkConfig::default()).unwrap();
        Provider::new(identity, http, self.clock.clone())
    }

    pub(in crate::login) fn change(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    pub(in crate::login) fn answer(&self, status: u16, body: &Value) {
        self.change(|script| script.answers.push_back((status, body.to_string())));
    }

    pub(in crate::login) fn now(&self) -> i64 {
        self.clock.now().seconds()
    }

    /// A good ID token, with `changes` laid over its claims.
    pub(in crate::login) fn id_token(&self, changes: &Value) -> String {
        let mut claims = json!({
            "iss": self.issuer, "aud": "desktop", "sub": "alice", "email": "alice@example.test",
            "iat": self.now(), "exp": self.now() + 300, "roles": ["developer"],
        });
        lay_over(&mut claims, changes);
        sign(&json!({"alg": "EdDSA", "kid": "one"}), &claims)
    }

    /// A good token response, with `changes` laid over it.
    pub(in crate::login) fn tokens(&self, changes: &Value) -> Value {
        let mut answer = json!({
            "access_token": "opaque-access", "token_type": "Bearer", "expires_in": 300,
            "refresh_token": "refresh-two", "scope": "openid mcp:tools:read",
            "id_token": self.id_token(&json!({})),
        });
        lay_over(&mut answer, changes);
        answer
    }
}

/// Signs whatever it is given, whatever the header says, with the key of its `kid`.
pub(in crate::login) fn sign(header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let input = format!("{}.{}", encode(header), encode(claims));
    let signature = key(header["kid"].as_str().unwrap_or("one")).sign(input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

fn key(id: &str) -> SigningKey {
    let mut seed = [7; 32];
    seed[..id.len()].copy_from_slice(id.as_bytes());
    SigningKey::from_bytes(&seed)
}

fn lay_over(below: &mut Value, above: &Value) {
    let (Some(below), Some(above)) = (below.as_object_mut(), above.as_object()) else {
        return;
    };
    for (name, value) in above {
        if value.is_null() {
            below.remove(name);
        } else {
            below.insert(name.clone(), value.clone());
        }
    }
}

fn json_answer(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

async fn metadata(State(fake): State<Fake>) -> Response {
    let script = fake.script.lock().unwrap();
    if let Some((status, body)) = &script.discovery {
        return json_answer(*status, body.clone());
    }
    let issuer = &fake.issuer;
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/auth"),
        "token_endpoint": format!("{issuer}/token"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA", "RS256"],
        "code_challenge_methods_supported": ["plain", "S256"],
        "authorization_response_iss_parameter_supported": true,
    });
    lay_over(&mut document, &script.metadata);
    json_answer(200, document.to_string())
}

async fn jwks(State(fake): State<Fake>) -> Response {
    let mut script = fake.script.lock().unwrap();
    script.key_requests += 1;
    let published = script.keys.iter().map(|id| {
        let public = key(id).verifying_key();
        json!({
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": id,
            "x": URL_SAFE_NO_PAD.encode(public.as_bytes()),
        })
    });
    let keys: Vec<_> = published.collect();
    json_answer(200, json!({ "keys": keys }).to_string())
}

async fn authorize(State(fake): State<Fake>, Query(query): Query<Pairs>) -> Response {
    let mut back = Url::parse(values(&query, "redirect_uri")[0]).unwrap();
    let mut script = fake.script.lock().unwrap();
    let (name, value) = match script.authorization_errors.pop_front() {
        Some(error) => ("error", error),
        None => ("code", "code-one"),
    };
    back.query_pairs_mut()
        .append_pair(name, value)
        .append_pair("state", values(&query, "state")[0])
        .append_pair("iss", &fake.issuer);
    script.authorizations.push(query);
    (StatusCode::FOUND, [(LOCATION, back.as_str())]).into_response()
}

async fn token(State(fake): State<Fake>, Form(form): Form<Pairs>) -> Response {
    let nonce = {
        let mut script = fake.script.lock().unwrap();
        let is_refresh = values(&form, "grant_type") == ["refresh_token"];
        script.token_requests.push(form);
        if let Some(error) = script.refresh_error.filter(|_| is_refresh) {
            return json_answer(400, json!({ "error": error }).to_string());
        }
        if let Some((status, body)) = script.answers.pop_front() {
            return json_answer(status, body);
        }
        let last = script.authorizations.last();
        last.map(|pairs| values(pairs, "nonce")[0].to_owned())
    };
    let id_token = fake.id_token(&json!({ "nonce": nonce }));
    json_answer(
        200,
        fake.tokens(&json!({ "id_token": id_token })).to_string(),
    )
}

/// Sends on to the token endpoint, body and all.
async fn moved() -> Response {
    (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, "/token")]).into_response()
}

async fn revoke(State(fake): State<Fake>, Form(form): Form<Pairs>) -> Response {
    fake.script.lock().unwrap().revocations.push(form);
    StatusCode::OK.into_response()
}
