//! A token response: reading it without ever showing it, and the checks that need no key.

use std::fmt;
use std::time::Duration;

use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    Client, EndpointNotSet, EndpointSet, ExtraTokenFields, StandardRevocableToken,
    StandardTokenResponse, TokenResponse,
};
use openidconnect::Nonce;
use serde::{Deserialize, Serialize};

use super::error::AnswerError;
use crate::clock::Timestamp;
use crate::login::Audience;
use crate::principal::{Identity, Scopes};

/// No provider's tokens are longer, and no server takes longer headers.
const TOKEN_LIMIT: usize = 64 * 1024;
/// A token that is valid for longer than this is a mistake.
const LONGEST_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// For answers that do not say: short enough to be wrong without harm.
const UNSAID_LIFE: Duration = Duration::from_secs(300);

/// The OAuth client with this module's token response.
pub(super) type TokenClient = Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// A token response; all its parts hide themselves in `Debug`.
pub(super) type TokenAnswer = StandardTokenResponse<IdTokenText, BasicTokenType>;

/// The ID token as text: it is parsed apart, so that a bad one does not hide the rest.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct IdTokenText {
    id_token: Option<String>,
}

impl fmt::Debug for IdTokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdTokenText(..)")
    }
}

impl ExtraTokenFields for IdTokenText {}

impl IdTokenText {
    pub(super) fn text(&self) -> Option<&str> {
        self.id_token.as_deref()
    }
}

/// What the answer must be about.
pub(super) struct Expected<'a> {
    /// The nonce of the authorization request; a sign-in without ID token is refused.
    pub(super) nonce: Option<&'a Nonce>,
    /// Whom the token is for, where that was said.
    pub(super) audience: Option<&'a Audience>,
    /// What an answer without `scope` grants.
    pub(super) scopes: &'a [Box<str>],
    /// Whom the session belongs to.
    pub(super) person: Option<&'a Identity>,
    /// When the request was sent; lives are counted from there.
    pub(super) sent: Timestamp,
}

/// Checks kind, sizes and life; returns when the access token expires.
pub(super) fn check(answer: &TokenAnswer, sent: Timestamp) -> Result<Timestamp, AnswerError> {
    if *answer.token_type() != BasicTokenType::Bearer {
        return Err(AnswerError::TokenType);
    }
    for (name, text) in [
        (
            "access_token",
            Some(answer.access_token().secret().as_str()),
        ),
        (
            "refresh_token",
            answer.refresh_token().map(|token| token.secret().as_str()),
        ),
        ("id_token", answer.extra_fields().text()),
    ] {
        if !text.is_none_or(is_token) {
            return Err(AnswerError::Token(name));
        }
    }
    let life = answer.expires_in().unwrap_or(UNSAID_LIFE);
    if life.is_zero() || life > LONGEST_LIFE {
        return Err(AnswerError::Lifetime(life.as_secs()));
    }
    Ok(sent.after(life))
}

/// Whether a header can carry it.
pub(super) fn is_token(text: &str) -> bool {
    (1..=TOKEN_LIMIT).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The scopes of the answer, or what was asked for. Where a scope's name begins with the audience
/// (Entra ID), that part says whom the token is for and not what it allows.
pub(super) fn scopes(
    answer: &TokenAnswer,
    asked: &[Box<str>],
    audience: Option<&Audience>,
) -> Scopes {
    let plain = |scope: &str| -> Box<str> {
        let own =
            audience.and_then(|audience| scope.strip_prefix(&*audience.id)?.strip_prefix('/'));
        own.unwrap_or(scope).into()
    };
    match answer.scopes() {
        Some(scopes) => {
            let scopes = scopes.iter().map(|scope| scope.as_str());
            scopes
                .filter(|scope| !scope.is_empty())
                .map(plain)
                .collect()
        }
        None => asked.iter().map(|scope| plain(scope)).collect(),
    }
}
