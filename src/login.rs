//! Signing in, and the tokens that come of it.
//!
//! A session is three things: the refresh token in the keychain, the access tokens in a sealed file
//! that all processes of the account share, and what this process has read of both. The refresh
//! token never leaves this module; whoever calls a server gets an access token for that server.
//!
//! Deliberately absent: any decision about what a person may do, and any record of it. A session
//! that ended elsewhere is noticed where calls are recorded, which then calls [`Session::reload`].

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::clock::Clock;
use crate::config::{IdentityConfig, NetworkConfig};
use crate::paths::Paths;
use crate::principal::{Generation, Identity};
use crate::stop::Tasks;

pub mod browser;
pub mod claims;
pub mod detached;
mod fields;
pub mod flow;
mod grant;
mod held;
mod install;
pub mod keychain;
mod leave;
mod link;
pub mod loopback;
mod page;
pub mod provider;
mod refresh;
mod shared;
mod sign_in;
mod snapshot;
#[cfg(test)]
mod tests;
mod vault;
mod waiting;

pub use fields::Who;
pub use grant::{AccessToken, Audience, Grant, NoGrant};
pub use install::InstallError;
pub use leave::{LeaveError, Leaving, RevokeError};
pub use provider::Fit;
pub use shared::{Keeping, SignedIn};
pub use sign_in::{Here, SignInError, SignInLink};
pub use snapshot::Snapshot;
pub use waiting::LockError;

use keychain::{KeychainError, SecretStore};
use provider::{ClientError, ProviderError};
use shared::Shared;

/// Why nothing is known of the provider.
#[derive(Debug, thiserror::Error)]
pub enum UnfitError {
    /// It cannot be asked.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// What it says.
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

/// The person's session as this process knows it; clones share it. Makes no I/O until asked.
#[derive(Clone)]
pub struct Session {
    shared: Arc<Shared>,
    begin: Option<BeginSession>,
}

/// Opens a session in the record and numbers it; every older one is refused from then on.
pub type BeginSession = Arc<
    dyn Fn(
            Identity,
        )
            -> BoxFuture<'static, Result<Generation, Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + Sync,
>;

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session(..)")
    }
}

impl Session {
    /// The session of this account; `keychain` is where it is kept.
    #[must_use]
    pub fn new(
        identity: Option<IdentityConfig>,
        network: &NetworkConfig,
        audiences: Vec<Audience>,
        paths: &Paths,
        clock: Arc<dyn Clock>,
        tasks: &Tasks,
        keychain: Arc<dyn SecretStore>,
    ) -> Self {
        let shared = Shared::new(identity, network, audiences, paths, clock, tasks, keychain);
        Self {
            shared: Arc::new(shared),
            begin: None,
        }
    }

    /// The same, able to sign in by itself: `begin` opens the session in the record.
    #[must_use]
    pub fn recording(self, begin: BeginSession) -> Self {
        Self {
            begin: Some(begin),
            ..self
        }
    }

    /// The snapshot on disk, if it is of this provider's session and not expired.
    #[must_use]
    pub fn snapshot(&self) -> Option<Snapshot> {
        self.shared.snapshot()
    }

    /// The person and a token for the audience: from memory, the sealed file, or one refresh.
    pub async fn grant(&self, audience: &Audience) -> Result<Arc<Grant>, NoGrant> {
        let now = self.shared.clock.now();
        if let Some(grant) = self.shared.held_grant(&audience.id) {
            if grant.life().is_fresh(now) {
                return Ok(grant);
            }
            if grant.life().is_usable(now) {
                // The token still serves while the next one is fetched.
                drop(refresh::flight(&self.shared, audience, None));
                return Ok(grant);
            }
        }
        refresh::grant(&self.shared, audience, None).await
    }

    /// The same after a server answered 401 to `rejected`: whoever asks first refreshes, and all
    /// who hold the same token get the new one.
    pub async fn grant_after(
        &self,
        audience: &Audience,
        rejected: &Grant,
    ) -> Result<Arc<Grant>, NoGrant> {
        let now = self.shared.clock.now();
        if let Some(grant) = self.shared.held_grant(&audience.id)
            && grant.life().is_usable(now)
            && !grant.shows(rejected.token())
        {
            return Ok(grant);
        }
        refresh::grant(&self.shared, audience, Some(rejected)).await
    }

    /// The person and a token for the first audience: whom servers without sign-in are called for.
    pub async fn anyone(&self) -> Result<Arc<Grant>, NoGrant> {
        self.grant(&self.shared.home_audience()).await
    }

    /// Who is signed in, for people to read.
    pub async fn who(&self) -> Result<Option<SignedIn>, NoGrant> {
        refresh::look(&self.shared).await?;
        Ok(self.shared.signed_in())
    }

    /// Whom this process knows to be signed in, without looking again.
    #[must_use]
    pub fn known(&self) -> Option<SignedIn> {
        self.shared.signed_in()
    }

    /// Where this process' session is kept; `None` before it has read one.
    #[must_use]
    pub fn keeping(&self) -> Option<Keeping> {
        self.shared.keeping()
    }

    /// How well the provider's metadata fit; `None` where no provider is configured.
    ///
    /// # Errors
    /// When they cannot be had, or cannot be used.
    pub async fn provider_fit(&self) -> Option<Result<Fit, UnfitError>> {
        let identity = self.shared.identity.as_ref()?;
        let fit = async { Ok(self.shared.provider(identity).await?.fit().await?) };
        Some(fit.await)
    }

    /// Whether secrets can be kept, by trying it, and whether those that are kept can be understood.
    pub async fn probe(&self) -> Result<(), KeychainError> {
        let shared = Arc::clone(&self.shared);
        let probe = move || {
            shared.keychain.probe()?;
            shared.fields().who().map(drop)
        };
        self.shared.tasks.blocking(probe).await
    }

    /// Forgets what this process has read, so that the next question looks again: for a session that
    /// was ended or replaced elsewhere. The session itself is left alone.
    pub fn reload(&self) {
        self.shared.mistrust();
    }

    /// Tells every change of the person, his roles or his scopes that this process notices.
    #[must_use]
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.shared.changes()
    }
}
