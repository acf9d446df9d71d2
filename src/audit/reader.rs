//! Opens a log to be read, and only read, by somebody who does not trust it.
//!
//! The file may come from anywhere: its schema may hold views and triggers in place of tables, its
//! pages may be crafted. Nothing in the schema is run, nothing is mapped into memory, and the
//! tables have to be exactly those of [`schema::VERSIONS`]. A file that no process has open is read
//! without leaving anything beside it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use ed25519_dalek::VerifyingKey;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::checkpoint::VerifierKey;
use super::file::beside;
use super::key::KeyPlace;
use super::schema;
use super::tail::{self, Found, Frame};
use crate::format::Newer;

/// No record is near as long.
const LONGEST_VALUE: i32 = 64 * 1024 * 1024;
/// How long a writer may keep a reader waiting.
const PATIENCE: Duration = Duration::from_secs(5);

/// A log that is open for reading.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    wal: PathBuf,
    immutable: bool,
}

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such file.
    #[error(
        "there is no log at {}; one is begun when a host starts chaperone, or when somebody signs in",
        path.display()
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// It may not be read.
    #[error("{} cannot be opened", path.display())]
    Open {
        /// The log.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A newer program made it.
    #[error(
        "a newer version of chaperone keeps the log {}; that version reads it", path.display()
    )]
    Newer {
        /// The log.
        path: PathBuf,
        /// Its format.
        source: Newer,
    },
    /// Records wait in the write-ahead log, which cannot be read where it lies.
    #[error(
        "records wait in {}, which cannot be read here; copy the log and the files beside it to a \
         directory that can be written", wal.display()
    )]
    Wal {
        /// The write-ahead log.
        wal: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The tables are not those of a log.
    #[error("{name:?} is not what a log has there")]
    Schema {
        /// The first table, index, view or trigger that differs.
        name: Box<str>,
    },
    /// Nothing is declared in it.
    #[error("the file is empty: no log was begun in it, or all of it was taken away")]
    Empty,
    /// SQLite cannot read it.
    #[error("the file cannot be read as a log")]
    Sqlite(#[from] rusqlite::Error),
}

impl ReadError {
    /// Whether the file itself is damaged, as against being out of reach.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Schema { .. } | Self::Empty => true,
            Self::Sqlite(error) => is_damage(error),
            Self::Missing { .. } | Self::Open { .. } | Self::Newer { .. } | Self::Wal { .. } => {
                false
            }
        }
    }
}

/// Whether SQLite says that the file's content is not what it should be.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    match error.sqlite_error_code() {
        Some(code) => matches!(
            code,
            ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::TooBig
                | ErrorCode::TypeMismatch
                // `SQLITE_ERROR`: statements over the known tables fail only if those are crafted.
                | ErrorCode::Unknown
        ),
        // A column of another type, no row, bytes that are no UTF-8.
        None => true,
    }
}

/// Reads a log as it is now, and again if a writer began meanwhile: what was read then may be of
/// two states.
///
/// # Errors
/// When it cannot be reached, is no log, or `read` fails.
pub fn undisturbed<T, E: From<ReadError>>(
    path: &Path,
    mut read: impl FnMut(&Reader) -> Result<T, E>,
) -> Result<T, E> {
    let reader = Reader::open(path)?;
    let result = read(&reader);
    if reader.was_overtaken() {
        // With a writer there, the file can be read like one that is in use.
        return read(&Reader::open_live(path)?);
    }
    result
}

impl Reader {
    /// Opens a log as it is now.
    ///
    /// # Errors
    /// When it cannot be reached, or is no log.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let wal = beside(path, "-wal");
        // Without a write-ahead log nobody writes, and SQLite need not lay one.
        let immutable = !holds_something(&wal);
        Self::connect(path, wal, immutable)
    }

    /// Opens a log that others go on writing, to see what they write.
    ///
    /// # Errors
    /// When it cannot be reached, or is no log.
    pub fn open_live(path: &Path) -> Result<Self, ReadError> {
        Self::connect(path, beside(path, "-wal"), false)
    }

    fn connect(path: &Path, wal: PathBuf, immutable: bool) -> Result<Self, ReadError> {
        let readable = std::fs::File::open(path);
        readable.map_err(|source| {
            let path = path.to_owned();
            if source.kind() == io::ErrorKind::NotFound {
                ReadError::Missing { path }
            } else {
                ReadError::Open { path, source }
            }
        })?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(address(path, immutable), flags)?;
        let reader = Self {
            connection,
            wal,
            immutable,
        };
        reader.harden()?;
        reader
            .check_schema(path)
            .map_err(|error| reader.explain(error))?;
        Ok(reader)
    }

    /// Nothing that the file says is run, and nothing is written.
    fn harden(&self) -> Result<(), rusqlite::Error> {
        let connection = &self.connection;
        connection.busy_timeout(PATIENCE)?;
        for (setting, value) in [
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        ] {
            connection.set_db_config(setting, value)?;
        }
        for (limit, value) in [
            (Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
            (Limit::SQLITE_LIMIT_COLUMN, 100),
            (Limit::SQLITE_LIMIT_EXPR_DEPTH, 20),
            (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 3),
            (Limit::SQLITE_LIMIT_ATTACHED, 0),
            (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
        ] {
            connection.set_limit(limit, value)?;
        }
        for (pragma, value) in [("query_only", 1), ("cell_size_check", 1), ("mmap_size", 0)] {
            connection.pragma_update(None, pragma, value)?;
        }
        Ok(())
    }

    /// Compares what the file declares with what a new log would.
    fn check_schema(&self, path: &Path) -> Result<(), ReadError> {
        let version: i64 = self
            .connection
            .pragma_query_value(None, "user_version", |row| row.get(0))?;
        schema::check(version).map_err(|source| ReadError::Newer {
            path: path.to_owned(),
            source,
        })?;
        let found = declarations(&self.connection)?;
        // Files of tests and of copies by hand may have lost their number.
        let version = usize::try_from(version).ok().filter(|version| *version > 0);
        let expected = expected(version.unwrap_or(schema::VERSIONS.len()))?;
        if *expected == found {
            return Ok(());
        }
        if found.is_empty() {
            return Err(ReadError::Empty);
        }
        let odd = found.iter().find(|entry| !expected.contains(entry));
        let missing = expected.iter().find(|entry| !found.contains(entry));
        let name = odd.or(missing).map_or("", |entry| &entry.name);
        Err(ReadError::Schema { name: name.into() })
    }

    /// A write-ahead log in a place that cannot be written is told from other failures.
    fn explain(&self, error: ReadError) -> ReadError {
        match error {
            ReadError::Sqlite(source)
                if matches!(
                    source.sqlite_error_code(),
                    Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)
                ) =>
            {
                ReadError::Wal {
                    wal: self.wal.clone(),
                    source,
                }
            }
            other @ (ReadError::Missing { .. }
            | ReadError::Open { .. }
            | ReadError::Newer { .. }
            | ReadError::Empty
            | ReadError::Wal { .. }
            | ReadError::Schema { .. }
            | ReadError::Sqlite(_)) => other,
        }
    }

    /// Whether a writer began while the file was read as one that nobody writes; what was read may
    /// then be half of one state and half of another.
    #[must_use]
    pub fn was_overtaken(&self) -> bool {
        self.immutable && holds_something(&self.wal)
    }

    /// What the log calls itself in its signed heads; a name, not a proof.
    #[must_use]
    pub fn origin(&self) -> Option<Box<str>> {
        let query = "SELECT origin FROM log";
        let origin = self
            .connection
            .query_one(query, [], |row| row.get::<_, String>(0));
        origin.ok().map(Into::into)
    }

    /// The key that the log calls its own; a hint, not a proof.
    #[must_use]
    pub fn verifier_key(&self) -> Option<VerifierKey> {
        let query = "SELECT origin, public_key FROM log";
        let row = self.connection.query_one(query, [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, [u8; 32]>(1)?))
        });
        let (origin, key) = row.ok()?;
        VerifierKey::new(&origin, VerifyingKey::from_bytes(&key).ok()?).ok()
    }

    /// Where the log says that its keys are.
    #[must_use]
    pub fn key_place(&self) -> Option<KeyPlace> {
        let query = "SELECT key_place FROM log";
        let place = self
            .connection
            .query_one(query, [], |row| row.get::<_, String>(0));
        KeyPlace::parse(&place.ok()?)
    }

    /// How many newer records wait beside the log at `path`, which is the one that this reads.
    #[must_use]
    pub fn waiting(&self, path: &Path) -> usize {
        let found = self.tail(path);
        let query = "SELECT max(seq) FROM record";
        let last = self.connection.query_one(query, [], |row| row.get(0));
        let last: i64 = last.unwrap_or(-1);
        let is_newer = |frame: &&Frame| i64::try_from(frame.seq).is_ok_and(|seq| seq > last);
        found.frames.iter().filter(is_newer).count()
    }

    /// What is in the tail of the log at `path`, which is the one that this reads.
    pub(super) fn tail(&self, path: &Path) -> Found {
        let query = "SELECT log_id FROM log";
        let log_id = self
            .connection
            .query_one(query, [], |row| row.get::<_, String>(0));
        let found = log_id.ok().and_then(|id| tail::read(path, &id).ok());
        found.unwrap_or_default()
    }

    /// The connection, for statements over the known tables.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Declaration {
    kind: String,
    name: String,
    table: String,
    sql: Option<String>,
}

/// What a log of this version declares; the same every time, so it is asked once.
fn expected(version: usize) -> Result<&'static [Declaration], rusqlite::Error> {
    type Declared = OnceLock<Vec<Declaration>>;
    const VERSIONS: usize = schema::VERSIONS.len();
    static EXPECTED: [Declared; VERSIONS] = [const { Declared::new() }; VERSIONS];
    let steps = &schema::VERSIONS[..version.min(VERSIONS)];
    let place = &EXPECTED[steps.len() - 1];
    if let Some(known) = place.get() {
        return Ok(known);
    }
    let model = Connection::open_in_memory()?;
    model.execute_batch(&steps.concat())?;
    let declared = declarations(&model)?;
    Ok(place.get_or_init(|| declared))
}

/// Everything that is declared, but for SQLite's own statistics.
fn declarations(connection: &Connection) -> Result<Vec<Declaration>, rusqlite::Error> {
    let mut statement = connection.prepare(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema
         WHERE name NOT LIKE 'sqlite\\_stat%' ESCAPE '\\' ORDER BY type, name LIMIT 100",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Declaration {
            kind: row.get(0)?,
            name: row.get(1)?,
            table: row.get(2)?,
            sql: row.get(3)?,
        })
    })?;
    rows.collect()
}

fn holds_something(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.len() > 0)
}

/// The file as SQLite's address of it (<https://sqlite.org/uri.html>).
fn address(path: &Path, immutable: bool) -> OsString {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut address = String::from(if cfg!(windows) { "file:" } else { "file://" });
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b':' | b'.' | b'-' | b'_' => address.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => address.push(char::from(*byte)),
            byte => {
                let encoded = percent_encoding::percent_encode_byte(*byte);
                address.push_str(encoded);
            }
        }
    }
    if immutable {
        address.push_str("?immutable=1");
    }
    address.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(directory: &Path) -> (PathBuf, Connection) {
        let path = directory.join("a ?#%ä.db");
        let connection = Connection::open(&path).unwrap();
        connection
            .pragma_update(None, "journal_mode", "wal")
            .unwrap();
        connection.execute_batch(&schema::create()).unwrap();
        (path, connection)
    }

    fn names(directory: &Path) -> Vec<OsString> {
        let mut names: Vec<_> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_closed_log_is_read_without_a_trace() {
        let directory = tempfile::tempdir().unwrap();
        let (path, connection) = log(directory.path());
        connection.close().unwrap();
        let before = names(directory.path());
        let reader = Reader::open(&path).unwrap();
        assert_eq!(names(directory.path()), before);
        assert!(!reader.was_overtaken());
        // A writer comes.
        let connection = Connection::open(&path).unwrap();
        connection
            .execute(
                "INSERT INTO head (one, size, frontier, note) VALUES (1, 0, x'', NULL)",
                [],
            )
            .unwrap();
        assert!(reader.was_overtaken());
    }

    #[test]
    fn what_was_read_while_a_writer_came_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let (path, connection) = log(directory.path());
        connection.close().unwrap();
        let mut writers = Vec::new();
        let heads = undisturbed(&path, |reader| -> Result<i64, ReadError> {
            let sql = "SELECT count(*) FROM head";
            let heads = reader.connection().query_row(sql, [], |row| row.get(0))?;
            let writer = Connection::open(&path).unwrap();
            let sql = "INSERT OR IGNORE INTO head (one, size, frontier) VALUES (1, 0, x'')";
            writer.execute(sql, []).unwrap();
            writers.push(writer);
            Ok(heads)
        });
        assert_eq!((heads.unwrap(), writers.len()), (1, 2));
    }

    #[test]
    fn a_live_log_is_read_with_what_waits_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let (path, writer) = log(directory.path());
        writer
            .execute(
                "INSERT INTO head (one, size, frontier, note) VALUES (1, 5, x'', NULL)",
                [],
            )
            .unwrap();
        let reader = Reader::open(&path).unwrap();
        let size: i64 = reader
            .connection()
            .query_row("SELECT size FROM head", [], |row| row.get(0))
            .unwrap();
        assert_eq!(size, 5);
        assert!(reader.connection().execute("DELETE FROM head", []).is_err());
    }

    #[test]
    fn crafted_tables_are_named() {
        for (sql, name) in [
            (
                "DROP TABLE record; CREATE VIEW record AS SELECT 1 AS seq, 2 AS leaf, 3 AS body",
                "record",
            ),
            (
                "CREATE TRIGGER t AFTER INSERT ON record BEGIN SELECT 1; END",
                "t",
            ),
            ("CREATE VIEW v AS SELECT 1", "v"),
            ("DROP TABLE session", "session"),
            ("ALTER TABLE head ADD COLUMN more TEXT", "head"),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let (path, writer) = log(directory.path());
            writer.execute_batch(sql).unwrap();
            let error = Reader::open(&path).unwrap_err();
            assert!(error.is_damage());
            assert!(
                matches!(error, ReadError::Schema { name: found } if &*found == name),
                "{sql}"
            );
        }
    }

    #[test]
    fn what_is_no_log_is_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.db");
        let missing = Reader::open(&path).unwrap_err();
        assert!(matches!(missing, ReadError::Missing { .. }));
        let told = missing.to_string();
        assert!(told.contains("there is no log at") && told.contains("when a host starts"));
        std::fs::write(
            &path,
            "not a database, but long enough to have a header".repeat(40),
        )
        .unwrap();
        assert!(Reader::open(&path).unwrap_err().is_damage());
        let (path, writer) = log(directory.path());
        writer
            .pragma_update(None, "user_version", schema::VERSION + 1)
            .unwrap();
        assert!(
            matches!(Reader::open(&path), Err(ReadError::Newer { source, .. }) if source.found == schema::VERSION + 1)
        );
    }
}
