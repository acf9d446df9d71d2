//! What is known of the provider: its metadata, fetched once for the process, and its keys.

use std::sync::Arc;

use oauth2::TokenUrl;
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType,
    CoreJsonWebKey, CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::{
    AdditionalProviderMetadata, DiscoveryError, IssuerUrl, JsonWebKeySet, ProviderMetadata,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use url::Url;

use super::channel::{Http, HttpError, KEYS_LIMIT};
use super::error::{MetadataError, ProviderError};
use crate::clock::Clock;
use crate::config::IdentityConfig;
use crate::login::browser::Link;

/// How seldom the keys are fetched again, whatever tokens say.
const KEYS_PAUSE_MILLIS: i64 = 60_000;

/// The parts of the metadata that `openidconnect` leaves out.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct Extras {
    /// RFC 7009.
    pub(super) revocation_endpoint: Option<Url>,
    /// RFC 7636.
    code_challenge_methods_supported: Option<Vec<Box<str>>>,
    /// RFC 9207.
    authorization_response_iss_parameter_supported: Option<bool>,
}

impl AdditionalProviderMetadata for Extras {}

type Metadata = ProviderMetadata<
    Extras,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// The provider as it describes itself; its addresses are secure, and PKCE is as configured.
pub(super) struct Known {
    pub(super) metadata: Metadata,
    pub(super) token_url: TokenUrl,
    keys: Mutex<Keys>,
}

struct Keys {
    set: Arc<CoreJsonWebKeySet>,
    /// When they were last fetched because a token named an unknown one, in uptime.
    asked_again: Option<i64>,
}

impl Known {
    /// Fetches metadata and keys.
    pub(super) async fn discover(
        identity: &IdentityConfig,
        http: &Http,
    ) -> Result<Self, ProviderError> {
        let issuer = IssuerUrl::new(identity.issuer.to_string()).map_err(MetadataError::Issuer)?;
        let metadata = Metadata::discover_async(issuer, &http.bounded(KEYS_LIMIT))
            .await
            .map_err(unusable)?;
        let token_url = metadata.token_endpoint().cloned();
        let token_url = token_url.ok_or(MetadataError::NoTokenEndpoint)?;
        check_addresses(&metadata, token_url.url())?;
        check_pkce(&metadata, identity)?;
        let set = Arc::new(metadata.jwks().clone());
        Ok(Self {
            metadata,
            token_url,
            keys: Mutex::new(Keys {
                set,
                asked_again: None,
            }),
        })
    }

    /// Whether the provider promises `iss` in its authorization responses.
    pub(super) fn promises_iss(&self) -> bool {
        let extras = self.metadata.additional_metadata();
        extras.authorization_response_iss_parameter_supported == Some(true)
    }

    /// Whether PKCE with S256 is advertised.
    pub(super) fn advertises_pkce(&self) -> bool {
        advertises_pkce(&self.metadata)
    }

    /// The keys as they were last fetched.
    pub(super) async fn keys(&self) -> Arc<CoreJsonWebKeySet> {
        Arc::clone(&self.keys.lock().await.set)
    }

    /// Fetches the keys again after `seen` lacked one; `None` when that was done within a minute.
    ///
    /// The lock is held over the request on purpose: a second token with the same unknown key
    /// waits for the answer instead of being refused meanwhile. The request is bounded.
    pub(super) async fn newer_keys(
        &self,
        seen: &Arc<CoreJsonWebKeySet>,
        http: &Http,
        clock: &dyn Clock,
    ) -> Result<Option<Arc<CoreJsonWebKeySet>>, ProviderError> {
        let mut keys = self.keys.lock().await;
        if !Arc::ptr_eq(&keys.set, seen) {
            return Ok(Some(Arc::clone(&keys.set)));
        }
        let now = clock.uptime().millis;
        if keys
            .asked_again
            .is_some_and(|last| now.saturating_sub(last) < KEYS_PAUSE_MILLIS)
        {
            return Ok(None);
        }
        keys.asked_again = Some(now);
        let http = http.bounded(KEYS_LIMIT);
        let fetched = JsonWebKeySet::fetch_async(self.metadata.jwks_uri(), &http);
        keys.set = Arc::new(fetched.await.map_err(unusable)?);
        Ok(Some(Arc::clone(&keys.set)))
    }
}

/// The person's browser is sent to the first address, secrets are sent to the others.
fn check_addresses(metadata: &Metadata, token_url: &Url) -> Result<(), MetadataError> {
    let insecure = |name| move |source| MetadataError::Address { name, source };
    Link::try_from(metadata.authorization_endpoint().url())
        .map_err(insecure("authorization_endpoint"))?;
    Link::try_from(token_url).map_err(insecure("token_endpoint"))?;
    Link::try_from(metadata.jwks_uri().url()).map_err(insecure("jwks_uri"))?;
    if let Some(url) = &metadata.additional_metadata().revocation_endpoint {
        Link::try_from(url).map_err(insecure("revocation_endpoint"))?;
    }
    Ok(())
}

fn advertises_pkce(metadata: &Metadata) -> bool {
    let methods = &metadata
        .additional_metadata()
        .code_challenge_methods_supported;
    methods
        .as_ref()
        .is_some_and(|methods| methods.iter().any(|method| &**method == "S256"))
}

fn check_pkce(metadata: &Metadata, identity: &IdentityConfig) -> Result<(), ProviderError> {
    if advertises_pkce(metadata) || identity.allow_unadvertised_pkce {
        Ok(())
    } else {
        Err(ProviderError::NoPkce)
    }
}

fn unusable(error: DiscoveryError<HttpError>) -> ProviderError {
    if let DiscoveryError::Request(error) = error {
        return if error.is_temporary() {
            ProviderError::Unreachable(error.into())
        } else {
            MetadataError::Fetch(error).into()
        };
    }
    // The library has no other use of this variant than the comparison of issuers.
    if matches!(error, DiscoveryError::Validation(_)) {
        return MetadataError::OtherIssuer.into();
    }
    MetadataError::Document(Box::new(error)).into()
}
