//! What this process knows of the session, and where it comes from.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OnceCell, watch};

use super::fields::{Covered, Fields, Seal, Who};
use super::flow::Opening;
use super::grant::Grant;
pub(super) use super::held::{Held, Place, Standing};
use super::keychain::{KeychainError, SecretStore};
use super::link::LinkFile;
use super::provider::{self, ClientError, Provider, RefreshToken};
use super::refresh::Flights;
use super::sign_in::SigningIn;
use super::snapshot::{Snapshot, SnapshotFile};
use super::vault::{Contents, Vault};
use super::{Audience, detached::Launcher};
use crate::clock::{Clock, Timestamp};
use crate::config::{AudienceBy, IdentityConfig, NetworkConfig};
use crate::lock::FileLock;
use crate::paths::Paths;
use crate::principal::{Generation, Roles, Scopes};
use crate::stop::Tasks;

/// Everything that the clones of a session share.
pub(super) struct Shared {
    pub(super) identity: Option<IdentityConfig>,
    pub(super) audiences: Vec<Audience>,
    pub(super) paths: Paths,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) tasks: Tasks,
    pub(super) keychain: Arc<dyn SecretStore>,
    pub(super) vault: Vault,
    pub(super) snapshot_file: SnapshotFile,
    pub(super) link_file: LinkFile,
    /// How the sign-in's own process is started; `None` means this program.
    pub(super) launcher: Option<Launcher>,
    /// What a sign-in that this process runs for a host does with its link.
    pub(super) opening: Opening,
    /// Refreshes of this process, one at a time: there is one refresh token.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
    pub(super) flights: Mutex<Flights>,
    pub(super) signing_in: Mutex<SigningIn>,
    /// A rotated refresh token that the keychain did not take.
    unsaved: Mutex<Option<Unsaved>>,
    network: NetworkConfig,
    provider: OnceCell<Provider>,
    standing: watch::Sender<Standing>,
    changes: watch::Sender<u64>,
}

/// Where the session is kept, for people to read.
#[derive(Debug, Clone)]
pub enum Keeping {
    /// In the keychain, for every process of the account.
    Keychain,
    /// In the keychain, except for the newest refresh token, which it did not take.
    Unsaved(Arc<KeychainError>),
    /// In this process alone, until it ends.
    Memory(Arc<KeychainError>),
}

/// A signed-in person, for people to read.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Who, where and in which session.
    pub who: Who,
    /// The roles of the newest verified token; empty when there is none yet.
    pub roles: Roles,
    /// Until when the roles count without a refresh.
    pub verified_until: Timestamp,
    /// Scopes and expiry of the tokens that there are, by audience id.
    pub tokens: BTreeMap<Box<str>, (Scopes, Timestamp)>,
}

/// A refresh token that could not be kept.
#[derive(Debug, Clone)]
pub(super) struct Unsaved {
    pub(super) generation: Generation,
    /// What the keychain still holds, and the provider does not accept any more.
    pub(super) spent: RefreshToken,
    pub(super) token: RefreshToken,
    pub(super) reason: Arc<KeychainError>,
}

impl Shared {
    pub(super) fn new(
        identity: Option<IdentityConfig>,
        network: &NetworkConfig,
        audiences: Vec<Audience>,
        paths: &Paths,
        clock: Arc<dyn Clock>,
        tasks: &Tasks,
        keychain: Arc<dyn SecretStore>,
    ) -> Self {
        Self {
            identity,
            audiences: merged(audiences),
            paths: paths.clone(),
            clock,
            tasks: tasks.clone(),
            keychain,
            vault: Vault::new(paths),
            snapshot_file: SnapshotFile::new(paths),
            link_file: LinkFile::new(paths),
            launcher: None,
            opening: Opening::Browser,
            turn: Arc::default(),
            flights: Mutex::default(),
            signing_in: Mutex::default(),
            unsaved: Mutex::default(),
            network: network.clone(),
            provider: OnceCell::new(),
            standing: watch::Sender::new(Standing::Unread),
            changes: watch::Sender::new(0),
        }
    }

    /// The provider, with a client that is made on first use: it reads certificates.
    pub(super) async fn provider(
        &self,
        identity: &IdentityConfig,
    ) -> Result<&Provider, ClientError> {
        let make = async || {
            let network = self.network.clone();
            let client = self
                .tasks
                .blocking(move || provider::client(&network))
                .await?;
            let mut identity = identity.clone();
            if self.audiences.is_empty() {
                // Without a server to name, the provider's usual token tells who it is.
                identity.audience_by = AudienceBy::None;
            }
            Ok(Provider::new(identity, client, Arc::clone(&self.clock)))
        };
        self.provider.get_or_try_init(make).await
    }

    /// Whom a sign-in now would be for, where the provider is told by `resource`: it gives no token
    /// for any other, and may end the session of whoever asks (RFC 8707, section 2.2).
    pub(super) fn covered(&self, identity: &IdentityConfig) -> Option<Covered> {
        let told = identity.audience_by == AudienceBy::Resource && !self.audiences.is_empty();
        let all = self.audiences.iter().map(|audience| &*audience.id);
        told.then(|| Covered::of(all))
    }

    /// The audience as it is configured; servers with the same one share its scopes.
    pub(super) fn audience(&self, asked: &Audience) -> Audience {
        let known = self.audiences.iter().find(|known| known.id == asked.id);
        known.unwrap_or(asked).clone()
    }

    /// The audience that the sign-in's own token is for.
    pub(super) fn home_audience(&self) -> Audience {
        self.audiences.first().cloned().unwrap_or_else(|| Audience {
            id: "".into(),
            scopes: Vec::new(),
        })
    }

    pub(super) fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    pub(super) fn held_grant(&self, audience: &str) -> Option<Arc<Grant>> {
        match &*self.standing.borrow() {
            Standing::Somebody(held) => held.grants.get(audience).map(Arc::clone),
            Standing::Unread | Standing::Nobody(_) => None,
        }
    }

    /// Shows what was read to everybody in this process.
    pub(super) fn publish(&self, standing: Standing) {
        let after = standing.clone();
        let before = self.standing.send_replace(standing);
        if before.who_may_what() != after.who_may_what() {
            self.changes
                .send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    /// Forgets what was read, and every failure that was remembered.
    pub(super) fn mistrust(&self) {
        self.standing.send_replace(Standing::Unread);
        locked(&self.flights).forget_failures();
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn keeping(&self) -> Option<Keeping> {
        let Standing::Somebody(held) = self.standing() else {
            return None;
        };
        Some(match &held.place {
            Place::Memory { reason, .. } => Keeping::Memory(Arc::clone(reason)),
            Place::Keychain { .. } => match self.unsaved(held.who.generation) {
                Some(unsaved) => Keeping::Unsaved(unsaved.reason),
                None => Keeping::Keychain,
            },
        })
    }

    pub(super) fn signed_in(&self) -> Option<SignedIn> {
        let Standing::Somebody(held) = self.standing() else {
            return None;
        };
        let tokens = held.contents.tokens.iter();
        Some(SignedIn {
            who: Who {
                identity: held.contents.identity.clone(),
                ..held.who.clone()
            },
            roles: held.contents.roles.clone(),
            verified_until: held.contents.verified_until,
            tokens: tokens
                .map(|(id, token)| (id.clone(), (token.scopes.clone(), token.life.end)))
                .collect(),
        })
    }

    /// What lists may be made from. The file counts, not what this process remembers: a logout in
    /// another process removes it.
    pub(super) fn snapshot(&self) -> Option<Snapshot> {
        let now = self.clock.now();
        match &*self.standing.borrow() {
            Standing::Somebody(held) if matches!(held.place, Place::Memory { .. }) => {
                return Some(Snapshot::of(&held.contents, now));
            }
            Standing::Somebody(_) | Standing::Nobody(_) | Standing::Unread => {}
        }
        self.snapshot_file.read(self.identity.as_ref()?, now)
    }

    pub(super) fn unsaved(&self, of: Generation) -> Option<Unsaved> {
        let unsaved = locked(&self.unsaved);
        unsaved.clone().filter(|unsaved| unsaved.generation == of)
    }

    pub(super) fn remember_unsaved(&self, unsaved: Option<Unsaved>) {
        *locked(&self.unsaved) = unsaved;
    }

    pub(super) fn fields(&self) -> Fields {
        Fields::new(Arc::clone(&self.keychain))
    }

    /// Reads the session from keychain and file. Blocks.
    pub(super) fn read(&self) -> Result<Standing, KeychainError> {
        let stamp = self.vault.stamp();
        let who = match self.fields().who() {
            // What cannot be kept anywhere was not kept.
            Err(KeychainError::Absent(_)) => None,
            other => other?,
        };
        let Some(who) = who.filter(|who| self.is_ours(who)) else {
            return Ok(Standing::Nobody(stamp));
        };
        let seal = self.fields().seal()?;
        let contents = self.unsealed(&who, seal.as_ref());
        let place = Place::Keychain { seal };
        let held = Held::new(who, place, contents, stamp);
        self.mend_snapshot(&held);
        Ok(Standing::Somebody(Arc::new(held)))
    }

    /// Writes the snapshot where it was lost, or is of another version, although the session is
    /// verified: else nothing would be listed until a token is refreshed. Whoever holds the lock
    /// refreshes or signs out, and sees to the snapshot himself.
    fn mend_snapshot(&self, held: &Held) {
        let (now, contents) = (self.clock.now(), &held.contents);
        let kept = self.identity.as_ref();
        let kept = kept.and_then(|identity| self.snapshot_file.read(identity, now));
        if contents.verified_until <= now || kept.is_some() {
            return;
        }
        let Ok(Some(_lock)) = FileLock::try_take(&self.paths.lock("refresh")) else {
            return;
        };
        if self.vault.stamp() == held.stamp {
            let snapshot = Snapshot::of(contents, now);
            let written = self.snapshot_file.write(&snapshot, &held.who.client_id);
            if let Err(error) = written {
                tracing::warn!(%error, "the snapshot of the session cannot be written");
            }
        }
    }

    /// Looks whether the sealed file has changed, and reads it again if so. Without a change this
    /// costs one question to the file system. Blocks.
    pub(super) fn read_again(&self, standing: &Standing) -> Result<Standing, KeychainError> {
        let stamp = self.vault.stamp();
        match standing {
            Standing::Nobody(seen) if *seen == stamp => Ok(standing.clone()),
            Standing::Somebody(held) => match &held.place {
                Place::Memory { .. } => Ok(standing.clone()),
                Place::Keychain { .. } if held.stamp == stamp => Ok(standing.clone()),
                Place::Keychain { seal: Some(seal) } => {
                    // Contents of another session do not open: then the keychain is asked.
                    match self.vault.read(seal, held.who.generation) {
                        Some(contents) => Ok(Standing::Somebody(Arc::new(Held::new(
                            held.who.clone(),
                            held.place.clone(),
                            contents,
                            stamp,
                        )))),
                        None => self.read(),
                    }
                }
                Place::Keychain { seal: None } => self.read(),
            },
            Standing::Nobody(_) | Standing::Unread => self.read(),
        }
    }

    /// Writes what the processes share, and returns it as read. Blocks. What cannot be written is
    /// told once; this process goes on with it, others fetch their own.
    pub(super) fn share(&self, held: &Held, contents: Contents) -> Arc<Held> {
        let mut stamp = None;
        if let Place::Keychain { seal: Some(seal) } = &held.place {
            let written = self.vault.write(seal, &contents);
            let snapshot = Snapshot::of(&contents, self.clock.now());
            let written = written.and_then(|()| {
                let client_id = &held.who.client_id;
                self.snapshot_file.write(&snapshot, client_id)
            });
            if let Err(error) = written {
                tracing::warn!(%error, "other processes cannot be told of the new token");
            }
            stamp = self.vault.stamp();
        }
        Arc::new(Held::new(
            held.who.clone(),
            held.place.clone(),
            contents,
            stamp,
        ))
    }

    /// Removes what the processes share. Blocks.
    pub(super) fn unshare(&self) -> std::io::Result<()> {
        self.snapshot_file.delete().and(self.vault.delete())
    }

    /// A session of another provider or client is left alone and not used.
    fn is_ours(&self, who: &Who) -> bool {
        self.identity.as_ref().is_some_and(|identity| {
            who.identity.issuer == identity.issuer && who.client_id == identity.client_id
        })
    }

    fn unsealed(&self, who: &Who, seal: Option<&Seal>) -> Contents {
        let contents = seal.and_then(|seal| self.vault.read(seal, who.generation));
        contents.unwrap_or_else(|| Contents::empty(who.identity.clone(), who.generation))
    }
}

/// A panic leaves no half-made change behind these locks, so a poisoned one is as good as any.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One audience for each id, with the scopes of all.
fn merged(audiences: Vec<Audience>) -> Vec<Audience> {
    let mut places = HashMap::new();
    let mut merged: Vec<Audience> = Vec::new();
    for audience in audiences {
        let place = *places.entry(audience.id.clone()).or_insert(merged.len());
        match merged.get_mut(place) {
            None => merged.push(audience),
            Some(known) => {
                for scope in audience.scopes {
                    if !known.scopes.contains(&scope) {
                        known.scopes.push(scope);
                    }
                }
            }
        }
    }
    merged
}
