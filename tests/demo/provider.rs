//! The company's identity provider: small, and honest in what it does.
//!
//! Authorization code with PKCE S256, `state`, `nonce` and `iss`; resource indicators, one token for
//! each; refresh tokens that are spent by use, and whose replay ends the session; revocation. What it
//! leaves out: passwords (a person is a button), consent, discovery of anything else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::people::{PEOPLE, Person};
use crate::token::{Keys, seconds, unguessable};

/// The client that the configuration names.
pub const CLIENT: &str = "mcp-desktop";
/// How long an access token lives.
const LIFE_SECONDS: i64 = 300;

/// The provider; clones share it.
#[derive(Clone)]
pub struct Provider {
    issuer: Arc<str>,
    keys: Arc<Keys>,
    state: Arc<Mutex<Memory>>,
}

/// What the provider remembers while the demonstration runs.
#[derive(Default)]
struct Memory {
    /// Sign-in pages that are open.
    asked: BTreeMap<String, Request>,
    /// Authorization codes; each is taken out by its first use.
    codes: BTreeMap<String, Grant>,
    /// Refresh tokens that are good.
    fresh: BTreeMap<String, Grant>,
    /// Refresh tokens that were used, with the session they belonged to.
    spent: BTreeMap<String, String>,
}

/// What an application asked for.
#[derive(Clone)]
struct Request {
    redirect: Url,
    state: String,
    nonce: Option<String>,
    challenge: String,
    scopes: BTreeSet<String>,
    resources: BTreeSet<String>,
}

/// What a person agreed to.
#[derive(Clone)]
struct Grant {
    session: String,
    person: Person,
    request: Request,
}

type Pairs = Vec<(String, String)>;

/// Why a request is refused: OAuth's word for it.
struct Refusal(&'static str);

impl From<Refusal> for Response {
    fn from(Refusal(error): Refusal) -> Self {
        (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response()
    }
}

impl From<getrandom::Error> for Refusal {
    fn from(_no_randomness: getrandom::Error) -> Self {
        Self("server_error")
    }
}

impl Provider {
    /// A provider that is reached at `issuer`.
    pub fn new(issuer: &str, keys: Arc<Keys>) -> Self {
        Self {
            issuer: issuer.into(),
            keys,
            state: Arc::default(),
        }
    }

    /// Its pages and endpoints.
    pub fn router(self) -> Router {
        Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route(
                "/jwks",
                get(async |State(provider): State<Self>| Json(provider.keys.key_set())),
            )
            .route("/auth", get(sign_in_page))
            .route("/choose", post(choose))
            .route("/token", post(token))
            .route("/revoke", post(revoke))
            .with_state(self)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A code becomes the first tokens.
    fn redeem(&self, form: &Pairs) -> Result<Value, Refusal> {
        let code = one(form, "code").ok_or(Refusal("invalid_request"))?;
        let grant = self
            .memory()
            .codes
            .remove(code)
            .ok_or(Refusal("invalid_grant"))?;
        let verifier = one(form, "code_verifier").ok_or(Refusal("invalid_request"))?;
        let same = BASE64.encode(Sha256::digest(verifier)) == grant.request.challenge
            && one(form, "redirect_uri") == Some(grant.request.redirect.as_str());
        if same {
            self.answer(grant, form)
        } else {
            Err(Refusal("invalid_grant"))
        }
    }

    /// A refresh token becomes the next one. One that was used before ends its session: either its
    /// owner or a thief holds the newer one, and nobody can tell who.
    fn refresh(&self, form: &Pairs) -> Result<Value, Refusal> {
        let old = one(form, "refresh_token").ok_or(Refusal("invalid_request"))?;
        let mut memory = self.memory();
        if let Some(session) = memory.spent.get(old).cloned() {
            memory.fresh.retain(|_, grant| grant.session != session);
        }
        let grant = memory.fresh.remove(old).ok_or(Refusal("invalid_grant"))?;
        memory.spent.insert(old.to_owned(), grant.session.clone());
        drop(memory);
        self.answer(grant, form)
    }

    fn answer(&self, grant: Grant, form: &Pairs) -> Result<Value, Refusal> {
        let audience = match one(form, "resource") {
            Some(resource) if grant.request.resources.contains(resource) => resource,
            Some(_) => return Err(Refusal("invalid_target")),
            None => &self.issuer,
        };
        let granted = grant
            .request
            .scopes
            .iter()
            .filter(|scope| grant.person.may_have(scope));
        let scope = granted.map(String::as_str).collect::<Vec<_>>().join(" ");
        let mut claims = self.claims(grant.person);
        claims["aud"] = audience.into();
        claims["scope"] = scope.as_str().into();
        claims["client_id"] = CLIENT.into();
        let access = self.keys.sign("at+jwt", &claims);
        let refresh = unguessable()?;
        let id_token = self.id_token(&grant);
        self.memory().fresh.insert(refresh.clone(), grant);
        Ok(json!({
            "access_token": access, "token_type": "Bearer", "expires_in": LIFE_SECONDS,
            "refresh_token": refresh, "id_token": id_token, "scope": scope,
        }))
    }

    fn id_token(&self, grant: &Grant) -> String {
        let mut claims = self.claims(grant.person);
        claims["aud"] = CLIENT.into();
        if let Some(nonce) = &grant.request.nonce {
            claims["nonce"] = nonce.as_str().into();
        }
        self.keys.sign("JWT", &claims)
    }

    fn claims(&self, person: Person) -> Value {
        json!({
            "iss": &*self.issuer, "sub": person.id, "iat": seconds(), "exp": seconds() + LIFE_SECONDS,
            "name": person.name, "email": person.email(), "roles": person.roles,
        })
    }
}

async fn metadata(State(provider): State<Provider>) -> Json<Value> {
    let issuer = &provider.issuer;
    Json(json!({
        "issuer": &**issuer,
        "authorization_endpoint": format!("{issuer}/auth"),
        "token_endpoint": format!("{issuer}/token"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
        "token_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "scopes_supported": ["openid", "profile", "email", "offline_access", "mcp:tools:read",
            "mcp:tools:execute", "mcp:resources:read", "mcp:admin"],
    }))
}

async fn sign_in_page(State(provider): State<Provider>, Query(query): Query<Pairs>) -> Response {
    match ask(&query).and_then(|request| Ok((unguessable()?, request))) {
        Ok((id, request)) => {
            let page = page(&id);
            provider.memory().asked.insert(id, request);
            Html(page).into_response()
        }
        Err(refusal) => refusal.into(),
    }
}

/// What is asked for, if it may be: nothing is ever sent to an address that is not on loopback.
fn ask(query: &Pairs) -> Result<Request, Refusal> {
    let redirect = one(query, "redirect_uri").and_then(|text| Url::parse(text).ok());
    let redirect =
        redirect.filter(|url| url.scheme() == "http" && url.host_str() == Some("127.0.0.1"));
    let is_code =
        one(query, "response_type") == Some("code") && one(query, "client_id") == Some(CLIENT);
    let is_s256 = one(query, "code_challenge_method") == Some("S256");
    let (Some(redirect), true, true) = (redirect, is_code, is_s256) else {
        return Err(Refusal("invalid_request"));
    };
    let words = one(query, "scope").unwrap_or_default().split_whitespace();
    Ok(Request {
        redirect,
        state: one(query, "state")
            .ok_or(Refusal("invalid_request"))?
            .to_owned(),
        nonce: one(query, "nonce").map(str::to_owned),
        challenge: one(query, "code_challenge")
            .ok_or(Refusal("invalid_request"))?
            .to_owned(),
        scopes: words.map(str::to_owned).collect(),
        resources: query
            .iter()
            .filter(|(name, _)| name == "resource")
            .map(|(_, value)| value.clone())
            .collect(),
    })
}

fn page(id: &str) -> String {
    let button = |person: &Person| {
        format!(
            "<button name=\"person\" value=\"{}\"><b>{}</b><br>{}</button>",
            person.id,
            person.name,
            person.roles.join(", ")
        )
    };
    let buttons: String = PEOPLE.iter().map(button).collect();
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Sign in to the demonstration company</title>\
         <style>body{{font:1.1rem system-ui;max-width:28rem;margin:4rem auto}}button{{font:inherit;width:100%;\
         padding:1rem;margin:.5rem 0;cursor:pointer}}</style><h1>Who are you?</h1>\
         <form method=\"post\" action=\"/choose\"><input type=\"hidden\" name=\"request\" value=\"{id}\">{buttons}</form>"
    )
}

async fn choose(State(provider): State<Provider>, Form(form): Form<Pairs>) -> Response {
    let person = one(&form, "person").and_then(Person::find);
    let request = one(&form, "request").and_then(|id| provider.memory().asked.remove(id));
    let (Some(person), Some(request)) = (person, request) else {
        return Refusal("invalid_request").into();
    };
    let (Ok(code), Ok(session)) = (unguessable(), unguessable()) else {
        return Refusal("server_error").into();
    };
    let mut callback = request.redirect.clone();
    callback
        .query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("state", &request.state)
        .append_pair("iss", &provider.issuer);
    provider.memory().codes.insert(
        code,
        Grant {
            session,
            person,
            request,
        },
    );
    Redirect::to(callback.as_str()).into_response()
}

async fn token(State(provider): State<Provider>, Form(form): Form<Pairs>) -> Response {
    let outcome = match one(&form, "grant_type") {
        Some("authorization_code") => provider.redeem(&form),
        Some("refresh_token") => provider.refresh(&form),
        _ => Err(Refusal("unsupported_grant_type")),
    };
    outcome.map_or_else(Response::from, |tokens| Json(tokens).into_response())
}

/// RFC 7009: an unknown token is as good as revoked.
async fn revoke(State(provider): State<Provider>, Form(form): Form<Pairs>) -> StatusCode {
    let mut memory = provider.memory();
    if let Some(grant) = one(&form, "token").and_then(|token| memory.fresh.remove(token)) {
        memory
            .fresh
            .retain(|_, other| other.session != grant.session);
    }
    StatusCode::OK
}

fn one<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}
