//! What the session keeps in the keychain: whose it is, the refresh token, and the key of the sealed
//! file, one field each.
//!
//! Each field names the session generation that it belongs to, so that a sign-in that was cut short
//! never joins one person's name to another's token. `who` is written last and deleted first: without
//! it there is no session.

mod stored;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use self::stored::{HEAD, IN_PARTS, Place, Stored, WHOLE};
use super::keychain::{KeychainError, SECRET_LIMIT, SecretStore};
use super::provider::RefreshToken;
use crate::format;
use crate::principal::{Generation, Identity};

/// Grows when any of the fields changes its shape; `who` says it for all of them.
const VERSION: u32 = 1;
const WHO: &str = "session.who";
const REFRESH: &str = "session.refresh";
const SEAL: &str = "session.seal";
/// The two sets of places that take turns, so that parts never replace parts in use.
const SETS: [u8; 2] = *b"ab";
/// The most parts of one token; the provider module accepts none longer than that.
const PART_LIMIT: usize = 32;

/// The session's fields in a keychain, or in what stands in for one.
#[derive(Clone)]
pub(super) struct Fields(Arc<dyn SecretStore>);

/// Whose session this is, and at which provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The person.
    pub identity: Identity,
    /// The client that the refresh token was issued to.
    pub client_id: Box<str>,
    /// The session.
    pub generation: Generation,
    /// Whom the sign-in was for, where the provider was told; absent where it does not matter or is
    /// not known.
    pub audiences: Option<Covered>,
}

/// The audiences of a sign-in, each as the beginning of its digest: many fit into one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Covered(Vec<Box<str>>);

impl Covered {
    /// These audiences.
    pub(super) fn of<'a>(audiences: impl Iterator<Item = &'a str>) -> Self {
        Self(audiences.map(digest).collect())
    }

    /// Whether the sign-in was for this one.
    pub(super) fn has(&self, audience: &str) -> bool {
        self.0.contains(&digest(audience))
    }
}

fn digest(audience: &str) -> Box<str> {
    let [a, b, c, d, ..] = <[u8; 32]>::from(Sha256::digest(audience.as_bytes()));
    format!("{a:02x}{b:02x}{c:02x}{d:02x}").into()
}

/// The key of the sealed file.
#[derive(Clone)]
pub(super) struct Seal(Zeroizing<[u8; 32]>);

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fields(..)")
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(..)")
    }
}

impl Seal {
    /// A new key.
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(key.as_mut())?;
        Ok(Self(key))
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl RefreshToken {
    /// Compares in constant time.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

/// `session.who` as it is stored.
#[derive(Serialize, Deserialize)]
struct WhoDocument {
    /// Absent in the first ones.
    #[serde(default)]
    version: u32,
    issuer: Box<str>,
    client_id: Box<str>,
    subject: Box<str>,
    email: Option<Box<str>>,
    generation: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audiences: Option<Covered>,
}

impl Fields {
    pub(super) fn new(store: Arc<dyn SecretStore>) -> Self {
        Self(store)
    }

    /// Whose session it is; what cannot be read is none, but for what a newer version has written: that
    /// is somebody's session.
    pub(super) fn who(&self) -> Result<Option<Who>, KeychainError> {
        let Some(bytes) = self.0.read(WHO)? else {
            return Ok(None);
        };
        let what = "the session";
        let newer = |cause| KeychainError::Newer { what, cause };
        format::check(&bytes, VERSION).map_err(newer)?;
        let document = serde_json::from_slice::<WhoDocument>(&bytes).ok();
        Ok(document.map(|document| Who {
            identity: Identity {
                issuer: document.issuer,
                subject: document.subject,
                email: document.email,
            },
            client_id: document.client_id,
            generation: Generation(document.generation),
            audiences: document.audiences,
        }))
    }

    /// The key of the sealed file.
    pub(super) fn seal(&self) -> Result<Option<Seal>, KeychainError> {
        let Some(bytes) = self.0.read(SEAL)? else {
            return Ok(None);
        };
        let mut key = Zeroizing::new([0; 32]);
        if bytes.len() != key.len() {
            return Ok(None);
        }
        key.copy_from_slice(&bytes);
        Ok(Some(Seal(key)))
    }

    /// The refresh token of one session.
    pub(super) fn refresh_token(
        &self,
        of: Generation,
    ) -> Result<Option<RefreshToken>, KeychainError> {
        let Some(field) = self.0.read(REFRESH)? else {
            return Ok(None);
        };
        match Stored::parse(&field) {
            Some(stored) if stored.generation == of => self.token(&stored.place),
            Some(_) | None => Ok(None),
        }
    }

    /// Keeps everything of a new session, unless a newer version keeps one. Until the last write there
    /// is no session.
    pub(super) fn begin(
        &self,
        who: &Who,
        token: &RefreshToken,
        seal: &Seal,
    ) -> Result<(), KeychainError> {
        self.who()?;
        self.0.delete(WHO)?;
        self.0.write(SEAL, seal.bytes())?;
        self.replace(who.generation, token)?;
        let document = WhoDocument {
            version: VERSION,
            issuer: who.identity.issuer.clone(),
            client_id: who.client_id.clone(),
            subject: who.identity.subject.clone(),
            email: who.identity.email.clone(),
            generation: who.generation.0,
            audiences: who.audiences.clone(),
        };
        let failed = |error: serde_json::Error| KeychainError::Failed(error.into());
        let mut json = serde_json::to_vec(&document).map_err(failed)?;
        if json.len() > SECRET_LIMIT {
            let short = WhoDocument {
                audiences: None,
                ..document
            };
            json = serde_json::to_vec(&short).map_err(failed)?;
        }
        self.0.write(WHO, &json)
    }

    /// Replaces the refresh token, reads it back and compares.
    pub(super) fn rotate(&self, of: Generation, token: &RefreshToken) -> Result<(), KeychainError> {
        self.who()?;
        self.replace(of, token)
    }

    fn replace(&self, of: Generation, token: &RefreshToken) -> Result<(), KeychainError> {
        let before = self.0.read(REFRESH)?;
        let before = before.as_deref().and_then(|field| Stored::parse(field));
        let used = before.as_ref().and_then(|stored| stored.place.set());
        let field = if token.0.len() + HEAD <= SECRET_LIMIT {
            Stored::head(WHOLE, of, token.0.as_bytes())
        } else {
            let set = if used == Some(SETS[0]) {
                SETS[1]
            } else {
                SETS[0]
            };
            self.write_parts(of, set, token)?
        };
        self.0.write(REFRESH, &field)?;
        let kept = self.refresh_token(of)?;
        if !kept.is_some_and(|kept| kept.is(token)) {
            return Err(KeychainError::Forgetful);
        }
        self.delete_parts(before.as_ref())
    }

    /// Ends the session if `token` is still its refresh token; whether it was.
    pub(super) fn end_with(
        &self,
        of: Generation,
        token: &RefreshToken,
    ) -> Result<bool, KeychainError> {
        let current = self.refresh_token(of)?;
        if current.is_some_and(|current| !current.is(token)) {
            return Ok(false);
        }
        self.end_of(of)
    }

    /// Ends the session if it is still the current one; whether it was.
    pub(super) fn end_of(&self, of: Generation) -> Result<bool, KeychainError> {
        if self.who()?.is_some_and(|who| who.generation != of) {
            return Ok(false);
        }
        self.end()?;
        Ok(true)
    }

    /// Removes everything.
    pub(super) fn end(&self) -> Result<(), KeychainError> {
        self.0.delete(WHO)?;
        let field = self.0.read(REFRESH)?;
        self.0.delete(REFRESH)?;
        match field.as_deref().map(|field| Stored::parse(field)) {
            Some(Some(stored)) => self.delete_parts(Some(&stored))?,
            // Of a newer shape: whatever parts there may be.
            Some(None) => self.delete_all_parts()?,
            None => {}
        }
        self.0.delete(SEAL)
    }

    fn delete_all_parts(&self) -> Result<(), KeychainError> {
        for set in SETS {
            for index in (0..=u8::MAX).take(PART_LIMIT) {
                self.0.delete(&part_field(set, index))?;
            }
        }
        Ok(())
    }

    fn token(&self, place: &Place) -> Result<Option<RefreshToken>, KeychainError> {
        let bytes = match place {
            Place::Whole(bytes) => bytes.clone(),
            Place::Parts { digest, set, count } => {
                let mut bytes = Zeroizing::new(Vec::new());
                for index in 0..*count {
                    let Some(part) = self.0.read(&part_field(*set, index))? else {
                        return Ok(None);
                    };
                    bytes.extend_from_slice(&part);
                }
                if Sha256::digest(&*bytes)[..] != digest[..] {
                    return Ok(None);
                }
                bytes
            }
        };
        Ok(std::str::from_utf8(&bytes)
            .ok()
            .map(|text| RefreshToken(Zeroizing::new(text.to_owned()))))
    }

    fn write_parts(
        &self,
        of: Generation,
        set: u8,
        token: &RefreshToken,
    ) -> Result<Zeroizing<Vec<u8>>, KeychainError> {
        let parts = token.0.as_bytes().chunks(SECRET_LIMIT);
        let too_long = KeychainError::TooLong {
            limit: SECRET_LIMIT * PART_LIMIT,
        };
        let count = match u8::try_from(parts.len()) {
            Ok(count) if usize::from(count) <= PART_LIMIT => count,
            Ok(_) | Err(_) => return Err(too_long),
        };
        for (index, part) in (0..count).zip(parts) {
            self.0.write(&part_field(set, index), part)?;
        }
        let mut places = Sha256::digest(token.0.as_bytes()).to_vec();
        places.extend([set, count]);
        Ok(Stored::head(IN_PARTS, of, &places))
    }

    fn delete_parts(&self, stored: Option<&Stored>) -> Result<(), KeychainError> {
        if let Some(Place::Parts { set, count, .. }) = stored.map(|stored| &stored.place) {
            for index in 0..*count {
                self.0.delete(&part_field(*set, index))?;
            }
        }
        Ok(())
    }
}

fn part_field(set: u8, index: u8) -> String {
    format!("{REFRESH}.{}.{index}", char::from(set))
}

#[cfg(test)]
mod tests;
