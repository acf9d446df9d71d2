//! Making a session of what a sign-in brought.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::Session;
use super::fields::{Fields, Seal, Who};
use super::grant::{AccessToken, Life};
use super::keychain::{KeychainError, MemoryStore};
use super::provider::{RefreshToken, Tokens};
use super::shared::{Held, Place, Shared, Standing, locked};
use super::snapshot::Snapshot;
use super::vault::{Contents, Token};
use super::waiting::{self, LockError};
use crate::principal::Generation;

/// A refresh of the session that is replaced may be under way.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

/// Why there is no session although the person signed in.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Nothing is configured that one could sign in to.
    #[error("no identity provider is configured")]
    NotConfigured,
    /// Without one the session would end with its first access token.
    #[error(
        "the identity provider gave no refresh token; the scope offline_access must be among the \
         scopes in [identity], and the provider must allow it to this client"
    )]
    NoRefreshToken,
    /// The provider did not say who signed in.
    #[error("the identity provider did not say who signed in")]
    NoClaims,
    /// The keychain does not keep secrets.
    #[error("the keychain cannot be used")]
    Keychain(#[from] KeychainError),
    /// Another process does not let go of the session.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The files beside the keychain cannot be written.
    #[error("the session's files cannot be written")]
    Files(#[source] io::Error),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
}

/// A session that is about to be kept.
struct Fresh {
    who: Who,
    contents: Contents,
    token: RefreshToken,
}

impl Session {
    /// Keeps the session of a person who has just signed in, in place of any other. `generation` is
    /// its number in the record.
    pub async fn install(
        &self,
        tokens: &Tokens,
        generation: Generation,
    ) -> Result<(), InstallError> {
        let shared = &self.shared;
        let fresh = Fresh::new(shared, tokens, generation)?;
        let seal = Seal::random().map_err(InstallError::Random)?;
        self.probe().await?;
        let _turn = shared.turn.lock().await;
        let path = shared.paths.lock("refresh");
        let _lock = waiting::lock(path, LOCK_PATIENCE, &shared.tasks).await?;
        let theirs = Arc::clone(shared);
        let kept = shared.tasks.blocking(move || keep(&theirs, fresh, seal));
        self.show(kept.await?);
        Ok(())
    }

    /// Keeps the session in this process alone, since the keychain does not serve for `reason`.
    pub async fn install_in_memory(
        &self,
        tokens: &Tokens,
        generation: Generation,
        reason: KeychainError,
    ) -> Result<(), InstallError> {
        let fresh = Fresh::new(&self.shared, tokens, generation)?;
        let seal = Seal::random().map_err(InstallError::Random)?;
        let _turn = self.shared.turn.lock().await;
        let fields = Fields::new(Arc::new(MemoryStore::new()));
        fields.begin(&fresh.who, &fresh.token, &seal)?;
        let place = Place::Memory {
            fields,
            reason: Arc::new(reason),
        };
        self.show(Held::new(fresh.who, place, fresh.contents, None));
        Ok(())
    }

    fn show(&self, held: Held) {
        self.shared.remember_unsaved(None);
        locked(&self.shared.flights).forget_failures();
        self.shared.publish(Standing::Somebody(Arc::new(held)));
    }
}

/// The keychain first: whoever reads the new files must find their key. Blocks.
fn keep(shared: &Shared, fresh: Fresh, seal: Seal) -> Result<Held, InstallError> {
    let fields = shared.fields();
    shared.unshare().map_err(InstallError::Files)?;
    fields.begin(&fresh.who, &fresh.token, &seal)?;
    let written = shared.vault.write(&seal, &fresh.contents).and_then(|()| {
        let snapshot = Snapshot::of(&fresh.contents, shared.clock.now());
        let client_id = &fresh.who.client_id;
        shared.snapshot_file.write(&snapshot, client_id)
    });
    if let Err(error) = written {
        // Other processes would not notice a session that they cannot read of.
        fields.end()?;
        return Err(InstallError::Files(error));
    }
    let stamp = shared.vault.stamp();
    let place = Place::Keychain { seal: Some(seal) };
    Ok(Held::new(fresh.who, place, fresh.contents, stamp))
}

impl Fresh {
    fn new(shared: &Shared, tokens: &Tokens, of: Generation) -> Result<Self, InstallError> {
        let identity = shared.identity.as_ref();
        let identity = identity.ok_or(InstallError::NotConfigured)?;
        let refresh = tokens.refresh.as_ref();
        let refresh = refresh.ok_or(InstallError::NoRefreshToken)?;
        let claims = tokens.claims.as_ref().ok_or(InstallError::NoClaims)?;
        let access = Token {
            access: Arc::new(AccessToken(tokens.access.expose().into())),
            scopes: tokens.scopes.clone(),
            life: Life {
                begin: shared.clock.now(),
                end: tokens.expires,
            },
        };
        Ok(Self {
            who: Who {
                identity: claims.identity.clone(),
                client_id: identity.client_id.clone(),
                generation: of,
                audiences: shared.covered(identity),
            },
            contents: Contents {
                generation: of,
                identity: claims.identity.clone(),
                roles: claims.roles.clone(),
                verified_until: tokens.expires,
                tokens: BTreeMap::from([(shared.home_audience().id, access)]),
            },
            token: refresh.clone(),
        })
    }
}
