//! Signed tokens: made by the provider, checked by the servers.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use chaperone::clock::{Clock as _, SystemClock};
use ed25519_dalek::{Signature, Signer as _, SigningKey};
use serde_json::{Value, json};

/// The company's signing keys.
pub struct Keys(SigningKey);

impl Keys {
    /// A key that lives as long as the demonstration.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// The public half, as a key set.
    pub fn key_set(&self) -> Value {
        let x = BASE64.encode(self.0.verifying_key().as_bytes());
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": "demo", "x": x }] })
    }

    /// A token of a type (`JWT`, `at+jwt`) over claims.
    pub fn sign(&self, kind: &str, claims: &Value) -> String {
        let header = json!({ "alg": "EdDSA", "kid": "demo", "typ": kind });
        let input = format!(
            "{}.{}",
            BASE64.encode(header.to_string()),
            BASE64.encode(claims.to_string())
        );
        let signature = BASE64.encode(self.0.sign(input.as_bytes()).to_bytes());
        format!("{input}.{signature}")
    }

    /// The claims of an access token that is ours, unexpired and for this audience.
    pub fn check(&self, token: &str, audience: &str) -> Option<Value> {
        let (input, signature) = token.rsplit_once('.')?;
        let signature = Signature::from_slice(&BASE64.decode(signature).ok()?).ok()?;
        self.0
            .verifying_key()
            .verify_strict(input.as_bytes(), &signature)
            .ok()?;
        let claims: Value =
            serde_json::from_slice(&BASE64.decode(input.split_once('.')?.1).ok()?).ok()?;
        let fits = claims["aud"] == audience && claims["exp"].as_i64()? > seconds();
        fits.then_some(claims)
    }
}

/// Now, in seconds since 1970.
pub fn seconds() -> i64 {
    SystemClock::new().now().seconds()
}

/// A value that nobody guesses.
pub fn unguessable() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes)?;
    Ok(BASE64.encode(bytes))
}
