//! The command with this account's own log, keychain and terminal.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use ed25519_dalek::SigningKey;

use super::{AuditArgs, AuditError, Known, World};
use crate::app::App;
use crate::audit::checkpoint::VerifierKey;
use crate::audit::key::SEED_FIELD;
use crate::audit::mark;
use crate::audit::reader::Reader;
use crate::cli::console::Console;
use crate::cli::failure::{Failure, exit};
use crate::login::keychain::SecretStore;

/// How often `tail` looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Runs the command.
pub fn command(args: &AuditArgs, app: &App, console: &mut Console) -> Result<u8, Failure> {
    let database = app.paths.audit_db();
    let colour = console.colour();
    let mut notes = Vec::new();
    let result = super::run(
        args,
        &mut World {
            database: database.clone(),
            colour,
            known: &mut || known(&*app.keychain, &database, &mut notes),
            wait: &mut || {
                std::thread::sleep(PAUSE);
                ControlFlow::Continue(())
            },
            out: console.out(),
        },
    );
    for note in &notes {
        console.note(note);
    }
    result.map_err(|error| failure(&error))
}

/// What the keychain knows of this account's log. The origin is only a name: the signature is over
/// it, so one that the file made up does not verify.
fn known<K: SecretStore + ?Sized>(keychain: &K, database: &Path, notes: &mut Vec<String>) -> Known {
    match asked(keychain, database) {
        Ok(known) => known,
        Err(error) => {
            notes.push(format!(
                "The keychain cannot be asked for the log's key ({error}); give it with --key."
            ));
            Known::default()
        }
    }
}

fn asked<K: SecretStore + ?Sized>(
    keychain: &K,
    database: &Path,
) -> Result<Known, crate::login::keychain::KeychainError> {
    let mark = keychain.read(mark::FIELD)?;
    let mark: Option<mark::Mark> = mark.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let mark = mark.and_then(|mark| mark.checkpoint());
    let Some(seed) = keychain.read(SEED_FIELD)? else {
        return Ok(Known { key: None, mark });
    };
    let origin = mark.as_ref().map(|mark| mark.origin.clone()).or_else(|| {
        let reader = Reader::open(database).ok()?;
        reader.origin()
    });
    let key = <[u8; 32]>::try_from(seed.as_slice()).ok().zip(origin);
    let key = key.and_then(|(seed, origin)| {
        let key = SigningKey::from_bytes(&seed).verifying_key();
        VerifierKey::new(&origin, key).ok()
    });
    Ok(Known { key, mark })
}

fn failure(error: &AuditError) -> Failure {
    match error {
        AuditError::Output(cause) if cause.kind() == std::io::ErrorKind::BrokenPipe => {
            Failure::new(exit::FAILED, "")
        }
        AuditError::Read(_)
        | AuditError::Query(_)
        | AuditError::Verify(_)
        | AuditError::NoRecord(_)
        | AuditError::Output(_) => Failure::failed(error),
    }
}
