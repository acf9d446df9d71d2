//! Takes records out of a log, with what proves them.
//!
//! The log is read in one transaction: once to choose, once along the leaves, which make the proofs
//! and the root, and then each chosen record. The root has to be the signed one, so nothing leaves
//! that a verifier would refuse.

use std::collections::BTreeSet;
use std::io::{self, Seek, Write};

use rusqlite::{Connection, OptionalExtension as _};

use super::archive::Archive;
use super::older::Wanted;
use super::{
    BUNDLE, CHECKPOINT, KEY, Line, MANIFEST, Manifest, Older, README, RECORDS, RECORDS_LIMIT,
    SINGLE, Single, VERSION, encoded, root_text,
};
use crate::audit::checkpoint::{self, NoteError, VerifierKey};
use crate::audit::query::{self, Filter, QueryError};
use crate::audit::reader::Reader;
use crate::audit::tree::proof::{Prover, root_of};
use crate::audit::tree::{self, Hash, Head};
use crate::audit::verify::{PinnedHead, witnesses};

/// Which records leave.
#[derive(Debug, Clone)]
pub enum Selection {
    /// Those that match, each with the other record of its call.
    Filter {
        /// What they match.
        filter: Filter,
        /// The same in words, for the manifest.
        words: Box<str>,
    },
    /// Those with these numbers, identifiers or `request_id`s.
    Ids(Vec<Box<str>>),
}

/// Why nothing leaves.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The log cannot be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Nothing is chosen.
    #[error("no record matches")]
    Empty,
    /// Nothing has this name.
    #[error("no record has the number, id or request_id {0:?}")]
    NoRecord(Box<str>),
    /// More than anybody verifies by hand.
    #[error("more than {RECORDS_LIMIT} records match; choose fewer, or hand over the log itself")]
    TooMany,
    /// There is no head that is signed by the log's key.
    #[error("the log has no good signed head; see what `audit verify` says")]
    NoHead,
    /// It will be signed in a moment.
    #[error(
        "record {seq} is newer than the signed head over {signed} records; try again in a second"
    )]
    Unsigned {
        /// The first such record.
        seq: u64,
        /// How many records are signed.
        signed: u64,
    },
    /// The leaf is there, what it is over is not.
    #[error("the content of record {seq} is no longer in the log")]
    Gone {
        /// Its number.
        seq: u64,
    },
    /// The log is not what its head says.
    #[error("the log is not what was written; see what `audit verify` says")]
    Changed,
    /// The head that was kept is none.
    #[error("the head that is to be continued cannot be read: {0}")]
    Kept(#[source] NoteError),
    /// There is no writing on.
    #[error("the bundle cannot be written")]
    Output(#[from] io::Error),
}

impl From<rusqlite::Error> for BundleError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Query(error.into())
    }
}

/// Writes a bundle; returns how many records are in it. That its head continues one that was `kept` is
/// proven too.
///
/// # Errors
/// When nothing is chosen, the log is not sound, or there is no writing.
pub fn bundle(
    reader: &Reader,
    selection: &Selection,
    kept: Option<&PinnedHead>,
    out: impl Write + Seek,
) -> Result<usize, BundleError> {
    let snapshot = reader.connection().unchecked_transaction()?;
    let chosen = selection.choose(reader)?;
    let evidence = Evidence::gather(reader, &chosen, kept)?;
    let mut archive = Archive::new(out);
    archive.file(README, include_bytes!("readme.txt"))?;
    archive.file(CHECKPOINT, evidence.note.as_bytes())?;
    archive.file(KEY, format!("{}\n", evidence.key).as_bytes())?;
    let manifest = evidence.manifest(&chosen, selection);
    let mut manifest = serde_json::to_vec_pretty(&manifest).map_err(io::Error::from)?;
    manifest.push(b'\n');
    archive.file(MANIFEST, &manifest)?;
    archive.begin(RECORDS)?;
    for seq in &chosen {
        let mut line =
            serde_json::to_vec(&evidence.line(&snapshot, *seq)?).map_err(io::Error::from)?;
        line.push(b'\n');
        archive.write_all(&line)?;
    }
    archive.finish()?;
    Ok(chosen.len())
}

/// Writes the records of that name, each with its proof and on a line of its own.
///
/// # Errors
/// As for [`bundle`].
pub fn singles(reader: &Reader, which: &str, out: &mut dyn Write) -> Result<(), BundleError> {
    let snapshot = reader.connection().unchecked_transaction()?;
    let chosen = Selection::Ids(vec![which.into()]).choose(reader)?;
    let evidence = Evidence::gather(reader, &chosen, None)?;
    for seq in &chosen {
        let Line { seq, proof, record } = evidence.line(&snapshot, *seq)?;
        let single = Single {
            format: SINGLE.into(),
            version: VERSION,
            checkpoint: evidence.note.clone(),
            key: evidence.key.to_string().into(),
            older: evidence.older.clone(),
            rotations: evidence.rotations.clone(),
            seq,
            proof,
            record,
        };
        serde_json::to_writer(&mut *out, &single).map_err(io::Error::from)?;
        writeln!(out)?;
    }
    Ok(())
}

/// Proves these records, and returns how many the signed head covers.
///
/// # Errors
/// As for [`bundle`].
pub fn proven(reader: &Reader, records: impl Iterator<Item = u64>) -> Result<u64, BundleError> {
    let snapshot = reader.connection().unchecked_transaction()?;
    let chosen = records.collect();
    let evidence = Evidence::gather(reader, &chosen, None)?;
    for seq in chosen {
        evidence.line(&snapshot, seq)?;
    }
    Ok(evidence.head.size)
}

impl Selection {
    fn choose(&self, reader: &Reader) -> Result<BTreeSet<u64>, BundleError> {
        let mut chosen = BTreeSet::new();
        match self {
            Self::Ids(ids) => {
                for id in ids {
                    let found = query::find(reader, id)?;
                    if found.is_empty() {
                        return Err(match query::pruned(reader, id)? {
                            Some(seq) => BundleError::Gone { seq },
                            None => BundleError::NoRecord(id.clone()),
                        });
                    }
                    chosen.extend(found.iter().map(|entry| entry.seq));
                }
            }
            Self::Filter { filter, .. } => matching(reader.connection(), filter, &mut chosen)?,
        }
        match chosen.len() {
            0 => Err(BundleError::Empty),
            1..=RECORDS_LIMIT => Ok(chosen),
            _ => Err(BundleError::TooMany),
        }
    }

    fn words(&self) -> Box<str> {
        match self {
            Self::Filter { words, .. } => words.clone(),
            Self::Ids(ids) => {
                let ids: Vec<String> = ids.iter().map(|id| format!("id={id}")).collect();
                ids.join(" ").into()
            }
        }
    }
}

/// An outcome comes with its intent, and an intent with its outcome: half a call misleads.
fn matching(
    connection: &Connection,
    filter: &Filter,
    chosen: &mut BTreeSet<u64>,
) -> Result<(), BundleError> {
    let mut statement = connection
        .prepare("SELECT seq, closes, body FROM record WHERE body IS NOT NULL ORDER BY seq")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let number = |column| row.get::<_, Option<i64>>(column).ok().flatten();
        let number = |column| number(column).and_then(|number| u64::try_from(number).ok());
        let Some(seq) = number(0) else {
            continue;
        };
        let closes = number(1).filter(|closes| *closes < seq);
        let body: Vec<u8> = row.get(2)?;
        if filter.admits(&String::from_utf8_lossy(&body)) {
            chosen.extend(closes);
            chosen.insert(seq);
        } else if closes.is_some_and(|closes| chosen.contains(&closes)) {
            chosen.insert(seq);
        }
        if chosen.len() > RECORDS_LIMIT {
            return Err(BundleError::TooMany);
        }
    }
    Ok(())
}

/// The signed head, and the proofs under it.
struct Evidence {
    note: Box<str>,
    key: VerifierKey,
    head: Head,
    prover: Prover,
    older: Vec<Older>,
    rotations: Vec<Box<str>>,
}

impl Evidence {
    fn gather(
        reader: &Reader,
        chosen: &BTreeSet<u64>,
        kept: Option<&PinnedHead>,
    ) -> Result<Self, BundleError> {
        let connection = reader.connection();
        let key = reader.verifier_key().ok_or(BundleError::NoHead)?;
        let note = signed(connection)?;
        let opened = checkpoint::open(&note, key.key(), key.origin());
        let head = opened.map_err(|_refused| BundleError::NoHead)?.head;
        if let Some(seq) = chosen.range(head.size..).next() {
            let (seq, signed) = (*seq, head.size);
            return Err(BundleError::Unsigned { seq, signed });
        }
        let kept = kept.map(PinnedHead::size).transpose();
        let kept = kept.map_err(BundleError::Kept)?;
        let mut wanted = Wanted::of(connection, &head, kept)?;
        let prover = Prover::new(head.size, chosen.iter().copied());
        let mut prover = prover.with_older(wanted.sizes());
        leaves(connection, |leaf| {
            wanted.push(leaf);
            prover.push(leaf);
        })?;
        if prover.root() != Some(head.root) {
            return Err(BundleError::Changed);
        }
        let older = wanted.proven(&prover, &head)?;
        let rotations = witnesses::column(connection, "rotated", "statement", "seq")?;
        Ok(Self {
            rotations: rotations.into_iter().map(Into::into).collect(),
            note: note.into(),
            key,
            head,
            prover,
            older,
        })
    }

    fn line(&self, connection: &Connection, seq: u64) -> Result<Line, BundleError> {
        let number = i64::try_from(seq).map_err(|_| BundleError::Changed)?;
        let sql = "SELECT body FROM record WHERE seq = ?1";
        let mut statement = connection.prepare_cached(sql)?;
        let body = statement.query_row([number], |row| row.get::<_, Option<Vec<u8>>>(0))?;
        let record = String::from_utf8(body.ok_or(BundleError::Gone { seq })?);
        let (Ok(record), Some(proof)) = (record, self.prover.proof(seq)) else {
            return Err(BundleError::Changed);
        };
        let leaf = tree::leaf_hash(record.as_bytes());
        if root_of(leaf, seq, self.head.size, &proof) != Some(self.head.root) {
            return Err(BundleError::Changed);
        }
        Ok(Line {
            seq,
            proof: encoded(&proof),
            record: record.into(),
        })
    }

    fn manifest(&self, chosen: &BTreeSet<u64>, selection: &Selection) -> Manifest {
        let number = |seq: Option<&u64>| seq.copied().unwrap_or_default();
        Manifest {
            format: BUNDLE.into(),
            version: VERSION,
            program: concat!("chaperone ", env!("CARGO_PKG_VERSION")).into(),
            log: self.key.origin().into(),
            head_size: self.head.size,
            head_root: root_text(&self.head),
            records: u64::try_from(chosen.len()).unwrap_or(u64::MAX),
            first: number(chosen.first()),
            last: number(chosen.last()),
            selection: selection.words(),
            older: self.older.clone(),
            rotations: self.rotations.clone(),
        }
    }
}

/// All leaves, in order and without a gap.
fn leaves(connection: &Connection, mut each: impl FnMut(Hash)) -> Result<(), BundleError> {
    let mut statement = connection.prepare("SELECT seq, leaf FROM record ORDER BY seq")?;
    let mut rows = statement.query([])?;
    let mut expected = 0;
    while let Some(row) = rows.next()? {
        let leaf = Hash::try_from(row.get::<_, Vec<u8>>(1)?);
        let seq = row.get::<_, i64>(0)?;
        let (Ok(leaf), true) = (leaf, seq == expected) else {
            return Err(BundleError::Changed);
        };
        each(leaf);
        expected += 1;
    }
    Ok(())
}

/// The newest signed head.
fn signed(connection: &Connection) -> Result<String, BundleError> {
    let sql = "SELECT note FROM head WHERE note IS NOT NULL";
    let note = connection.query_row(sql, [], |row| row.get(0)).optional()?;
    note.ok_or(BundleError::NoHead)
}
