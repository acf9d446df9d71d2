//! The two halves of a sign-in: the request that waits, and the callback that answers it.

use std::fmt;

use oauth2::{CsrfToken, PkceCodeVerifier, RedirectUrl};
use openidconnect::Nonce;
use subtle::ConstantTimeEq;
use url::Url;
use zeroize::Zeroizing;

use super::error::{CallbackError, ProviderError};
use crate::login::Audience;

/// An authorization request that waits for its callback: holds state, nonce and PKCE verifier.
pub struct Pending {
    pub(super) url: Url,
    pub(super) state: CsrfToken,
    pub(super) nonce: Nonce,
    pub(super) verifier: PkceCodeVerifier,
    pub(super) redirect: RedirectUrl,
    /// Whom the first access token is for.
    pub(super) first: Option<Audience>,
    /// How many audiences the request names by `resource`.
    pub(super) resources: usize,
    pub(super) scopes: Vec<Box<str>>,
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending(..)")
    }
}

impl Pending {
    /// Where the person signs in.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Compares in constant time.
    #[must_use]
    pub fn state_is(&self, state: &str) -> bool {
        let ours = self.state.secret().as_bytes();
        ours.ct_eq(state.as_bytes()).into()
    }
}

/// A request for one audience after one for several was refused.
#[derive(Debug)]
pub struct Narrowed {
    /// The new request.
    pub pending: Pending,
    /// What the first was refused with, should this be of no use either.
    pub refusal: ProviderError,
}

/// The query of the callback, decoded.
pub struct Callback {
    /// The authorization code.
    pub code: Option<Zeroizing<String>>,
    /// Ties the callback to its request.
    pub state: Option<String>,
    /// RFC 9207.
    pub iss: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
    /// The same in words.
    pub error_description: Option<String>,
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback(..)")
    }
}

impl Callback {
    /// Whether this answers `pending` and comes from `issuer`, byte for byte; before that is known
    /// nothing of it is used or shown.
    pub(super) fn check(
        &self,
        pending: &Pending,
        issuer: &str,
        promises_iss: bool,
    ) -> Result<(), CallbackError> {
        if !self
            .state
            .as_deref()
            .is_some_and(|state| pending.state_is(state))
        {
            return Err(CallbackError::State);
        }
        match self.iss.as_deref() {
            Some(iss) if iss != issuer => Err(CallbackError::OtherIssuer),
            None if promises_iss => Err(CallbackError::NoIssuer),
            Some(_) | None => Ok(()),
        }
    }
}
