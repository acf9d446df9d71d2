//! Verifying the tokens of one response against the provider's keys.
//!
//! `openidconnect` checks issuer, audience, nonce, algorithm and signature. Expiry is checked here,
//! because time has one door. An access token is for its server and none of our business, unless
//! it is a JWT of the same provider: then it may carry newer roles than the ID token.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{
    CoreIdToken, CoreIdTokenClaims, CoreIdTokenVerifier, CoreJsonWebKeySet, CoreJwsSigningAlgorithm,
};
use openidconnect::{
    AccessToken, AccessTokenHash, ClaimsVerificationError, ClientId, IssuerUrl, JsonWebTokenType,
    Nonce, SignatureVerificationError,
};

use super::error::IdTokenError;
use crate::clock::Timestamp;
use crate::config::ClaimPath;
use crate::login::claims::{self, ClaimSet, ClaimsError};
use crate::login::provider::Claims;
use crate::principal::Identity;

/// Asymmetric ones only: a public client has no secret to check a MAC with, and `none` is none.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];
/// Tokens of one response are minted one after the other; this far apart they are equally new.
const SAME_AGE_SECONDS: i64 = 10;

/// A token that verified.
pub(super) struct Verified {
    pub(super) subject: Box<str>,
    pub(super) expires: Timestamp,
    issued_seconds: i64,
    claims: ClaimSet,
}

/// What tokens are verified against.
pub(super) struct Verifier<'a> {
    pub(super) issuer: &'a IssuerUrl,
    pub(super) client_id: &'a str,
    pub(super) keys: &'a CoreJsonWebKeySet,
    pub(super) now: Timestamp,
}

impl Verifier<'_> {
    /// Verifies an ID token. With `nonce` it must carry that one, else any or none: a refreshed
    /// ID token answers no authorization request.
    pub(super) fn id_token(
        &self,
        text: &str,
        nonce: Option<&Nonce>,
        access_token: &AccessToken,
    ) -> Result<Verified, IdTokenError> {
        let token = parse(text)?;
        // Other audiences are fine as long as the token was issued to this client (`azp`).
        let verifier = self.verifier().set_other_audience_verifier_fn(|_| true);
        let claims = match nonce {
            Some(nonce) => token.claims(&verifier, nonce)?,
            None => token.claims(&verifier, |_: Option<&Nonce>| Ok(()))?,
        };
        let ours = claims
            .authorized_party()
            .map(|party| party.as_str() == self.client_id);
        if ours == Some(false) || (ours.is_none() && claims.audiences().len() > 1) {
            return Err(IdTokenError::OtherClient);
        }
        check_access_token_hash(&token, claims, &verifier, access_token)?;
        self.verified(text, claims)
    }

    /// Verifies an access token, if it is a JWT of this provider for `audience`.
    pub(super) fn access_token(
        &self,
        text: &str,
        audience: Option<&str>,
    ) -> Result<Verified, IdTokenError> {
        let token = parse(text)?;
        let types =
            ["at+jwt", "jwt"].map(|name| JsonWebTokenType::new(name.to_owned()).normalize());
        let verifier = self
            .verifier()
            .require_audience_match(false)
            .set_allowed_jose_types(types.into_iter().flatten());
        let claims = token.claims(&verifier, |_: Option<&Nonce>| Ok(()))?;
        let fits = |wanted: &str| claims.audiences().iter().any(|one| one.as_str() == wanted);
        if !claims.audiences().is_empty() && !audience.is_none_or(fits) {
            return Err(ClaimsVerificationError::InvalidAudience("another audience".into()).into());
        }
        self.verified(text, claims)
    }

    fn verifier(&self) -> CoreIdTokenVerifier<'_> {
        CoreIdTokenVerifier::new_public_client(
            ClientId::new(self.client_id.to_owned()),
            self.issuer.clone(),
            self.keys.clone(),
        )
        .set_allowed_algs(ALGORITHMS)
        // The epoch, at which nothing has expired yet: `verified` asks this crate's clock instead.
        .set_time_fn(Default::default)
    }

    fn verified(&self, text: &str, claims: &CoreIdTokenClaims) -> Result<Verified, IdTokenError> {
        let expires = Timestamp::from_millis(claims.expiration().timestamp_millis());
        if expires <= self.now {
            return Err(IdTokenError::Expired);
        }
        Ok(Verified {
            subject: claims.subject().as_str().into(),
            expires,
            issued_seconds: claims.issue_time().timestamp(),
            claims: payload(text).ok_or(IdTokenError::Malformed)?,
        })
    }
}

impl IdTokenError {
    /// Whether the provider may have a newer key than the ones at hand.
    pub(super) fn is_unknown_key(&self) -> bool {
        matches!(
            self,
            Self::Rejected(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey
            ))
        )
    }
}

/// Says who it is, from the newest of the tokens; of equally new ones the ID token goes first, and
/// the other is asked for what it does not say. `None` without tokens.
pub(super) fn person(
    issuer: &str,
    id_token: Option<Verified>,
    access_token: Option<Verified>,
    paths: &[ClaimPath],
) -> Result<Option<Claims>, ClaimsError> {
    let Some(subject) = id_token.as_ref().or(access_token.as_ref()) else {
        return Ok(None);
    };
    let subject = subject.subject.clone();
    // Some providers call a person differently in each server's tokens; then only the ID token
    // is known to be about the one who signed in.
    let mut tokens: Vec<Verified> = [id_token, access_token]
        .into_iter()
        .flatten()
        .filter(|token| token.subject == subject)
        .collect();
    let newest = tokens.iter().map(|token| token.issued_seconds).max();
    tokens.retain(|token| {
        newest.is_none_or(|newest| newest.saturating_sub(token.issued_seconds) <= SAME_AGE_SECONDS)
    });
    let mut found = Err(ClaimsError::Missing("".into()));
    for token in &tokens {
        found = claims::roles(&token.claims, paths);
        if !matches!(found, Err(ClaimsError::Missing(_))) {
            break;
        }
    }
    Ok(Some(Claims {
        identity: Identity {
            issuer: issuer.into(),
            subject,
            email: tokens.iter().find_map(|token| claims::email(&token.claims)),
        },
        roles: found?,
    }))
}

/// `at_hash`, where the provider gives one, ties the two tokens of a response together.
fn check_access_token_hash(
    token: &CoreIdToken,
    claims: &CoreIdTokenClaims,
    verifier: &CoreIdTokenVerifier<'_>,
    access_token: &AccessToken,
) -> Result<(), IdTokenError> {
    let Some(expected) = claims.access_token_hash() else {
        return Ok(());
    };
    let rejected = ClaimsVerificationError::SignatureVerification;
    let algorithm = token.signing_alg().map_err(rejected)?;
    let key = token.signing_key(verifier).map_err(rejected)?;
    match AccessTokenHash::from_token(access_token, algorithm, key) {
        Ok(actual) if actual == *expected => Ok(()),
        Ok(_) | Err(_) => Err(IdTokenError::OtherAccessToken),
    }
}

/// The cause quotes the token, so it is left out.
fn parse(text: &str) -> Result<CoreIdToken, IdTokenError> {
    CoreIdToken::from_str(text).or(Err(IdTokenError::Malformed))
}

/// The claims as they are; the typed ones of the library lack those that name roles.
fn payload(text: &str) -> Option<ClaimSet> {
    let bytes = URL_SAFE_NO_PAD.decode(text.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}
