//! Cosignatures: a witness' word that it saw a head of a log at an instant, and never one that
//! contradicts it (C2SP tlog-cosignature).

use aws_lc_rs::signature::{ML_DSA_44, UnparsedPublicKey};
use ed25519_dalek::Signature;

use super::{Checkpoint, NoteError, parse_body};
use crate::clock::Timestamp;
use crate::note::{self, Note, WitnessKey, WitnessPublic};

/// A head that a witness cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// The head. That the log's own key signed it is not looked at here; the witness did.
    pub checkpoint: Checkpoint,
    /// When the witness did.
    pub time: Timestamp,
}

/// Reads a head that this witness cosigned; nothing, if it did not.
///
/// # Errors
/// When the note is malformed, or a line that says to be the witness' is not.
pub fn cosigned(text: &str, key: &WitnessKey) -> Result<Option<Cosigned>, NoteError> {
    let note = Note::parse(text)?;
    let Some(line) = note.by(key.name(), key.id())? else {
        return Ok(None);
    };
    let (seconds, signature) = line.split_first_chunk().ok_or(NoteError::Cosignature)?;
    let seconds = u64::from_be_bytes(*seconds);
    let time = i64::try_from(seconds).ok().filter(|time| *time > 0);
    let time = time.and_then(|time| time.checked_mul(1000));
    let time = Timestamp::from_millis(time.ok_or(NoteError::Cosignature)?);
    let checkpoint = parse_body(note.text)?;
    let verified = match key.public() {
        WitnessPublic::Ed25519(public) => {
            let message = format!("cosignature/v1\ntime {seconds}\n{}", note.text);
            let signature = Signature::from_slice(signature).ok();
            signature.is_some_and(|it| public.verify_strict(message.as_bytes(), &it).is_ok())
        }
        WitnessPublic::MlDsa44(public) => {
            let message = subtree_message(key.name(), seconds, &checkpoint);
            let public = UnparsedPublicKey::new(&ML_DSA_44, public);
            message.is_some_and(|message| public.verify(&message, signature).is_ok())
        }
    };
    if !verified {
        return Err(NoteError::Cosignature);
    }
    Ok(Some(Cosigned { checkpoint, time }))
}

/// What ML-DSA-44 signs: `cosigned_message` of the specification, over the whole tree.
fn subtree_message(name: &str, seconds: u64, of: &Checkpoint) -> Option<Vec<u8>> {
    let mut message = b"subtree/v1\n\0".to_vec();
    message.push(u8::try_from(name.len()).ok()?);
    message.extend(name.as_bytes());
    message.extend(seconds.to_be_bytes());
    message.push(u8::try_from(of.origin.len()).ok()?);
    message.extend(of.origin.as_bytes());
    message.extend(0_u64.to_be_bytes());
    message.extend(of.head.size.to_be_bytes());
    message.extend(of.head.root);
    Some(message)
}

/// The head of a note with the signature of this witness alone, which stands among `lines`; nothing, if
/// it does not.
///
/// # Errors
/// When a line is no signature, or the witness' is not good for this note.
pub fn cosign(text: &str, lines: &str, key: &WitnessKey) -> Result<Option<String>, NoteError> {
    let all = format!("{text}{lines}");
    if cosigned(&all, key)?.is_none() {
        return Ok(None);
    }
    let note = Note::parse(&all)?;
    let signature = note.by(key.name(), key.id())?.unwrap_or_default();
    let line = note::line(key.name(), key.id(), signature);
    Ok(Some(format!("{}\n{line}", note.text)))
}
