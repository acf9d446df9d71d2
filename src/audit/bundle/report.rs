//! What evidence proves, for a person in one sentence and for a program in stable keys.

use std::fmt;

use serde::{Serialize, Serializer};

use super::read::Kind;
use crate::audit::checkpoint::NoteError;
use crate::audit::rotation::RotationError;
use crate::audit::verify::report::{Changes, is_unchanged};
use crate::audit::verify::{KeySource, Memory, Record, Verdict, Witnessed};

/// What was found out about evidence.
#[derive(Debug, Serialize)]
pub struct EvidenceReport {
    /// The answer, as for a whole log.
    pub verdict: Verdict,
    /// What was verified.
    pub kind: Kind,
    /// Which log the records are of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<Box<str>>,
    /// How many records are in the evidence and proven to be under its head.
    pub records: u64,
    /// The last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proven_to: Option<Record>,
    /// How many records the head covers.
    pub signed: u64,
    /// The root over them, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<Box<str>>,
    /// The signed head, to be kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Box<str>>,
    /// Whose word the key is.
    pub key: KeySource,
    /// The key that the signature was checked with, as `--key` takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<Box<str>>,
    /// Whether somebody outside the file knows this very head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// How often the key changed, by statements that both keys signed.
    #[serde(skip_serializing_if = "is_unchanged")]
    pub key_changes: usize,
    /// What the witnesses saw whose keys were given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<Witnessed>,
    /// Whether a head was given of a size that the evidence proves nothing about.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub head_not_compared: bool,
    /// What is wrong, if something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

/// What is wrong, and where.
#[derive(Debug, Serialize)]
pub struct Fault {
    /// The record, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// What is wrong, in words.
    #[serde(serialize_with = "words", rename = "damage")]
    pub problem: Problem,
}

/// Why evidence is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The container cannot be read.
    #[error("the archive is damaged: {0}")]
    Archive(Box<str>),
    /// There is something before, after or beside the files.
    #[error("the file is not exactly one archive; something was put before, after or into it")]
    Padding,
    /// There are more or fewer files.
    #[error("the archive does not hold the five files of a bundle")]
    Files,
    /// A file of another name.
    #[error("the archive holds {0:?}, which no bundle has")]
    Name(Box<str>),
    /// Two files of one name, of which readers may see different ones.
    #[error("the archive holds two files of one name")]
    Twice,
    /// One of the five is not there.
    #[error("the archive lacks {0}")]
    Missing(&'static str),
    /// A file or line that is too long to be what it should.
    #[error("{name} is longer than anything that chaperone writes there ({limit} bytes)")]
    TooLong {
        /// The file.
        name: &'static str,
        /// What it may have.
        limit: u64,
    },
    /// The manifest, or the document of a single record, cannot be read.
    #[error("{name} cannot be read: {why}")]
    Document {
        /// The file.
        name: &'static str,
        /// Why.
        why: Box<str>,
    },
    /// Another format.
    #[error("{0} says that it is something else")]
    Format(&'static str),
    /// A newer program's format.
    #[error("it has the format {0}, which is newer than this program")]
    Newer(u32),
    /// Single records that do not belong together.
    #[error("the records are not all under one head")]
    Heads,
    /// The manifest and the other files contradict each other.
    #[error("the manifest says another {0} than the other files")]
    Manifest(&'static str),
    /// There is nothing in it.
    #[error("there are no records in it")]
    Empty,
    /// An older head that the file's head does not continue.
    #[error("the file's head does not continue the older heads in it; one of them was changed")]
    Older,
    /// Not a record with its proof.
    #[error("a line is not a record with its proof")]
    Line,
    /// Records come in the order of the log, each once.
    #[error("the records are not in the order of the log, each once")]
    Order,
    /// The proof leads elsewhere.
    #[error("the proof does not lead from this record to the signed head; one of them was changed")]
    Proof,
    /// A proven text that is no record, or one of another place.
    #[error("what is proven is not the record of that number")]
    NotTheRecord,
    /// The hint is no key.
    #[error("the file's own key is none, and no other was given")]
    Hint,
    /// The head is not good.
    #[error("{0}")]
    Note(#[source] NoteError),
    /// The changes of the key lead to no key that is trusted.
    #[error("{0}")]
    Rotation(#[source] RotationError),
    /// The head that was given is not good.
    #[error("the head that was given does not fit: {0}")]
    GivenHead(#[source] NoteError),
    /// The given head is of the same size and says otherwise: there are two histories.
    #[error(
        "the head that was given is over as many records and has another root: the log was rewritten, or there are two of it"
    )]
    Fork,
    /// The key is another log's.
    #[error("this is of another log than the one that the key belongs to")]
    OtherLog,
}

impl EvidenceReport {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            verdict: Verdict::Unproven,
            kind,
            log: None,
            records: 0,
            proven_to: None,
            signed: 0,
            root: None,
            note: None,
            key: KeySource::File,
            signer: None,
            memory: None,
            key_changes: 0,
            witnesses: Vec::new(),
            head_not_compared: false,
            fault: None,
        }
    }

    /// What `audit verify` exits with.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.verdict {
            Verdict::Intact => 0,
            Verdict::Changed => 6,
            Verdict::Unproven => 7,
        }
    }
}

/// One sentence.
impl fmt::Display for EvidenceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(fault) = &self.fault {
            return write!(f, "changed: {fault}");
        }
        let verdict = if self.verdict == Verdict::Intact {
            "intact"
        } else {
            "unproven"
        };
        let records = if self.records == 1 {
            "record"
        } else {
            "records"
        };
        write!(f, "{verdict}: {} {records}, up to ", self.records)?;
        match &self.proven_to {
            Some(Record {
                seq,
                timestamp: Some(time),
                ..
            }) => {
                write!(f, "record {seq} ({})", crate::wording::terminal_safe(time))?;
            }
            Some(Record { seq, .. }) => write!(f, "record {seq}")?,
            None => f.write_str("none")?,
        }
        let log = self.log.as_deref().unwrap_or_default();
        let log = crate::wording::terminal_safe(log);
        write!(
            f,
            ", in the log {log} under its head over {} records",
            self.signed
        )?;
        match (self.key, self.memory) {
            (_, Some(_)) => f.write_str(", which is or continues the head that was given")?,
            (KeySource::File, None) => f.write_str(
                "; the signature was checked with the file's own key, which whoever made the file \
                 may have made up (give --key)",
            )?,
            (KeySource::Given | KeySource::Keychain, None) => {
                f.write_str(", signed by the given key")?;
            }
        }
        Changes(self.key_changes).fmt(f)?;
        if self.head_not_compared {
            f.write_str(
                "; the head that was given is over another number of records, and the file does not \
                 prove that its head continues that (export it with --head)",
            )?;
        }
        self.witnesses
            .iter()
            .try_for_each(|saw| write!(f, "{saw}"))?;
        f.write_str("; that no other records belong to the matter is not proven")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seq {
            Some(seq) => write!(f, "record {seq}: {}", self.problem),
            None => write!(f, "{}", self.problem),
        }
    }
}

fn words<S: Serializer>(problem: &Problem, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(problem)
}
