//! What a verifier knows of a log from elsewhere: its key, and a head that was kept.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::KeySource;
use crate::audit::checkpoint::{self, NoteError, VerifierKey};
use crate::audit::tree::{Hash, Head};

/// A key, and who vouches for it.
#[derive(Debug, Clone)]
pub struct PinnedKey {
    /// The log's name and key.
    pub key: VerifierKey,
    /// Who says so.
    pub source: KeySource,
}

/// A head that was kept: the signed note, or size and root alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinnedHead {
    /// The whole note.
    Note(Box<str>),
    /// What it says.
    Head(Head),
}

/// The text is neither a signed head nor `size:root`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a head is a signed note or size:root, the root in base64 or hexadecimal digits")]
pub struct PinnedHeadError;

impl PinnedHead {
    /// Reads what `--head` takes: a note's text, or `size:root`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, PinnedHeadError> {
        if text.contains('\n') {
            return Ok(Self::Note(text.into()));
        }
        let (size, root) = text.split_once(':').ok_or(PinnedHeadError)?;
        let size = checkpoint::parse_size(size).ok_or(PinnedHeadError)?;
        let root = parse_root(root).ok_or(PinnedHeadError)?;
        Ok(Self::Head(Head { size, root }))
    }

    /// How many records it covers, as it says itself.
    ///
    /// # Errors
    /// When the note is no checkpoint.
    pub fn size(&self) -> Result<u64, NoteError> {
        match self {
            Self::Note(note) => Ok(checkpoint::claimed(note)?.head.size),
            Self::Head(head) => Ok(head.size),
        }
    }
}

fn parse_root(text: &str) -> Option<Hash> {
    if text.len() != 64 {
        return STANDARD.decode(text).ok()?.try_into().ok();
    }
    let mut root = [0; 32];
    for (byte, digits) in root.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digit = |at: usize| char::from(digits[at]).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(root)
}
