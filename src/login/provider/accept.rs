//! From a token response to verified [`Tokens`].

use std::sync::Arc;

use oauth2::TokenResponse;
use openidconnect::core::CoreJsonWebKeySet;
use zeroize::Zeroizing;

use super::answer::{self, Expected, TokenAnswer};
use super::error::{IdTokenError, ProviderError};
use super::known::Known;
use super::verify::{self, Verified, Verifier};
use super::{Claims, Provider, RefreshToken, Tokens};
use crate::config::AudienceBy;
use crate::login::AccessToken;

impl Provider {
    /// Verifies the answer. Its refresh token comes out in any case: by now it may be the only one
    /// that the provider still accepts.
    pub(super) async fn accept(
        &self,
        known: &Known,
        answer: &TokenAnswer,
        expected: &Expected<'_>,
    ) -> Result<Tokens, ProviderError> {
        let rotated = answer
            .refresh_token()
            .filter(|token| answer::is_token(token.secret()))
            .map(|token| RefreshToken(Zeroizing::new(token.secret().clone())));
        match (self.judge(known, answer, expected).await, rotated) {
            (Ok(tokens), refresh) => Ok(Tokens { refresh, ..tokens }),
            (Err(reason), None) => Err(reason),
            (Err(reason), Some(rotated)) => Err(ProviderError::Unacceptable {
                rotated,
                reason: Box::new(reason),
            }),
        }
    }

    async fn judge(
        &self,
        known: &Known,
        answer: &TokenAnswer,
        expected: &Expected<'_>,
    ) -> Result<Tokens, ProviderError> {
        let mut expires = answer::check(answer, expected.sent)?;
        let id_token = self.id_token(known, answer, expected).await?;
        let access_token = self
            .access_token(known, answer, expected, id_token.is_some())
            .await?;
        if let Some(token) = &access_token {
            expires = expires.min(token.expires);
        }
        Ok(Tokens {
            access: AccessToken(answer.access_token().secret().as_str().into()),
            refresh: None,
            claims: self.claims(id_token, access_token, expected)?,
            scopes: answer::scopes(answer, expected.scopes, expected.audience),
            expires,
        })
    }

    async fn id_token(
        &self,
        known: &Known,
        answer: &TokenAnswer,
        expected: &Expected<'_>,
    ) -> Result<Option<Verified>, ProviderError> {
        let Some(text) = answer.extra_fields().text() else {
            return match expected.nonce {
                Some(_) => Err(IdTokenError::Missing.into()),
                None => Ok(None),
            };
        };
        let verify = |verifier: &Verifier<'_>| {
            verifier.id_token(text, expected.nonce, answer.access_token())
        };
        let verified = self.with_keys(known, verify).await?;
        Ok(Some(verified?))
    }

    /// The access token if it says something that can be trusted; most are opaque, or of a kind
    /// that only their server understands.
    async fn access_token(
        &self,
        known: &Known,
        answer: &TokenAnswer,
        expected: &Expected<'_>,
        person_is_known: bool,
    ) -> Result<Option<Verified>, ProviderError> {
        // One token for all names whomever the provider likes.
        let audience = match self.shared.identity.audience_by {
            AudienceBy::None => None,
            AudienceBy::Resource | AudienceBy::Scope | AudienceBy::Audience => {
                expected.audience.map(|audience| &*audience.id)
            }
        };
        let text = answer.access_token().secret();
        let verify = |verifier: &Verifier<'_>| verifier.access_token(text, audience);
        // With an ID token at hand an unknown key is no reason to ask the provider again.
        let verified = if person_is_known {
            verify(&self.verifier(known, &known.keys().await))
        } else {
            self.with_keys(known, verify).await?
        };
        Ok(verified.ok())
    }

    fn claims(
        &self,
        id_token: Option<Verified>,
        access_token: Option<Verified>,
        expected: &Expected<'_>,
    ) -> Result<Option<Claims>, ProviderError> {
        let mut verified = id_token.iter().chain(&access_token);
        if let (Some(token), Some(person)) = (verified.next(), expected.person)
            && token.subject != person.subject
        {
            return Err(ProviderError::OtherPerson);
        }
        let identity = &self.shared.identity;
        let claims = verify::person(
            &identity.issuer,
            id_token,
            access_token,
            &identity.roles_claim,
        )?;
        Ok(claims.map(|mut claims| {
            let known_email = || expected.person.and_then(|person| person.email.clone());
            claims.identity.email = claims.identity.email.or_else(known_email);
            claims
        }))
    }

    /// Verifies with the keys at hand, and once more with fresh ones if one is unknown.
    async fn with_keys(
        &self,
        known: &Known,
        verify: impl Fn(&Verifier<'_>) -> Result<Verified, IdTokenError>,
    ) -> Result<Result<Verified, IdTokenError>, ProviderError> {
        let keys = known.keys().await;
        let verified = verify(&self.verifier(known, &keys));
        if !verified.as_ref().is_err_and(IdTokenError::is_unknown_key) {
            return Ok(verified);
        }
        let shared = &self.shared;
        let newer = known
            .newer_keys(&keys, &shared.http, &*shared.clock)
            .await?;
        Ok(match newer {
            Some(keys) => verify(&self.verifier(known, &keys)),
            None => verified,
        })
    }

    fn verifier<'a>(&'a self, known: &'a Known, keys: &'a Arc<CoreJsonWebKeySet>) -> Verifier<'a> {
        Verifier {
            issuer: known.metadata.issuer(),
            client_id: &self.shared.identity.client_id,
            keys,
            now: self.shared.clock.now(),
        }
    }
}
