//! A session as this process has read it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fields::{Fields, Seal, Who};
use super::grant::{Grant, Life};
use super::keychain::KeychainError;
use super::shared::Shared;
use super::vault::{Contents, Stamp};
use crate::principal::{Identity, Principal, Roles, Scopes};

/// What this process has read last.
#[derive(Debug, Clone)]
pub(super) enum Standing {
    /// Nothing yet, or what was read is not to be trusted any more.
    Unread,
    /// There was no session when the sealed file was in this state.
    Nobody(Option<Stamp>),
    /// There is one.
    Somebody(Arc<Held>),
}

/// A session as it was read; never changed, only replaced.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) who: Who,
    pub(super) place: Place,
    pub(super) contents: Contents,
    /// The state of the sealed file that the contents are from.
    pub(super) stamp: Option<Stamp>,
    pub(super) grants: BTreeMap<Box<str>, Arc<Grant>>,
}

/// Where a session is kept.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// In the keychain, with the sealed file beside it.
    Keychain {
        /// The key of the sealed file; without one there is nothing to open.
        seal: Option<Seal>,
    },
    /// In this process alone.
    Memory {
        /// What stands in for the keychain.
        fields: Fields,
        /// Why the keychain does not serve.
        reason: Arc<KeychainError>,
    },
}

/// A person with his roles, and the scopes for each audience.
pub(super) type WhoMayWhat<'a> = (&'a Identity, &'a Roles, Vec<(&'a str, &'a Scopes)>);

impl Standing {
    /// What others act on: another person, other roles or other scopes change what is listed.
    pub(super) fn who_may_what(&self) -> Option<WhoMayWhat<'_>> {
        let Self::Somebody(held) = self else {
            return None;
        };
        let tokens = held.contents.tokens.iter();
        let scopes = tokens.map(|(id, token)| (&**id, &token.scopes)).collect();
        Some((&held.contents.identity, &held.contents.roles, scopes))
    }
}

impl Held {
    pub(super) fn new(who: Who, place: Place, contents: Contents, stamp: Option<Stamp>) -> Self {
        let grants = contents.tokens.iter().map(|(audience, token)| {
            let principal = Principal {
                identity: contents.identity.clone(),
                roles: contents.roles.clone(),
                scopes: token.scopes.clone(),
                generation: who.generation,
            };
            // A token is of use as long as it is known whose it is and what he may.
            let life = Life {
                begin: token.life.begin,
                end: token.life.end.min(contents.verified_until),
            };
            let token = Arc::clone(&token.access);
            let grant = Grant::new(Arc::new(principal), token, life);
            (audience.clone(), Arc::new(grant))
        });
        let grants = grants.collect();
        Self {
            who,
            place,
            contents,
            stamp,
            grants,
        }
    }

    /// Where its refresh token is.
    pub(super) fn fields(&self, shared: &Shared) -> Fields {
        match &self.place {
            Place::Keychain { .. } => shared.fields(),
            Place::Memory { fields, .. } => fields.clone(),
        }
    }

    pub(super) fn grant(&self, audience: &str) -> Option<&Arc<Grant>> {
        self.grants.get(audience)
    }
}
