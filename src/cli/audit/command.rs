//! The command with this account's own log, keychain and terminal.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use super::{AuditArgs, AuditCommand, AuditError, Known, World};
use crate::app::App;
use crate::audit;
use crate::audit::checkpoint::VerifierKey;
use crate::audit::export::ExportError;
use crate::audit::key::{self, KeyError, KeyPlace};
use crate::audit::mark;
use crate::audit::reader::Reader;
use crate::audit::redact::Redactor;
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::clock::{Clock as _, SystemClock};
use crate::codes::Code;
use crate::login::keychain::SecretStore;
use crate::paths::Paths;
use crate::report::ReportError;
use crate::wording::chain;

/// How often `tail` looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Runs the command, whatever it takes.
pub async fn execute(args: &AuditArgs, app: &App, console: &mut Console) -> Result<u8, Failure> {
    if let AuditCommand::Hold { hold } = &args.command {
        return super::hold::run(*hold, app, console).await;
    }
    if matches!(args.command, AuditCommand::RotateKey) {
        return super::rotate::run(app, console).await;
    }
    command(args, app, console)
}

/// Runs what the log alone is enough for.
fn command(args: &AuditArgs, app: &App, console: &mut Console) -> Result<u8, Failure> {
    match &args.db {
        None => audit::settle(&app.paths),
        Some(copy) => tell_of_waiting(copy, &args.command, console),
    }
    let colour = console.colour();
    let mut notes = Vec::new();
    let mut meter = console.meter("verified", "records");
    let result = super::run(
        args,
        &mut World {
            database: app.paths.audit_db(),
            colour,
            now: SystemClock::new().now(),
            known: &mut || known(&*app.keychain, &app.paths, &mut notes),
            digest: &mut |reader, value| {
                let place = reader.key_place().unwrap_or(KeyPlace::Keychain);
                let keys = key::load(place, &app.paths.data_dir, &*app.keychain)?;
                Ok(Redactor::new(&[], *keys.digest).keyed_digest(value))
            },
            input: &mut std::io::stdin(),
            wait: &mut || {
                std::thread::sleep(PAUSE);
                ControlFlow::Continue(())
            },
            watch: &mut |done, of| meter.tell(done, of),
            out: console.out(),
        },
    );
    drop(meter);
    for note in &notes {
        console.note(note);
    }
    result.map_err(|error| failure(&error))
}

/// Says what of a log that is not this account's own is not shown.
fn tell_of_waiting(copy: &Path, command: &AuditCommand, console: &mut Console) {
    if matches!(command, AuditCommand::Verify { .. } | AuditCommand::Key) {
        return;
    }
    // What cannot be opened is told by whoever reads it.
    let waiting = Reader::open(copy).map_or(0, |reader| reader.waiting(copy));
    if waiting > 0 {
        let name = copy.file_name().unwrap_or_default().to_string_lossy();
        console.note(&format!(
            "The {waiting} newest records wait in {name}-tail beside this log and are not shown here; \
             `chaperone audit verify` reads them too."
        ));
    }
}

/// What the keychain knows of this account's log. The origin is only a name: the signature is over
/// it, so one that the file made up does not verify.
fn known(secrets: &dyn SecretStore, paths: &Paths, notes: &mut Vec<String>) -> Known {
    match asked(secrets, paths) {
        Ok(known) => known,
        Err(error) => {
            let why = chain(&error);
            notes.push(format!(
                "The keychain cannot be asked for the log's key ({why}); give it with --key."
            ));
            Known::default()
        }
    }
}

fn asked(secrets: &dyn SecretStore, paths: &Paths) -> Result<Known, KeyError> {
    let mark = mark::read(secrets)?.and_then(|mark| mark.checkpoint());
    let keys = match key::load(KeyPlace::Keychain, &paths.data_dir, secrets) {
        Ok(keys) => keys,
        // A log without a keychain has its key in a file, which proves nothing to a verifier.
        Err(KeyError::Missing(_)) => return Ok(Known { key: None, mark }),
        Err(error) => return Err(error),
    };
    let origin = mark.as_ref().map(|mark| mark.origin.clone());
    let origin = origin.or_else(|| Reader::open(&paths.audit_db()).ok()?.origin());
    let key =
        origin.and_then(|origin| VerifierKey::new(&origin, keys.signing.verifying_key()).ok());
    Ok(Known { key, mark })
}

fn failure(error: &AuditError) -> Failure {
    let code = match error {
        AuditError::Output(cause) | AuditError::Export(ExportError::Output(cause))
            if cause.kind() == std::io::ErrorKind::BrokenPipe =>
        {
            return Failure::silent();
        }
        AuditError::Read(_)
        | AuditError::Query(_)
        | AuditError::Verify(_)
        | AuditError::Report(
            ReportError::Read(_) | ReportError::Query(_) | ReportError::Verify(_),
        )
        | AuditError::Export(ExportError::Query(_) | ExportError::Unreadable { .. }) => {
            Code::LogUnreadable
        }
        AuditError::Evidence(_) | AuditError::Bundle(_) => Code::Evidence,
        AuditError::Key(_) | AuditError::NoKey => Code::LogKey,
        AuditError::Input(_) => Code::Input,
        AuditError::NoRecord(_) | AuditError::Pruned(_) => Code::NoRecord,
        AuditError::Export(_) | AuditError::Report(_) | AuditError::Output(_) => Code::Output,
    };
    Failure::of(code, error)
}
