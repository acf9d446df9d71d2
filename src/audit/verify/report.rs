//! The verdict, for a person in one sentence and for a program in stable keys.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use super::super::checkpoint::NoteError;
use super::super::reader::ReadError;
use super::super::rotation::RotationError;
use super::super::tree::Hash;
use super::Witnessed;
use crate::wording::chain;

/// What was found out about a log.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// The answer.
    pub verdict: Verdict,
    /// Which log it says to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_id: Option<Box<str>>,
    /// How many records were read and found to agree with themselves.
    pub records: u64,
    /// How many of them have lost their content, as a record says; their hashes are verified.
    #[serde(skip_serializing_if = "is_none")]
    pub pruned: u64,
    /// How many of them are proven, from the first on.
    pub proven: u64,
    /// The last proven one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proven_to: Option<Record>,
    /// How many of them wait beside the file, in its tail.
    #[serde(skip_serializing_if = "is_none")]
    pub waiting: u64,
    /// How many records the signed head covers.
    pub signed: u64,
    /// How many records the newest head covers that somebody outside the file remembers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remembered: Option<u64>,
    /// Who remembers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// Whose word the key is.
    pub key: KeySource,
    /// How often the key changed, by statements that both keys signed.
    #[serde(skip_serializing_if = "is_unchanged")]
    pub key_changes: usize,
    /// What the witnesses saw whose keys were given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<Witnessed>,
    /// The root over all records.
    #[serde(serialize_with = "base64", skip_serializing_if = "Option::is_none")]
    pub root: Option<Hash>,
    /// The signed head, to be kept for the next time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Box<str>>,
    /// What is wrong, if something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

/// The answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every record is proven.
    Intact,
    /// Nothing is wrong, and the proof does not cover everything.
    #[default]
    Unproven,
    /// Something was changed, removed, reordered or inserted.
    Changed,
}

/// Whose word a key is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeySource {
    /// The verifier's.
    Given,
    /// The keychain's.
    Keychain,
    /// The file's own, which whoever changed the file may have changed too.
    #[default]
    File,
}

/// Who remembers a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Memory {
    /// The keychain's mark.
    Keychain,
    /// The verifier.
    Given,
    /// A witness, at the instant of its cosignature.
    Witness,
}

/// Names a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// Its number, from 0.
    pub seq: u64,
    /// Its identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Box<str>>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Box<str>>,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The first bad record, if one can be named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Where only a span can be named: the first record after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// The identifier in the bad record, as far as it can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Box<str>>,
    /// What happened, in words.
    #[serde(serialize_with = "words", rename = "damage")]
    pub damage: Damage,
}

/// What happened to the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Body and leaf do not belong together.
    #[error("the record was changed after it was written")]
    Body,
    /// A leaf without its body.
    #[error("the record's content was taken out")]
    BodyMissing,
    /// The body is nothing that chaperone writes.
    #[error("the record is not one that chaperone writes")]
    NotARecord,
    /// One or more records are missing here.
    #[error("one or more records were removed here")]
    Removed,
    /// A record that does not belong here.
    #[error("a record was inserted here")]
    Inserted,
    /// Records changed places.
    #[error("records were put in another order from here")]
    Reordered,
    /// The outcome of something that nobody began.
    #[error("the record is the outcome of a call whose intent is not in the log")]
    Orphan,
    /// The end is missing.
    #[error("the log once had {remembered} records; those from here on are missing")]
    Cut {
        /// How many there were.
        remembered: u64,
    },
    /// Records and hashes were changed together.
    #[error("records were changed together with their hashes")]
    Rewritten,
    /// The stored subtrees are not those of the stored size.
    #[error("the tree's stored frontier is not one")]
    Frontier,
    /// The row with the head, or with the log's name, is gone.
    #[error("the log's head is missing")]
    HeadMissing,
    /// An older head was put back.
    #[error(
        "the signed head was removed or replaced by an older one; a head over {seen} records is remembered"
    )]
    HeadOlder {
        /// How many records the remembered head covers.
        seen: u64,
    },
    /// The changes of the key lead to no key that is trusted.
    #[error("{0}")]
    Rotation(#[source] RotationError),
    /// The signed head is not good.
    #[error("{0}")]
    Note(#[source] NoteError),
    /// The head that was given does not belong to this log and key.
    #[error("the remembered head does not fit: {0}")]
    GivenHead(#[source] NoteError),
    /// The key or the mark is for another log.
    #[error("this is another log than the one that the key or the mark belongs to")]
    OtherLog,
    /// SQLite or the schema: no reading beyond this.
    #[error("the file is damaged: {0}")]
    Unreadable(Box<str>),
}

impl Fault {
    pub(super) fn at(seq: u64, damage: Damage) -> Self {
        Self {
            seq: Some(seq),
            ..Self::whole(damage)
        }
    }

    pub(super) fn between(start: u64, end: u64, damage: Damage) -> Self {
        Self {
            before: (end > start + 1).then_some(end),
            ..Self::at(start, damage)
        }
    }

    pub(super) fn whole(damage: Damage) -> Self {
        Self {
            seq: None,
            before: None,
            id: None,
            damage,
        }
    }

    pub(super) fn note(why: NoteError) -> Self {
        Self::whole(Damage::Note(why))
    }
}

impl Report {
    pub(super) fn unreadable(error: &ReadError) -> Self {
        let mut report = Self::default();
        report.fault(Fault::whole(Damage::Unreadable(chain(error).into())));
        report
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        self.verdict = Verdict::Changed;
        self.fault = Some(fault);
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
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(fault) = &self.fault {
            return write!(f, "changed: {fault}");
        }
        let records = self.records;
        match self.verdict {
            Verdict::Intact => write!(f, "intact: all {records} records, up to {}", Upto(self))?,
            Verdict::Unproven if self.proven > 0 => {
                write!(f, "intact up to {}, later records unproven", Upto(self))?;
            }
            Verdict::Unproven | Verdict::Changed => {
                write!(f, "unproven: {records} records that agree with each other")?;
            }
        }
        if self.pruned > 0 {
            let pruned = self.pruned;
            write!(
                f,
                "; the content of {pruned} of them was pruned, their hashes are here"
            )?;
        }
        match self.waiting {
            0 => {}
            1 => write!(f, "; the last of them waits {BESIDE}")?,
            waiting => write!(f, "; the last {waiting} of them wait {BESIDE}")?,
        }
        match self.key {
            KeySource::File => f.write_str(
                "; the signature was checked with the file's own key, which whoever changed the \
                 file may have changed too (give --key)",
            )?,
            KeySource::Given | KeySource::Keychain => {}
        }
        Changes(self.key_changes).fmt(f)?;
        match (self.remembered, self.memory) {
            (Some(size), Some(Memory::Keychain)) => {
                write!(f, "; the keychain remembers a head over {size} records")
            }
            (Some(size), Some(Memory::Given)) => {
                write!(f, "; the given head covers {size} records")
            }
            // Said of each witness below.
            (Some(_), _) => Ok(()),
            (None, _) => f.write_str(
                "; nobody outside the file remembers a head, so a cut at the end would not show \
                 (give --head)",
            ),
        }?;
        self.witnesses.iter().try_for_each(|saw| write!(f, "{saw}"))
    }
}

/// Where the newest records may be.
const BESIDE: &str = "beside the file until a host or a command takes them in";

/// How often the key changed, as a part of a sentence.
pub(in crate::audit) struct Changes(pub(in crate::audit) usize);

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str("; its key was changed once, as both keys signed"),
            times => write!(
                f,
                "; its key was changed {times} times, as both keys signed each time"
            ),
        }
    }
}

/// Part of a sentence.
impl fmt::Display for Witnessed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = crate::wording::terminal_safe(&self.witness);
        match (self.seen, &self.time) {
            (Some(size), Some(time)) => write!(
                f,
                "; the witness {name} saw {size} records at {time}, and what was written later and \
                 cut would not show"
            ),
            _ => write!(f, "; no cosignature of the witness {name} is in the file"),
        }
    }
}

struct Upto<'a>(&'a Report);

impl fmt::Display for Upto<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(record) = &self.0.proven_to else {
            return f.write_str("none");
        };
        write!(f, "record {}", record.seq)?;
        match &record.timestamp {
            Some(time) => write!(f, " ({time})"),
            None => Ok(()),
        }
    }
}

/// Where and what; the identifier is escaped, because a changed file may say anything.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.seq, self.before) {
            (Some(seq), Some(before)) => {
                write!(f, "between record {seq} and record {}: ", before - 1)?;
            }
            (Some(seq), None) => write!(f, "record {seq}: ")?,
            (None, _) => {}
        }
        write!(f, "{}", self.damage)?;
        match &self.id {
            Some(id) => write!(f, " (id {})", crate::wording::terminal_safe(id)),
            None => Ok(()),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
pub(in crate::audit) fn is_unchanged(times: &usize) -> bool {
    *times == 0
}

#[expect(clippy::ref_option, reason = "serde's signature")]
fn base64<S: Serializer>(root: &Option<Hash>, serializer: S) -> Result<S::Ok, S::Error> {
    match root {
        Some(root) => serializer.serialize_str(&STANDARD.encode(root)),
        None => serializer.serialize_none(),
    }
}

fn words<S: Serializer>(damage: &Damage, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(damage)
}
