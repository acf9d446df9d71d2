//! `chaperone audit verify`: this account's log, or a file from anywhere.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{AuditError, Known, World};
use crate::audit::bundle::{self, EvidenceRequest, Kind};
use crate::audit::checkpoint::VerifierKey;
use crate::audit::reader::Reader;
use crate::audit::verify::{
    self, KeySource, PinnedHead, PinnedHeadError, PinnedKey, VerifyRequest,
};

/// What the verifier brings.
#[derive(Debug, Default)]
pub(super) struct Pins {
    pub(super) key: Option<VerifierKey>,
    pub(super) head: Option<PinnedHead>,
}

/// Judges a file, or this account's log; returns the exit code.
pub(super) fn run(
    given: Option<&PathBuf>,
    pins: Pins,
    json: bool,
    world: &mut World<'_>,
) -> Result<u8, AuditError> {
    let Some(file) = given else {
        return own_log(pins, json, world);
    };
    // A log that is not there is told of by who opens it.
    let kind = bundle::kind(file).unwrap_or(Kind::Database);
    if kind == Kind::Database {
        // The keychain knows this account's log and no other.
        return log(file, pins, Known::default(), json, world);
    }
    let request = EvidenceRequest {
        file: file.clone(),
        kind,
        key: pins.key,
        head: pins.head,
    };
    let report = bundle::verify(&request)?;
    print(&report, json, world)?;
    Ok(report.exit_code())
}

fn own_log(pins: Pins, json: bool, world: &mut World<'_>) -> Result<u8, AuditError> {
    let known = if pins.key.is_some() {
        Known::default()
    } else {
        (world.known)()
    };
    let database = world.database.clone();
    log(&database, pins, known, json, world)
}

fn log(
    database: &Path,
    pins: Pins,
    known: Known,
    json: bool,
    world: &mut World<'_>,
) -> Result<u8, AuditError> {
    let report = verify::verify(&VerifyRequest {
        database: database.to_owned(),
        key: pinned(pins.key, known.key),
        head: pins.head,
        mark: known.mark,
    })?;
    print(&report, json, world)?;
    Ok(report.exit_code())
}

fn pinned(given: Option<VerifierKey>, keychain: Option<VerifierKey>) -> Option<PinnedKey> {
    let given = given.map(|key| PinnedKey {
        key,
        source: KeySource::Given,
    });
    given.or(keychain.map(|key| PinnedKey {
        key,
        source: KeySource::Keychain,
    }))
}

/// Prints the key that heads of this account's log, or of a given one, are signed with: as the
/// keychain knows it, else as the log says.
pub(super) fn key(
    given: Option<&PathBuf>,
    json: bool,
    world: &mut World<'_>,
) -> Result<(), AuditError> {
    let known = match given {
        None => (world.known)().key,
        Some(_) => None,
    };
    let source = match known {
        Some(_) => KeySource::Keychain,
        None => KeySource::File,
    };
    let key = match known {
        Some(key) => key,
        None => Reader::open(given.unwrap_or(&world.database))?
            .verifier_key()
            .ok_or(AuditError::NoKey)?,
    };
    if json {
        let found = serde_json::json!({ "key": key.to_string(), "source": source });
        writeln!(world.out, "{found}")?;
    } else {
        writeln!(world.out, "{key}")?;
    }
    Ok(())
}

fn print(
    report: &(impl Display + Serialize),
    json: bool,
    world: &mut World<'_>,
) -> Result<(), AuditError> {
    if json {
        serde_json::to_writer(&mut *world.out, report).map_err(io::Error::from)?;
        writeln!(world.out)?;
    } else {
        writeln!(world.out, "{report}")?;
    }
    Ok(())
}

/// A file that holds a head, or what stands there.
pub(super) fn parse_head(text: &str) -> Result<PinnedHead, PinnedHeadError> {
    match std::fs::read_to_string(text) {
        Ok(note) => PinnedHead::parse(&note).or_else(|_| PinnedHead::parse(note.trim())),
        Err(_) => PinnedHead::parse(text),
    }
}
