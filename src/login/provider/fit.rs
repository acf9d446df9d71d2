//! What the provider says of itself, as far as it matters to a sign-in; for people who ask why one fails.

use super::known::Known;
use super::{Provider, ProviderError};

/// How well the provider's metadata fit what the configuration asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// Whether PKCE with S256 is advertised; without, only the configuration's word lets sign-ins go on.
    pub pkce: bool,
    /// Whether `iss` is promised in answers (RFC 9207).
    pub iss: bool,
    /// Whether sessions can be ended there (RFC 7009).
    pub revocation: bool,
    /// The scopes that the configuration asks for and the provider does not list. A provider need not
    /// list its scopes.
    pub unlisted_scopes: Vec<Box<str>>,
}

impl Provider {
    /// Fetches the metadata, unless this process has them, and compares.
    ///
    /// # Errors
    /// When they cannot be had, or cannot be used.
    pub async fn fit(&self) -> Result<Fit, ProviderError> {
        let known = self.known().await?;
        let listed = known.metadata.scopes_supported();
        let is_listed = |scope: &str| {
            listed.is_none_or(|listed| listed.iter().any(|known| known.as_str() == scope))
        };
        let asked = self.shared.identity.scopes.iter();
        Ok(Fit {
            pkce: known.advertises_pkce(),
            iss: known.promises_iss(),
            revocation: revocation(known),
            unlisted_scopes: asked.filter(|scope| !is_listed(scope)).cloned().collect(),
        })
    }
}

fn revocation(known: &Known) -> bool {
    let extras = known.metadata.additional_metadata();
    extras.revocation_endpoint.is_some()
}
