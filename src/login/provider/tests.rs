use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use url::Url;

use super::fake::{Fake, Pairs, audience, sign, values};
use super::*;
use crate::config::{AudienceBy, NetworkConfig};
use crate::login::claims::ClaimsError;

const DATABASE: &str = "https://gateway.example.test/mcp/database";
const DEPLOY: &str = "https://gateway.example.test/mcp/deploy";

mod asking;
mod metadata;
mod refusals;
mod tokens;

fn redirect() -> Url {
    Url::parse("http://127.0.0.1:4711/callback").unwrap()
}

fn both() -> [Audience; 2] {
    [audience(DATABASE, &[]), audience(DEPLOY, &["mcp:admin"])]
}

fn query(url: &Url) -> Pairs {
    url.query_pairs().into_owned().collect()
}

fn alice(fake: &Fake) -> Identity {
    Identity {
        issuer: fake.issuer.as_str().into(),
        subject: "alice".into(),
        email: Some("alice@example.test".into()),
    }
}

fn refresh_token() -> RefreshToken {
    RefreshToken(Zeroizing::new("refresh-one".to_owned()))
}

/// The callback of a sign-in that went well.
fn callback(fake: &Fake, pending: &Pending) -> Callback {
    Callback {
        code: Some(Zeroizing::new("code-one".to_owned())),
        state: Some(values(&query(pending.url()), "state")[0].to_owned()),
        iss: Some(fake.issuer.clone()),
        error: None,
        error_description: None,
    }
}

async fn authorize(provider: &Provider) -> Pending {
    provider.authorize(&redirect(), &both()).await.unwrap()
}

async fn refresh(fake: &Fake, audience_by: AudienceBy) -> Result<Tokens, ProviderError> {
    let provider = fake.provider(audience_by);
    refresh_for(fake, &provider, &audience(DATABASE, &[])).await
}

async fn refresh_for(
    fake: &Fake,
    provider: &Provider,
    audience: &Audience,
) -> Result<Tokens, ProviderError> {
    let person = alice(fake);
    provider.refresh(&refresh_token(), audience, &person).await
}
