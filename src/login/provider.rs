//! The company's OpenID provider: discovery, authorization requests, tokens, verified claims, revocation.
//!
//! What a token response says is used only after its signature, issuer, audience, nonce and time
//! were checked. Nothing is kept here but metadata and keys: sessions, refresh discipline and
//! storage are the business of `login`.

use std::fmt;
use std::sync::Arc;

use oauth2::{AuthorizationCode, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope};
use openidconnect::Nonce;
use tokio::sync::OnceCell;
use url::Url;
use zeroize::Zeroizing;

use crate::clock::{Clock, Timestamp};
use crate::config::IdentityConfig;
use crate::principal::{Identity, Roles, Scopes};

use super::{AccessToken, Audience};

mod accept;
mod answer;
mod ask;
mod channel;
mod error;
#[cfg(test)]
pub(super) mod fake;
mod fit;
mod known;
mod pending;
mod refusal;
mod revoke;
#[cfg(test)]
mod tests;
mod verify;

use answer::{Expected, TokenClient};
use ask::Resources;
pub use channel::{ClientError, HttpError, client};
use channel::{DOCUMENT_LIMIT, Http};
pub use error::{AnswerError, CallbackError, IdTokenError, MetadataError, ProviderError};
pub use fit::Fit;
use known::Known;
pub use pending::{Callback, Narrowed, Pending};
use refusal::Asked;

/// State and nonce are 256 bits, as is the PKCE verifier.
const SECRET_BYTES: u32 = 32;

/// The provider; clones share discovery and keys. Makes no I/O until asked.
#[derive(Clone)]
pub struct Provider {
    shared: Arc<Shared>,
}

struct Shared {
    identity: IdentityConfig,
    http: Http,
    clock: Arc<dyn Clock>,
    known: OnceCell<Known>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issuer = &self.shared.identity.issuer;
        f.debug_tuple("Provider").field(issuer).finish()
    }
}

/// A refresh token. Debug hides it.
#[derive(Clone)]
pub struct RefreshToken(pub(super) Zeroizing<String>);

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(..)")
    }
}

/// A verified token response.
#[derive(Debug)]
pub struct Tokens {
    /// For the audience that was asked for.
    pub access: AccessToken,
    /// The new refresh token, when the provider rotated it or gave the first.
    pub refresh: Option<RefreshToken>,
    /// From the newest verified of ID token and (JWT) access token; `None` when the response
    /// carried neither.
    pub claims: Option<Claims>,
    /// `scope` of the response, or what was asked for.
    pub scopes: Scopes,
    /// The end of the access token's life.
    pub expires: Timestamp,
}

/// Who, from verified tokens.
#[derive(Debug, Clone)]
pub struct Claims {
    /// Issuer, subject and address.
    pub identity: Identity,
    /// What the configured claim lists.
    pub roles: Roles,
}

impl Provider {
    /// The provider of the configuration. The client must not follow redirects: see [`client`].
    #[must_use]
    pub fn new(identity: IdentityConfig, http: reqwest::Client, clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            identity,
            http: Http::new(http),
            clock,
            known: OnceCell::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Makes the request that signs in for all audiences.
    pub async fn authorize(
        &self,
        redirect: &Url,
        audiences: &[Audience],
    ) -> Result<Pending, ProviderError> {
        self.request(redirect, audiences, Resources::All).await
    }

    /// Makes the request again for one audience, after the provider refused one for several in a
    /// way that may mean that it takes a single `resource`; `None` if the callback says otherwise.
    pub async fn narrow(
        &self,
        refused: &Pending,
        callback: &Callback,
        redirect: &Url,
        audiences: &[Audience],
    ) -> Result<Option<Narrowed>, ProviderError> {
        let error = callback.error.as_deref().unwrap_or_default();
        let about_resource = matches!(error, "invalid_target" | "invalid_request");
        if refused.resources < 2 || !about_resource {
            return Ok(None);
        }
        let promises_iss = self.known().await?.promises_iss();
        callback.check(refused, &self.shared.identity.issuer, promises_iss)?;
        let description = callback.error_description.as_deref();
        Ok(Some(Narrowed {
            pending: self.request(redirect, audiences, Resources::First).await?,
            refusal: self.asked(&[]).refusal(error, description),
        }))
    }

    /// Exchanges the code of the callback; the access token is for the first audience.
    pub async fn exchange(
        &self,
        pending: Pending,
        callback: Callback,
    ) -> Result<Tokens, ProviderError> {
        let known = self.known().await?;
        callback.check(&pending, &self.shared.identity.issuer, known.promises_iss())?;
        if let Some(code) = &callback.error {
            let asked = self.asked(&[]);
            return Err(asked.refusal(code, callback.error_description.as_deref()));
        }
        let code = callback.code.ok_or(CallbackError::NoCode)?;
        let secrets = [code.as_str(), pending.verifier.secret()].map(str::to_owned);
        let secrets = secrets.map(Zeroizing::new);
        let sent = self.shared.clock.now();
        let client = self.client(known).set_redirect_uri(pending.redirect);
        let mut request = client
            .exchange_code(AuthorizationCode::new(code.to_string()))
            .set_pkce_verifier(pending.verifier);
        for (name, value) in ask::exchange(&self.shared.identity, pending.first.as_ref()).parameters
        {
            request = request.add_extra_param(name, String::from(value));
        }
        let http = self.shared.http.bounded(DOCUMENT_LIMIT);
        let answer = request.request_async(&http).await.map_err(|error| {
            let secrets = secrets.each_ref().map(|secret| secret.as_str());
            spent_code(self.asked(&secrets).token_error(error))
        })?;
        let expected = Expected {
            nonce: Some(&pending.nonce),
            audience: pending.first.as_ref(),
            scopes: &pending.scopes,
            person: None,
            sent,
        };
        self.accept(known, &answer, &expected).await
    }

    /// One refresh for one audience, in the way of `audience_by`. `person` is who the session
    /// belongs to; another subject is refused.
    ///
    /// An error may carry the rotated refresh token: see [`ProviderError::Unacceptable`].
    pub async fn refresh(
        &self,
        token: &RefreshToken,
        audience: &Audience,
        person: &Identity,
    ) -> Result<Tokens, ProviderError> {
        let known = self.known().await?;
        let identity = &self.shared.identity;
        let sent = self.shared.clock.now();
        let client = self.client(known);
        let secret = oauth2::RefreshToken::new(token.0.to_string());
        let ask = ask::refresh(identity, audience);
        let scopes = ask.scopes.into_iter().map(|name| Scope::new(name.into()));
        let mut request = client.exchange_refresh_token(&secret).add_scopes(scopes);
        for (name, value) in ask.parameters {
            request = request.add_extra_param(name, String::from(value));
        }
        let http = self.shared.http.bounded(DOCUMENT_LIMIT);
        let answer = request
            .request_async(&http)
            .await
            .map_err(|error| self.asked(&[&token.0]).token_error(error))?;
        let expected = Expected {
            nonce: None,
            audience: Some(audience),
            scopes: &ask::refreshed_scopes(identity, audience),
            person: Some(person),
            sent,
        };
        self.accept(known, &answer, &expected).await
    }

    async fn known(&self) -> Result<&Known, ProviderError> {
        let Shared { identity, http, .. } = &*self.shared;
        self.shared
            .known
            .get_or_try_init(|| Known::discover(identity, http))
            .await
    }

    fn client(&self, known: &Known) -> TokenClient {
        oauth2::Client::new(ClientId::new(self.shared.identity.client_id.to_string()))
            .set_auth_uri(known.metadata.authorization_endpoint().clone())
            .set_token_uri(known.token_url.clone())
    }

    fn asked<'a>(&self, secrets: &'a [&'a str]) -> Asked<'a> {
        Asked {
            audience_by: self.shared.identity.audience_by,
            secrets,
        }
    }

    async fn request(
        &self,
        redirect: &Url,
        audiences: &[Audience],
        resources: Resources,
    ) -> Result<Pending, ProviderError> {
        let known = self.known().await?;
        let ask = ask::authorization(&self.shared.identity, audiences, resources);
        let count = ask
            .parameters
            .iter()
            .filter(|(name, _)| *name == "resource")
            .count();
        let redirect = RedirectUrl::from_url(redirect.clone());
        let client = self.client(known).set_redirect_uri(redirect.clone());
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = Nonce::new_random_len(SECRET_BYTES);
        let mut request = client
            .authorize_url(|| CsrfToken::new_random_len(SECRET_BYTES))
            .set_pkce_challenge(challenge)
            .add_extra_param("nonce", nonce.secret())
            .add_scopes(ask.scopes.iter().map(|name| Scope::new(name.to_string())));
        for (name, value) in ask.parameters {
            request = request.add_extra_param(name, String::from(value));
        }
        let (url, state) = request.url();
        Ok(Pending {
            url,
            state,
            nonce,
            verifier,
            redirect,
            first: audiences.first().cloned(),
            resources: count,
            scopes: ask.scopes,
        })
    }
}

/// What `invalid_grant` means for a code.
fn spent_code(error: ProviderError) -> ProviderError {
    if matches!(error, ProviderError::InvalidGrant) {
        let sentence = "the authorization code is spent or too old; please sign in again";
        return ProviderError::Refused(sentence.into());
    }
    error
}
