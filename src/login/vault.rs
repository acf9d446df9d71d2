//! The access tokens of this account's processes: one file, sealed by a key from the keychain.
//!
//! Whoever refreshes a token writes it here, and the others take it from here instead of refreshing
//! too. What cannot be opened, because it is changed, old or of another session, counts as absent:
//! at worst a token is fetched again.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::fields::Seal;
use super::grant::{AccessToken, Life};
use crate::clock::Timestamp;
use crate::paths::{self, Paths};
use crate::principal::{Generation, Identity, Roles, Scopes};

/// Names the format; a program that knows another one treats the file as absent.
const MAGIC: &[u8; 8] = b"chaptok1";
/// Magic and generation: readable, and bound to the sealed part.
const HEAD: usize = MAGIC.len() + 8;
const NONCE: usize = 24;
/// More than the tokens of a thousand servers.
const SIZE_LIMIT: u64 = 16 * 1024 * 1024;

/// The sealed file.
#[derive(Debug, Clone)]
pub(super) struct Vault {
    path: PathBuf,
}

/// What every process of a session shares.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Contents {
    pub(super) generation: Generation,
    pub(super) identity: Identity,
    /// The roles of the newest verified claims.
    pub(super) roles: Roles,
    /// Until when those claims count.
    pub(super) verified_until: Timestamp,
    /// By audience.
    pub(super) tokens: BTreeMap<Box<str>, Token>,
}

/// One audience's token.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) access: Arc<AccessToken>,
    pub(super) scopes: Scopes,
    pub(super) life: Life,
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.access.expose() == other.access.expose()
            && self.scopes == other.scopes
            && self.life == other.life
    }
}

/// Tells one state of the file from the next without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    size: u64,
    inode: u64,
}

impl Contents {
    /// A session without tokens, whose claims nobody has verified yet.
    pub(super) fn empty(identity: Identity, generation: Generation) -> Self {
        Self {
            generation,
            identity,
            roles: Roles::default(),
            verified_until: Timestamp::from_millis(0),
            tokens: BTreeMap::new(),
        }
    }
}

impl Vault {
    pub(super) fn new(paths: &Paths) -> Self {
        Self {
            path: paths.data_dir.join("tokens.sealed"),
        }
    }

    /// The file's present state; `None` without one.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        let meta = fs::symlink_metadata(&self.path).ok()?;
        Some(Stamp {
            modified: meta.modified().ok(),
            size: meta.len(),
            inode: inode(&meta),
        })
    }

    /// The contents, if they are of this session.
    pub(super) fn read(&self, seal: &Seal, of: Generation) -> Option<Contents> {
        let meta = fs::symlink_metadata(&self.path).ok()?;
        if meta.len() > SIZE_LIMIT || paths::check_private(&self.path, &meta).is_err() {
            tracing::warn!("the file of sealed tokens is not this account's and is not used");
            return None;
        }
        let file = fs::read(&self.path).ok()?;
        let contents = open(&file, seal, of);
        if contents.is_none() {
            tracing::debug!("the sealed tokens are not of this session and are not used");
        }
        contents
    }

    /// Replaces the contents.
    pub(super) fn write(&self, seal: &Seal, contents: &Contents) -> io::Result<()> {
        paths::replace_private(&self.path, &sealed(contents, seal)?)
    }

    /// Removes the file.
    pub(super) fn delete(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

#[cfg(unix)]
fn inode(meta: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(meta)
}

#[cfg(not(unix))]
fn inode(_meta: &fs::Metadata) -> u64 {
    0
}

fn sealed(contents: &Contents, seal: &Seal) -> io::Result<Vec<u8>> {
    let plain = Zeroizing::new(serde_json::to_vec(&Document::from(contents))?);
    let mut file = Vec::with_capacity(HEAD + NONCE + plain.len() + 16);
    file.extend_from_slice(MAGIC);
    file.extend(contents.generation.0.to_be_bytes());
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(io::Error::other)?;
    let payload = Payload {
        msg: &plain,
        aad: &file,
    };
    let cipher = XChaCha20Poly1305::new(seal.bytes().into());
    let hidden = cipher
        .encrypt(&XNonce::from(nonce), payload)
        .map_err(io::Error::other)?;
    file.extend(nonce);
    file.extend(hidden);
    Ok(file)
}

fn open(file: &[u8], seal: &Seal, of: Generation) -> Option<Contents> {
    let (head, rest) = file.split_at_checked(HEAD)?;
    let (nonce, hidden) = rest.split_first_chunk::<NONCE>()?;
    let generation = head.strip_prefix(MAGIC)?;
    if generation != of.0.to_be_bytes() {
        return None;
    }
    let payload = Payload {
        msg: hidden,
        aad: head,
    };
    let cipher = XChaCha20Poly1305::new(seal.bytes().into());
    let plain = cipher.decrypt(&XNonce::from(*nonce), payload).ok()?;
    let plain = Zeroizing::new(plain);
    let document = serde_json::from_slice::<Document<'_>>(&plain).ok()?;
    Some(document.contents(of))
}

/// The sealed part, as JSON.
#[derive(Serialize, Deserialize)]
struct Document<'a> {
    issuer: Box<str>,
    subject: Box<str>,
    email: Option<Box<str>>,
    roles: Vec<Box<str>>,
    verified_until: i64,
    tokens: BTreeMap<Box<str>, TokenDocument<'a>>,
}

#[derive(Serialize, Deserialize)]
struct TokenDocument<'a> {
    access: Cow<'a, str>,
    scopes: Vec<Box<str>>,
    obtained: i64,
    expires: i64,
}

impl<'a> From<&'a Contents> for Document<'a> {
    fn from(contents: &'a Contents) -> Self {
        let tokens = contents.tokens.iter().map(|(audience, token)| {
            let document = TokenDocument {
                access: Cow::Borrowed(token.access.expose()),
                scopes: token.scopes.iter().map(Into::into).collect(),
                obtained: token.life.begin.millis(),
                expires: token.life.end.millis(),
            };
            (audience.clone(), document)
        });
        Self {
            issuer: contents.identity.issuer.clone(),
            subject: contents.identity.subject.clone(),
            email: contents.identity.email.clone(),
            roles: contents.roles.iter().map(Into::into).collect(),
            verified_until: contents.verified_until.millis(),
            tokens: tokens.collect(),
        }
    }
}

impl Document<'_> {
    fn contents(self, generation: Generation) -> Contents {
        let tokens = self.tokens.into_iter().map(|(audience, token)| {
            let token = Token {
                access: Arc::new(AccessToken(token.access.into())),
                scopes: token.scopes.into_iter().collect(),
                life: Life {
                    begin: Timestamp::from_millis(token.obtained),
                    end: Timestamp::from_millis(token.expires),
                },
            };
            (audience, token)
        });
        Contents {
            generation,
            identity: Identity {
                issuer: self.issuer,
                subject: self.subject,
                email: self.email,
            },
            roles: self.roles.into_iter().collect(),
            verified_until: Timestamp::from_millis(self.verified_until),
            tokens: tokens.collect(),
        }
    }
}

#[cfg(test)]
mod tests;
