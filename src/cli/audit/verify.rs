//! `chaperone audit verify`: this account's log, or a file from anywhere.

use std::fmt::Display;
use std::io;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{AuditError, Known, World};
use crate::audit::bundle::{self, EvidenceRequest, Kind};
use crate::audit::checkpoint::{VerifierKey, WitnessKey};
use crate::audit::reader::Reader;
use crate::audit::verify::{
    self, KeySource, PinnedHead, PinnedHeadError, PinnedKey, VerifyRequest,
};

/// What the person who verifies knows.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Pins {
    /// The log's public key, as `name+id+key`; without it the keychain's is used.
    #[arg(long, value_name = "KEY", value_parser = VerifierKey::parse)]
    key: Option<VerifierKey>,
    /// A signed head kept from earlier: a file with it, or `size:root`.
    #[arg(long, value_name = "HEAD", value_parser = parse_head)]
    head: Option<PinnedHead>,
    /// A witness' public key, as `name+id+key`: its cosignature has to be in the file; may be repeated.
    #[arg(long, value_name = "KEY", value_parser = WitnessKey::parse)]
    witness_key: Vec<WitnessKey>,
}

impl Pins {
    /// What to verify `database` with; `is_own` says that it is this account's log.
    pub(super) fn request(
        &self,
        database: PathBuf,
        is_own: bool,
        world: &mut World<'_>,
    ) -> VerifyRequest {
        // The keychain knows this account's log and no other.
        let known = if self.key.is_none() && is_own {
            (world.known)()
        } else {
            Known::default()
        };
        VerifyRequest {
            database,
            key: pinned(self.key.clone(), known.key),
            head: self.head.clone(),
            mark: known.mark,
            witnesses: self.witness_key.clone(),
        }
    }
}

/// Judges a file, or this account's log; returns the exit code.
pub(super) fn run(
    given: Option<&PathBuf>,
    pins: &Pins,
    json: bool,
    world: &mut World<'_>,
) -> Result<u8, AuditError> {
    // A log that is not there is told of by who opens it.
    let kind = given.map(|file| (file, bundle::kind(file).unwrap_or(Kind::Database)));
    if let Some((file, kind)) = kind
        && kind != Kind::Database
    {
        let request = EvidenceRequest {
            file: file.clone(),
            kind,
            key: pins.key.clone(),
            head: pins.head.clone(),
            witnesses: pins.witness_key.clone(),
        };
        let report = bundle::verify(&request)?;
        print(&report, json, world)?;
        return Ok(report.exit_code());
    }
    let database = given.unwrap_or(&world.database).clone();
    let request = pins.request(database, given.is_none(), world);
    let report = verify::watched(&request, world.watch)?;
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
