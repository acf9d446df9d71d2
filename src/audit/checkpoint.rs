//! Signed heads: C2SP checkpoints in C2SP signed notes, with Ed25519.
//!
//! A checkpoint says that the log named `origin` had `size` records under `root`. Reading is
//! strict where the specification leaves room, because nobody but chaperone writes these: no
//! extension lines, one signature of ours, canonical base64. Signatures of others (witnesses) are
//! ignored, as the specification wants.

mod witness;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

pub use self::witness::{Cosigned, cosign, cosigned};
use super::tree::{Hash, Head};
use crate::note::{self, Note, NoteShape, key_id};
pub use crate::note::{VerifierKey, VerifierKeyError, WitnessKey};

/// Ed25519 in the specification's list of signature types.
const ED25519: u8 = 1;

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
    #[error("the head carries two signatures of one key")]
    Duplicate,
    /// The expected key's line does not verify.
    #[error("the signature of the head is wrong")]
    Signature,
    /// The witness' line does not verify.
    #[error("the cosignature of the head is wrong")]
    Cosignature,
}

impl From<NoteShape> for NoteError {
    fn from(shape: NoteShape) -> Self {
        match shape {
            NoteShape::Shape => Self::Shape,
            NoteShape::SignatureLine => Self::SignatureLine,
            NoteShape::Duplicate => Self::Duplicate,
        }
    }
}

/// Signs that the log `origin` has `size` records under `root`.
#[must_use]
pub fn sign(origin: &str, size: u64, root: &Hash, key: &SigningKey) -> String {
    let text = format!("{origin}\n{size}\n{}\n", STANDARD.encode(root));
    let id = key_id(origin, ED25519, key.verifying_key().as_bytes());
    let line = note::line(origin, id, &key.sign(text.as_bytes()).to_bytes());
    format!("{text}\n{line}")
}

/// Reads a signed head of the log `origin`, whose key is `key`.
///
/// # Errors
/// When the note is not exactly what [`sign`] writes, plus signatures of others.
pub fn open(note: &str, key: &VerifyingKey, origin: &str) -> Result<Checkpoint, NoteError> {
    let note = Note::parse(note)?;
    let id = key_id(origin, ED25519, key.as_bytes());
    let signature = note.by(origin, id)?.ok_or(NoteError::Unsigned)?;
    let signature = Signature::from_slice(signature).map_err(|_| NoteError::Signature)?;
    key.verify_strict(note.text.as_bytes(), &signature)
        .map_err(|_refused| NoteError::Signature)?;
    let checkpoint = parse_body(note.text)?;
    if &*checkpoint.origin != origin {
        return Err(NoteError::Origin);
    }
    Ok(checkpoint)
}

/// What a note says, whoever signed it: to be compared, not believed.
///
/// # Errors
/// When it is no checkpoint.
pub fn claimed(note: &str) -> Result<Checkpoint, NoteError> {
    parse_body(Note::parse(note)?.text)
}

/// Three lines and no more; an extension line would be signed data that nobody here wrote.
fn parse_body(text: &str) -> Result<Checkpoint, NoteError> {
    let lines: Vec<&str> = text.split('\n').take(5).collect();
    let [origin, size, root, ""] = lines[..] else {
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

#[cfg(test)]
pub(in crate::audit) mod tests;
