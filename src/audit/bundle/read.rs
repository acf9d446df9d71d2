//! Verifies evidence that comes from anywhere: no log, keychain or network is asked, nothing is
//! unpacked to the disk, and memory does not grow with what the file claims to hold.
//!
//! Nothing in the file vouches for anything else in it: the key comes from the verifier, the key
//! vouches for the head, and the head for each record through its proof.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::archive::Opened;
use super::older::{self, Proven};
use super::report::{EvidenceReport, Fault, Problem};
use super::{
    BUNDLE, CHECKPOINT, KEY, Line, MANIFEST, Manifest, Older, RECORDS, SINGLE, Single, VERSION,
    decoded, root_text,
};
use crate::audit::checkpoint::{VerifierKey, WitnessKey};
use crate::audit::rotation::Signers;
use crate::audit::tree::proof::root_of;
use crate::audit::tree::{self, Head};
use crate::audit::verify::{KeySource, Memory, PinnedHead, Record, Verdict, Witnessed};

/// As much as a checkpoint may have.
const NOTE_LIMIT: u64 = 128 * 1024;
/// As much as a key needs, and room.
const SMALL_LIMIT: u64 = 64 * 1024;
/// As much as a manifest may have, with the heads that others signed.
const MANIFEST_LIMIT: u64 = 1024 * 1024;
/// As much as a record with its proof may have; arguments are cut at 16 KiB.
const LINE_LIMIT: u64 = 4 * 1024 * 1024;
/// What a record that travels alone is called in messages.
const ALONE: &str = "the file";

/// What kind of file somebody wants to have verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A whole log.
    Database,
    /// Chosen records in an archive.
    Bundle,
    /// One record with its proof, or several of these, one a line.
    Record,
}

/// What to verify, and what is known about it from elsewhere.
#[derive(Debug, Clone)]
pub struct EvidenceRequest {
    /// The file.
    pub file: PathBuf,
    /// Which kind it is.
    pub kind: Kind,
    /// The log's key.
    pub key: Option<VerifierKey>,
    /// A head that was kept.
    pub head: Option<PinnedHead>,
    /// Witnesses whose cosignatures are to be in the file.
    pub witnesses: Vec<WitnessKey>,
}

/// Tells by its first bytes what a file is; what begins like neither kind of evidence is left to
/// the verifier of logs.
///
/// # Errors
/// When it cannot be read.
pub fn kind(path: &Path) -> io::Result<Kind> {
    let mut start = Vec::new();
    File::open(path)?.take(4).read_to_end(&mut start)?;
    Ok(match &start[..] {
        [b'P', b'K', ..] => Kind::Bundle,
        [b'{', ..] => Kind::Record,
        _ => Kind::Database,
    })
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The file is out of reach.
    #[error("the evidence cannot be opened")]
    Open(#[from] io::Error),
    /// A newer program made it.
    #[error("the evidence has the format {found}; this program reads up to {VERSION}")]
    Newer {
        /// The format's number.
        found: u32,
    },
}

/// Verifies a bundle or single records.
///
/// # Errors
/// When the file is out of reach or too new; all else is a verdict.
pub fn verify(request: &EvidenceRequest) -> Result<EvidenceReport, EvidenceError> {
    let file = BufReader::new(File::open(&request.file)?);
    let mut examiner = Examiner {
        request,
        report: EvidenceReport::new(request.kind),
        at: None,
    };
    let done = match request.kind {
        Kind::Record => examiner.singles(file),
        Kind::Bundle | Kind::Database => examiner.bundle(file),
    };
    let (mut report, seq) = (examiner.report, examiner.at);
    match done {
        Ok(()) => conclude(&mut report),
        Err(Problem::Newer(found)) => return Err(EvidenceError::Newer { found }),
        Err(problem) => {
            report.verdict = Verdict::Changed;
            report.fault = Some(Fault { seq, problem });
        }
    }
    Ok(report)
}

/// Everything is proven that is there. What that is worth depends on who vouches for the head.
fn conclude(report: &mut EvidenceReport) {
    let last = report.proven_to.as_ref().map(|record| record.seq);
    // What the head continues is as good as the head for the records that were there then.
    let covers = |saw: &Witnessed| saw.seen > last;
    let vouched = report.key != KeySource::File
        || report.memory.is_some()
        || report.witnesses.iter().any(covers);
    let all_saw = report.witnesses.iter().all(|saw| saw.seen.is_some());
    report.verdict = if vouched && all_saw && !report.head_not_compared {
        Verdict::Intact
    } else {
        Verdict::Unproven
    };
}

struct Examiner<'a> {
    request: &'a EvidenceRequest,
    report: EvidenceReport,
    /// The record that is looked at.
    at: Option<u64>,
}

impl Examiner<'_> {
    fn bundle(&mut self, source: impl Read + Seek) -> Result<(), Problem> {
        let mut archive = Opened::open(source)?;
        let manifest = archive.text(MANIFEST, MANIFEST_LIMIT)?;
        let manifest: Manifest = document(MANIFEST, &manifest)?;
        check_format(MANIFEST, (&manifest.format, BUNDLE), manifest.version)?;
        let hint = archive.text(KEY, SMALL_LIMIT)?;
        let note = archive.text(CHECKPOINT, NOTE_LIMIT)?;
        let beside = (&*manifest.older, &*manifest.rotations);
        let head = self.head(note, hint.trim_end(), beside)?;
        let mut first = None;
        archive.lines(RECORDS, LINE_LIMIT, |line| {
            let line = serde_json::from_slice::<Line>(line).map_err(|_| Problem::Line)?;
            first.get_or_insert(line.seq);
            self.record(&line, &head)
        })?;
        self.at = None;
        let last = self.report.proven_to.as_ref().map(|record| record.seq);
        for (what, agrees) in [
            ("log", self.report.log.as_deref() == Some(&*manifest.log)),
            ("head", manifest.head_size == head.size),
            ("head", manifest.head_root == root_text(&head)),
            ("number of records", manifest.records == self.report.records),
            ("first record", Some(manifest.first) == first),
            ("last record", Some(manifest.last) == last),
        ] {
            if !agrees {
                return Err(Problem::Manifest(what));
            }
        }
        Ok(())
    }

    /// Several on their lines are what `audit show --proof` prints of a call.
    fn singles(&mut self, mut source: impl BufRead) -> Result<(), Problem> {
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = (&mut source)
                .take(LINE_LIMIT + 1)
                .read_until(b'\n', &mut line);
            let read = read.map_err(|error| Problem::Archive(error.to_string().into()))?;
            if read == 0 {
                break;
            }
            if u64::try_from(read).is_ok_and(|read| read > LINE_LIMIT) {
                let (name, limit) = (ALONE, LINE_LIMIT);
                return Err(Problem::TooLong { name, limit });
            }
            let text = str::from_utf8(&line).map_err(|_| Problem::Line)?;
            self.single(document(ALONE, text)?)?;
        }
        self.at = None;
        if self.report.records == 0 {
            return Err(Problem::Empty);
        }
        Ok(())
    }

    fn single(&mut self, single: Single) -> Result<(), Problem> {
        check_format(ALONE, (&single.format, SINGLE), single.version)?;
        let beside = (&*single.older, &*single.rotations);
        let head = self.head(single.checkpoint.into(), &single.key, beside)?;
        let Single {
            seq, proof, record, ..
        } = single;
        self.record(&Line { seq, proof, record }, &head)
    }

    /// Opens a head with the key from outside, else with the file's own, and compares it with the
    /// one that somebody kept.
    fn head(
        &mut self,
        note: String,
        hint: &str,
        (older, rotations): (&[Older], &[Box<str>]),
    ) -> Result<Head, Problem> {
        let key = match &self.request.key {
            Some(key) => {
                self.report.key = KeySource::Given;
                key.clone()
            }
            None => VerifierKey::parse(hint).map_err(|_| Problem::Hint)?,
        };
        let origin = key.origin();
        if note.lines().next() != Some(origin) {
            return Err(Problem::OtherLog);
        }
        let signers = Signers::of(&key, rotations.iter().map(|text| &**text));
        let signers = signers.map_err(Problem::Rotation)?;
        let head = signers.open(&note).map_err(Problem::Note)?.head;
        if self
            .report
            .note
            .as_deref()
            .is_some_and(|before| before != note)
        {
            return Err(Problem::Heads);
        }
        let older = older::proven(older, origin, &head)?;
        self.compare(&signers, &head, &older)?;
        self.witnesses(&note, &older)?;
        self.report.log = Some(origin.into());
        self.report.signer = Some(key.to_string().into());
        self.report.key_changes = signers.changes();
        self.report.signed = head.size;
        self.report.root = Some(STANDARD.encode(head.root).into());
        self.report.note = Some(note.into());
        Ok(head)
    }

    /// Compares the head with the one that somebody kept: itself, or an older one that it continues.
    fn compare(
        &mut self,
        signers: &Signers,
        head: &Head,
        older: &[Proven<'_>],
    ) -> Result<(), Problem> {
        let kept = match &self.request.head {
            Some(PinnedHead::Note(note)) => signers.open(note).map_err(Problem::GivenHead)?.head,
            Some(PinnedHead::Head(kept)) => *kept,
            None => return Ok(()),
        };
        let heads = older.iter().map(|older| older.head).chain([*head]);
        let mut same = heads.filter(|head| head.size == kept.size);
        match same.next() {
            Some(same) if same == kept => self.report.memory = Some(Memory::Given),
            Some(_) => return Err(Problem::Fork),
            None => self.report.head_not_compared = true,
        }
        Ok(())
    }

    fn witnesses(&mut self, note: &str, older: &[Proven<'_>]) -> Result<(), Problem> {
        let keys = self.request.witnesses.iter();
        let seen = keys.map(|key| {
            let newest = older::newest(older, note, key)?;
            Ok(Witnessed::of(key, newest.as_ref()))
        });
        self.report.witnesses = seen.collect::<Result<_, Problem>>()?;
        Ok(())
    }

    fn record(&mut self, line: &Line, head: &Head) -> Result<(), Problem> {
        self.at = Some(line.seq);
        let before = self.report.proven_to.as_ref();
        if before.is_some_and(|before| before.seq >= line.seq) {
            return Err(Problem::Order);
        }
        let proof = decoded(&line.proof).ok_or(Problem::Line)?;
        let leaf = tree::leaf_hash(line.record.as_bytes());
        if root_of(leaf, line.seq, head.size, &proof) != Some(head.root) {
            return Err(Problem::Proof);
        }
        let named: Named = serde_json::from_str(&line.record).map_err(|_| Problem::NotTheRecord)?;
        if named.seq != line.seq {
            return Err(Problem::NotTheRecord);
        }
        self.report.records += 1;
        self.report.proven_to = Some(Record {
            seq: named.seq,
            id: named.id,
            timestamp: named.timestamp,
        });
        Ok(())
    }
}

/// What a report names of a record.
#[derive(Deserialize)]
struct Named {
    seq: u64,
    id: Option<Box<str>>,
    timestamp: Option<Box<str>>,
}

fn document<'a, T: Deserialize<'a>>(name: &'static str, text: &'a str) -> Result<T, Problem> {
    serde_json::from_str(text).map_err(|error| Problem::Document {
        name,
        why: error.to_string().into(),
    })
}

fn check_format(
    name: &'static str,
    (found, wanted): (&str, &str),
    version: u32,
) -> Result<(), Problem> {
    match version {
        VERSION if found == wanted => Ok(()),
        newer if newer > VERSION && found == wanted => Err(Problem::Newer(newer)),
        _ => Err(Problem::Format(name)),
    }
}
