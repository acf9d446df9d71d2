//! Sorts what the provider's endpoints answer instead of tokens.
//!
//! Providers quote requests in their errors and parsers quote what they read, so nothing is passed
//! on that may hold a secret.

use oauth2::basic::BasicErrorResponse;
use oauth2::{ErrorResponse, RequestTokenError};

use super::channel::HttpError;
use super::error::{AnswerError, ProviderError};
use crate::config::AudienceBy;

/// The provider says `temporarily_unavailable` or `server_error`.
#[derive(Debug, thiserror::Error)]
#[error("the provider answered {0}")]
struct Unavailable(&'static str);

/// What was asked, as far as it explains a refusal.
pub(super) struct Asked<'a> {
    pub(super) audience_by: AudienceBy,
    /// Secrets of the request; a description that repeats one is not shown.
    pub(super) secrets: &'a [&'a str],
}

impl Asked<'_> {
    /// Sorts a failure of the token endpoint.
    pub(super) fn token_error(
        &self,
        error: RequestTokenError<HttpError, BasicErrorResponse>,
    ) -> ProviderError {
        if let RequestTokenError::ServerResponse(answer) = &error {
            let description = answer.error_description().map(String::as_str);
            return self.refusal(answer.error().as_ref(), description);
        }
        transport_error(error)
    }

    /// Sorts an error code of the provider.
    pub(super) fn refusal(&self, code: &str, description: Option<&str>) -> ProviderError {
        match code {
            "invalid_grant" => return ProviderError::InvalidGrant,
            "access_denied" => return ProviderError::Aborted,
            "temporarily_unavailable" => return unavailable("temporarily_unavailable"),
            "server_error" => return unavailable("server_error"),
            _ => {}
        }
        let mut sentence = printable(code);
        if let Some(text) = description.filter(|text| self.is_clean(text)) {
            sentence.push_str(": ");
            sentence.push_str(&printable(text));
        }
        if let Some(advice) = self.advice(code, description.unwrap_or("")) {
            sentence.push_str(". ");
            sentence.push_str(advice);
        }
        ProviderError::Refused(sentence.into())
    }

    fn is_clean(&self, text: &str) -> bool {
        !self.secrets.iter().any(|secret| text.contains(secret))
    }

    /// What an administrator can do about a provider that names audiences in another way.
    fn advice(&self, code: &str, description: &str) -> Option<&'static str> {
        let about_audience = match code {
            "invalid_target" | "invalid_resource" => true,
            "invalid_request" | "invalid_scope" => !matches!(self.audience_by, AudienceBy::None),
            _ => false,
        };
        let entra = description.starts_with("AADSTS");
        match self.audience_by {
            _ if !about_audience => None,
            AudienceBy::Resource if entra => {
                Some("This is Entra ID: set audience_by = \"scope\" in [identity]")
            }
            AudienceBy::Resource => Some(
                "If the provider does not know this resource, register the server there; if it \
                 does not know resource indicators (RFC 8707), set audience_by in [identity] to \
                 \"scope\" (Entra ID), \"audience\" (Auth0) or \"none\" (one token for all)",
            ),
            AudienceBy::Scope => Some(
                "With audience_by = \"scope\" the `audience` of each server is the beginning of its \
                 scopes' names, as in api://server (its Application ID URI)",
            ),
            AudienceBy::Audience => Some(
                "With audience_by = \"audience\" the provider must know the audience of each \
                 server and let this client have tokens for it",
            ),
            AudienceBy::None => Some(
                "The provider wants to know whom the token is for: set audience_by in [identity]",
            ),
        }
    }
}

/// Sorts a failure of an endpoint that is no answer of the protocol.
pub(super) fn transport_error<T: ErrorResponse>(
    error: RequestTokenError<HttpError, T>,
) -> ProviderError {
    match error {
        RequestTokenError::Request(error) if error.is_temporary() => {
            ProviderError::Unreachable(error.into())
        }
        RequestTokenError::Request(error) => AnswerError::Http(error).into(),
        // The cause quotes what it read, which may be a token; only its place is kept.
        RequestTokenError::Parse(error, _) => AnswerError::Malformed {
            line: error.inner().line(),
            column: error.inner().column(),
        }
        .into(),
        RequestTokenError::ServerResponse(_) | RequestTokenError::Other(_) => {
            AnswerError::NotJson.into()
        }
    }
}

fn unavailable(code: &'static str) -> ProviderError {
    ProviderError::Unreachable(Box::new(Unavailable(code)))
}

/// The characters that RFC 6749 allows in error texts, two hundred at most.
fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| matches!(c, ' '..='~'))
        .take(200)
        .collect()
}
