//! Evidence: chosen records that prove on their own where they come from, without the others.
//!
//! A bundle is a ZIP archive of exactly these files, the last of them the evidence:
//!
//! | file | what it is |
//! | --- | --- |
//! | `README.txt` | what this is and how to verify it, for a person; proves nothing |
//! | `checkpoint.txt` | the log's signed head (C2SP checkpoint), with whoever else signed it |
//! | `key.txt` | the log's key as `--key` takes it; a hint, for a verifier brings its own |
//! | `manifest.json` | [`Manifest`]: which log, under which head, how many records, chosen how; older heads that others remember |
//! | `records.jsonl` | a [`Line`] for each record: its number, its proof (RFC 9162 §2.1.3), its text |
//!
//! A record stands in its line as a *string*: the tree is over bytes, and whoever parses JSON into
//! objects has lost them. One record can also travel alone, as a [`Single`], which adds to a line
//! what the other files hold. The archive's times are fixed and its names sorted, so that the same
//! selection from the same log is the same file.
//!
//! What a bundle cannot show is what was left out of it: the selection is the word of who made it.

mod archive;
mod older;
mod read;
mod report;
mod write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

pub use self::archive::Archive;
pub use self::read::{EvidenceError, EvidenceRequest, Kind, kind, verify};
pub use self::report::{EvidenceReport, Fault, Problem};
pub use self::write::{BundleError, Selection, bundle, proven, singles};
use super::tree::proof::LONGEST;
use super::tree::{Hash, Head};

/// What the manifest calls a bundle.
const BUNDLE: &str = "chaperone-evidence";
/// What a record that travels alone is called.
const SINGLE: &str = "chaperone-record";
/// The version of both.
const VERSION: u32 = 1;
/// The most records of one bundle.
const RECORDS_LIMIT: usize = 100_000;

/// What the archive holds, sorted.
const README: &str = "README.txt";
const CHECKPOINT: &str = "checkpoint.txt";
const KEY: &str = "key.txt";
const MANIFEST: &str = "manifest.json";
const RECORDS: &str = "records.jsonl";
const NAMES: [&str; 5] = [README, CHECKPOINT, KEY, MANIFEST, RECORDS];

/// What a bundle says of itself. Everything but `program` and `selection` is checked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    /// `chaperone-evidence`.
    format: Box<str>,
    /// 1.
    version: u32,
    /// Which program wrote it.
    program: Box<str>,
    /// The log's origin, as its head names it.
    log: Box<str>,
    /// How many records the head covers.
    head_size: u64,
    /// The root over them, in base64.
    head_root: Box<str>,
    /// How many records are in the bundle.
    records: u64,
    /// The number of the first.
    first: u64,
    /// The number of the last.
    last: u64,
    /// How they were chosen, as `--select` or `--id` takes it.
    selection: Box<str>,
    /// Older heads that others remember.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    older: Vec<Older>,
    /// The changes of the log's key, as both keys signed them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rotations: Vec<Box<str>>,
}

/// An older head that somebody remembers, and the proof that the log's head continues it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Older {
    /// How many records it covers.
    size: u64,
    /// The root over them, in base64.
    root: Box<str>,
    /// The proof (RFC 9162 §2.1.4), in base64.
    proof: Vec<Box<str>>,
    /// The checkpoint, signed by a witness, if one saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checkpoint: Option<Box<str>>,
}

/// A record and the proof that it is in the log.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// Its number in the log, from 0.
    seq: u64,
    /// The hashes beside its way to the root, from the leaf upwards, in base64.
    proof: Vec<Box<str>>,
    /// The record as it was written.
    record: Box<str>,
}

/// A record that travels alone.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Single {
    /// `chaperone-record`.
    format: Box<str>,
    /// 1.
    version: u32,
    /// The signed head.
    checkpoint: Box<str>,
    /// The log's key; a hint.
    key: Box<str>,
    /// As in the [`Manifest`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    older: Vec<Older>,
    /// As in the [`Manifest`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rotations: Vec<Box<str>>,
    /// As in a [`Line`].
    seq: u64,
    /// As in a [`Line`].
    proof: Vec<Box<str>>,
    /// As in a [`Line`].
    record: Box<str>,
}

fn encoded(proof: &[Hash]) -> Vec<Box<str>> {
    let hashes = proof.iter();
    hashes.map(|hash| STANDARD.encode(hash).into()).collect()
}

/// Nothing if a text is no hash in the only spelling that there is for it.
fn decoded(proof: &[Box<str>]) -> Option<Vec<Hash>> {
    if proof.len() > LONGEST {
        return None;
    }
    let hashes = proof.iter();
    hashes
        .map(|text| STANDARD.decode(&**text).ok()?.try_into().ok())
        .collect()
}

fn root_text(head: &Head) -> Box<str> {
    STANDARD.encode(head.root).into()
}

#[cfg(test)]
mod tests;
