//! Changing the log's key: a statement that both keys sign, and which key is in force where.
//!
//! The statement is a C2SP signed note of five lines: the log's origin, `key rotation`, the number of the
//! record that carries it, the old key and the new one. Its second line is no number, so nobody can take
//! it for a checkpoint. A head over more records than that number is signed by the new key.

use ed25519_dalek::{Signature, Signer as _, SigningKey};

use super::checkpoint::{self, Checkpoint, NoteError, VerifierKey};
use crate::note::{self, Note};

/// The second line of a statement.
const TITLE: &str = "key rotation";

/// A change of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rotation {
    /// The record that carries it.
    seq: u64,
    old: VerifierKey,
    new: VerifierKey,
}

/// Why changes of the key prove nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RotationError {
    /// A statement is not one, or not signed by both of its keys.
    #[error("a change of the log's key is not signed by both keys")]
    Statement,
    /// They do not follow each other.
    #[error("the changes of the log's key do not follow each other")]
    Order,
    /// The key that is trusted is none of theirs.
    #[error("the key is not one of this log's")]
    Stranger,
}

/// States that the key of the log `origin` changes with the record `seq`. `None`, if a key cannot be
/// named.
#[must_use]
pub fn state(origin: &str, seq: u64, old: &SigningKey, new: &SigningKey) -> Option<String> {
    let name = |key: &SigningKey| VerifierKey::new(origin, key.verifying_key()).ok();
    let (old_name, new_name) = (name(old)?, name(new)?);
    let text = format!("{origin}\n{TITLE}\n{seq}\n{old_name}\n{new_name}\n");
    let line = |key: &SigningKey, name: &VerifierKey| {
        note::line(origin, name.id(), &key.sign(text.as_bytes()).to_bytes())
    };
    let lines = line(old, &old_name) + &line(new, &new_name);
    Some(format!("{text}\n{lines}"))
}

impl Rotation {
    /// Reads a statement about the log `origin`.
    fn open(statement: &str, origin: &str) -> Option<Self> {
        let note = Note::parse(statement).ok()?;
        let lines: Vec<&str> = note.text.split('\n').take(7).collect();
        let [named, TITLE, seq, old, new, ""] = lines[..] else {
            return None;
        };
        let rotation = Self {
            seq: checkpoint::parse_size(seq)?,
            old: VerifierKey::parse(old).ok()?,
            new: VerifierKey::parse(new).ok()?,
        };
        let keys = [&rotation.old, &rotation.new];
        let is_signed = |key: &&VerifierKey| {
            let line = note.by(origin, key.id()).ok().flatten();
            let signature = line.and_then(|line| Signature::from_slice(line).ok());
            let text = note.text.as_bytes();
            key.origin() == origin
                && signature.is_some_and(|it| key.key().verify_strict(text, &it).is_ok())
        };
        (named == origin && keys.iter().all(is_signed)).then_some(rotation)
    }
}

/// The keys of a log, each from a number of records on.
#[derive(Debug, Clone)]
pub struct Signers {
    first: VerifierKey,
    rotations: Vec<Rotation>,
}

impl Signers {
    /// The keys that are connected with a trusted one by statements, in their order.
    ///
    /// # Errors
    /// When a statement is not good, or they do not lead to the trusted key.
    pub fn of<'a>(
        trusted: &VerifierKey,
        statements: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, RotationError> {
        let origin = trusted.origin();
        let rotations = statements.into_iter().map(|statement| {
            let rotation = Rotation::open(statement, origin);
            rotation.ok_or(RotationError::Statement)
        });
        let rotations: Vec<Rotation> = rotations.collect::<Result<_, _>>()?;
        let follows = |two: &[Rotation]| match two {
            [one, next] => one.new == next.old && one.seq < next.seq,
            _ => true,
        };
        if !rotations.windows(2).all(follows) {
            return Err(RotationError::Order);
        }
        let first = rotations.first().map(|rotation| rotation.old.clone());
        let signers = Self {
            first: first.unwrap_or_else(|| trusted.clone()),
            rotations,
        };
        if signers.keys().any(|key| key == trusted) {
            Ok(signers)
        } else {
            Err(RotationError::Stranger)
        }
    }

    fn keys(&self) -> impl Iterator<Item = &VerifierKey> {
        let later = self.rotations.iter().map(|rotation| &rotation.new);
        [&self.first].into_iter().chain(later)
    }

    /// How often the key changed.
    #[must_use]
    pub fn changes(&self) -> usize {
        self.rotations.len()
    }

    /// Reads a signed head, by the key that is in force for one of its size.
    ///
    /// # Errors
    /// When it is not one.
    pub fn open(&self, note: &str) -> Result<Checkpoint, NoteError> {
        // Without a size there is no key to choose; then the first says what is wrong.
        let size = checkpoint::claimed(note).map_or(0, |claimed| claimed.head.size);
        let before = |rotation: &&Rotation| rotation.seq < size;
        let last = self.rotations.iter().rev().find(before);
        let key = last.map_or(&self.first, |rotation| &rotation.new);
        checkpoint::open(note, key.key(), key.origin())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Hash;
    use super::*;

    const ORIGIN: &str = "chaperone/audit/x";
    const ROOT: Hash = [7; 32];

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn pin(seed: u8) -> VerifierKey {
        VerifierKey::new(ORIGIN, key(seed).verifying_key()).unwrap()
    }

    fn stated(seq: u64, old: u8, new: u8) -> String {
        state(ORIGIN, seq, &key(old), &key(new)).unwrap()
    }

    fn signers(trusted: u8, statements: &[String]) -> Result<Signers, RotationError> {
        Signers::of(&pin(trusted), statements.iter().map(|text| &**text))
    }

    #[test]
    fn each_head_is_signed_by_the_key_of_its_time() {
        let statements = [stated(10, 1, 2), stated(20, 2, 3)];
        for trusted in [1, 2, 3] {
            let signers = signers(trusted, &statements).unwrap();
            assert_eq!(signers.changes(), 2);
            for (size, signer) in [(1, 1), (10, 1), (11, 2), (20, 2), (21, 3), (99, 3)] {
                for other in [1, 2, 3] {
                    let note = checkpoint::sign(ORIGIN, size, &ROOT, &key(other));
                    assert_eq!(
                        signers.open(&note).is_ok(),
                        other == signer,
                        "{size} {other}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_key_that_is_not_led_to_is_a_stranger() {
        assert_eq!(
            signers(4, &[stated(10, 1, 2)]).unwrap_err(),
            RotationError::Stranger
        );
        assert!(signers(4, &[]).is_ok());
    }

    #[test]
    fn changes_that_do_not_follow_each_other_prove_nothing() {
        for statements in [
            [stated(10, 1, 2), stated(20, 3, 4)],
            [stated(10, 1, 2), stated(10, 2, 3)],
            [stated(20, 1, 2), stated(10, 2, 3)],
            [stated(20, 2, 3), stated(10, 1, 2)],
        ] {
            assert_eq!(signers(2, &statements).map(drop), Err(RotationError::Order));
        }
    }

    #[test]
    fn every_changed_bit_of_a_statement_is_noticed() {
        let statement = stated(10, 1, 2);
        for bit in 0..statement.len() * 8 {
            let mut bytes = statement.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(changed) = String::from_utf8(bytes) {
                assert!(signers(1, &[changed]).is_err(), "bit {bit}");
            }
        }
    }

    #[test]
    fn one_signature_is_not_enough() {
        let both = stated(10, 1, 2);
        let lines: Vec<&str> = both.lines().collect();
        let [text @ .., old, new] = &lines[..] else {
            unreachable!("a statement has more lines");
        };
        let text = text.join("\n");
        for line in [old, new] {
            let statement = format!("{text}\n{line}\n");
            assert_eq!(
                signers(1, &[statement]).map(drop),
                Err(RotationError::Statement)
            );
        }
        assert!(checkpoint::open(&both, &key(1).verifying_key(), ORIGIN).is_err());
    }
}
