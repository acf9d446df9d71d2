//! Signed heads: C2SP checkpoints in C2SP signed notes, with Ed25519.
//!
//! A checkpoint says that the log named `origin` had `size` records under `root`. Reading is
//! strict where the specification leaves room, because nobody but chaperone writes these: no
//! extension lines, one signature of ours, canonical base64. Signatures of others (witnesses) are
//! ignored, as the specification wants.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::tree::{Hash, Head};

/// Ed25519 in the specification's list of signature types.
const ED25519: u8 = 1;
/// Room for a checkpoint, sixteen post-quantum signatures and then some.
const NOTE_LIMIT: usize = 128 * 1024;
/// Begins a signature line.
const SIGNATURE_MARK: &str = "\u{2014} ";

/// What a log's key signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: `chaperone/audit/<log_id>`.
    pub origin: Box<str>,
    /// How many records under which root.
    pub head: Head,
}

/// Why a note is not taken for a signed head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not a text of the form of a signed note.
    #[error("the head is not a signed note")]
    Shape,
    /// The signed text is no checkpoint.
    #[error("the signed text is not a checkpoint of size and root alone")]
    Body,
    /// Another log's.
    #[error("the head belongs to another log")]
    Origin,
    /// A line that looks like a signature and is none.
    #[error("a signature line of the head is malformed")]
    SignatureLine,
    /// The expected key did not sign.
    #[error("the head is not signed by the log's key")]
    Unsigned,
    /// The expected key's line is there twice.
    #[error("the head carries two signatures of the log's key")]
    Duplicate,
    /// The expected key's line does not verify.
    #[error("the signature of the head is wrong")]
    Signature,
}

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
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(VerifierKeyError::Shape);
        };
        let bytes = STANDARD.decode(key).ok();
        let Some((&ED25519, key)) = bytes.as_deref().and_then(<[u8]>::split_first) else {
            return Err(VerifierKeyError::Key);
        };
        let key = <&[u8; 32]>::try_from(key).ok();
        let key = key.and_then(|key| VerifyingKey::from_bytes(key).ok());
        let parsed = Self::new(name, key.ok_or(VerifierKeyError::Key)?)?;
        if id != hex_id(key_id(name, &parsed.key)) {
            return Err(VerifierKeyError::Id);
        }
        Ok(parsed)
    }

    /// The log's name.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.name
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
        let id = hex_id(key_id(&self.name, &self.key));
        let mut key = vec![ED25519];
        key.extend(self.key.as_bytes());
        write!(f, "{}+{id}+{}", self.name, STANDARD.encode(key))
    }
}

/// Signs that the log `origin` has `size` records under `root`.
#[must_use]
pub fn sign(origin: &str, size: u64, root: &Hash, key: &SigningKey) -> String {
    let text = format!("{origin}\n{size}\n{}\n", STANDARD.encode(root));
    let mut signature = key_id(origin, &key.verifying_key()).to_vec();
    signature.extend(key.sign(text.as_bytes()).to_bytes());
    let signature = STANDARD.encode(signature);
    format!("{text}\n{SIGNATURE_MARK}{origin} {signature}\n")
}

/// Reads a signed head of the log `origin`, whose key is `key`.
///
/// # Errors
/// When the note is not exactly what [`sign`] writes, plus signatures of others.
pub fn open(note: &str, key: &VerifyingKey, origin: &str) -> Result<Checkpoint, NoteError> {
    let is_control = |byte: u8| byte < b' ' && byte != b'\n';
    if note.len() > NOTE_LIMIT || note.bytes().any(is_control) {
        return Err(NoteError::Shape);
    }
    let (text, signatures) = note.rsplit_once("\n\n").ok_or(NoteError::Shape)?;
    let signatures = signatures.strip_suffix('\n').ok_or(NoteError::Shape)?;
    let signed = &note[..=text.len()];
    let signature = own_signature(signatures, key, origin)?;
    key.verify_strict(signed.as_bytes(), &signature)
        .map_err(|_refused| NoteError::Signature)?;
    let checkpoint = parse_body(text)?;
    if &*checkpoint.origin != origin {
        return Err(NoteError::Origin);
    }
    Ok(checkpoint)
}

/// The one signature of the expected key; every line must be well formed, whoever it is by.
fn own_signature(lines: &str, key: &VerifyingKey, origin: &str) -> Result<Signature, NoteError> {
    let id = key_id(origin, key);
    let mut own = None;
    for line in lines.split('\n') {
        let line = line.strip_prefix(SIGNATURE_MARK);
        let (name, encoded) = line
            .and_then(|line| line.split_once(' '))
            .ok_or(NoteError::SignatureLine)?;
        let bytes = STANDARD.decode(encoded).ok();
        let (found, signature) = bytes
            .as_deref()
            .filter(|bytes| bytes.len() > 4 && is_key_name(name))
            .and_then(|bytes| bytes.split_first_chunk::<4>())
            .ok_or(NoteError::SignatureLine)?;
        if name != origin || *found != id {
            continue;
        }
        let signature = Signature::from_slice(signature).map_err(|_| NoteError::Signature)?;
        if own.replace(signature).is_some() {
            return Err(NoteError::Duplicate);
        }
    }
    own.ok_or(NoteError::Unsigned)
}

/// Three lines and no more; an extension line would be signed data that nobody here wrote.
fn parse_body(text: &str) -> Result<Checkpoint, NoteError> {
    let lines: Vec<&str> = text.split('\n').take(4).collect();
    let [origin, size, root] = lines[..] else {
        return Err(NoteError::Body);
    };
    if origin.is_empty() {
        return Err(NoteError::Body);
    }
    let size = parse_size(size).ok_or(NoteError::Body)?;
    let root = STANDARD.decode(root).ok();
    let root = root.and_then(|bytes| Hash::try_from(bytes).ok());
    let root = root.ok_or(NoteError::Body)?;
    Ok(Checkpoint {
        origin: origin.into(),
        head: Head { size, root },
    })
}

/// A number as the specification writes it: digits only, no leading zero but for nought itself.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    (digits && (text == "0" || !text.starts_with('0')))
        .then(|| text.parse().ok())
        .flatten()
}

fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

fn key_id(name: &str, key: &VerifyingKey) -> [u8; 4] {
    let digest = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', ED25519])
        .chain_update(key.as_bytes())
        .finalize();
    std::array::from_fn(|at| digest[at])
}

fn hex_id(id: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

#[cfg(test)]
mod tests;
