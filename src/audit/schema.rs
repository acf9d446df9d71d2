//! The tables of the log.

use crate::format::Newer;

/// Grows when a table changes, or what belongs to the log beside them. An older program refuses a newer file, also one that was brought forward
/// while it had it open: it looks in every transaction. Whatever brings a log forward does so in one
/// transaction that also appends a record, by which those notice it who do not look at the number.
pub const VERSION: i64 = 4;

/// Tells this file from other programs' databases (`PRAGMA application_id`): "chap".
pub const APPLICATION_ID: i64 = 0x6368_6170;

/// Refuses a number that is not known here.
///
/// # Errors
/// When it is a newer one.
pub fn check(found: i64) -> Result<(), Newer> {
    let known = VERSION;
    if found > known {
        return Err(Newer { found, known });
    }
    Ok(())
}

/// Everything that a log of the newest version has.
#[must_use]
pub fn create() -> String {
    VERSIONS.concat()
}

/// What each version added to the one before; a log is brought forward by those that it lacks.
pub const VERSIONS: [&str; 4] = [FIRST, SECOND, THIRD, FOURTH];

/// `record` is the log itself and only ever grows: each body is stored as the
/// bytes that were hashed, each leaf is SHA-256(0x00 ‖ body) (RFC 9162 §2.1.1); `seq` starts at 0
/// and is the leaf's index, so the log has as many records as the largest `seq` and one.
///
/// All else is working state and proves nothing. That includes `process` and `closes`, which stand
/// in `record` so that a commit touches a single page: what is open is what no later row closes.
/// For the same reason `head` lags behind: it holds the tree as it was when a head was last stored, and
/// the leaves since then are in `record`.
const FIRST: &str = "
CREATE TABLE log (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  log_id TEXT NOT NULL,          -- UUID of this log
  origin TEXT NOT NULL,          -- C2SP origin: chaperone/audit/<log_id>
  public_key BLOB NOT NULL,      -- Ed25519, for display; a verifier brings its own
  key_place TEXT NOT NULL,       -- 'keychain' or 'file'; chosen once
  created TEXT NOT NULL
) STRICT;
CREATE TABLE record (
  seq INTEGER PRIMARY KEY,
  leaf BLOB NOT NULL,
  process TEXT,                  -- of an intent: whose lock file tells whether the writer lives
  closes INTEGER,                -- of an outcome: the seq of its intent
  body BLOB
) STRICT;
CREATE TABLE head (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  size INTEGER NOT NULL,         -- records under the frontier; at most as many as there are
  frontier BLOB NOT NULL,        -- hashes of the complete subtrees, largest first, 32 bytes each
  note TEXT,                     -- the newest signed C2SP checkpoint, of this size
  swept INTEGER NOT NULL DEFAULT 0  -- every intent below this seq has its outcome
) STRICT;
CREATE TABLE mark (
  size INTEGER PRIMARY KEY,      -- heads that went into the keychain: an older copy of the file
  root BLOB NOT NULL             -- does not know the newest of them
) STRICT;
CREATE TABLE rate (
  person TEXT NOT NULL,          -- issuer and subject
  policy TEXT NOT NULL,
  ordinal INTEGER NOT NULL,      -- counts this person's intents under this policy
  boot TEXT NOT NULL,
  uptime INTEGER NOT NULL,       -- milliseconds since that boot
  PRIMARY KEY (person, policy, ordinal)
) STRICT, WITHOUT ROWID;
CREATE TABLE session (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  generation INTEGER NOT NULL,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  email TEXT,
  active INTEGER NOT NULL
) STRICT;
";

/// The newest head that each witness cosigned, and the changes of the log's key. Cosignatures and
/// statements prove themselves; they stand here too, because records may lose their content. The frontier
/// is working state, from which the next head is shown to be a continuation.
const SECOND: &str = "
CREATE TABLE cosigned (
  witness TEXT PRIMARY KEY,      -- its name in the configuration
  size INTEGER NOT NULL,
  frontier BLOB NOT NULL,        -- as in head
  note TEXT NOT NULL             -- the C2SP checkpoint, signed by the witness
) STRICT;
CREATE TABLE rotated (
  seq INTEGER PRIMARY KEY,       -- the record that says so
  statement TEXT NOT NULL        -- signed by the old key and the new one
) STRICT;
";

/// The newest records may wait in the tail beside the file, of which older programs know nothing.
const THIRD: &str = "";

/// Signed heads may wait there too, and what follows the last of these frames is of earlier times: older
/// programs would take it for a write that was interrupted.
const FOURTH: &str = "";
