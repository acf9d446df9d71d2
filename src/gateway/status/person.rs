//! The person, as reports say who it is.

use serde::Serialize;

use crate::clock::Timestamp;
use crate::login::{Keeping, SignedIn};
use crate::principal::Scopes;
use crate::wording::chain;

/// Who is signed in.
#[derive(Debug, Serialize)]
pub struct Person {
    /// The e-mail address, else the subject.
    pub user: Box<str>,
    /// The `sub` claim.
    pub subject: Box<str>,
    /// The provider.
    pub issuer: Box<str>,
    /// The roles that were verified last.
    pub roles: Vec<Box<str>>,
    /// Until when they count without asking the provider again.
    pub verified_until: Timestamp,
    /// The tokens that are held, by audience.
    pub tokens: Vec<TokenReport>,
    /// `keychain`, `unsaved` or `memory`.
    pub kept_in: &'static str,
    /// What is wrong with the keychain, and what to do.
    pub keychain_problem: Option<Box<str>>,
}

/// An access token, without the token.
#[derive(Debug, Serialize)]
pub struct TokenReport {
    /// Whom it is for.
    pub audience: Box<str>,
    /// What it allows.
    pub scopes: Vec<Box<str>>,
    /// When it ends.
    pub expires: Timestamp,
}

impl Person {
    pub(super) fn of(signed_in: SignedIn, keeping: Option<Keeping>) -> Self {
        let SignedIn {
            who,
            roles,
            verified_until,
            tokens,
        } = signed_in;
        let (kept_in, trouble) = match keeping {
            Some(Keeping::Memory(reason)) => ("memory", Some(reason)),
            Some(Keeping::Unsaved(reason)) => ("unsaved", Some(reason)),
            Some(Keeping::Keychain) | None => ("keychain", None),
        };
        let token = |(audience, (scopes, expires)): (_, (Scopes, _))| TokenReport {
            audience,
            scopes: scopes.iter().map(Into::into).collect(),
            expires,
        };
        Self {
            user: who.identity.display().into(),
            subject: who.identity.subject.clone(),
            issuer: who.identity.issuer.clone(),
            roles: roles.iter().map(Into::into).collect(),
            verified_until,
            tokens: tokens.into_iter().map(token).collect(),
            kept_in,
            keychain_problem: trouble
                .map(|reason| format!("{}. {}", chain(reason.as_ref()), reason.next_step()).into()),
        }
    }
}
