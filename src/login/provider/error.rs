//! Why the provider gives nothing, in the cases that a caller would treat differently.
//!
//! No text here repeats a token, a code or a verifier.

use std::error::Error;

use openidconnect::{ClaimsVerificationError, DiscoveryError};

use super::RefreshToken;
use super::channel::HttpError;
use crate::login::browser::LinkError;
use crate::login::claims::ClaimsError;

/// Why there are no tokens.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// Worth trying again later; nothing is known about the session.
    #[error("the identity provider cannot be reached")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// The refresh token is spent, revoked or expired, or the account is disabled.
    #[error("the identity provider no longer accepts this session")]
    InvalidGrant,
    /// The provider has no token for this audience or client (`invalid_target`, `invalid_scope`,
    /// `unauthorized_client`, ...). A sentence for the person.
    #[error("the identity provider refuses: {0}")]
    Refused(Box<str>),
    /// What the provider says of itself cannot be used.
    #[error("the identity provider's metadata cannot be used: {0}")]
    Metadata(#[from] MetadataError),
    /// Without PKCE whoever sees the callback can use the code.
    #[error(
        "the identity provider does not advertise PKCE with S256; if it supports it nevertheless, \
         an administrator can set allow_unadvertised_pkce in [identity]"
    )]
    NoPkce,
    /// The person declined, or closed the dialogue in a way that the provider reports.
    #[error("the sign-in was declined at the identity provider")]
    Aborted,
    /// The callback does not belong to this sign-in; what it says is not shown.
    #[error("the sign-in's answer cannot be accepted: {0}")]
    Callback(#[from] CallbackError),
    /// The token endpoint's answer is not one.
    #[error("the identity provider's token response cannot be accepted: {0}")]
    Answer(#[from] AnswerError),
    /// The ID token does not verify.
    #[error("the identity provider's ID token cannot be accepted: {0}")]
    IdToken(#[from] IdTokenError),
    /// The tokens belong to another person than the session.
    #[error("the identity provider answered for another person than the one who signed in")]
    OtherPerson,
    /// The tokens do not tell the roles.
    #[error("{0}")]
    Claims(#[from] ClaimsError),
    /// The provider answered, and gave a refresh token, but the answer cannot be accepted.
    ///
    /// The refresh token that was sent may be spent now: whoever keeps the session keeps `rotated`
    /// before anything else, or the session is lost.
    #[error("{reason}")]
    Unacceptable {
        /// The refresh token of the answer.
        rotated: RefreshToken,
        /// Why the rest is of no use.
        #[source]
        reason: Box<Self>,
    },
}

impl ProviderError {
    /// Whether the provider was not there, and may be later.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self.reason(),
            Self::Unreachable(_) | Self::Metadata(MetadataError::Fetch(_))
        )
    }

    /// The error itself, without the refresh token that may have come with it.
    #[must_use]
    pub fn reason(&self) -> &Self {
        match self {
            Self::Unacceptable { reason, .. } => reason.reason(),
            Self::Unreachable(_)
            | Self::InvalidGrant
            | Self::Refused(_)
            | Self::Metadata(_)
            | Self::NoPkce
            | Self::Aborted
            | Self::Callback(_)
            | Self::Answer(_)
            | Self::IdToken(_)
            | Self::OtherPerson
            | Self::Claims(_) => self,
        }
    }
}

/// What is wrong with the metadata.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// The configured issuer is no URL.
    #[error("the issuer is no URL")]
    Issuer(#[source] url::ParseError),
    /// The document could not be fetched, and will not be.
    #[error("{0}")]
    Fetch(#[source] HttpError),
    /// The document is of another issuer, or spells it differently.
    #[error(
        "it is of another issuer; issuers are compared byte for byte, a slash at the end counts"
    )]
    OtherIssuer,
    /// No OpenID provider's metadata, or no keys.
    #[error("{0}")]
    Document(#[source] Box<DiscoveryError<HttpError>>),
    /// The address of revocation is none.
    #[error("its revocation_endpoint is not usable")]
    Revocation(#[source] http::uri::InvalidUri),
    /// There is nowhere to get tokens.
    #[error("it has no token_endpoint")]
    NoTokenEndpoint,
    /// An address that secrets or the browser must not be sent to.
    #[error("its {name} cannot be used: {source}")]
    Address {
        /// The member of the metadata.
        name: &'static str,
        /// What is wrong with it.
        source: LinkError,
    },
}

/// What is wrong with a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// Not an answer to this request.
    #[error("its state is not the one that was sent")]
    State,
    /// Another provider's answer (RFC 9207).
    #[error("it comes from another issuer")]
    OtherIssuer,
    /// The provider promises `iss` and it is not there (RFC 9207).
    #[error("it does not name its issuer although the identity provider promises that")]
    NoIssuer,
    /// Neither a code nor an error.
    #[error("it has no authorization code")]
    NoCode,
}

/// What is wrong with a token response.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// It could not be had, and asking again will not help.
    #[error("{0}")]
    Http(#[source] HttpError),
    /// Not JSON, or without what must be there. The text itself is a secret.
    #[error("it is malformed (at line {line}, column {column})")]
    Malformed {
        /// Where reading stopped.
        line: usize,
        /// Where reading stopped.
        column: usize,
    },
    /// No token response in any form.
    #[error("it is empty or not JSON")]
    NotJson,
    /// Tokens of another kind cannot be sent as bearer.
    #[error("its token_type is not Bearer")]
    TokenType,
    /// Zero, or longer than a token may be trusted.
    #[error("it says that the token expires in {0} seconds")]
    Lifetime(u64),
    /// Too long, empty, or with characters that no header can carry.
    #[error("its {0} is empty, too long or has forbidden characters")]
    Token(&'static str),
}

/// What is wrong with an ID token.
#[derive(Debug, thiserror::Error)]
pub enum IdTokenError {
    /// There is none although `openid` was asked for.
    #[error("there is none")]
    Missing,
    /// No JWT with the claims of an ID token. The text itself is a secret.
    #[error("it is malformed or of an unknown algorithm")]
    Malformed,
    /// Wrong issuer, audience, nonce, signature or algorithm.
    #[error("{0}")]
    Rejected(#[from] ClaimsVerificationError),
    /// `azp` names another client.
    #[error("it was issued to another client")]
    OtherClient,
    /// Also with a clock that is ahead.
    #[error("it has expired; is this machine's clock right?")]
    Expired,
    /// `at_hash` does not fit.
    #[error("it belongs to another access token")]
    OtherAccessToken,
}
