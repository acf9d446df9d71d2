//! Opening the log, or making it: files, format, keys.
//!
//! SQLite follows symbolic links and closing any other descriptor of its file would drop its locks
//! (`fcntl(2)`), so the files are looked at by name, never opened beside SQLite once they exist.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::custodian::{Answer, Custodian};
use super::head::stored_head;
use super::{BUSY, Store};
use crate::audit::entry::{self, Device};
use crate::audit::error::{Damage, StoreError};
use crate::audit::file::{FileId, beside};
use crate::audit::key::{KeyError, KeyPlace};
use crate::audit::mark;
use crate::audit::process::take_within;
use crate::audit::schema;
use crate::audit::tail::Tail;
use crate::audit::tree::Frontier;
use crate::clock::Clock;
use crate::config::Durability;
use crate::format::Newer;
use crate::login::keychain::SecretStore;
use crate::paths::{self, Paths};

/// How every connection to the log is opened: the file exists, and links are not followed.
pub const OPEN_FLAGS: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE
    .union(OpenFlags::SQLITE_OPEN_NO_MUTEX)
    .union(OpenFlags::SQLITE_OPEN_NOFOLLOW);
/// The write-ahead log is cut to this size when it begins anew; below it, writing over what is there
/// costs less than growing again.
const WAL_KEPT: i64 = 16 << 20;
/// Pages of the connection's cache: the end of the log, and little else, is used again.
const CACHE_KIB: i64 = 256;

/// What opening needs.
pub struct Opening<'a> {
    /// Where the log lies.
    pub paths: &'a Paths,
    /// What commits survive.
    pub durability: Durability,
    /// Where the keys are.
    pub secrets: &'a Arc<dyn SecretStore>,
    /// Time.
    pub clock: &'a Arc<dyn Clock>,
    /// What records say of this device.
    pub device: &'a Device,
    /// This process, as its intents name it.
    pub process: &'a str,
}

impl Opening<'_> {
    /// Opens the log, making it if there is none.
    ///
    /// # Errors
    /// When anything is not as it must be; nothing is mended or moved away in silence.
    pub fn open(&self, custodian: &mut Custodian) -> Result<Store, StoreError> {
        let path = self.prepare_files()?;
        let failed = |error| StoreError::from_sqlite(&path, error);
        let conn = Connection::open_with_flags(&path, OPEN_FLAGS).map_err(failed)?;
        conn.busy_timeout(BUSY).map_err(failed)?;
        let is_new = identify(&conn, &path)?;
        self.configure(&conn).map_err(failed)?;
        if is_new {
            self.create(&conn, &path, custodian)?;
        }
        let log = read_log(&conn, &path)?;
        let keys = custodian.load(self, &log)?;
        let (frontier, signed) = stored_head(&conn).map_err(|failure| failure.at(&path))?;
        let meta = fs::symlink_metadata(&path).map_err(|cause| at(&path, cause))?;
        let tail = Tail::open(&path, &log.id);
        let tail = tail.map_err(|cause| StoreError::of_tail(&path, cause))?;
        let mut store = Store {
            conn,
            tail,
            file: FileId::of(&meta),
            path,
            log_id: log.id,
            origin: log.origin,
            keys,
            durability: self.durability,
            clock: Arc::clone(self.clock),
            device: self.device.clone(),
            process: self.process.into(),
            frontier,
            signed,
            signed_ahead: 0,
            stored: 0,
            session: None,
            clocks: None,
            patience: BUSY,
            transactions: 0,
            short: false,
        };
        store.upgrade()?;
        Ok(store)
    }

    /// Makes sure that directory and files are of this account alone.
    fn prepare_files(&self) -> Result<PathBuf, StoreError> {
        let dir = &self.paths.data_dir;
        paths::private_dir(dir).map_err(|cause| at(dir, cause))?;
        let given = self.paths.audit_db();
        for suffix in ["-wal", "-shm", "-tail"] {
            check_by_name(&beside(&given, suffix))?;
        }
        if !check_by_name(&given)? {
            paths::open_private(&given).map_err(|cause| at(&given, cause))?;
        }
        // Above the private directory links are the system's own business (`/home`, `/tmp`), but
        // SQLite refuses any in the path.
        #[cfg(unix)]
        let given = {
            let real = fs::canonicalize(dir).map_err(|cause| at(dir, cause))?;
            real.join(given.file_name().unwrap_or_default())
        };
        Ok(given)
    }

    fn configure(&self, conn: &Connection) -> rusqlite::Result<()> {
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        // Else statements are compiled anew whenever a value is bound that a plan might depend on.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        // In durability `process` a checkpoint still waits for the disk, which keeps the file sound
        // when the machine stops, and is done where no call waits for it. Measured, OFF saves
        // nothing at a commit and risks the whole file.
        let synchronous = match self.durability {
            Durability::Strict => "FULL",
            Durability::Process => "NORMAL",
        };
        conn.pragma_update(None, "synchronous", synchronous)?;
        conn.pragma_update(None, "fullfsync", self.durability == Durability::Strict)?;
        conn.pragma_update(None, "checkpoint_fullfsync", true)?;
        conn.pragma_update(None, "wal_autocheckpoint", 0)?;
        conn.pragma_update(None, "journal_size_limit", WAL_KEPT)?;
        conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
        conn.set_prepared_statement_cache_capacity(32);
        Ok(())
    }

    /// Makes keys and log, one process at a time.
    fn create(
        &self,
        conn: &Connection,
        path: &Path,
        custodian: &mut Custodian,
    ) -> Result<(), StoreError> {
        let lock_path = self.paths.lock("audit-key");
        if custodian.pending.is_none() {
            let lock = take_within(&lock_path, BUSY).map_err(|cause| {
                if cause.kind() == io::ErrorKind::TimedOut {
                    StoreError::Key(KeyError::Busy)
                } else {
                    at(&lock_path, cause)
                }
            })?;
            if !identify(conn, path)? {
                return Ok(());
            }
            custodian.create(self, lock)?;
        }
        let made = custodian.answer()?;
        self.write_log(conn, &made)
            .map_err(|error| StoreError::from_sqlite(path, error))?;
        custodian.keys = Some(Arc::new(made.keys));
        Ok(())
    }

    /// The tables, the log's own row, and the first record, which tells where the key is and why.
    fn write_log(&self, conn: &Connection, made: &Answer) -> rusqlite::Result<()> {
        let id = uuid::Uuid::now_v7().to_string();
        let now = self.clock.now();
        let draft = entry::note("log_created", self.device, &made.story());
        let body = draft.complete(uuid::Uuid::now_v7(), 0, &now.to_string());
        let leaf = crate::audit::tree::leaf_hash(&body);
        let public = made.keys.signing.verifying_key();
        // So that the file can shrink; it has to be said before there is anything in it.
        conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        conn.pragma_update(None, "journal_mode", "WAL")?;
        let transaction = conn.unchecked_transaction()?;
        conn.execute_batch(&schema::create())?;
        conn.execute(
            "INSERT INTO log VALUES (1, ?1, ?2, ?3, ?4, ?5)",
            params![
                id,
                format!("{}{id}", mark::ORIGIN),
                public.as_bytes(),
                made.keys.place.as_str(),
                now.to_string()
            ],
        )?;
        conn.execute(
            "INSERT INTO head (one, size, frontier) VALUES (1, 0, ?1)",
            params![Frontier::new().to_bytes()],
        )?;
        conn.execute(
            "INSERT INTO record (seq, leaf, body) VALUES (0, ?1, ?2)",
            params![&leaf[..], body],
        )?;
        conn.pragma_update(None, "application_id", schema::APPLICATION_ID)?;
        conn.pragma_update(None, "user_version", schema::VERSION)?;
        transaction.commit()
    }
}

/// What the log says of itself.
pub(super) struct Log {
    id: Box<str>,
    origin: Box<str>,
    pub(super) public_key: Vec<u8>,
    pub(super) place: KeyPlace,
}

fn read_log(conn: &Connection, path: &Path) -> Result<Log, StoreError> {
    let row = conn
        .query_row(
            "SELECT log_id, origin, public_key, key_place FROM log WHERE one = 1",
            [],
            |row| {
                let place: String = row.get(3)?;
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, place))
            },
        )
        .optional()
        .map_err(|error| StoreError::from_sqlite(path, error))?;
    let log = row.and_then(|(id, origin, public_key, place)| {
        Some(Log {
            id,
            origin,
            public_key,
            place: KeyPlace::parse(&place)?,
        })
    });
    log.ok_or_else(|| damaged(path, Damage::Table("log")))
}

fn at(path: &Path, cause: io::Error) -> StoreError {
    StoreError::Place {
        path: path.into(),
        cause,
    }
}

fn newer(path: &Path, cause: Newer) -> StoreError {
    StoreError::Newer {
        path: path.into(),
        cause,
    }
}

fn damaged(path: &Path, cause: Damage) -> StoreError {
    StoreError::Corrupt {
        path: path.into(),
        cause,
    }
}

/// Refuses a file that is not ours alone; says whether there is one.
fn check_by_name(path: &Path) -> Result<bool, StoreError> {
    let found = match fs::symlink_metadata(path) {
        Ok(meta) => paths::check_private(path, &meta).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    };
    found.map_err(|cause| at(path, cause))
}

/// Refuses databases of others and of newer versions; says whether the file is empty.
fn identify(conn: &Connection, path: &Path) -> Result<bool, StoreError> {
    let read = || {
        // Three looks at one state: another process may be making the log at this moment.
        let transaction = conn.unchecked_transaction()?;
        let pragma = |name| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let tables = pragma("schema_version")?;
        Ok((pragma("application_id")?, pragma("user_version")?, tables))
    };
    let (application, version, tables) =
        read().map_err(|error| StoreError::from_sqlite(path, error))?;
    if (application, version, tables) == (0, 0, 0) {
        return Ok(true);
    }
    if application != schema::APPLICATION_ID {
        return Err(StoreError::Foreign { path: path.into() });
    }
    schema::check(version).map_err(|cause| newer(path, cause))?;
    Ok(false)
}
