//! Older heads in evidence: what witnesses signed, and what an auditor kept, each with the proof that the
//! evidence' own head continues it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::Connection;

use super::report::Problem;
use super::{BundleError, Older, decoded, encoded};
use crate::audit::checkpoint::{self, Cosigned, WitnessKey, cosigned};
use crate::audit::tree::proof::{Prover, extends};
use crate::audit::tree::{Frontier, Hash, Head};
use crate::audit::verify::witnesses;

/// How many older heads one file has at most.
const MOST: usize = 64;

/// The older heads that a bundle is to speak of.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// By size, with the notes that witnesses signed.
    sizes: Vec<(u64, Option<Box<str>>)>,
    /// The roots over them, as the leaves go by.
    roots: Vec<Head>,
    tree: Frontier,
}

impl Wanted {
    /// What witnesses signed of this log, and a head that somebody kept.
    pub(super) fn of(
        connection: &Connection,
        head: &Head,
        kept: Option<u64>,
    ) -> Result<Self, BundleError> {
        let mut sizes: Vec<(u64, Option<Box<str>>)> = Vec::new();
        for note in witnesses::notes(connection)? {
            if let Ok(claimed) = checkpoint::claimed(&note) {
                sizes.push((claimed.head.size, Some(note.into())));
            }
        }
        sizes.extend(kept.map(|size| (size, None)));
        sizes.retain(|(size, _)| *size <= head.size);
        sizes.truncate(MOST);
        Ok(Self {
            sizes,
            ..Self::default()
        })
    }

    /// How many records each covers.
    pub(super) fn sizes(&self) -> impl Iterator<Item = u64> {
        self.sizes.iter().map(|(size, _)| *size)
    }

    /// A leaf goes by.
    pub(super) fn push(&mut self, leaf: Hash) {
        self.note();
        self.tree.push(leaf);
    }

    fn note(&mut self) {
        let size = self.tree.size();
        if self.sizes.iter().any(|(wanted, _)| *wanted == size) {
            let root = self.tree.root();
            self.roots.push(Head { size, root });
        }
    }

    /// The heads with their proofs, once all leaves have gone by.
    pub(super) fn proven(
        mut self,
        prover: &Prover,
        head: &Head,
    ) -> Result<Vec<Older>, BundleError> {
        self.note();
        let older = self.sizes.into_iter().map(|(size, note)| {
            let root = self.roots.iter().find(|root| root.size == size);
            let root = root.ok_or(BundleError::Changed)?;
            let proof = prover.consistency(size).ok_or(BundleError::Changed)?;
            let claimed = note.as_deref().map(checkpoint::claimed).transpose();
            let claimed = claimed.map_err(|_| BundleError::Changed)?;
            let agrees = claimed.is_none_or(|claimed| claimed.head == *root);
            if !agrees || !extends(root, head, &proof) {
                return Err(BundleError::Changed);
            }
            Ok(Older {
                size,
                root: STANDARD.encode(root.root).into(),
                proof: encoded(&proof),
                checkpoint: note,
            })
        });
        older.collect()
    }
}

/// An older head that the evidence' own head continues.
pub(super) struct Proven<'a> {
    pub(super) head: Head,
    note: Option<&'a str>,
}

/// Verifies the older heads of a file.
pub(super) fn proven<'a>(
    older: &'a [Older],
    origin: &str,
    head: &Head,
) -> Result<Vec<Proven<'a>>, Problem> {
    if older.len() > MOST {
        return Err(Problem::Older);
    }
    let each = older.iter().map(|older| {
        let root = STANDARD.decode(&*older.root).ok();
        let root = root.and_then(|root| Hash::try_from(root).ok());
        let (root, proof) = (root.ok_or(Problem::Older)?, decoded(&older.proof));
        let size = older.size;
        let found = Head { size, root };
        if !extends(&found, head, &proof.ok_or(Problem::Older)?) {
            return Err(Problem::Older);
        }
        let note = older.checkpoint.as_deref();
        if let Some(note) = note {
            let claimed = checkpoint::claimed(note).map_err(Problem::Note)?;
            if *claimed.origin != *origin || claimed.head != found {
                return Err(Problem::Older);
            }
        }
        Ok(Proven { head: found, note })
    });
    each.collect()
}

/// The newest of these heads, or of the file's own, that a witness signed.
pub(super) fn newest(
    proven: &[Proven<'_>],
    own: &str,
    key: &WitnessKey,
) -> Result<Option<Cosigned>, Problem> {
    let notes = proven.iter().filter_map(|proven| proven.note);
    let mut newest: Option<Cosigned> = None;
    for note in notes.chain([own]) {
        let found = cosigned(note, key).map_err(Problem::Note)?;
        let size = |one: &Cosigned| one.checkpoint.head.size;
        if let Some(found) = found
            && newest
                .as_ref()
                .is_none_or(|newest| size(newest) < size(&found))
        {
            newest = Some(found);
        }
    }
    Ok(newest)
}
