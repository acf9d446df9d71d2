//! A provider that accepts each refresh token once, and ends the session of whoever shows an old one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

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
use tokio::sync::oneshot;
use url::Url;

use crate::clock::Clock;
use crate::config::{AudienceBy, ClaimPath, IdentityConfig, ScopeNames};
use crate::login::provider::fake::{Pairs, values};
use crate::stop::Tasks;

#[derive(Clone)]
pub(super) struct Company {
    issuer: String,
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<Books>>,
    tasks: Tasks,
}

/// What the provider knows and does.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(super) struct Books {
    /// Counts the refresh tokens; the newest is the good one.
    serial: u32,
    /// Somebody showed an old token, or the session was revoked.
    ended: bool,
    /// Whether an old token ends the session, or is just refused.
    pub(super) strict: bool,
    /// Refresh requests as they came.
    pub(super) requests: Vec<Pairs>,
    pub(super) revoked: Vec<String>,
    pub(super) roles: Value,
    /// Whether refreshes come with an ID token.
    pub(super) says_who: bool,
    /// Whether refreshes come with a new refresh token.
    pub(super) rotates: bool,
    pub(super) lives_seconds: u64,
    /// What becomes of the next refreshes; without one they are answered.
    pub(super) acts: VecDeque<Act>,
    nonce: Option<String>,
}

/// Something else than an answer.
pub(super) enum Act {
    /// This answer instead, and nothing is spent.
    Answer(u16, Value),
    /// The connection breaks before anything is spent, or after.
    Break { spent: bool },
    /// Tells that the request is there, and goes on when it is told to.
    Hold {
        spent: bool,
        arrived: oneshot::Sender<()>,
        go_on: oneshot::Receiver<()>,
    },
}

impl Books {
    /// The person signed in again elsewhere: the old refresh token is spent, there is a newer one.
    pub(super) fn renewed_elsewhere(&mut self) {
        self.serial += 1;
    }

    /// The person signed in again after his session was ended.
    pub(super) fn forgive(&mut self) {
        self.ended = false;
        self.serial += 1;
    }
}

impl Company {
    pub(super) async fn start(clock: Arc<dyn Clock>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let books = Books {
            serial: 1,
            ended: false,
            strict: true,
            requests: Vec::new(),
            revoked: Vec::new(),
            roles: json!(["developer"]),
            says_who: true,
            rotates: true,
            lives_seconds: 300,
            acts: VecDeque::new(),
            nonce: None,
        };
        let company = Self {
            issuer: format!("http://{}", listener.local_addr().unwrap()),
            clock,
            state: Arc::new(Mutex::new(books)),
            tasks: Tasks::new(),
        };
        let app = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/jwks", get(jwks))
            .route("/auth", get(authorize))
            .route("/token", post(token))
            .route("/revoke", post(revoke))
            .with_state(company.clone());
        company.tasks.spawn_until_stop(async move {
            axum::serve(listener, app).await.unwrap();
        });
        company
    }

    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.state.lock().unwrap()
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// The one that is accepted now.
    pub(super) fn refresh_token(&self) -> String {
        format!("refresh-{}", self.books().serial)
    }

    pub(super) fn requests(&self) -> usize {
        self.books().requests.len()
    }

    pub(super) fn act(&self, act: Act) {
        self.books().acts.push_back(act);
    }

    /// Holds the next refresh: resolves when it is there, and goes on when the sender is dropped.
    pub(super) fn hold(&self, spent: bool) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
        let (arrived, there) = oneshot::channel();
        let (release, go_on) = oneshot::channel();
        self.act(Act::Hold {
            spent,
            arrived,
            go_on,
        });
        (there, release)
    }

    pub(super) fn identity(&self, audience_by: AudienceBy) -> IdentityConfig {
        identity(&self.issuer, audience_by)
    }

    fn spend(&self, shown: &str) -> bool {
        let mut books = self.books();
        if books.ended || shown != format!("refresh-{}", books.serial) {
            books.ended = books.strict;
            return false;
        }
        if books.rotates {
            books.serial += 1;
        }
        true
    }

    fn tokens(&self, with_id_token: bool) -> Value {
        let books = self.books();
        let mut answer = json!({
            "access_token": format!("access-{}-{}", books.serial, books.requests.len()),
            "token_type": "Bearer", "expires_in": books.lives_seconds,
            "scope": "mcp:tools:read mcp:tools:execute",
        });
        if books.rotates || with_id_token {
            answer["refresh_token"] = format!("refresh-{}", books.serial).into();
        }
        if books.says_who || with_id_token {
            let now = self.clock.now().seconds();
            let claims = json!({
                "iss": self.issuer, "aud": "desktop", "sub": "alice", "iat": now,
                "exp": now + 3600, "email": "alice@example.test", "roles": books.roles,
                "nonce": books.nonce,
            });
            answer["id_token"] = sign(&claims).into();
        }
        answer
    }
}

pub(super) fn identity(issuer: &str, audience_by: AudienceBy) -> IdentityConfig {
    IdentityConfig {
        issuer: issuer.into(),
        client_id: "desktop".into(),
        scopes: ["openid", "offline_access"].map(Into::into).into(),
        roles_claim: vec![ClaimPath(vec!["roles".into()])],
        redirect_host: "127.0.0.1".into(),
        redirect_port: 0,
        audience_by,
        scope_names: ScopeNames::default(),
        allow_unadvertised_pkce: false,
    }
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

fn sign(claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let input = format!(
        "{}.{}",
        encode(&json!({"alg": "EdDSA", "kid": "k"})),
        encode(claims)
    );
    let signature = key().sign(input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

fn answer(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (
        status,
        [(CONTENT_TYPE, "application/json")],
        body.to_string(),
    )
        .into_response()
}

async fn metadata(State(company): State<Company>) -> Response {
    let issuer = &company.issuer;
    let document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/auth"),
        "token_endpoint": format!("{issuer}/token"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    });
    answer(200, &document)
}

async fn jwks() -> Response {
    let x = URL_SAFE_NO_PAD.encode(key().verifying_key().as_bytes());
    let key = json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": "k", "x": x});
    answer(200, &json!({ "keys": [key] }))
}

async fn authorize(State(company): State<Company>, Query(query): Query<Pairs>) -> Response {
    company.books().nonce = Some(values(&query, "nonce")[0].to_owned());
    let mut back = Url::parse(values(&query, "redirect_uri")[0]).unwrap();
    back.query_pairs_mut()
        .append_pair("code", "code-one")
        .append_pair("state", values(&query, "state")[0])
        .append_pair("iss", &company.issuer);
    (StatusCode::FOUND, [(LOCATION, back.as_str())]).into_response()
}

async fn token(State(company): State<Company>, Form(form): Form<Pairs>) -> Response {
    if values(&form, "grant_type") == ["authorization_code"] {
        company.books().ended = false;
        return answer(200, &company.tokens(true));
    }
    let shown = values(&form, "refresh_token")[0].to_owned();
    let act = {
        let mut books = company.books();
        books.requests.push(form);
        books.acts.pop_front()
    };
    match act {
        None => {}
        Some(Act::Answer(status, body)) => return answer(status, &body),
        Some(Act::Break { spent }) => {
            if spent {
                company.spend(&shown);
            }
            // The server drops the connection of a handler that panics.
            panic!("as told");
        }
        Some(Act::Hold {
            spent,
            arrived,
            go_on,
        }) => {
            if spent {
                company.spend(&shown);
            }
            arrived.send(()).unwrap();
            let _released = go_on.await;
            if spent {
                return answer(200, &company.tokens(false));
            }
        }
    }
    if company.spend(&shown) {
        answer(200, &company.tokens(false))
    } else {
        answer(400, &json!({"error": "invalid_grant"}))
    }
}

async fn revoke(State(company): State<Company>, Form(form): Form<Pairs>) -> Response {
    let mut books = company.books();
    books.revoked.push(values(&form, "token")[0].to_owned());
    books.ended = true;
    StatusCode::OK.into_response()
}
