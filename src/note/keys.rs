//! Keys of signed notes, as people write them: `name+id+key`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;

use super::{KeyId, is_key_name, key_id};

/// Types of signatures in the specifications' lists: a log's, and those of cosignatures.
const ED25519: u8 = 1;
const COSIGNED_ED25519: u8 = 4;
const COSIGNED_ML_DSA: u8 = 6;
/// How long a public key of ML-DSA-44 is, in bytes (FIPS 204).
const ML_DSA_KEY: usize = 1312;

/// Why a text is no verifier key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifierKeyError {
    /// Not `name+id+key`.
    #[error("a verifier key has the form name+id+key")]
    Shape,
    /// The name is empty or holds spaces.
    #[error("the name in the verifier key is empty or holds spaces")]
    Name,
    /// The last part is not an Ed25519 key.
    #[error("the last part of the verifier key is not an Ed25519 key")]
    Key,
    /// The last part is no key that cosigns.
    #[error("the last part of the witness' key is not one for cosignatures (Ed25519 or ML-DSA-44)")]
    WitnessKey,
    /// The identifier belongs to another key, so one of the parts was mistyped.
    #[error("the verifier key's parts do not belong together")]
    Id,
}

/// Who a signature is expected from: a log's name and its public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: Box<str>,
    key: VerifyingKey,
}

impl VerifierKey {
    /// The key of the log named `origin`.
    ///
    /// # Errors
    /// When the name cannot stand in a signature line, or the key is one that anybody can sign for.
    pub fn new(origin: &str, key: VerifyingKey) -> Result<Self, VerifierKeyError> {
        if !is_key_name(origin) {
            return Err(VerifierKeyError::Name);
        }
        if key.is_weak() {
            return Err(VerifierKeyError::Key);
        }
        Ok(Self {
            name: origin.into(),
            key,
        })
    }

    /// Reads `name+id+key`, which `Display` writes.
    ///
    /// # Errors
    /// Names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, VerifierKeyError> {
        let (name, id, key) = split(text).ok_or(VerifierKeyError::Shape)?;
        let Some((ED25519, key)) = key else {
            return Err(VerifierKeyError::Key);
        };
        let key = <&[u8; 32]>::try_from(&*key).ok();
        let key = key.and_then(|key| VerifyingKey::from_bytes(key).ok());
        let parsed = Self::new(name, key.ok_or(VerifierKeyError::Key)?)?;
        if id != hex(parsed.id()) {
            return Err(VerifierKeyError::Id);
        }
        Ok(parsed)
    }

    /// The log's name.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.name
    }

    /// What tells its lines from others' of the same name.
    pub(crate) fn id(&self) -> KeyId {
        key_id(&self.name, ED25519, self.key.as_bytes())
    }

    /// The public key.
    #[must_use]
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }
}

/// `name+id+key`, the form that `--key` takes.
impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, &self.name, ED25519, self.key.as_bytes())
    }
}

/// Who cosigns: a name and a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessKey {
    name: Box<str>,
    public: WitnessPublic,
}

/// The public key of a witness, by its algorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WitnessPublic {
    /// RFC 8032.
    Ed25519(VerifyingKey),
    /// FIPS 204, 1312 bytes.
    MlDsa44(Box<[u8]>),
}

impl WitnessKey {
    /// Reads `name+id+key`, which `Display` writes; the key is one for cosignatures.
    ///
    /// # Errors
    /// Names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, VerifierKeyError> {
        let (name, id, key) = split(text).ok_or(VerifierKeyError::Shape)?;
        let public = match key {
            Some((COSIGNED_ED25519, key)) => WitnessPublic::ed25519(&key),
            Some((COSIGNED_ML_DSA, key)) if key.len() == ML_DSA_KEY => {
                Some(WitnessPublic::MlDsa44(key.into()))
            }
            Some(_) | None => None,
        };
        let public = public.ok_or(VerifierKeyError::WitnessKey)?;
        if !is_key_name(name) {
            return Err(VerifierKeyError::Name);
        }
        let name = name.into();
        let key = Self { name, public };
        if id != hex(key.id()) {
            return Err(VerifierKeyError::Id);
        }
        Ok(key)
    }

    /// The witness' name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its public key.
    #[must_use]
    pub fn public(&self) -> &WitnessPublic {
        &self.public
    }

    /// What tells its lines from others' of the same name.
    pub(crate) fn id(&self) -> KeyId {
        key_id(&self.name, self.public.code(), self.public.bytes())
    }
}

impl WitnessPublic {
    fn ed25519(key: &[u8]) -> Option<Self> {
        let key = VerifyingKey::from_bytes(key.try_into().ok()?).ok()?;
        (!key.is_weak()).then_some(Self::Ed25519(key))
    }

    fn code(&self) -> u8 {
        match self {
            Self::Ed25519(_) => COSIGNED_ED25519,
            Self::MlDsa44(_) => COSIGNED_ML_DSA,
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(key) => key.as_bytes(),
            Self::MlDsa44(key) => key,
        }
    }
}

/// `name+id+key`, the form that `--witness-key` takes.
impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, &self.name, self.public.code(), self.public.bytes())
    }
}

/// A key as `name+id+key`.
fn write(f: &mut fmt::Formatter<'_>, name: &str, kind: u8, key: &[u8]) -> fmt::Result {
    let id = hex(key_id(name, kind, key));
    let key = STANDARD.encode([&[kind], key].concat());
    write!(f, "{name}+{id}+{key}")
}

fn hex(id: KeyId) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

/// The name, the identifier and, where it can be read, the type and the key.
type Parts<'a> = (&'a str, &'a str, Option<(u8, Vec<u8>)>);

fn split(text: &str) -> Option<Parts<'_>> {
    let mut parts = text.splitn(3, '+');
    let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = STANDARD.decode(key).ok();
    let key = bytes.and_then(|bytes| {
        let (kind, key) = bytes.split_first()?;
        Some((*kind, key.to_vec()))
    });
    Some((name, id, key))
}
