//! C2SP signed notes: a text with signature lines under it, and the keys that they are by.

mod keys;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

pub use self::keys::{VerifierKey, VerifierKeyError, WitnessKey, WitnessPublic};

/// Room for a checkpoint, sixteen post-quantum signatures and then some.
const NOTE_LIMIT: usize = 128 * 1024;
/// Begins a signature line.
pub(crate) const SIGNATURE_MARK: &str = "\u{2014} ";

/// What tells keys of one name apart.
pub(crate) type KeyId = [u8; 4];

/// Why a text is no signed note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoteShape {
    /// It has not the form of one.
    Shape,
    /// A line that looks like a signature and is none.
    SignatureLine,
    /// Two signatures are of one key.
    Duplicate,
}

/// A note whose every line is well formed; nothing of it is verified.
pub(crate) struct Note<'a> {
    /// What is signed, with its last newline.
    pub(crate) text: &'a str,
    signatures: Vec<Line<'a>>,
}

/// A signature line.
struct Line<'a> {
    name: &'a str,
    id: KeyId,
    signature: Vec<u8>,
}

impl<'a> Note<'a> {
    /// Takes a note apart.
    pub(crate) fn parse(note: &'a str) -> Result<Self, NoteShape> {
        let is_control = |byte: u8| byte < b' ' && byte != b'\n';
        if note.len() > NOTE_LIMIT || note.bytes().any(is_control) {
            return Err(NoteShape::Shape);
        }
        let (text, _) = note.rsplit_once("\n\n").ok_or(NoteShape::Shape)?;
        let (text, lines) = note.split_at(text.len() + 1);
        let signatures = signatures(&lines[1..])?;
        Ok(Self { text, signatures })
    }

    /// The one signature of a key.
    pub(crate) fn by(&self, name: &str, id: KeyId) -> Result<Option<&[u8]>, NoteShape> {
        let lines = self.signatures.iter();
        let mut own = lines.filter(|line| line.name == name && line.id == id);
        let found = own.next();
        if own.next().is_some() {
            return Err(NoteShape::Duplicate);
        }
        Ok(found.map(|line| &*line.signature))
    }
}

/// Reads signature lines, each with its newline.
fn signatures(lines: &str) -> Result<Vec<Line<'_>>, NoteShape> {
    let lines = lines.strip_suffix('\n').ok_or(NoteShape::Shape)?;
    let lines = lines.split('\n').map(|line| {
        let (name, encoded) = line.strip_prefix(SIGNATURE_MARK)?.split_once(' ')?;
        let bytes = STANDARD.decode(encoded).ok()?;
        let (id, signature) = bytes.split_first_chunk::<4>()?;
        let is_one = !signature.is_empty() && is_key_name(name);
        is_one.then(|| Line {
            name,
            id: *id,
            signature: signature.to_vec(),
        })
    });
    let lines: Option<Vec<Line<'_>>> = lines.collect();
    lines.ok_or(NoteShape::SignatureLine)
}

/// The line of a signature, with its newline.
pub(crate) fn line(name: &str, id: KeyId, signature: &[u8]) -> String {
    let signature = STANDARD.encode([&id, signature].concat());
    format!("{SIGNATURE_MARK}{name} {signature}\n")
}

/// Whether a name can stand in a signature line.
pub(crate) fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

/// The identifier of a key of the given type.
pub(crate) fn key_id(name: &str, kind: u8, key: &[u8]) -> KeyId {
    let digest = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', kind])
        .chain_update(key)
        .finalize();
    std::array::from_fn(|at| digest[at])
}
