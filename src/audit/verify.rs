//! Finds out whether a log is what was written.
//!
//! What a file can show about itself is that it agrees with itself. That it is *the* log takes the
//! log's key, and that nothing is missing at its end takes a head that somebody outside the file
//! remembers: the keychain, or an auditor who kept one. The verdict says how far the proof goes:
//!
//! - With the log's key, everything under the newest signed head is proven.
//! - With a remembered head, everything under it is proven, and a shorter log is a cut one.
//! - Intact means both that somebody remembers and that the proof covers every record.
//!
//! A witness' cosignature proves what was there at its instant, wherever it is kept; a log that was put
//! back to that instant is as good as that.
//!
//! A cut down to an older signed head that is newer than anything remembered cannot be seen by
//! anybody; that is why heads are remembered every minute and sent upstream.
//!
//! The keychain's mark is read before the log, so that the log is never older.

mod body;
mod pass;
mod pinned;
pub(in crate::audit) mod report;
pub(in crate::audit) mod witnesses;

use std::path::PathBuf;

use ed25519_dalek::VerifyingKey;
use rusqlite::OptionalExtension as _;

use self::pass::{Captured, Pass};
pub use self::pinned::{PinnedHead, PinnedHeadError, PinnedKey};
pub use self::report::{Damage, Fault, KeySource, Memory, Record, Report, Verdict};
pub use self::witnesses::Witnessed;
pub(super) use self::witnesses::column;
use super::checkpoint::{Checkpoint, NoteError, VerifierKey, WitnessKey};
use super::reader::{self, ReadError, Reader};
use super::rotation::Signers;
use super::tail::Found;
use super::tree::{Frontier, Head};

/// What to verify, and what is known about it from elsewhere.
#[derive(Debug, Clone)]
pub struct VerifyRequest {
    /// The log.
    pub database: PathBuf,
    /// The log's key, if somebody outside the file knows it.
    pub key: Option<PinnedKey>,
    /// A head that an auditor kept.
    pub head: Option<PinnedHead>,
    /// The head that the keychain remembers, with the origin of its log.
    pub mark: Option<Checkpoint>,
    /// Witnesses whose cosignatures are to be in the file.
    pub witnesses: Vec<WitnessKey>,
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The log is out of reach.
    #[error(transparent)]
    Read(ReadError),
    /// Reading failed for a reason that is not in the file.
    #[error("the log cannot be read to its end")]
    Sqlite(#[source] rusqlite::Error),
    /// Writers kept coming and going.
    #[error("the log changes while it is read; try again")]
    Restless,
}

/// Hears how many records have been read, of how many.
pub type Watch<'a> = &'a mut dyn FnMut(u64, u64);

/// Reads the whole log once and judges it.
///
/// # Errors
/// When the log cannot be read; a damaged one is a verdict, not an error.
pub fn verify(request: &VerifyRequest) -> Result<Report, VerifyError> {
    watched(request, &mut |_, _| ())
}

/// As [`verify`], telling every few thousand records how far it is.
///
/// # Errors
/// As [`verify`].
pub fn watched(request: &VerifyRequest, watch: Watch<'_>) -> Result<Report, VerifyError> {
    for _attempt in 0..3 {
        let reader = match Reader::open(&request.database) {
            Ok(reader) => reader,
            Err(error) if error.is_damage() => return Ok(Report::unreadable(&error)),
            Err(error) => return Err(VerifyError::Read(error)),
        };
        let report = judge(&reader, request, watch);
        if !reader.was_overtaken() {
            return report;
        }
    }
    Err(VerifyError::Restless)
}

/// The rows beside the records.
struct Stated {
    log_id: String,
    origin: String,
    public_key: Vec<u8>,
    size: u64,
    frontier: Vec<u8>,
    note: Option<String>,
}

fn judge(
    reader: &Reader,
    request: &VerifyRequest,
    watch: Watch<'_>,
) -> Result<Report, VerifyError> {
    let mut report = Report::default();
    match examine(reader, request, &mut report, watch) {
        Ok(()) => {}
        Err(Stop::Fault(fault)) => report.fault(fault),
        Err(Stop::Sqlite(error)) if reader::is_damage(&error) => {
            report.fault(Fault::at(
                report.records,
                Damage::Unreadable(error.to_string().into()),
            ));
        }
        Err(Stop::Sqlite(error)) => return Err(VerifyError::Sqlite(error)),
    }
    Ok(report)
}

/// Why an examination ends early.
enum Stop {
    Fault(Fault),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

fn examine(
    reader: &Reader,
    request: &VerifyRequest,
    report: &mut Report,
    watch: Watch<'_>,
) -> Result<(), Stop> {
    // Before the file is, so that that reaches as far as where this begins; if it does not, what waits
    // there is no part of the log.
    let waiting = reader.tail(&request.database);
    // One transaction, so that head and records are of one moment.
    let snapshot = reader.connection().unchecked_transaction()?;
    let stated = stated(&snapshot)?;
    report.log_id = Some(stated.log_id.clone().into());
    let trusted = trusted_key(request, &stated, report)?;
    let statements = column(&snapshot, "rotated", "statement", "seq")?;
    let signers = Signers::of(&trusted, statements.iter().map(|text| &**text));
    let signers = signers.map_err(|why| Fault::whole(Damage::Rotation(why)))?;
    report.key_changes = signers.changes();
    let signed = newest_note(&stated, &waiting);
    let opened = signed.map(|note| signers.open(note));
    // A bad signature is told after the records, which may say what else is wrong.
    let claimed = opened.as_ref().and_then(|note| note.as_ref().ok());
    let mut remembered = remembered(request, &stated, &signers)?;
    report.witnesses = witnesses::seen(&snapshot, &request.witnesses, &stated.origin)?;
    remembered.extend(report.witnesses.iter().filter_map(Witnessed::remembered));
    let sizes = remembered
        .iter()
        .map(|(_, head)| head.size)
        .chain([stated.size]);
    let sizes = sizes.chain(claimed.map(|note| note.head.size)).collect();
    let of = stated.size;
    let mut watch = |records: u64| watch(records, of.max(records));
    let waiting = &waiting.frames;
    let pass = Pass::run(&snapshot, waiting, sizes, &mut report.records, &mut watch)?;
    report.waiting = pass.waiting;
    report.root = Some(pass.frontier.root());
    report.pruned = pass.bare();
    check_stated(&stated, &pass)?;
    let note = opened.transpose().map_err(Fault::note)?;
    compare(&pass, note.as_ref(), &remembered)?;
    report.note = signed.map(Into::into);
    conclude(report, &pass, note.as_ref(), &remembered);
    Ok(())
}

/// The newest signed head: the one that waits, if it is newer than the file's.
fn newest_note<'n>(stated: &'n Stated, waiting: &'n Found) -> Option<&'n str> {
    let waits = waiting.signed.as_ref();
    let waits = waits.filter(|signed| signed.size > stated.size);
    waits.map(|signed| &*signed.note).or(stated.note.as_deref())
}

fn stated(connection: &rusqlite::Connection) -> Result<Stated, Stop> {
    let sql = "SELECT log_id, origin, public_key, size, frontier, note FROM log, head";
    let row = connection.query_row(sql, [], |row| {
        let size: i64 = row.get(3)?;
        Ok(Stated {
            log_id: row.get(0)?,
            origin: row.get(1)?,
            public_key: row.get(2)?,
            size: u64::try_from(size).unwrap_or(u64::MAX),
            frontier: row.get(4)?,
            note: row.get(5)?,
        })
    });
    row.optional()?
        .ok_or_else(|| Fault::whole(Damage::HeadMissing).into())
}

/// The key that signatures are checked with: one from outside, else the file's own.
fn trusted_key(
    request: &VerifyRequest,
    stated: &Stated,
    report: &mut Report,
) -> Result<VerifierKey, Fault> {
    if let Some(pinned) = &request.key {
        report.key = pinned.source;
        if pinned.key.origin() != stated.origin {
            return Err(Fault::whole(Damage::OtherLog));
        }
        return Ok(pinned.key.clone());
    }
    let bytes = <&[u8; 32]>::try_from(stated.public_key.as_slice()).ok();
    let key = bytes.and_then(|bytes| VerifyingKey::from_bytes(bytes).ok());
    let key = key.and_then(|key| VerifierKey::new(&stated.origin, key).ok());
    key.ok_or_else(|| Fault::note(NoteError::Unsigned))
}

/// The heads that somebody outside the file remembers.
fn remembered(
    request: &VerifyRequest,
    stated: &Stated,
    signers: &Signers,
) -> Result<Vec<(Memory, Head)>, Fault> {
    let mut heads = Vec::new();
    if let Some(mark) = &request.mark {
        if *mark.origin != *stated.origin {
            return Err(Fault::whole(Damage::OtherLog));
        }
        heads.push((Memory::Keychain, mark.head));
    }
    match &request.head {
        Some(PinnedHead::Head(head)) => heads.push((Memory::Given, *head)),
        Some(PinnedHead::Note(note)) => {
            let opened = signers.open(note);
            let opened = opened.map_err(|why| Fault::whole(Damage::GivenHead(why)))?;
            heads.push((Memory::Given, opened.head));
        }
        None => {}
    }
    Ok(heads)
}

/// Compares the records with what the head's row says of them. The row may lag behind: records that
/// were written since are there and unproven.
fn check_stated(stated: &Stated, pass: &Pass) -> Result<(), Fault> {
    let Some(found) = pass.captured(stated.size) else {
        let remembered = stated.size;
        return Err(Fault::at(pass.frontier.size(), Damage::Cut { remembered }));
    };
    let frontier = Frontier::from_bytes(stated.size, &stated.frontier);
    let frontier = frontier.map_err(|_| Fault::whole(Damage::Frontier))?;
    let pairs = frontier.subtrees().zip(found.frontier.subtrees());
    for ((start, end, stated), (_, _, found)) in pairs {
        if stated != found {
            return Err(Fault::between(start, end, Damage::Rewritten));
        }
    }
    Ok(())
}

/// Compares the records with the signed head and with every remembered one.
fn compare(
    pass: &Pass,
    note: Option<&Checkpoint>,
    remembered: &[(Memory, Head)],
) -> Result<(), Fault> {
    let found = pass.frontier.size();
    let heads = remembered.iter().map(|(_, head)| *head);
    let mut heads: Vec<Head> = heads.chain(note.map(|note| note.head)).collect();
    // The shortest contradicted one confines the change best.
    heads.sort_unstable_by_key(|head| head.size);
    let mut agreed = 0;
    for head in heads {
        if head.size > found {
            return Err(Fault::at(
                found,
                Damage::Cut {
                    remembered: head.size,
                },
            ));
        }
        if pass.root_at(head.size) != Some(head.root) {
            return Err(Fault::between(agreed, head.size, Damage::Rewritten));
        }
        agreed = head.size;
    }
    let signed = note.map_or(0, |note| note.head.size);
    match remembered.iter().map(|(_, head)| head.size).max() {
        // Who remembers a head saw a note of that size in the file.
        Some(seen) if seen > signed => Err(Fault::at(signed, Damage::HeadOlder { seen })),
        Some(_) | None => Ok(()),
    }
}

/// Says how far the proof goes; see the module.
fn conclude(
    report: &mut Report,
    pass: &Pass,
    note: Option<&Checkpoint>,
    remembered: &[(Memory, Head)],
) {
    let newest = remembered.iter().max_by_key(|(_, head)| head.size);
    let signed = note.map_or(0, |note| note.head.size);
    let remembered = newest.map_or(0, |(_, head)| head.size);
    report.memory = newest.map(|(memory, _)| *memory);
    report.signed = signed;
    report.remembered = newest.map(|_| remembered);
    report.proven = match report.key {
        KeySource::File => remembered,
        KeySource::Given | KeySource::Keychain => signed.max(remembered),
    };
    report.proven_to = pass.captured(report.proven).and_then(Captured::record);
    let all_saw = report.witnesses.iter().all(|saw| saw.seen.is_some());
    report.verdict = if newest.is_some() && all_saw && report.proven == report.records {
        Verdict::Intact
    } else {
        Verdict::Unproven
    };
}

#[cfg(test)]
mod tests;
